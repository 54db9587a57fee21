# From a bare Debian 12 or 13 to the running stack: `make up`. Everything here is a short way to the
# `heal7` command; nothing is done in make or shell that heal7 does not do itself.
.DEFAULT_GOAL := help
.PHONY: help up down clean dev check test bench chaos simulate venv venv-dev
# One shell line at a time; recipes never depend on make's own parallelism.
.NOTPARALLEL:
SHELL := /bin/bash

PYTHON ?= python3
HEAL7 := .venv/bin/heal7
ARGS ?=
PYTEST ?=

help: ## Print this list
	@echo "HEAL7 Hub. Usage: make TARGET [ARGS=…]"
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r t d; do printf '%-14s %s\n' "$$t" "$$d"; done

up: venv ## Set up what is missing, start the hub and every service, show where they are
	@$(HEAL7) up $(ARGS)

down: venv ## Stop and remove our containers and networks; data is kept
	@$(HEAL7) down $(ARGS)

clean: venv ## Like down, and removes our data and images too (asks first; ARGS=--yes does not)
	@$(HEAL7) clean $(ARGS)

dev: venv-dev ## Run the hub on the host, reloading when its code changes
	@$(HEAL7) serve --reload $(ARGS)

check: venv-dev ## Lint, format, types and layer contracts
	@scripts/check.sh

test: venv-dev ## Set up what tests need, then run all tests (PYTEST="-k name" to choose)
	@scripts/test.sh $(PYTEST)

bench: venv-dev ## Measure against plain Compose, the engine, a watcher and workflow engines; kill the hub 20 times
	@.venv/bin/heal7 up && .venv/bin/python bench/lifecycle.py $(ARGS) && .venv/bin/python bench/kills.py
	@.venv/bin/python bench/healing.py --only crash,hang,feed
	@.venv/bin/python bench/services.py
	@.venv/bin/python bench/contracts.py
	@.venv/bin/python bench/workflows.py
	@.venv/bin/python bench/logs.py
	@.venv/bin/python bench/history.py
	@.venv/bin/python bench/pages.py
	@.venv/bin/python bench/compose_fuzz.py

chaos: venv-dev ## Break everything at length, and count what must never happen (about three hours; ARGS=--short)
	@.venv/bin/heal7 setup && .venv/bin/python bench/healing.py --only storm,root,stops,loop,hub,daemon,join,soak $(ARGS)
	@.venv/bin/python bench/workflow_crash.py && .venv/bin/python bench/workflow_crash.py --store postgres

simulate: venv-dev ## Play 1,000 days of healing in 10,000 worlds, and break it on purpose (ARGS="--seeds N")
	@.venv/bin/python -m tests.simulation $(ARGS) && .venv/bin/python -m tests.simulation --mutants

venv:
	@$(PYTHON) scripts/bootstrap.py

venv-dev:
	@$(PYTHON) scripts/bootstrap.py --dev
