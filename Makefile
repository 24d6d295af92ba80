# Needs Python >= 3.10 and nothing else: every target makes its own environment in .venv first.
#
#   PYTHON    the Python that makes .venv                        (python3)
#   PIP_ARGS  further arguments of pip, such as another index    ()
#   OUTPUT    the folder that `make demo` writes                 (demo)
#   DATA      a folder of images for `make demo`                 (the phantom cohort)
#   REAL_DATA a folder of image sets for the tests in tests/real (these are skipped)
#   ARGS      further arguments of the demo, or of pytest        ()

PYTHON ?= python3
PIP_ARGS ?=
OUTPUT ?= demo
DATA ?=
REAL_DATA ?=
ARGS ?=

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet $(PIP_ARGS) -c constraints.txt
PYTEST := $(BIN)/python -m pytest $(if $(REAL_DATA),--real-data="$(REAL_DATA)")

.PHONY: help demo test test-slow lint bundles clean
.DEFAULT_GOAL := help

help:  ## Say what the targets are
	@sed -n 's/^#   /  /p' Makefile
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 14

demo: .venv/.runtime  ## Scans to weights to a report, on the CPU
	MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=536870912 \
	  $(BIN)/python -m monai_sg demo $(if $(DATA),--data "$(DATA)") --output "$(OUTPUT)" $(ARGS)

test: .venv/.development  ## The quick tests: minutes on two cores
	$(PYTEST) -n 2 --dist loadfile -m "not slow" $(ARGS)

test-slow: .venv/.development  ## The long tests: they install wheels and train
	$(PYTEST) -m slow $(ARGS)

lint: .venv/.development  ## Style, format, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --no-cache

bundles: .venv/.runtime  ## Rebuild bundles/ from bundles/_src
	$(BIN)/python -m monai_sg bundles build

clean:  ## Remove everything that the targets made
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: an environment is brought up to date when what it is made from changes.
.venv/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), f"{sys.executable} is Python {sys.version.split()[0]}; give another one: make PYTHON=python3.11"'
	$(PYTHON) -m venv .venv

.venv/.runtime: setup.cfg constraints.txt | .venv/bin/python
	$(INSTALL) -e .
	touch $@

.venv/.development: .venv/.runtime
	$(INSTALL) -e '.[test,dev]'
	touch $@
