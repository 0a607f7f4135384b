# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# Python 3.11 or newer; say `make PYTHON=/path/to/python test` to choose one.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The servers' extra holds what `make up ARGS=--postgres` starts.
PROJECT := --constraint constraints.txt --editable '.[synapse,servers]'
# The first that knows dependency groups.
NEW_PIP := 'pip>=25.1'

# The oldest Synapse that is supported, as pyproject.toml names it; the module refuses to start on an older one.
OLDEST := $(shell sed -n 's/^synapse = .*matrix-synapse>=\([0-9.]*\).*/\1/p' pyproject.toml)

# Two files of tests at a time: they mostly wait for servers. ARGS=-n0 runs one after the other.
TOGETHER := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help up down clean test check lint prove oldest format constraints
.DEFAULT_GOAL := help

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

up: $(VENV)/.project ## Start a server with sample people and groups, for trying things out
	@$(BIN)/groupreg up --data $(DATA) $(ARGS)

down: ## Stop that server; its data stay
	@if [ -x $(BIN)/groupreg ]; then $(BIN)/groupreg down --data $(DATA); else echo "No server of $(DATA) runs."; fi

clean: down ## Stop that server and remove its data, the environment and all caches
	rm -rf $(DATA) $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

test: $(VENV)/.tools ## Run the tests; PostgreSQL and Redis come along unless given
	@$(BIN)/python -m pytest $(TOGETHER) $(ARGS)

check: lint test ## Run everything that has to pass before a change goes in

lint: $(VENV)/.tools ## Look for faults without running anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

prove: $(VENV)/.tools ## Run the tests with their long forms
	@$(BIN)/python -m pytest $(TOGETHER) --prove $(ARGS)

oldest: $(VENV)/.tools ## Run the smoke tests on the oldest Synapse that is supported
	@# Beside the environment, not in it: that Synapse runs with the same releases of everything else.
	@$(PIP_INSTALL) --no-deps --upgrade --target build/oldest 'matrix-synapse==$(OLDEST).*'
	@PYTHONPATH=$(CURDIR)/build/oldest $(BIN)/python -m pytest $(TOGETHER) -m smoke $(ARGS)

format: $(VENV)/.tools ## Put the code into its one form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

constraints: ## Pin the newest releases of everything, in a fresh environment
	rm -rf $(VENV)
	: > constraints.txt
	$(MAKE) $(VENV)/.tools
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

# An environment is made anew only when Python is; it is completed when what the project asks for changes.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.project: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Synapse and the project into $(VENV) ..."
	@$(PIP_INSTALL) $(NEW_PIP)
	@$(PIP_INSTALL) $(PROJECT)
	@touch $@

$(VENV)/.tools: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Synapse, the project and its tools into $(VENV) ..."
	@$(PIP_INSTALL) $(NEW_PIP)
	@$(PIP_INSTALL) $(PROJECT) --group test --group lint
	@touch $@ $(VENV)/.project
