# Needs python3 (3.11 or newer, with venv) and make; everything else is installed into .venv by the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
# The tests start hundreds of programs, which begin faster from byte code.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
DEPS   := pyproject.toml constraints.txt
PINNED_PIP := $(shell sed -n 's/^pip==//p' constraints.txt)

SEEDS        ?= 10000
SOAK_SECONDS ?= 60
PYTEST_ARGS  ?=
# Tests wait more than they compute, so there are more of them at once than there are cores; 0: one after the other.
WORKERS      ?= 4

.PHONY: help venv demo test coverage lint format types contracts docs wheel-test check bench soak mutants clean

help:  ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

# --- set-up: one stamp for each set of dependencies ------------------------------------------------------------------
$(STAMPS)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) found. Install Python 3.11 or newer, or run: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), but 3.11 or newer is needed. Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/pip: $(STAMPS)/python constraints.txt
	@$(PIP) install --quiet "pip==$(PINNED_PIP)"
	@touch $@

# The package alone, editable: what a user of the CLI gets.
$(STAMPS)/cli: $(STAMPS)/pip $(DEPS)
	@echo "make: installing ziwo_async[cli] into $(VENV)"
	@$(PIP) install --quiet -c constraints.txt --build-constraint constraints.txt -e '.[cli]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/cli
	@echo "make: installing the test tools into $(VENV)"
	@$(PIP) install --quiet -c constraints.txt --build-constraint constraints.txt -e '.[all]' --group test
	@touch $@

$(STAMPS)/dev: $(STAMPS)/test
	@echo "make: installing the development tools into $(VENV)"
	@$(PIP) install --quiet -c constraints.txt --group dev
	@touch $@

venv: $(STAMPS)/dev  ## .venv with every tool, the package editable
	@$(BIN)/python -V

# --- run ------------------------------------------------------------------------------------------------------------
demo: $(STAMPS)/cli  ## the package at work against its own simulator: no account needed
	@$(BIN)/ziwo demo

test: $(STAMPS)/test  ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

# `coverage run -m pytest`, not pytest-cov: our own pytest plugin imports the package before pytest-cov starts.
coverage: $(STAMPS)/test  ## all tests, with the coverage gates: 95 % overall, 100 % of the protocol
	@rm -f .coverage .coverage.*
	scripts/tests-once-more $(BIN)/python -m coverage run -m pytest -n $(WORKERS) $(PYTEST_ARGS)
	@$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=95
	$(BIN)/python -m coverage report --include='*/ziwo_async/verto/*' --fail-under=100

lint: $(STAMPS)/dev  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMPS)/dev  ## let ruff fix and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMPS)/dev  ## mypy --strict and pyright strict
	$(BIN)/mypy
	$(BIN)/pyright --warnings

contracts: $(STAMPS)/dev  ## who may import whom
	$(BIN)/lint-imports --no-cache --no-logo

docs: $(STAMPS)/dev  ## the documentation site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel-test: $(STAMPS)/dev  ## build the wheel, install it in an empty venv, run the tests there
	@PYTHON=$(BIN)/python scripts/wheel-test -n $(WORKERS) $(PYTEST_ARGS)

check: lint types contracts coverage docs wheel-test  ## everything CI runs
	@echo "make check: all green"

bench: $(STAMPS)/test  ## the benchmarks; the last line of each is its ratio to a floor measured in the same run
	@for file in $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)); do \
		echo "$$file"; $(BIN)/python $$file || exit 1; done

soak: $(STAMPS)/test  ## long runs: make soak SEEDS=n SOAK_SECONDS=n
	SCHEDULE_SEEDS=$(SEEDS) $(BIN)/python -m pytest tests/schedule -m soak -n 2 --timeout=0 $(PYTEST_ARGS)
	SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/python -m pytest tests/soak -m soak --timeout=0 $(PYTEST_ARGS)

mutants: $(STAMPS)/python  ## mutation testing of the call and session machines, in a copy of the tree; 5 to 15 minutes
	@PYTHON=$(BIN)/python scripts/mutants

clean:  ## remove what the targets made, .venv included
	rm -rf $(VENV) build dist site htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
