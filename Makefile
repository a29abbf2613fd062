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
# Played by themselves, for measuring coverage makes them three times as slow.
campaigns := campaigns
documents = $(wildcard *.md docs/*.md docs/*/*.md docs/*/*/*.md events/*.md)

# $(call check,what it is called,command): one line when all is well, everything it printed when not.
define check
@log=$$(mktemp); TIMEFORMAT=%1R; \
if seconds=$$( { time { $(2); } >"$$log" 2>&1; } 2>&1 ); \
then printf '  ✓ %-32s %5s s\n' '$(1)' "$$seconds"; rm "$$log"; \
else printf '  ✗ %s\n\n' '$(1)'; cat "$$log"; rm "$$log"; exit 1; fi
endef

# The functions run on the machine itself, from the package built for Lambda, which is Linux.
ifeq ($(shell uname -s),Linux)
check_on_linux = $(check)
else
check_on_linux = @printf '  – %s\n' '$(1): needs Linux'
endif

# atheris has wheels for this system and processor only.
ifeq ($(shell uname -sm),Linux x86_64)
fuzzer := .tools/fuzz/installed
check_guided = $(check)
else
check_guided = @printf '  – %s\n' '$(1): atheris has no wheel for this machine'
endif

# What it takes to deploy to an AWS on this machine.
aws := .tools/sam/installed .tools/local/installed

# $(call install,virtual environment,pins). The pins name every package needed, so pip has nothing to resolve.
install = "$(python)" -m venv --clear $(1) \
  && $(1)/bin/python -m pip install --no-input --no-deps --no-compile --require-hashes --requirement $(2)

##@ The two that matter

.PHONY: demo
demo: ## deploy the stack to an AWS on this machine, send mail through it, and show what comes of it
	@$(MAKE) -sj3 .venv/installed $(aws)
	@$(run) feedbackctl demo

.PHONY: demo-image
demo-image: ## write docs/demo.svg, the image in the README, from a real run of the demo
	@$(MAKE) -sj3 .venv/installed $(aws)
	@$(run) feedbackctl demo --svg docs/demo.svg

.PHONY: test
test: ## run everything continuous integration runs
	@$(MAKE) -j3 ready
	@$(MAKE) -j1 lint types imports template docs-check wheel stack-check guided promises unit

.PHONY: ready
ready: .venv/installed .tools/checkov/installed .tools/wheelhouse/installed $(fuzzer) $(aws)
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

.PHONY: guided
guided: $(fuzzer) ## ten seconds of payloads that coverage leads to (make fuzz takes two minutes)
	$(call check_guided,atheris,$(MAKE) fuzz-guided GUIDED=10)

.PHONY: promises
promises: .venv/installed ## the promises under 20,000 histories of faults (make simulate plays a million)
	$(call check,promises under faults,$(run) pytest -n auto --maxprocesses 8 $(campaigns))

.PHONY: unit
unit: .venv/installed ## every other test, with coverage (pytest)
	@$(run) pytest -n auto --maxprocesses 8 $(addprefix --ignore ,$(campaigns) tests/wheel) --cov --cov-report=term-missing:skip-covered

.PHONY: wheel
wheel: .venv/installed .tools/wheelhouse/installed ## the wheel, installed alone into an empty environment
	$(call check,wheel works alone,$(run) pytest tests/wheel)

.PHONY: stack-check
stack-check: .venv/installed $(aws) ## the stack, deployed to an AWS on this machine (make e2e does all of it)
	$(call check_on_linux,stack deployed,$(run) pytest tests/e2e/test_slice.py)

##@ More of what the tests do

.PHONY: replay
replay: .venv/installed ## every event in events/, in one process: what becomes of it
	@$(run) feedbackctl replay events/

.PHONY: e2e
e2e: .venv/installed $(aws) ## every test on the deployed stack: a quarter of an hour (docs/operate/local.md)
	@$(run) pytest tests/e2e

##@ How fast, and how dear (docs/evidence/performance.md)

.PHONY: bench
bench: .venv/installed ## speed, CPU, memory and cost against the baseline: 6 minutes on an idle machine
	@$(run) benchmarks.throughput
	@$(run) benchmarks.cost

.PHONY: bench-scale
bench-scale: .venv/installed ## time per record, from small batches to large, from a thousand contacts to ten million
	@$(run) benchmarks.scale

.PHONY: bench-storm
bench-storm: .venv/installed .tools/sam/installed .tools/local/installed ## 100,000 bounces through the deployed lanes
	@mkdir -p .local && $(run) benchmarks.bounce_storm --bounces 100000 --samples .local/storm.json

.PHONY: bench-plots
bench-plots: .venv/installed .tools/bench/installed ## draw docs/evidence/cost.svg, and docs/evidence/storm.svg after bench-storm
	@mkdir -p .local && $(run) benchmarks.cost --figures .local/cost.json >/dev/null
	@.tools/bench/bin/python -m benchmarks.plot cost .local/cost.json docs/evidence/cost.svg
	@test ! -e .local/storm.json || .tools/bench/bin/python -m benchmarks.plot storm .local/storm.json docs/evidence/storm.svg

.PHONY: bench-cli
bench-cli: .venv/installed ## time of feedbackctl --help, compared with an import of click
	@$(run) benchmarks.cli_startup

.PHONY: bench-cold
bench-cold: .venv/installed .tools/local/installed ## what a cold start costs (valgrind)
	@.venv/bin/python benchmarks/cold_start.py

##@ Long campaigns

SEED ?= 1
CASES ?= 1000000
.PHONY: simulate
simulate: .venv/installed ## the promises, under faults in every order: make simulate SEED=1 CASES=1000000
	@$(run) campaigns.simulation --seed $(SEED) --cases $(CASES)

.PHONY: explore
explore: .venv/installed ## every interleaving and every crash, of small numbers of messages
	@$(run) campaigns.simulation --exhaustive

.PHONY: outages
outages: .venv/installed ## services away for days, and everything redriven three times
	@$(run) campaigns.simulation --outages 40

.PHONY: traces
traces: .venv/installed $(aws) ## the simulation's table against moto's and the emulator's
	@$(run) campaigns.simulation --traces 5000
	@$(run) campaigns.simulation --traces 5000 --against emulator

DELIVERIES ?= 100000
KILLS ?= 10000
.PHONY: wire
wire: .venv/installed ## real botocore on a wire that breaks, functions killed: make wire SEED=1 DELIVERIES=100000 KILLS=10000
	@$(run) campaigns.wire --seed $(SEED) --every-call --deliveries $(DELIVERIES) --kills $(KILLS)

MODULE ?=
.PHONY: mutants
mutants: .tools/mutation/installed ## small mistakes in the pure modules, one at a time (mutmut): make mutants MODULE=judging.policy
	@.tools/mutation/bin/mutmut run $(if $(MODULE),'ses_feedback.$(MODULE).*')
	@.tools/mutation/bin/mutmut results

PAYLOADS ?= 1000000
GUIDED ?= 120
.PHONY: fuzz
fuzz: .venv/installed ## whatever anybody might send: make fuzz SEED=1 PAYLOADS=1000000
	@$(run) campaigns.fuzz --seed $(SEED) --payloads $(PAYLOADS)
	@$(run) campaigns.fuzz --seed $(SEED) --payloads $(PAYLOADS) --bounds
	@$(run) campaigns.fuzz --growth
	$(if $(fuzzer),@$(MAKE) fuzz-guided,@echo "Left out: atheris has no wheel for this machine.")

.PHONY: fuzz-guided
fuzz-guided: .tools/fuzz/installed ## the same, guided by coverage (atheris): make fuzz-guided GUIDED=120
	@PYTHONPATH=src .tools/fuzz/bin/python -m campaigns.fuzz.atheris_target --seed $(SEED) --seconds $(GUIDED)

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
	$(pin) pyproject.toml --extra local --output-file requirements/feedbackctl.txt --constraint requirements/dev.txt
	$(pin) requirements/checkov.in --output-file requirements/checkov.txt
	$(pin) requirements/sam.in --output-file requirements/sam.txt
	$(pin) requirements/local.in --output-file requirements/local.txt
	$(pin) requirements/fuzz.in --output-file requirements/fuzz.txt --constraint src/requirements.txt --constraint requirements/dev.txt
	$(pin) requirements/bench.in --output-file requirements/bench.txt
	$(pin) requirements/mutation.in --output-file requirements/mutation.txt --constraint requirements/dev.txt
	$(pin) requirements/uv.in --output-file requirements/uv.txt

.PHONY: clean
clean: ## remove everything made here
	rm -rf .venv .tools .local .aws-sam mutants .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
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

# The pinned wheels that ses-feedback's own wheel depends on. pip installs from this folder without the network.
.tools/wheelhouse/installed: requirements/feedbackctl.txt | .venv/installed
	@printf '  … %s\n' 'downloading .tools/wheelhouse, this once'
	$(call check,.tools/wheelhouse downloaded,rm -rf $(@D) && $(run) pip download --no-input --no-deps \
	  --only-binary :all: --require-hashes --requirement $< --dest $(@D) && touch $@)

.tools/%/installed: requirements/%.txt
	@printf '  … %s\n' 'installing .tools/$*, this once'
	$(call check,.tools/$* installed,$(call install,.tools/$*,$<) && touch $@)
