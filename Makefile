# install demo test test-fast check format bench docs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: install demo test test-fast check format bench docs clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/dev: $(VENV)/core
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: $(VENV)/dev  ## everything, into .venv

demo: $(VENV)/core  ## train on a shipped sample, score it, tag a sentence (core install only)
	@BIN=$(BIN) sh examples/demo.sh

test: $(VENV)/dev  ## all tests; those marked `corpus` need ONOMAST_DATA
	$(BIN)/pytest -n auto --maxprocesses 2

test-fast: $(VENV)/dev  ## the tests that take seconds
	$(BIN)/pytest -n auto --maxprocesses 2 -m 'not slow and not corpus'

check: $(VENV)/dev  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev  ## mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev  ## the benchmarks that need minutes; benchmarks/README.md names the long ones
	$(BIN)/python -m benchmarks.linear_speed.run

docs: $(VENV)/dev  ## write docs/reference/recipes.md, docs/reference/cli.md (from --help) and docs/results.md (from committed results)
	$(BIN)/python docs/make.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
