# EROS infrastructure. `make help` lists the targets; ENV=local (default), staging, prod, or a preview such as
# preview-local-7.

ENV ?= local
STACK ?= automation
# Processes that run tests side by side, each with its servers; one more than the cores, since some tests wait.
WORKERS ?= 3

# A value is text, for make and for the shell: make does not expand $(shell …) within it, and recipes read it from their
# environment, between quotes.
$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),\
	$(eval override $(name) := $$(value $(name)))$(eval export $(name))))
export EROS_ENV := $(value ENV)
export STACK WORKERS
export PATH := $(CURDIR)/.venv/bin:$(value PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Container images often set it; every command would then compile the repository's modules again.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := python -m pytest --no-loadscope-reorder -n "$$WORKERS"

SETUP := .venv/installed node_modules/installed

.DEFAULT_GOAL := help
.PHONY: help setup deploy plan destroy rollback cost verify preview-up preview-down up down check audit \
	rehearse test test-fast test-long mutations bench-deploy bench-bandit bench-procedures \
	bench-engine clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## install what is missing: .venv, node_modules

.venv/installed: requirements.txt operations/setup.sh
	@operations/setup.sh "$${PYTHON:-$$(command -v python3.13 || command -v python3 || echo python3.13)}"

# Needs .venv, which brings Node. A newer .venv does not install again: in a copy, node_modules may be a link.
node_modules/installed: package-lock.json | .venv/installed
	@echo "Installing the cdktf command line …"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

deploy: $(SETUP) ## deploy every stack, run each scheduled query once, verify it
	@python -m operations deploy

plan: $(SETUP) ## show what a deployment would change; changes nothing
	@python -m operations plan

destroy: $(SETUP) ## destroy every stack of ENV
	@python -m operations destroy

rollback: $(SETUP) ## destroy one stack: make rollback STACK=automation (procedures and schedules only)
	@python -m operations destroy --stack="$$STACK"

cost: $(SETUP) ## print what everything would read and cost, by dry runs; BASE=origin/main adds the difference
	@python -m operations cost $${BASE:+--base="$$BASE"}

verify: $(SETUP) ## run the verification tests against ENV
	@python -m verification

rehearse: $(SETUP) ## plant a problem in sample data: make rehearse NIGHT=breaker, and BACK=1 to take it back
	@python -m operations rehearse $${BACK:+--back} $${NIGHT:+-- "$$NIGHT"}

preview-up: $(SETUP) ## create a temporary environment in the project of ENV: make preview-up NUMBER=7
	@python -m operations preview up $${NUMBER:+-- "$$NUMBER"}

preview-down: $(SETUP) ## delete it, with everything that has its name: make preview-down NUMBER=7
	@python -m operations preview down $${NUMBER:+-- "$$NUMBER"}

up: $(SETUP) ## start the embedded environment
	@python -m local up

down: $(SETUP) ## stop the embedded environment; its data and state stay
	@python -m local down

check: $(SETUP) ## lint, format, types, the SQL check and the workflows
	@$(MAKE) --no-print-directory --output-sync=target --keep-going -j3 $(CHECKS)

CHECKS := check/types check/sql check/lint check/format check/workflows check/shell
.PHONY: $(CHECKS)

check/types:
	@mypy --no-error-summary

check/sql:
	@python -m catalog check

check/lint:
	@ruff check --quiet .

check/format:
	@ruff format --check --quiet .

check/workflows:
	@operations/actionlint.sh

check/shell:
	@if command -v shellcheck >/dev/null; then shellcheck -x operations/*.sh; fi

audit: $(SETUP) ## audit the workflows for security with zizmor, which it installs
	@operations/zizmor.sh

test: check ## every check and every test; about 6 minutes on two cores
	@$(PYTEST) --dist loadfile

test-fast: $(SETUP) ## the tests that need no server, no cdktf and no Terraform; half a minute
	@EROS_FAST_TESTS=1 $(PYTEST) --dist worksteal -m "not cdktf and not long"

test-long: $(SETUP) ## tests that repeat or take long: 30 simulated days, kills, all the sample data
	@$(PYTEST) --dist loadfile -m long

mutations: $(SETUP) ## apply every deliberate defect to a deployed system and print how many the verifier caught
	@python -m tests.mutations

bench-bandit: $(SETUP) ## simulate 90 days of the caption bandit; about 7 minutes
	@python -m benchmarks.bandit

bench-procedures: $(SETUP) ## time each procedure at the operators' sizes and at 10 and 100 times those
	@python -m benchmarks.procedures

bench-engine: $(SETUP) ## time the embedded engine: latencies, scripts, clients together; AGAINST=../other compares
	@python -m benchmarks.engine $${AGAINST:+--against="$$AGAINST"}

bench-deploy: $(SETUP) ## print the warm times of synthesis, plan, deploy and verification
	@python -m benchmarks.deploy

clean: $(SETUP) ## stop the embedded environment and delete its data, state and caches
	@python -m local down >/dev/null
	@rm -rf .local .cache cdktf.out
	@echo "stopped; data, state and .cache are deleted"
