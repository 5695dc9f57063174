# Set-up goes into .venv, with every package's hash checked against requirements/*.lock. Stamp files make it happen once.
# Kept to what GNU make 3.81 (macOS) understands.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Names, versions and hashes, for every Python and system we run on. A mirror or a pin of this machine must not shape them.
COMPILE = env -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX -u UV_FIND_LINKS -u UV_CONSTRAINT \
	-u UV_OVERRIDE -u UV_PRERELEASE -u UV_RESOLUTION -u UV_EXCLUDE_NEWER \
	$(BIN)/uv pip compile --no-config --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo test lint lock bench clean setup

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

# The demo is given make's process id: when make is killed, even by SIGKILL, the demo ends too.
demo: $(VENV)/.demo ## both programs on an embedded server (ARGS=--keep leaves it up)
	@exec $(BIN)/python -m demo --end-with-parent $$PPID $(ARGS)

# A process for each core, four at most; `make test ARGS="-n0 -x"` runs one test after the other.
test: lint ## everything CI checks: lint, types, import contracts, tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy, import contracts, yamllint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/yamllint --strict compose.yaml deploy .github

bench: $(VENV)/.dev ## speed side by side with peers
	@exec $(BIN)/python -m bench $(ARGS)

lock: $(VENV)/.uv ## take the newest versions into requirements/*.lock
	@$(COMPILE) --output-file requirements/run.lock
	@$(COMPILE) --constraint requirements/run.lock --extra azure --output-file requirements/azure.lock
	@$(COMPILE) --constraint requirements/run.lock --group build --extra demo --output-file requirements/demo.lock
	@$(COMPILE) --constraint requirements/demo.lock --group build --extra dev --output-file requirements/dev.lock

setup: $(VENV)/.dev ## the virtual environment for development

clean: ## remove what the targets above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "make: $(PYTHON) is not Python 3.11 or newer; name one that is, as in make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) lacks its venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# Each set-up installs the locked versions, then this clone itself, editable, with the build backend from the same lock.
$(VENV)/.demo: $(VENV)/.made requirements/demo.lock pyproject.toml
	@$(PIP) install --require-hashes -r requirements/demo.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made requirements/dev.lock pyproject.toml
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.demo

# The lock maker comes from the lock it makes; before the first one, by its name.
$(VENV)/.uv: $(VENV)/.made
	@if [ -f requirements/dev.lock ]; then $(PIP) install --require-hashes -r requirements/dev.lock; else $(PIP) install uv; fi
	@touch $@
