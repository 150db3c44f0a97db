# Two commands do everything on a machine with Python 3.11 and pip:
#
#   make demo    the tour: push, edit, diff, pull and verify real files; train, predict, join
#   make test    all tests
#
# Each makes a virtual environment of its own in this directory and makes it
# anew when pyproject.toml is newer. `make test PYTHON=python3.12` picks another
# Python; `make test ARGS='-k names'` passes arguments on to pytest. Tests run in
# two processes, each of up to 2 GB: JOBS=4 for four, JOBS=0 for this one, which
# a debugger needs.

PYTHON ?= python3
ARGS ?=
JOBS ?= 2

DEMO := .venv-demo
TEST := .venv-test
SPARK := .venv-spark
REPORTERS := .venv-reporters
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
# Neighbours stay together, so that what a file or a folder shares is made about
# once; who has nothing left takes over half of what another still has.
PYTEST := $(TEST)/bin/python -m pytest --numprocesses=$(JOBS) --dist=worksteal

.PHONY: help demo test nightly lint format bench spark spark-run reporters environment docs clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo     see it work on real files (about a minute)'
	@echo 'make test     run all tests'
	@echo 'make lint     ruff, formatting, mypy'
	@echo 'make format   put the code into its layout'
	@echo 'make docs     write the generated pages anew'
	@echo 'make nightly  the property tests with many more examples, and the long tests'
	@echo 'make bench    measure; results go to benchmarks/results/'
	@echo 'make spark    read a table in Spark, which needs Java; downloads 500 MB'
	@echo 'make reporters  libraries that report to W&B, here; downloads 500 MB'
	@echo 'make clean    remove what make made'

demo: $(DEMO)/made
	$(DEMO)/bin/art demo $(ARGS)

test: $(TEST)/made
	$(PYTEST) $(ARGS)

nightly: $(TEST)/made
	HYPOTHESIS_PROFILE=nightly $(PYTEST) $(ARGS)

lint: $(TEST)/made
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy --strict src

format: $(TEST)/made
	$(TEST)/bin/ruff check --fix-only --quiet .
	$(TEST)/bin/ruff format .

docs: $(TEST)/made
	$(TEST)/bin/python docs/error_codes.py
	$(TEST)/bin/python docs/cli_reference.py

bench: $(TEST)/made
	$(TEST)/bin/python -m benchmarks $(ARGS)

# Spark in an environment of its own: 500 MB, and of no use without Java.
spark:
	@if java -version >/dev/null 2>&1; then $(MAKE) --no-print-directory spark-run; else \
	  echo 'make spark is skipped: there is no java here; install Java 17 or newer and run it again'; fi

spark-run: $(SPARK)/made
	$(SPARK)/bin/python tests/spark/reading.py $(ARGS)

# Training libraries that report to W&B, below `art run exec --as-wandb`: too large for the rest.
reporters: $(REPORTERS)/made
	$(REPORTERS)/bin/python -m pytest tests/integrations/test_as_wandb.py $(ARGS)

# What `make test` runs in, without running it.
environment: $(TEST)/made

$(DEMO)/made: pyproject.toml
	$(call make_environment,$(DEMO),.[demo])

$(TEST)/made: pyproject.toml
	$(call make_environment,$(TEST),.[test])

$(SPARK)/made: pyproject.toml
	$(call make_environment,$(SPARK),.[spark])

$(REPORTERS)/made: pyproject.toml
	$(call make_environment,$(REPORTERS),.[test])
	$(REPORTERS)/bin/python $(PIP_INSTALL) torch transformers accelerate lightning keras

# $(1) the directory, $(2) what pip installs. Editable: a change of the source
# needs no new environment.
define make_environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'artstore needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11' >&2; exit 1; }
	rm -rf $(1)
	$(PYTHON) -m venv $(1)
	$(1)/bin/python $(PIP_INSTALL) --editable '$(2)'
	@touch $(1)/made
endef

clean:
	rm -rf $(DEMO) $(TEST) $(SPARK) $(REPORTERS) .hypothesis .mypy_cache .pytest_cache .ruff_cache
