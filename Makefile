# `make` lists what there is to make. Only Python, make and git are presumed: everything else is installed into
# .venv and .tools from the pins in requirements/, when first needed and again when the pins change.

SHELL := bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Any of these that really runs; say `make PYTHON=/path/to/python3.13 …` to choose.
PYTHON ?= python3.13 python3.12 python3.11 python3
# Not every `python3.x` on the PATH runs (pyenv's shims), nor can every one make virtual environments (Debian's).
usable := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
find_python = $(shell for it in $(PYTHON); do "$$it" -c '$(usable)' >/dev/null 2>&1 && { echo "$$it"; break; }; done)
no_python = No usable Python among "$(PYTHON)". \
  This needs 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu: apt-get install python3-venv), \
  or the path to one: make PYTHON=/path/to/python3.13
# Looked for once, and only when something has to be installed.
python = $(eval python := $(find_python))$(or $(python),$(error $(no_python)))

run := .venv/bin/python -m
sources := src feedbackctl tests tools benchmarks
documents = $(wildcard *.md docs/*.md docs/*/*.md events/*.md)

# $(call check,what it is called,command): one line when all is well, everything it printed when not.
define check
@log=$$(mktemp); TIMEFORMAT=%1R; \
if seconds=$$( { time { $(2); } >"$$log" 2>&1; } 2>&1 ); \
then printf '  ✓ %-32s %5s s\n' '$(1)' "$$seconds"; rm "$$log"; \
else printf '  ✗ %s\n\n' '$(1)'; cat "$$log"; rm "$$log"; exit 1; fi
endef

# $(call install,virtual environment,pins). The pins name every package needed, so pip has nothing to resolve.
install = "$(python)" -m venv --clear $(1) \
  && $(1)/bin/python -m pip install --no-input --no-deps --no-compile --require-hashes --requirement $(2)

##@ The two that matter

.PHONY: demo
demo: .venv/installed ## replay every event in events/ against an embedded AWS
	@$(run) feedbackctl replay events/

.PHONY: test
test: ## run everything continuous integration runs
	@$(MAKE) -j3 ready
	@$(MAKE) -j1 lint types imports template docs-check promises unit

.PHONY: ready
ready: .venv/installed .tools/checkov/installed .tools/sam/installed
	@:

##@ Its parts

.PHONY: lint
lint: .venv/installed ## style (ruff)
	$(call check,ruff check,$(run) ruff check)
	$(call check,ruff format,$(run) ruff format --check)

.PHONY: types
types: .venv/installed ## types (mypy --strict)
	$(call check,mypy --strict,$(run) mypy)

.PHONY: imports
imports: .venv/installed ## which room may import which (import-linter)
	$(call check,import-linter,.venv/bin/lint-imports)

.PHONY: template
template: .venv/installed .tools/checkov/installed .tools/sam/installed ## template.yaml (cfn-lint, checkov, sam validate)
	$(call check,cfn-lint,.venv/bin/cfn-lint template.yaml)
	$(call check,checkov,.tools/checkov/bin/checkov --file template.yaml)
	$(call check,sam validate --lint,SAM_CLI_TELEMETRY=0 .tools/sam/bin/sam validate --lint --region us-east-1)

.PHONY: docs-check
docs-check: .venv/installed ## documents generated from the code are up to date (cog)
	$(call check,cog --check,.venv/bin/cog --check --diff $(documents))

# By itself, for measuring coverage makes what is played here three times as slow.
.PHONY: promises
promises: .venv/installed ## the promises under 20,000 histories of faults (make simulate plays a million)
	$(call check,promises under faults,$(run) pytest -n auto --maxprocesses 8 tests/simulation)

.PHONY: unit
unit: .venv/installed ## every other test, with coverage (pytest)
	@$(run) pytest -n auto --maxprocesses 8 --ignore tests/simulation --cov --cov-report=term-missing:skip-covered

##@ On an AWS on this machine (Linux, Python 3.13; docs/local.md)

.PHONY: stack
stack: .venv/installed .tools/sam/installed .tools/local/installed ## deploy to it, send mail through it, show what becomes of it
	@$(run) feedbackctl demo

.PHONY: e2e
e2e: .venv/installed .tools/sam/installed .tools/local/installed ## every test on the stack, deployed
	@$(run) pytest tests/e2e

##@ Long campaigns

SEED ?= 1
CASES ?= 1000000
.PHONY: simulate
simulate: .venv/installed ## the promises, under faults in every order: make simulate SEED=1 CASES=1000000
	@$(run) tests.simulation --seed $(SEED) --cases $(CASES)

##@ Housekeeping

.PHONY: format
format: .venv/installed ## rewrite the code as ruff likes it
	@$(run) ruff check --fix-only --quiet
	@$(run) ruff format

.PHONY: docs
docs: .venv/installed ## rewrite what documents generate from the code
	@.venv/bin/cog -r $(documents)

# The pins hold on every Python from 3.11 on, on any processor, and say nothing about where packages come from.
pin = .tools/uv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
  --no-header $(UPGRADE)

.PHONY: pins
pins: .tools/uv/installed ## pin what the *.in files ask for; newest of all: make pins UPGRADE=--upgrade
	$(pin) src/requirements.in --output-file src/requirements.txt
	$(pin) requirements/dev.in --output-file requirements/dev.txt --constraint src/requirements.txt
	$(pin) requirements/checkov.in --output-file requirements/checkov.txt
	$(pin) requirements/sam.in --output-file requirements/sam.txt
	$(pin) requirements/local.in --output-file requirements/local.txt
	$(pin) requirements/uv.in --output-file requirements/uv.txt

.PHONY: clean
clean: ## remove everything made here
	rm -rf .venv .tools .local .aws-sam .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/installed: requirements/dev.txt
	@printf '  … %s\n' 'installing .venv, this once'
	$(call check,.venv installed,$(call install,.venv,$<) \
	  && $(run) pip install --no-deps --no-build-isolation --editable . && touch $@)

.tools/%/installed: requirements/%.txt
	@printf '  … %s\n' 'installing .tools/$*, this once'
	$(call check,.tools/$* installed,$(call install,.tools/$*,$<) && touch $@)
