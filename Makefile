# `make demo` sets up and runs the main job; `make test` sets up and passes the tests. Needs Python 3.11 or later.
PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
RUNS ?= runs
BIN := .venv/bin

.PHONY: demo test test-all lint bench wheel-test clean

demo: .venv/ready
	$(BIN)/gatelab study gates-2018 --part digits --part parity --seeds 10 --workers $(JOBS) --out $(RUNS)

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS)

test-all: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) -m "slow or not slow"

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One process, nothing else running: see benchmarks/README.md.
bench: .venv/ready
	$(BIN)/gatelab bench

# The wheel alone, in an empty environment outside of this folder, trains a cell.
wheel-test: .venv/ready
	rm -rf dist && $(BIN)/python -m build --wheel
	PYTHON=$(PYTHON) sh tests/wheel.sh

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gatelab needs Python 3.11 or later; say which: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
