# Everything starts here: `make` lists what there is. A bare machine needs Python 3.11 or newer and make, no more.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# uv has an environment of its own inside the project's, for `uv sync` removes what the lock file doesn't name.
UV     := $(VENV)/uv/bin/uv
STAMP  := $(VENV)/.synced

# The interpreter is the one that made the environment: uv is not to fetch another.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(VENV)
# An environment that happens to be active in this shell is not meant.
unexport VIRTUAL_ENV
# Without byte code on disk each process compiles all its modules again: 15 CPU seconds for each worker of the tests.
unexport PYTHONDONTWRITEBYTECODE

comma  := ,
# Printed while packages are downloaded: what follows them.
THEN   := $(if $(filter demo,$(MAKECMDGOALS)),; then Kafka$(comma) PostgreSQL and a year of flights)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help environment setup demo demo-compose up down test test-fast test-slow test-properties test-all lint bench docs schemas proto clean

help:  ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv with everything that uv.lock names

demo: $(STAMP)  ## Run a year of flights through the platform; EXAMPLE=flights-delay runs another of the examples
	@$(BIN)/rondo demo

demo-compose: $(STAMP)  ## Run a short replay on `docker compose`
	@deploy/compose/demo.sh

up: $(STAMP)  ## Run the platform here until Ctrl-C, and keep its data
	@$(BIN)/rondo up

down: $(STAMP)  ## Stop the platform that `make up` runs
	@$(BIN)/rondo down

# Each worker has a broker and a PostgreSQL of its own; a file's tests stay together, the longest files first. Tests of
# servers wait for them, so there is a worker more than cores. With four, a broker on a slow disk answered after 10 s.
PARALLEL := --dist loadfile --no-loadscope-reorder

# `make lint` checks the conventions. The other tests don't depend on them.
CONVENTIONS := tests/conventions

# Slow property tests run with the other property tests.
SLOW     := "slow and not hypothesis"
THOROUGH := --hypothesis-profile=thorough

test: $(STAMP)  ## Run the tests, against real Kafka and PostgreSQL, in three to five minutes on two cores
	$(BIN)/pytest -n 3 $(PARALLEL) -m "not slow" --ignore=$(CONVENTIONS)

test-fast: $(STAMP)  ## Run the tests that need no server and little time, in about a minute on two cores
	$(BIN)/pytest -n 2 $(PARALLEL) -m "unit and not medium and not slow" --ignore=$(CONVENTIONS) --durations=5

test-slow: $(STAMP)  ## Run the tests that take longer: outages, traces through all services, kills
	$(BIN)/pytest -q -m $(SLOW)

test-properties: $(STAMP)  ## Run the property tests with more examples
	$(BIN)/pytest -q -n 2 --dist loadfile -m hypothesis $(THOROUGH)

test-all: $(STAMP)  ## Run all tests, the slow ones too, and the property tests with more examples
	$(BIN)/pytest -n 3 $(PARALLEL) -m "not slow or hypothesis" $(THOROUGH)
	$(BIN)/pytest -m $(SLOW)

GRPC := services/serving/rondo/serving/grpc

proto: $(STAMP)  ## Compile the messages of the gRPC API; tests/serving/grpc checks that this was done
	$(UV) run --quiet --no-project --python $(BIN)/python --with grpcio-tools==1.85.1 \
	  python -m grpc_tools.protoc -I $(GRPC) --descriptor_set_out=$(GRPC)/descriptors.binpb \
	  open_inference.proto health.proto

lint: $(STAMP)  ## Check style, types, the architecture and the conventions of code, tests and documents
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy -p rondo.contracts -p rondo.chassis -p rondo.ingestion -p rondo.trainer -p rondo.registry \
	  -p rondo.serving -p rondo.monitor -p rondo.client -p rondo.embedded -p rondo.flights -p rondo.docgen
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n 2 $(CONVENTIONS)

bench: $(STAMP)  ## Measure against peers; ONLY=stream runs one table, RECORD=1 keeps the figures
	BENCH_RECORD=$(RECORD) $(BIN)/python -m tests.benchmarks $(ONLY)

docs: $(STAMP)  ## Write the AsyncAPI and JSON Schema documents and the pages of topics and of the spec from the code
	$(BIN)/python -m rondo.docgen.asyncapi

schemas: $(STAMP)  ## Write a snapshot of each event's JSON Schema that has changed
	$(BIN)/python -m rondo.docgen.schemas

clean:  ## Remove the stack's data and the tools' caches (not .venv)
	rm -rf .rondo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist

# Runs only when one of these files changes, so an up-to-date checkout needs no network. A lock makes a second `make` in
# the same checkout wait for the first.
$(STAMP): uv.lock pyproject.toml $(wildcard */pyproject.toml */*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Rondo needs Python 3.11 or newer, and $(PYTHON) is not: name one with make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) deploy/locked.py $(VENV)/.setup.lock $(MAKE) --no-print-directory environment THEN='$(THEN)'
	@touch $@

environment: $(UV)
	@echo "installing what uv.lock names into $(VENV)$(THEN)"
	@$(PYTHON) deploy/uv_progress.py $(UV) sync --frozen

$(UV):
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "$(PYTHON) comes without venv: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "setting up in $(VENV), once: first uv, then the packages$(THEN)"
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m venv $(VENV)/uv
	@$(VENV)/uv/bin/pip install --disable-pip-version-check 'uv>=0.9,<1'
