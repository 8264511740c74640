# SPDX-License-Identifier: GPL-3.0-or-later
# The commands of the project; README.md and CONTRIBUTING.md explain them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
COLLECTIONS := $(CURDIR)/.ansible/collections
LINK := $(COLLECTIONS)/ansible_collections/k3sfleet/registries
export ANSIBLE_COLLECTIONS_PATH := $(COLLECTIONS)
export PATH := $(BIN):$(PATH)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: venv
venv: $(VENV)/.installed ## the virtual environment with every pinned tool

$(VENV)/.installed: requirements/controller.txt requirements/dev.txt
	@echo "Installing the pinned tools into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

.PHONY: links
links: $(LINK) ## the ansible_collections path that Ansible needs, whatever the checkout's folder

$(LINK):
	@mkdir -p $(dir $@)
	@ln -sfn $(CURDIR) $@

include tests/fleet/fleet.mk

# What needs a fleet waits more than it computes: LANES targets at once, the longest first; the words of each come when it
# has ended. Before them, one by one, what all need: Debian's packages, and the node image (of the demo, whose fleet
# would only be in the way), and beside them what needs nothing of that. docs-check begins with artifact, whose site it
# looks at.
LANES ?= 3
FIRST := deps demo demo-down
BESIDE := sanity
TOGETHER := integration faults-quick unit integration-logins recipes reuse mirror molecule hostile registry-faults versions-quick report-check docs-check newcomer monitoring conformance awx-api \
	lint lint-command workflows-check

# WITHOUT_GO=1 leaves out what is tried with the containerd of current K3s, which Go builds.
.PHONY: deps
deps: venv fleet-deps $(VENV)/.report-installed $(VENV)/.docs-installed ## everything that a target needs, so that no two of them install at once
	@$(BIN)/python -m tests.mirror deps
	@$(BIN)/python -m tests.report deps
	@$(BIN)/python -m tests.monitoring deps
	@$(BIN)/python -m tests.fleet.containerd_source
	@$(BIN)/python -m tests.recipes.distribution_source

# On a machine that cannot have Go: what needs it is left out, and the end says so. CI never sets it.
export WITHOUT_GO ?=
ifneq ($(WITHOUT_GO),)
LEFT_OUT := --left-out "WITHOUT_GO is set, so two things have not run: workflows-check, and the tests on a containerd that is built with Go"
override TOGETHER := $(filter-out workflows-check,$(TOGETHER))
endif

.PHONY: test
test: venv links ## everything CI runs, and what of it took how long
	@$(BIN)/python tests/tools/lanes.py --lanes $(LANES) $(LEFT_OUT) --first $(FIRST) --beside $(BESIDE) --then $(TOGETHER)

# What takes too long to wait for after each change: these, and the tests that are marked nightly.
LONG := faults rehearsal-proof versions integration-nodes airgap runner molecule-ha ee

.PHONY: nightly
nightly: venv links ## make test with everything that it leaves out (hours)
	@NIGHTLY=1 $(BIN)/python tests/tools/lanes.py --lanes $(LANES) $(LEFT_OUT) --first $(FIRST) --beside $(BESIDE) --then $(LONG) $(TOGETHER)

