# make demo    train on real photographs of textile and say where the report is
# make test    run every test, the slow ones too   (ARGS='-m "not slow"' for the quick ones)
# make check   lint, format and types
# make clean   remove what these made
#
# VENV names the virtual environment, PYTHON the interpreter that makes it (3.11 or newer).

PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3),python3)
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
# Stamps: touched when what they name is installed, so that nothing is installed twice.
READY := $(VENV)/.eyebright-venv
DEMO := $(VENV)/.eyebright-demo
TEST := $(VENV)/.eyebright-test

.PHONY: demo test check clean

demo: $(DEMO)
	$(BIN)/eyebright demo

test: $(TEST)
	$(BIN)/python -m pytest $(ARGS)

check: $(TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf "$(VENV)" runs/demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests scripts benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +

$(READY):
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "Eyebright needs Python 3.11 or newer. There is no $(PYTHON) here." \
	    "Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Eyebright needs Python 3.11 or newer. $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." \
	    "Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	"$(PYTHON)" -m venv "$(VENV)"
	@touch "$@"

$(DEMO): pyproject.toml $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch "$@"

# The test extra holds the demo's.
$(TEST): pyproject.toml $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch "$(DEMO)" "$@"
