# Everything from a bare clone: `make demo`, `make test`. Each does its own set-up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/pip install -qq --disable-pip-version-check
SEED ?= 0
OUTPUT ?= runs/demo-seed$(SEED)

.PHONY: setup system test-packages demo check test test-full results clean

setup: system $(READY)

system:
	@scripts/system-packages.sh

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "halo-forge needs Python 3.11 or newer; say which with: make PYTHON=python3.11"; exit 3; }
	@echo "installing Python packages into $(VENV): about two minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) "$$(grep '^torch==' constraints.txt)"
	@$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: setup
	$(BIN)/halo-forge demo --seed $(SEED) --output $(OUTPUT)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-packages:
	@scripts/system-packages.sh --tests

test: test-packages check
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow and not gpu"

test-full: test
	$(BIN)/pytest -m "slow and not gpu"

results: setup
	$(BIN)/python benchmarks/demo_results.py --seeds 0 1 2 --output runs/results --write docs/results.md

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
