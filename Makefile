# The two commands of the README: `make sim` and `make test`. `make help` lists all.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= mnist_fc_8k_dwn
SAMPLES ?= 1000
BUILD := build/$(MODEL)

.DEFAULT_GOAL := help
.PHONY: help sim test pytest test-full lint types wheel bench bench-hw docs system clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

sim: $(VENV)/.sim  ## export the pretrained model, build it with Verilator, compare SAMPLES images with PyTorch
	$(BIN)/difflut export $(MODEL) --target verilog --out $(BUILD)
	$(BIN)/difflut verify $(BUILD) --samples $(SAMPLES)

test: $(VENV)/.dev lint types  ## everything that CI checks
	$(MAKE) --no-print-directory -j 2 pytest wheel sim SAMPLES=200 BUILD=build/ci

pytest: $(VENV)/.dev
	OMP_NUM_THREADS=1 MAKEFLAGS= $(BIN)/python -m pytest -n 2 --dist worksteal -m "not full"

test-full: $(VENV)/.dev  ## the long tests, all 10,000 images of both models among them
	$(BIN)/python -m pytest -m full
	$(MAKE) --no-print-directory sim MODEL=mnist_fc_8k_dwn SAMPLES=10000
	$(MAKE) --no-print-directory sim MODEL=mnist_fc_8k_linear SAMPLES=10000

lint: $(VENV)/.dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## mypy --strict
	$(BIN)/mypy

wheel: $(VENV)/.dev  ## build the wheel and use it from an empty directory
	$(BIN)/python tests/check_wheel.py

bench: $(VENV)/.dev  ## the figures of docs/benchmarks.md
	$(BIN)/python -m benchmarks

bench-hw: $(VENV)/.dev  ## the figures of docs/HARDWARE.md; fetches dwn2rtl from PyPI, takes about an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.hardware
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.hardware.forms

docs: $(VENV)/.dev  ## build the documentation site into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

system:
	@missing=""; \
	for tool in g++ make perl $(PYTHON); do command -v $$tool >/dev/null 2>&1 || missing="$$missing $$tool"; done; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  echo "missing system packages:$$missing; on Debian or Ubuntu: sudo apt install$$missing" >&2; exit 2; \
	fi; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is older than 3.10; give a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }

$(BIN)/python: | system
	$(PYTHON) -m venv $(VENV)

$(VENV)/.sim: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[sim]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.sim

clean:  ## remove caches, packages and the site; keep the virtual environment, and exports in build/ with what lies in them
	rm -rf build/lib build/bdist.* build/site dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
