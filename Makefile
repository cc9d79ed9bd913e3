# Opscope. `make` alone prints the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
UV := .tools/bin/uv
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
# Two threads that fight for two busy cores are slower than one (docs/decisions/0007).
export OMP_NUM_THREADS := 1
export OPSCOPE_HOME ?= $(CURDIR)/var

.PHONY: help setup demo dev test reliability soak mutants check format bench lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: .venv/.installed ## Install the hash-locked environment into .venv (a no-op when nothing changed)

.tools/bin/uv:
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools uv

.venv/.installed: requirements.lock pyproject.toml | .tools/bin/uv
	@echo "Installing the environment into .venv ..."
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --only-binary :all: --compile-bytecode requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Generate the demo company and run the whole pipeline on it
	@$(BIN)/opscope demo

dev: setup ## Open the Dagster UI on http://127.0.0.1:3000 (webserver and daemon)
	@$(BIN)/opscope dev

test: setup ## Run all tests, two files at a time; in the order of the folders, whose slow files come first
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

reliability: setup ## Run the promise tests and write docs/reliability.md from their results
	@mkdir -p var && $(BIN)/python -m pytest tests/promises -n 2 --dist loadfile --no-loadscope-reorder --junitxml=var/reliability.xml
	@$(BIN)/python -m tests.promises.evidence var/reliability.xml

soak: setup ## The same with the larger counts: hours
	@mkdir -p var && $(BIN)/python -m pytest tests/promises --soak --junitxml=var/reliability.xml
	@$(BIN)/python -m tests.promises.evidence var/reliability.xml

mutants: setup ## Plant bugs in the code, one at a time; each must turn the tests red
	@$(BIN)/python -m pytest -q tests/promises/test_mutants.py --soak

check: setup ## Format, lint, types, dbt parse, boundaries and quick unit tests: about a minute
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m 'not slow' tests/unit tests/test_boundaries.py tests/test_conventions.py

format: setup ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: setup ## Measure; SCALE=full for 50 million order lines
	@$(BIN)/python -m benchmarks $(if $(SCALE),--scale $(SCALE))

lock: .tools/bin/uv ## Write requirements.lock anew from pyproject.toml
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev pyproject.toml --output-file requirements.lock

clean: ## Remove what the project wrote: environment, caches, var/
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis dbt_project/target dbt_project/logs var
