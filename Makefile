# `make` lists the targets. The prerequisites are Python, make and git. Everything else is installed into .venv and
# .tools from the pins in requirements/, when first needed and again after a pin changes.

SHELL := bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Compiled modules are cached: each check starts new Python processes.
unexport PYTHONDONTWRITEBYTECODE

# The first of these that works is used; `make PYTHON=/path/to/python3.13 …` chooses another.
PYTHON ?= python3.13 python3.12 python3.11 python3
# A `python3.x` on the PATH can be a pyenv shim that does not run, or a Debian package without venv.
usable := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
find_python = $(shell for it in $(PYTHON); do "$$it" -c '$(usable)' >/dev/null 2>&1 && { echo "$$it"; break; }; done)
no_python = No usable Python among "$(PYTHON)". \
  This needs 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu: apt-get install python3-venv), \
  or the path to one: make PYTHON=/path/to/python3.13
# Evaluated once, and only if something must be installed.
python = $(eval python := $(find_python))$(or $(python),$(error $(no_python)))

run := .venv/bin/python -m
pytest := $(run) pytest -n auto --maxprocesses 8
documents = $(wildcard *.md docs/*.md docs/*/*.md docs/*/*/*.md events/*.md)

# $(call check,name,command): print one line if the command succeeds, its whole output otherwise.
define check
@log=$$(mktemp); TIMEFORMAT=%1R; \
if seconds=$$( { time { $(2); } >"$$log" 2>&1; } 2>&1 ); \
then printf '  ✓ %-32s %5s s\n' '$(1)' "$$seconds"; rm "$$log"; \
else printf '  ✗ %s\n\n' '$(1)'; cat "$$log"; rm "$$log"; exit 1; fi
endef

# Except the campaigns, the deployed stack and the wheel. The tests of a file run in one process and share its fixtures.
unit := $(pytest) --dist loadfile tests --ignore tests/e2e --ignore tests/wheel

# The emulator runs the functions from the Lambda package, whose compiled parts are built for Linux.
ifeq ($(shell uname -s),Linux)
check_on_linux = $(check)
else
check_on_linux = @printf '  – %s\n' '$(1): needs Linux'
endif

# atheris has wheels for Linux on x86_64 only.
ifeq ($(shell uname -sm),Linux x86_64)
fuzzer := .tools/fuzz/installed
check_atheris = $(check)
else
check_atheris = @printf '  – %s\n' '$(1): no wheel for this machine'
endif

# The tools that deploy to an AWS emulator on this machine.
aws := .tools/sam/installed .tools/local/installed

# $(call install,virtual environment,pins). The pins name every package, so pip resolves nothing.
install = "$(python)" -m venv --clear $(1) \
  && $(1)/bin/python -m pip install --no-input --no-deps --no-compile --require-hashes --requirement $(2)

##@ Start here

.PHONY: demo
demo: ## deploy the stack to an AWS emulator on this machine, send email through it and show the result
	@$(MAKE) -sj3 .venv/installed $(aws)
	@$(run) feedbackctl demo

.PHONY: demo-image
demo-image: ## write docs/demo.svg, the image in the README, from a real run of the demo
	@$(MAKE) -sj3 .venv/installed $(aws)
	@$(run) feedbackctl demo --svg docs/demo.svg

.PHONY: test
test: ## run all checks of continuous integration, in about four minutes on two cores
	@$(MAKE) -j3 ready
	@$(MAKE) -j2 stack-check lint types imports template docs-check wheel campaigns-slice
	@$(MAKE) unit

.PHONY: ready
ready: .venv/installed .tools/checkov/installed .tools/wheelhouse/installed $(fuzzer) $(aws)
	@:

##@ Parts of make test

.PHONY: lint
lint: .venv/installed ## style (ruff)
	$(call check,ruff check,$(run) ruff check)
	$(call check,ruff format,$(run) ruff format --check)

.PHONY: types
types: .venv/installed ## types (mypy --strict)
	$(call check,mypy --strict,$(run) mypy)

.PHONY: imports
imports: .venv/installed ## order of the packages (import-linter)
	$(call check,import-linter,.venv/bin/lint-imports)

.PHONY: template
template: .venv/installed .tools/checkov/installed .tools/sam/installed ## template.yaml (cfn-lint, checkov, sam validate)
	$(call check,cfn-lint,.venv/bin/cfn-lint template.yaml)
	$(call check,checkov,.tools/checkov/bin/checkov --file template.yaml)
	$(call check,sam validate,SAM_CLI_TELEMETRY=0 .tools/sam/bin/sam validate --lint --region us-east-1)

.PHONY: docs-check
docs-check: .venv/installed ## generated parts of the documents match the code (cog)
	$(call check,cog --check,.venv/bin/cog --check --diff $(documents))

.PHONY: wheel
wheel: .venv/installed .tools/wheelhouse/installed ## the wheel, installed alone into an empty environment
	$(call check,wheel,$(run) pytest tests/wheel)

.PHONY: stack-check
stack-check: .venv/installed $(aws) ## a slice of make e2e: one pass through the deployed stack
	$(call check_on_linux,deployed stack,$(run) pytest tests/e2e/test_slice.py)

.PHONY: campaigns-slice
campaigns-slice: .venv/installed $(fuzzer) ## a short run of each campaign
	$(call check_atheris,atheris,$(MAKE) fuzz-guided FUZZ_SECONDS=10)
	$(call check,campaigns,$(pytest) campaigns)

.PHONY: unit
unit: .venv/installed ## all other tests (pytest)
	@$(unit)

##@ Longer checks, nightly

pure := address.py address_syntax.py timestamps.py reading/* judging/* contacts/contact.py
.PHONY: coverage
coverage: .venv/installed ## make unit with coverage of statements and branches; the pure modules need 100 %
	@$(unit) --cov --cov-report=
	@.venv/bin/coverage report --include=$$(printf '%s,' $(pure:%=src/ses_feedback/%)) --fail-under=100
	@.venv/bin/coverage report --include='src/*' --fail-under=95
	@.venv/bin/coverage report --fail-under=95

.PHONY: e2e
e2e: .venv/installed $(aws) ## all tests on the deployed stack, in about 20 minutes (docs/operate/local.md)
	@$(run) pytest tests/e2e

SEED ?= 1
SCALE ?= 1
# $(call scaled,number): the number multiplied by SCALE.
scaled = $(shell awk 'BEGIN { printf "%d", $(1) * $(SCALE) + 0.5 }')

.PHONY: campaigns
campaigns: ## all campaigns below; a tenth of their length with other cases: make campaigns SEED=2 SCALE=0.1
	@$(MAKE) simulate explore outages import-jobs traces wire fuzz

.PHONY: simulate
simulate: .venv/installed ## the promises in a million simulated histories with faults and crashes
	@$(run) campaigns.simulation --seed $(SEED) --cases $(call scaled,1000000)

.PHONY: explore
explore: .venv/installed ## every interleaving and every crash of small numbers of messages
	@$(run) campaigns.simulation --exhaustive

.PHONY: outages
outages: .venv/installed ## services that are unavailable for days, then three redrives
	@$(run) campaigns.simulation --outages $(call scaled,40)

.PHONY: import-jobs
import-jobs: .venv/installed ## SES import jobs with faults
	@$(run) campaigns.import_jobs --seeds $(call scaled,8000)

.PHONY: traces
traces: .venv/installed $(aws) ## the in-memory table compared with moto and with the emulator
	@$(run) campaigns.simulation --traces $(call scaled,5000)
	@$(run) campaigns.simulation --traces $(call scaled,5000) --against emulator

.PHONY: wire
wire: .venv/installed ## the real clients against a server with faults, and killed processes
	@$(run) campaigns.wire --seed $(SEED) --every-call --deliveries $(call scaled,100000) --kills $(call scaled,10000)

FUZZ_SECONDS ?= $(call scaled,120)
.PHONY: fuzz
fuzz: .venv/installed $(fuzzer) ## a million invented payloads, hostile storms, growth with input size, and atheris
	@$(run) campaigns.fuzz --seed $(SEED) --payloads $(call scaled,1000000)
	@$(run) campaigns.fuzz --seed $(SEED) --payloads $(call scaled,1000000) --bounds
	@$(run) campaigns.fuzz --growth
	$(call check_atheris,atheris,$(MAKE) fuzz-guided)

.PHONY: fuzz-guided
fuzz-guided: .tools/fuzz/installed
	@PYTHONPATH=src .tools/fuzz/bin/python -m campaigns.fuzz.atheris_target --seed $(SEED) --seconds $(FUZZ_SECONDS)

MODULE ?=
.PHONY: mutants
mutants: .tools/mutation/installed ## mutants of the pure modules that no test notices (mutmut): make mutants MODULE=address
	@.tools/mutation/bin/mutmut run $(if $(MODULE),'ses_feedback.$(MODULE).*')
	@.tools/mutation/bin/mutmut results

##@ Benchmarks (docs/evidence/performance.md)

.PHONY: bench
bench: .venv/installed ## throughput, CPU, memory and cost, also of hostile events: 6 minutes on an idle machine
	@$(run) benchmarks.throughput
	@$(run) benchmarks.cost
	@$(run) benchmarks.denial_of_wallet

.PHONY: bench-scale
bench-scale: .venv/installed ## time per record for growing batches and growing numbers of contacts
	@$(run) benchmarks.scale

.PHONY: bench-cli
bench-cli: .venv/installed ## time of feedbackctl --help, compared with an import of click
	@$(run) benchmarks.cli_startup

.PHONY: bench-client
bench-client: .venv/installed ## import time of ses_feedback.client compared with boto3, and calls for 10,000 addresses
	@$(run) benchmarks.sending_client

.PHONY: bench-import
bench-import: .venv/installed ## time and memory of feedbackctl contact import for a million lines: 10 minutes
	@$(run) benchmarks.contact_import

.PHONY: bench-cold
bench-cold: .venv/installed .tools/local/installed ## instructions of a cold start (needs valgrind)
	@$(run) benchmarks.cold_start

##@ Housekeeping

.PHONY: replay
replay: .venv/installed ## replay all events of events/ in one process and show the result
	@$(run) feedbackctl replay events/

.PHONY: format
format: .venv/installed ## format the code
	@$(run) ruff check --fix-only --quiet
	@$(run) ruff format

.PHONY: docs
docs: .venv/installed ## update the generated parts of the documents
	@$(run) tools.dashboard
	@.venv/bin/cog -r $(documents)

.PHONY: dashboard-image
dashboard-image: .venv/installed ## draw docs/dashboard.svg, the dashboard with the data of a replayed day
	@$(run) tools.dashboard_picture

# The pins hold for every supported Python and platform. They have hashes, but no index address.
# A release younger than a week is not taken: a malicious one is usually found and removed within days. An urgent fix:
# make pins UPGRADE='--upgrade-package NAME' NEWEST='0 days'
NEWEST ?= 7 days
pin = .tools/uv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
  --no-header $(if $(UPGRADE),$(UPGRADE) --exclude-newer '$(NEWEST)')

.PHONY: pins
pins: .tools/uv/installed ## pin the requirements of the *.in files; versions of a week ago: make pins UPGRADE=--upgrade
	$(pin) src/requirements.in --output-file src/requirements.txt
	$(pin) requirements/dev.in --output-file requirements/dev.txt --constraint src/requirements.txt
	$(pin) pyproject.toml --extra local --extra dns --output-file requirements/feedbackctl.txt --constraint requirements/dev.txt
	$(pin) requirements/checkov.in --output-file requirements/checkov.txt
	$(pin) requirements/sam.in --output-file requirements/sam.txt
	$(pin) requirements/local.in --output-file requirements/local.txt
	$(pin) requirements/fuzz.in --output-file requirements/fuzz.txt --constraint src/requirements.txt --constraint requirements/dev.txt
	$(pin) requirements/mutation.in --output-file requirements/mutation.txt --constraint requirements/dev.txt
	$(pin) requirements/uv.in --output-file requirements/uv.txt
	$(pin) requirements/audit.in --output-file requirements/audit.txt

.PHONY: audit
audit: .tools/audit/installed ## known vulnerabilities of all pinned packages (OSV); needs a network and says so
	@.tools/audit/bin/python -m tools.audit src/requirements.txt $(sort $(wildcard requirements/*.txt))

.PHONY: sbom
sbom: .venv/installed .tools/audit/installed ## write .aws-sam/sbom.cdx.json, the bill of materials of the Lambda package
	$(call check,package,$(run) tools.package_build .aws-sam/sbom-package)
	$(call check,bill,$(run) tools.sbom .aws-sam/sbom-package .aws-sam/sbom.cdx.json)
	$(call check,CycloneDX schema,.tools/audit/bin/python -m tools.sbom_schema .aws-sam/sbom.cdx.json)

.PHONY: clean
clean: ## remove all installed and generated files
	rm -rf .venv .tools .local .aws-sam mutants .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/installed: requirements/dev.txt
	@printf '  … %s\n' 'installing .venv (once)'
	$(call check,.venv installed,$(call install,.venv,$<) \
	  && $(run) pip install --no-deps --no-build-isolation --editable . && touch $@)

# The pinned wheels that ses-feedback's own wheel depends on. pip installs from this folder without the network.
.tools/wheelhouse/installed: requirements/feedbackctl.txt | .venv/installed
	@printf '  … %s\n' 'downloading .tools/wheelhouse (once)'
	$(call check,.tools/wheelhouse downloaded,rm -rf $(@D) && $(run) pip download --no-input --no-deps \
	  --only-binary :all: --require-hashes --requirement $< --dest $(@D) && touch $@)

.tools/%/installed: requirements/%.txt
	@printf '  … %s\n' 'installing .tools/$* (once)'
	$(call check,.tools/$* installed,$(call install,.tools/$*,$<) && touch $@)
