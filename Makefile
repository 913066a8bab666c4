# `make` alone lists what there is. Needed: git, make, and Python 3.13 or uv (from PATH or pyenv).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Three at once on two cores: the tests of the deployed stack wait for half of their time.
PYTEST_ARGS ?= -n 3 --dist loadgroup
# How many histories `make prove` takes each state machine and fuzzer through.
HISTORIES ?= 100000
# Which faults `make chaos` injects, all unless named; how many at once; how much sooner is retried.
ROWS ?=
JOBS ?= 2
SCALE ?= 0.1

# The bucket that `make publish` uploads to.
BUCKET ?=

RELEASE = emr-log-guard-$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

# Where a Python may be, and the one of them that is 3.13. Empty: uv has to find or fetch one.
PYTHONS := python3.13 python3 $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.13*/bin/python
PYTHON = $(shell for p in $(PYTHONS); do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && echo $$p && break; done)
UV := $(or $(shell command -v uv),.venv/uv/bin/uv)

# dev checks and tests; the others pin other versions of botocore, so they keep to themselves.
ENVIRONMENTS := .venv/dev/.synced .venv/sam/.synced .venv/sandbox/.synced
SOURCES := layers/emr_log_guard/emr_log_guard sandbox benchmarks tools tests layers/*/*.py

# The layers' build takes python3.13 and uv from PATH, and so do the tests that call `sam`.
export PATH := $(CURDIR)/.venv/dev/bin:$(PATH)
# Nothing here talks to AWS by itself, and nothing phones home.
export SAM_CLI_TELEMETRY := 0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(ENVIRONMENTS) ## make the environments in .venv (every other target does it when needed)

.PHONY: demo
demo: setup ## see the guard at work on an emulated AWS account
	@.venv/dev/bin/python -m sandbox.demo $(if $(VERBOSE),--verbose)

.PHONY: picture
picture: setup ## play the demo and draw docs/demo.svg from what it printed
	@.venv/dev/bin/python -m sandbox.demo.picture docs/demo.svg

.PHONY: sandbox
sandbox: setup ## start an emulated AWS account with the stack in it
	@.venv/dev/bin/python -m sandbox up

.PHONY: test
test: setup ## run every test (PYTEST_ARGS='-k name' for some)
	@.venv/dev/bin/pytest $(PYTEST_ARGS)

.PHONY: unit
unit: .venv/dev/.synced ## run the unit tests alone, in less than a minute (PYTEST_ARGS='-k name' for some)
	@.venv/dev/bin/pytest tests/unit $(PYTEST_ARGS)

.PHONY: check
check: lint typecheck template site ## all that CI runs: format, lint, types, imports, template, site, tests
	@$(MAKE) --no-print-directory test PYTEST_ARGS="$(PYTEST_ARGS) --cov --cov-report term:skip-covered"
	@.venv/dev/bin/coverage report --fail-under 100 --include '*/domain/*,*/rules/*' --format total >/dev/null \
		|| { echo 'domain/ and rules/ must be covered completely, branches too'; exit 1; }

.PHONY: lint
lint: .venv/dev/.synced
	@.venv/dev/bin/ruff format --check .
	@.venv/dev/bin/ruff check .
	@PYTHONPATH=layers/emr_log_guard .venv/dev/bin/lint-imports
	@.venv/dev/bin/zizmor --offline --quiet --no-progress .

# Every handler is a module named `app`, so each is checked in a run of its own.
.PHONY: typecheck
typecheck: .venv/dev/.synced
	@.venv/dev/bin/mypy $(wildcard $(SOURCES))
	@for app in functions/*/app.py; do .venv/dev/bin/mypy "$$app"; done

.PHONY: template
template: .venv/dev/.synced .venv/sam/.synced .venv/checkov/.synced
	@.venv/dev/bin/cfn-lint template.yaml tools/many_accounts/hub.yaml
	@.venv/checkov/bin/checkov --config-file .checkov.yaml
	@.venv/sam/bin/sam validate --lint --region us-east-1

