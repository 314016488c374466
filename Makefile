# The commands of this project; `make` alone lists them. Needs a Python 3.10 to 3.12 and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Two processes; a file stays in one, so that what its tests share is made once.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help venv run test test-slow check lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(INSTALLED) ## make the environment .venv from requirements.lock (PYTHON=python3.12 chooses the Python)

# Brought up to date when the locked versions change. The package itself is linked: its edits need no installation,
# its metadata do. The stamp comes last, so that an installation which broke off is taken up again.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || { \
	  echo "$(PYTHON) is no Python that the Akida packages exist for" >&2; \
	  echo "  where:   PYTHON = $(PYTHON) ($$($(PYTHON) --version 2>&1))" >&2; \
	  echo "  allowed: Python 3.10, 3.11 or 3.12" >&2; \
	  echo "  fix:     install one and type: make $(or $(firstword $(MAKECMDGOALS)),venv) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=24'
	@echo "installing $$(grep -c == requirements.lock) packages; the first time takes some minutes"
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

run: venv ## train, convert and measure the default experiment on synthetic data (ARGS="seed=1" adds overrides)
	$(BIN)/qana run $(ARGS)

test: venv ## run the test suite
	$(PYTEST) -m "not slow" --durations=10

test-slow: venv ## run the long tests, which 'make test' leaves out
	$(PYTEST) -m slow --durations=10

check: venv ## format, lint, types, layers, then the test suite
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not slow"

lock: ## write requirements.lock anew from pyproject.toml
	scripts/lock.sh

clean: ## remove the environment and the caches; runs and their store stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find qana tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
