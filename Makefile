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
