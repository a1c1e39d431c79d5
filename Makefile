# Everything here first makes sure of .venv/ (scripts/bootstrap.py), which takes a while once and
# no time afterwards. Needed before: git, make, and any python3 of 3.8 or later.
# All paths are relative, so that the checkout's own path may have spaces in it.

PYTHON3 ?= python3
PYTHON := .venv/bin/python
UV := .bootstrap/uv-venv/bin/uv

# Where the user forbids bytecode, every single import of TFX compiles TensorFlow, Beam and the rest
# anew: 26 s of work instead of 10. What is written goes to .venv/ and __pycache__/ only.
unexport PYTHONDONTWRITEBYTECODE

# ARGS are those of one target: a make that a test starts does not inherit them.
unexport ARGS SET
MAKEOVERRIDES :=

.DEFAULT_GOAL := help
.PHONY: help wine story notebook notebook-outputs test test-1.16 test-1.21 test-set lint docs release-check constraints clean environment

help: ## this list
	@echo 'usage: make TARGET [ARGS="..."]   ARGS is passed on: make wine ARGS="--tune"'
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)$$/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-25s%s\n", $$1, $$2}'

wine: environment ## run the wine pipeline; ARGS="--help" lists its options
	@$(PYTHON) -m examples.wine_quality.run --output build/wine $(ARGS)

story: environment ## four deliveries, warm starts; a gate stops the last one
	@$(PYTHON) -m examples.wine_quality.story --output build/story $(ARGS)

# Jupyter refuses to run as root unless told to, and in a container everybody is. It listens to the
# machine itself only, and asks for the token that is in the URL.
NOTEBOOK := examples/wine_quality/wine_quality.ipynb
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)
notebook: environment ## open the pipeline as a notebook, step by step
	@$(PYTHON) -m jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/$(NOTEBOOK) $(AS_ROOT) $(ARGS)

notebook-outputs: environment ## run the notebook, and store its outputs in it
	@$(PYTHON) scripts/notebook_outputs.py

# One process: TFX is imported once for all of the tests, which takes longer than most of them.
test: environment ## run all tests; the quick ones: ARGS='-m "not e2e"'
	@$(PYTHON) -m pytest $(ARGS)

# Each is a module of engines/, and installs what it needs into .engines/.
ENGINES := $(shell grep -ls '^def run.folder: Path' engines/*.py | sed 's:engines/\(.*\).py:\1:')
.PHONY: $(ENGINES) engines
$(ENGINES): environment
	@$(PYTHON) -m engines $@ $(ARGS)

engines: environment ## the wine pipeline on real engines; one: make spark
	@$(PYTHON) -m engines all $(ARGS)

# For developers: each set of versions has a folder of its own beside .venv/. Where the machine's C
# library is too old for TFX 1.21, the environment's interpreter gets a newer one (docs/versions.md).
PYTHON_VERSION ?= 3.13
test-1.16: SET := tfx-1.16
test-1.21: SET := tfx-1.21-py$(subst .,,$(PYTHON_VERSION))
test-1.16: test-set ## the tests on TFX 1.16, in an environment of its own
test-1.21: test-set ## likewise; PYTHON_VERSION=3.10 chooses the Python
test-set:
	@$(PYTHON3) scripts/bootstrap.py --set $(SET) --venv .venv-$(SET) --newer-libc
	@.venv-$(SET)/bin/python -m pytest $(ARGS)

lint: environment ## check style, layout and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

# NO_MKDOCS_2_WARNING is read by the theme, which would print an opinion about another project.
docs: environment ## build the site into build/site/; ARGS=serve shows it
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs $(or $(ARGS),build --strict)

# Two clean environments, which are removed when all is well. ARGS goes to pytest, with `not e2e`.
release-check: environment ## build sdist and wheel into dist/, and test both
	@$(PYTHON) scripts/release_check.py $(ARGS)

# The resolver starts from the versions in a file, if it is there: delete it to renew them all.
constraints: environment ## resolve constraints/*.txt anew
	@set -e; for set in tfx-1.16:3.10:2_28 tfx-1.21-py310:3.10:2_39 tfx-1.21-py311:3.11:2_39 \
		tfx-1.21-py312:3.12:2_39 tfx-1.21-py313:3.13:2_39; do \
		name=$${set%%:*}; rest=$${set#*:}; \
		$(UV) pip compile setup.cfg constraints/$${name%-py*}.in --extra dev --extra examples \
			--python-version $${rest%:*} --python-platform x86_64-manylinux_$${rest#*:} \
			--output-file constraints/$$name.txt --custom-compile-command "make constraints" --quiet; \
	done

clean: ## remove build/, caches and the like; .venv/ stays
	rm -rf build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find tfx_wine_ext engines examples scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	@$(PYTHON3) scripts/bootstrap.py
