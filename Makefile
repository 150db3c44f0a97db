# Two commands do everything on a machine with Python 3.11 and pip:
#
#   make demo    the tour: push, edit, diff, pull and verify real files; train, predict, join
#   make test    all tests
#
# Each makes a virtual environment of its own in this directory and makes it
# anew when pyproject.toml is newer. `make test PYTHON=python3.12` picks another
# Python; `make test ARGS='-k names'` passes arguments on to pytest.

PYTHON ?= python3
ARGS ?=

DEMO := .venv-demo
TEST := .venv-test
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test nightly lint format bench environment docs clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo     see it work on real files (about a minute)'
	@echo 'make test     run all tests'
	@echo 'make lint     ruff, formatting, mypy'
	@echo 'make format   put the code into its layout'
	@echo 'make docs     write the generated pages anew'
	@echo 'make nightly  the property tests with many more examples, and the long tests'
	@echo 'make bench    measure; results go to benchmarks/results/'
	@echo 'make clean    remove what make made'

demo: $(DEMO)/made
	$(DEMO)/bin/art demo $(ARGS)

test: $(TEST)/made
	$(TEST)/bin/python -m pytest $(ARGS)

nightly: $(TEST)/made
	HYPOTHESIS_PROFILE=nightly $(TEST)/bin/python -m pytest $(ARGS)

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

# What `make test` runs in, without running it.
environment: $(TEST)/made

$(DEMO)/made: pyproject.toml
	$(call make_environment,$(DEMO),.[demo])

$(TEST)/made: pyproject.toml
	$(call make_environment,$(TEST),.[test])

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
	rm -rf $(DEMO) $(TEST) .hypothesis .mypy_cache .pytest_cache .ruff_cache
