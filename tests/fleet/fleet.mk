# SPDX-License-Identifier: GPL-3.0-or-later
# The test fleet's targets; included by the Makefile at the top, which defines BIN.
FLEET := $(BIN)/python -m tests.fleet
DEMO_SERVERS ?= 1
DEMO_AGENTS ?= 2
K3S ?= auto

.PHONY: fleet-deps
fleet-deps: ## podman, runc and mmdebstrap: installed on Debian and Ubuntu as root, otherwise named
	@$(FLEET) deps

.PHONY: demo
demo: venv links fleet-deps ## a fleet, a registry, the playbook, and a table of what happened
	@$(FLEET) up demo --servers $(DEMO_SERVERS) --agents $(DEMO_AGENTS) --k3s $(K3S)
	@$(BIN)/python -m tests.demo demo

.PHONY: demo-down
demo-down: venv ## the demo's fleet is gone
	@$(FLEET) down demo

.PHONY: fleet-smoke
fleet-smoke: venv fleet-deps ## does the test fleet's stand-in misbehave as K3s does? (6 minutes)
	@$(BIN)/python -m tests.fleet.smoke
	@$(BIN)/python -m tests.fleet.smoke_logins

.PHONY: fleet-clean
fleet-clean: ## this checkout's fleets, the node image and everything cached
	@if [ -x $(BIN)/python ]; then $(FLEET) clean; fi
