# Thin front doors: `make demo` shows the project at work, `make test` checks it.
# Each makes .venv if it is missing and installs what it needs, with plain pip.

PYTHON ?= python3
VENV := .venv
# Tests run in so many processes, a file of tests in one of them; FLAGS go to pytest.
JOBS ?= 2
FLAGS ?=
BIN := $(VENV)/bin

.PHONY: demo test lint types clean

demo: $(VENV)/installed
	$(BIN)/biobench demo --out demo

test: $(VENV)/installed
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(FLAGS)

lint: $(VENV)/installed types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/pyright --pythonpath $(BIN)/python

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,slurm,docs,dev]'
	touch $@

clean:
	rm -rf $(VENV) demo
