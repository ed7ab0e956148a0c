# install demo test test-fast check format bench docs lock sbom
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: install demo test test-fast first-contact check format bench pages docs lock sbom release clean
.DEFAULT_GOAL := help

help:  ## list the targets
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

format: $(VENV)/dev  ## repair what can be repaired automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev  ## the benchmarks that need minutes; benchmarks/README.md names the long ones
	$(BIN)/python -m benchmarks.linear_speed.run

pages: $(VENV)/dev  ## write the generated pages of docs/ (recipes, command line, results, licences)
	$(BIN)/python docs/make.py

docs: pages  ## build the documentation as a site in site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

first-contact:  ## what a new user types, in a fresh environment with the core install alone
	PYTHON=$(PYTHON) tests/first_contact.sh

# Tools that no other target needs have an environment of their own.
.venvs/tools:
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet uv==0.13.9 cyclonedx-bom==7.5.0

lock: .venvs/tools  ## write requirements.lock from pyproject.toml and constraints.txt, with hashes
	.venvs/tools/bin/uv pip compile --quiet pyproject.toml --extra dev --constraint constraints.txt \
	  --python-version 3.11.7 --python-platform x86_64-unknown-linux-gnu --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --output-file requirements.lock
	@sed -i '1i # Every package that CI and Docker install, with hashes: Linux x86-64, Python 3.11. Written by `make lock`; do not edit.\n#   pip install --require-hashes -r requirements.lock \&\& pip install --no-deps .' requirements.lock

sbom: $(VENV)/dev .venvs/tools  ## write build/sbom.json: every installed package with its licence (CycloneDX)
	@mkdir -p build
	.venvs/tools/bin/cyclonedx-py environment $(VENV) --pyproject pyproject.toml --output-reproducible -o build/sbom.json

release:  ## build from a clean clone, check, install the wheel alone, run the demo; VERSION=0.2.0 sets, commits and tags it
	.ci/release $(VERSION)

clean:
	rm -rf $(VENV) .venvs site build dist .mypy_cache .ruff_cache .pytest_cache