.PHONY: lint
lint: venv links ## ansible-lint (production), yamllint, ruff, mypy (strict), changelog fragments
	$(BIN)/ruff check .
	$(BIN)/yamllint --strict .
	cd $(COLLECTIONS) && MYPYPATH=. $(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache \
		-p ansible_collections.k3sfleet.registries.plugins
	$(BIN)/ansible-lint
	$(BIN)/antsibull-changelog lint

.PHONY: workflows-check
workflows-check: venv ## the workflows for GitHub and GitLab, which run elsewhere: actionlint (built with Go), GitLab's schema
	@$(BIN)/python tests/tools/workflows.py

.PHONY: unit
unit: venv links ## the pure parts and the node parts with injected faults
	$(BIN)/pytest tests/unit

.PHONY: sanity
sanity: venv ## ansible-test sanity, without ignores
	$(BIN)/python tests/tools/sanity.py

.PHONY: conformance
conformance: venv links ## what the rules predict against what real containerds ask for, 120 configurations and 60
	$(BIN)/python -m tests.conformance
ifndef WITHOUT_GO
	$(BIN)/python -m tests.conformance --containerd2 --cases 60
endif

.PHONY: lint-corpus
lint-corpus: venv links ## rule by rule, how often lint fires on what people really write, and on what
	$(BIN)/python -m tests.lint_corpus

.PHONY: docs
docs: venv links ## the generated pages of docs/
	$(BIN)/python -m tests.docs

$(VENV)/.docs-installed: $(VENV)/.installed requirements/docs.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	@touch $@

.PHONY: docs-site
docs-site: links $(VENV)/.docs-installed ## a site of all modules, filters, roles and guides, in .cache/docs-site (10 s)
	$(BIN)/python -m tests.docs.site

.PHONY: docs-check
docs-check: artifact $(VENV)/.report-installed ## the tarball's site in Chromium: phone and desk, light and dark, axe, its search (2 minutes)
	@$(BIN)/python -m tests.report deps
	$(BIN)/pytest tests/docs_pages

.PHONY: bench
bench: venv links fleet-deps ## every budget: measured, allowed, and the ratio of the two (nothing else running)
	@$(BIN)/python -m tests.mirror deps
	$(BIN)/python -m tests.bench

.PHONY: bench-large
bench-large: venv links ## the same for an unchanged fleet of 1,000 nodes, which takes much longer
	$(BIN)/python -m tests.bench --large

# molecule notes below ~/.ansible what it has created, and believes the note of a run that was cut off.
molecule_test = $(BIN)/molecule reset --scenario-name $(1) && $(BIN)/molecule test --scenario-name $(1)

.PHONY: molecule
molecule: venv links fleet-deps ## the molecule scenario with a server and two agents, on real nodes
	$(call molecule_test,default)

.PHONY: molecule-ha
molecule-ha: venv links fleet-deps ## the molecule scenario with three servers and three agents
	$(call molecule_test,ha)

.PHONY: integration
integration: venv links fleet-deps ## proofs on a fleet: pulls, order, leaks, drift, bad input
	$(BIN)/pytest tests/integration/test_*.py

.PHONY: integration-logins
integration-logins: venv links fleet-deps ## proofs on fleets whose registries ask for logins: live changes, the credential store
	$(BIN)/pytest tests/integration/logins

.PHONY: integration-nodes
integration-nodes: venv links fleet-deps ## proofs on other nodes: RKE2, OpenRC
	$(BIN)/pytest tests/integration/nodes

.PHONY: faults
faults: venv links fleet-deps ## the fault matrix on a fleet of three servers and an agent, as a table (about 40 minutes)
	$(BIN)/python -m tests.faults

.PHONY: faults-quick
faults-quick: venv links fleet-deps ## the few cases of it that make test runs
	$(BIN)/python -m tests.faults --quick

.PHONY: registry-faults
registry-faults: venv links fleet-deps ## 37 real registry faults on a node, named by its log's diagnosis and by the probe (1 minute)
	$(BIN)/python -m tests.registry_faults
ifdef NIGHTLY
ifndef WITHOUT_GO
	$(BIN)/python -m tests.registry_faults --containerd2
endif
endif

.PHONY: rehearsal-proof
rehearsal-proof: venv links ## what a rehearsal says against 200 configurations' real pulls, its speed, 100 nodes, kills (about 20 minutes)
	$(BIN)/python -m tests.rehearsal

.PHONY: hostile
hostile: venv links ## registries, token servers and proxies that steal, lie, stall and fake, and a ledger of what they were told
	$(BIN)/pytest tests/hostile

.PHONY: recipes
recipes: venv links fleet-deps ## the pages of docs/registries: every typical fault with real containerds, CNCF distribution itself; at night on a fleet
	@$(BIN)/python -m tests.mirror deps
	$(BIN)/pytest tests/recipes
	$(BIN)/python -m tests.recipes
ifdef NIGHTLY
	$(BIN)/pytest tests/integration/recipes
ifndef WITHOUT_GO
	$(BIN)/python -m tests.recipes --containerd2
endif
endif

.PHONY: lint-command
lint-command: venv ## the command registries-lint, its pre-commit hook in another repository, and its SARIF against the schema
	$(BIN)/pytest tests/lint_command

.PHONY: ee
ee: venv links fleet-deps ## an execution environment for AWX, built and used on a fleet
	$(BIN)/python -m tests.ee
	$(BIN)/pytest tests/ee

.PHONY: reuse
reuse: venv links fleet-deps ## somebody else's playbooks and molecule on two clusters, the collection from its tarball
	$(BIN)/pytest tests/reuse

.PHONY: runner
runner: venv links fleet-deps ## what AWX does to a play, with its own engine ansible-runner, on a fleet
	$(BIN)/pytest tests/runner

.PHONY: awx-api
awx-api: venv links ## the AWX objects against a stand-in of AWX' API
	$(BIN)/pytest tests/awx

$(VENV)/.report-installed: $(VENV)/.installed requirements/report.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/report.txt
	@touch $@

.PHONY: report-check
report-check: links $(VENV)/.report-installed ## the report's page in Chromium: every screen, keyboard, contrast, axe, 500 nodes
	@$(BIN)/python -m tests.report deps
	$(BIN)/pytest tests/report

.PHONY: report-picture
report-picture: links $(VENV)/.report-installed ## the pictures of a report in docs/images
	@$(BIN)/python -m tests.report deps
	$(BIN)/python -m tests.report picture

.PHONY: monitoring
monitoring: venv links ## metrics, alerts and dashboard: Debian's node_exporter reads them, promtool checks them
	@$(BIN)/python -m tests.monitoring deps
	$(BIN)/pytest tests/monitoring

.PHONY: artifact
artifact: venv $(VENV)/.docs-installed ## the tarball that people install: built, installed, documented; at night accepted by Galaxy's importer
	$(BIN)/python tests/tools/artifact.py

.PHONY: versions
versions: venv links fleet-deps ## the oldest and newest supported ansible-core, and a node's oldest Python; TRIAL= names one
	$(BIN)/python -m tests.versions $(if $(TRIAL),--only "$(TRIAL)")

.PHONY: versions-quick
versions-quick: venv links ## the role, played with the oldest supported ansible-core
	$(BIN)/python -m tests.versions --quick

.PHONY: real
real: venv links fleet-deps ## all that needs no stand-in, on the real K3s in K3S_BINARY, or K3S_RELEASE=v1.34.3+k3s1 (an hour)
	@$(BIN)/python -m tests.real $(if $(K3S_RELEASE),--release "$(K3S_RELEASE)") $(foreach part,$(ONLY),--only $(part))

.PHONY: mirror
mirror: venv links ## k3s_image_mirror on real registries: forty images, every fault, exports, secrets
	@$(BIN)/python -m tests.mirror deps
	$(BIN)/pytest tests/mirror

.PHONY: newcomer
newcomer: venv links fleet-deps ## from an empty Debian to a verified fleet, with the commands of README and getting-started (3 minutes)
	@$(BIN)/python -m tests.newcomer

.PHONY: airgap
airgap: venv links fleet-deps ## molecule scenario: a fleet without a default endpoint pulls what was mirrored
	@$(BIN)/python -m tests.mirror deps
	$(call molecule_test,airgap)

.PHONY: clean
clean: fleet-clean ## everything that the other targets have made, fleets included
	rm -rf $(VENV) .ansible .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/output