.PHONY: format
format: .venv/dev/.synced ## format the code and fix what can be fixed
	@.venv/dev/bin/ruff format .
	@.venv/dev/bin/ruff check --fix .

.PHONY: hooks
hooks: .venv/dev/.synced ## have git check what changed before each commit
	@.venv/dev/bin/pre-commit install

.PHONY: docs
docs: .venv/dev/.synced ## write the pages that are made from the code: docs/rules.md and others
	@PYTHONPATH=layers/emr_log_guard .venv/dev/bin/python -m tools.docs

.PHONY: site
site: .venv/docs/.synced ## build the documentation as a searchable site in ./site; a broken link fails it
	@NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs --quiet build --strict

.PHONY: build
build: setup ## build the stack into .aws-sam
	@.venv/sam/bin/sam build

.PHONY: deploy
deploy: build ## deploy the stack to your AWS account, asking first
	@.venv/sam/bin/sam deploy

.PHONY: package
package: build .venv/release/.synced ## make what is released, in dist: the built stack, the command, SBOM and checksums
	@rm -rf build dist && mkdir dist
	@.venv/dev/bin/python -m tools.package .aws-sam/build dist/$(RELEASE).tar.gz
	@SOURCE_DATE_EPOCH=315532800 .venv/dev/bin/uv build --quiet --wheel --build-constraints requirements/build.txt \
		--require-hashes --out-dir dist
	@.venv/release/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON \
		--output-file dist/$(RELEASE).cdx.json requirements/functions.txt
	@cd dist && sha256sum -- * > SHA256SUMS

# A version that is published cannot be replaced.
.PHONY: publish
publish: package ## publish it in your Serverless Application Repository (BUCKET=the bucket for its files)
	@test -n "$(BUCKET)" || { echo >&2 'Which bucket? make publish BUCKET=NAME'; exit 1; }
	@tar -xzf dist/$(RELEASE).tar.gz -C .aws-sam
	@cd .aws-sam/$(RELEASE) && ../../.venv/sam/bin/sam package --template-file template.yaml --s3-bucket "$(BUCKET)" \
		--output-template-file packaged.yaml
	@.venv/sam/bin/sam publish --template .aws-sam/$(RELEASE)/packaged.yaml --fail-on-same-version \
		--semantic-version $(RELEASE:emr-log-guard-%=%)

.PHONY: bench
bench: setup .venv/bench/.synced ## measure audit beside Cloud Custodian, and write docs/benchmarks.md (half an hour)
	@.venv/dev/bin/python -m benchmarks

.PHONY: chaos
chaos: setup ## inject faults of AWS into the stack and compare (half an hour; ROWS='none sns-down' for some)
	@.venv/dev/bin/python -m sandbox.chaos --jobs $(JOBS) --scale $(SCALE) $(ROWS)

.PHONY: prove
prove: setup ## take the state machines and fuzzers through HISTORIES=100000 histories each (hours)
	@.venv/dev/bin/python -m tests.prove --histories $(HISTORIES)

.PHONY: lock
lock: .venv/dev/.synced ## pin the newest versions of the requirements, with hashes
	@cd requirements && for name in uv functions dev command docs sandbox sam checkov bench build release; do \
		../.venv/dev/bin/uv pip compile --generate-hashes --universal --python-version 3.12 --upgrade -q \
			$$name.in -o $$name.txt; done

.PHONY: clean
clean: ## remove what was built, and the environments
	@rm -rf .aws-sam .venv dist site .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .sandbox
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Byte-compiled at once: nothing starts slowly later, even with PYTHONDONTWRITEBYTECODE set.
.venv/%/.synced: requirements/%.txt .python-version | $(UV)
	@echo "making .venv/$*"
	@$(UV) venv --quiet --allow-existing --python $(or $(PYTHON),3.13) .venv/$*
	@$(UV) pip sync --quiet --require-hashes --compile-bytecode --python .venv/$* $<
	@touch $@

.venv/uv/bin/uv: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo >&2 \
		'Neither Python 3.13 nor uv was found: install one (https://docs.astral.sh/uv/) and run make again.'; exit 1; }
	@$(PYTHON) -m venv .venv/uv
	@.venv/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
