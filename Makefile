# Every target makes what it needs first: nothing has to be installed or started before `make demo` or `make test`.
# State lies below ROZVODNA_HOME (.rozvodna here), results below build/.

export ROZVODNA_HOME ?= $(CURDIR)/.rozvodna
ifdef PYTHON
export PYTHON
endif

VENV := $(ROZVODNA_HOME)/venv
PY := "$(VENV)/bin/python"
yes = $(filter-out 0 no false,$(1))
# Each worker has a database and a broker of its own; foreign servers are shared, so one test at a time uses them.
WORKERS ?= $(if $(DATABASE_URL)$(MQTT_URL),0,2)
# Files go to the workers in the order in which they are named: the long ones first, so that both end together.
PYTEST := -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test unit system fuzz peers lint format bench schemas lock stack-up stack-down clean env-run env-dev

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s%s\n", $$1, $$2}'

demo: env-run ## the whole path, from simulated meters to invoices and OTE; serves until Ctrl-C (ONCE=1: ends after the report)
	@exec $(PY) -m deploy.cli demo $(if $(call yes,$(ONCE)),--once) $(ARGS)

test: env-dev ## unit tests, fuzz targets, system tests (ARGS="-k name" goes to pytest)
	@exec $(PY) $(PYTEST) tests/system tests/fuzz tests/unit $(ARGS)

unit: env-dev ## the tests that need no database, in seconds
	@exec $(PY) $(PYTEST) tests/unit $(ARGS)

system: env-dev ## the tests with a real database, broker and processes
	@exec $(PY) $(PYTEST) tests/system $(ARGS)

fuzz: env-dev ## fuzz what reads bytes from a line (ONLY=hdlc: one target; SECONDS=60: each so long)
	@exec $(PY) -m tests.fuzz $(or $(ONLY),all) $(or $(SECONDS),60)

peers: env-dev ## the tests against foreign programs, which it fetches (ROZVODNA_PEERS=required: none may be left out)
	@exec $(PY) -m pytest tests/peers $(ARGS)

lint: env-dev ## ruff, mypy, import directions
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@"$(VENV)/bin/lint-imports"

format: env-dev ## let ruff format the sources
	@$(PY) -m ruff format .

bench: env-dev ## benchmarks into build/bench/NAME.json (ONLY=ingest: one of them)
	@exec $(PY) -m deploy.cli bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

schemas: env-dev ## write the shared schemas anew from the structures they describe
	@$(PY) -m deploy.schemas

lock: ## write the locks anew from pyproject.toml (UPGRADE=1: newest versions)
	@sh deploy/locks/make.sh $(if $(call yes,$(UPGRADE)),--upgrade)

stack-up: env-run ## start TimescaleDB and the broker, and say where they are
	@$(PY) -m deploy.cli stack up

stack-down: env-run ## stop them; data stay
	@$(PY) -m deploy.cli stack down

clean: ## stop what runs, remove state (.rozvodna) and results (build)
	@sh deploy/clean.sh

env-run:
	@sh deploy/environment.sh run

env-dev:
	@sh deploy/environment.sh dev
