# make demo      train on real photographs of textile and say where the report is
# make test      run the tests by 2 workers          (WORKERS=4 by 4; ARGS='-x tests/unit' goes to pytest)
# make test-all  run the slow ones too
# make check     lint, format, types, spelling, shell scripts, schemas of configuration files
# make docs      build the documentation site into site/
# make dist      build wheel and source distribution into dist/, twice, and list what an install of them brings
# make dev       only make the environment that test and check use
# make clean     remove what these made
#
# VENV names the virtual environment, PYTHON the interpreter that makes it (3.11 or newer).

ifeq ($(OS),Windows_NT)
  PYTHON ?= python
  SCRIPTS := Scripts
else
  PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3),python3)
  SCRIPTS := bin
endif
VENV ?= .venv
ARGS ?=
WORKERS ?= 2

BIN := $(VENV)/$(SCRIPTS)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
# Stamps: touched when what they name is installed, so that nothing is installed twice.
READY := $(VENV)/.eyebright-venv
DEMO := $(VENV)/.eyebright-demo
DEV := $(VENV)/.eyebright-dev
DOCS := $(VENV)/.eyebright-docs
DIST := $(VENV)/.eyebright-dist
# Groups of tests (tests/conftest.py) go to the workers in their order, the longest first.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder --durations 25
SCHEMA := $(BIN)/check-jsonschema --builtin-schema

.PHONY: demo test test-all check docs dist dev clean

demo: $(DEMO)
	$(BIN)/eyebright demo

test: $(DEV)
	$(PYTEST) -m "not slow" $(ARGS)

test-all: $(DEV)
	$(PYTEST) $(ARGS)

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/shellcheck .ci/run
	$(MAKE) --no-print-directory --always-make --dry-run demo test test-all docs dist clean | \
	  $(BIN)/shellcheck --shell=sh -
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) custom.github-workflows-require-timeout .github/workflows/*.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.citation-file-format --default-filetype yaml CITATION.cff
	$(SCHEMA) vendor.readthedocs .readthedocs.yaml
	$(BIN)/pre-commit validate-config .pre-commit-config.yaml

docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# TAG, where it is set, must be the version's: v0.1.0 for 0.1.0. The second build is from another folder, day and zone:
# it must give the same bytes. What the wheel installs is listed as CycloneDX in build/sbom.cdx.json.
dist: $(DIST)
	rm -rf dist build/again build/base
	$(BIN)/python -m build --no-isolation --outdir dist .
	@test -z "$(TAG)" || test -f "dist/eyebright-$(TAG:v%=%).tar.gz" || { \
	  echo "The tag $(TAG) must name the version that was built: $$(ls dist)." >&2; exit 1; }
	$(BIN)/twine check --strict dist/*
	mkdir -p build/again
	tar -xzf dist/*.tar.gz -C build/again --strip-components 1 --touch
	cd build/again && TZ=Asia/Shanghai "$(abspath $(BIN))/python" -m build --no-isolation --sdist --wheel .
	cd dist && for file in *; do cmp "$$file" "../build/again/dist/$$file" || exit 1; done
	"$(PYTHON)" -m venv --without-pip build/base
	$(BIN)/python -m pip --python build/base install --quiet --disable-pip-version-check \
	  --constraint constraints.txt dist/*.whl
	build/base/$(SCRIPTS)/eyebright --version
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type library --output-reproducible \
	  --output-file build/sbom.cdx.json build/base

dev: $(DEV)

clean:
	rm -rf "$(VENV)" runs/demo dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis
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

$(DEMO): pyproject.toml constraints.txt $(READY)
	$(INSTALL) '.[demo]'
	@touch "$@"

# The dev extra holds the demo's.
$(DEV): pyproject.toml constraints.txt $(READY)
	$(INSTALL) '.[dev]'
	@touch "$(DEMO)" "$@"

$(DOCS): pyproject.toml constraints.txt $(READY)
	$(INSTALL) '.[docs]'
	@touch "$@"

$(DIST): pyproject.toml constraints.txt $(READY)
	$(INSTALL) '.[dist]'
	@touch "$@"
