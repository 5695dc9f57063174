# The targets install into .venv; pip checks the hash of each package against requirements/*.lock. Stamp files in .venv
# record what is installed. Uses only features of GNU make 3.81, the version on macOS.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Locks names, versions and hashes for all supported Python versions and systems. Settings of this machine, such as a
# mirror or a constraint, must not change the result.
COMPILE = env -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX -u UV_FIND_LINKS -u UV_CONSTRAINT \
	-u UV_OVERRIDE -u UV_PRERELEASE -u UV_RESOLUTION -u UV_EXCLUDE_NEWER \
	$(BIN)/uv pip compile --no-config --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml

# hatchling, which also makes the editable installs, takes an empty SOURCE_DATE_EPOCH for a number and fails.
ifeq ($(strip $(SOURCE_DATE_EPOCH)),)
unexport SOURCE_DATE_EPOCH
endif

.DEFAULT_GOAL := help
.PHONY: help demo stage test lint lock bench failover soak fuzz build audit clean setup

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-15s %s\n", $$1, $$2}'

# The demo gets make's process id, so that it exits when make is killed, even by SIGKILL.
demo: $(VENV)/.demo ## both programs on an embedded server (ARGS=--page shows it live, --keep leaves it up)
	@exec $(BIN)/python -m demo --end-with-parent $$PPID $(ARGS)

stage: $(VENV)/.demo ## the live page with buttons that kill, cut, delay, change and promote
	@exec $(BIN)/python -m demo.stage --end-with-parent $$PPID $(ARGS)

# Runs one process for each core, at most four. `make test ARGS="-n0 -x"` runs all tests in one process.
test: lint ## everything CI checks: lint, types, import contracts, tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy, import contracts, yamllint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/yamllint --strict compose.yaml deploy .github

bench: $(VENV)/.dev ## measure the speed beside other clients
	@exec $(BIN)/python -m bench $(ARGS)

failover: $(VENV)/.dev ## kill primaries under load; show outages and losses
	@exec $(BIN)/python -m bench.failover $(ARGS)

soak: $(VENV)/.dev ## kills, cuts, flips and failovers at random; writes docs/soak.md
	@exec $(BIN)/python -m tests.soak $(ARGS)

fuzz: $(VENV)/.dev ## every decoder with random input, for 10 minutes (ARGS=--minutes N)
	@exec $(BIN)/python -m tests.fuzz $(ARGS)

lock: $(VENV)/.uv ## update requirements/*.lock to the newest versions
	@$(COMPILE) --output-file requirements/run.lock
	@$(COMPILE) --constraint requirements/run.lock --extra azure --output-file requirements/azure.lock
	@$(COMPILE) --constraint requirements/run.lock --extra page --output-file requirements/page.lock
	@$(COMPILE) --constraint requirements/azure.lock --constraint requirements/page.lock --extra azure --extra page --output-file requirements/azure-page.lock
	@$(COMPILE) --constraint requirements/run.lock --extra otel --output-file requirements/otel.lock
	@$(COMPILE) --constraint requirements/page.lock --group build --extra demo --output-file requirements/demo.lock
	@$(COMPILE) --constraint requirements/demo.lock --constraint requirements/otel.lock --group build --extra dev --output-file requirements/dev.lock

# From the same sources with the locked build backend come the same bytes on every machine. It gives each file the same
# date, or that of SOURCE_DATE_EPOCH.
build: $(VENV)/.demo ## wheel and sdist in dist/
	@rm -rf dist
	@$(BIN)/python -m hatchling build --directory dist

# Not part of `make test`: what PyPI knows changes, and its answers need the network. With --strict a package that PyPI
# does not know is an error too; otherwise a mirror without this service would look like a clean result.
audit: $(VENV)/.uv ## known vulnerabilities in requirements/*.lock, by PyPI
	$(BIN)/uvx --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes $(patsubst %,-r %,$(sort $(wildcard requirements/*.lock)))

setup: $(VENV)/.dev ## make the virtual environment for development

clean: ## remove everything that the other targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "make: $(PYTHON) is not Python 3.11 or newer; choose another, such as make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) has no module venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# Each target installs the locked versions, then this clone as an editable install; the build backend is locked, too.
$(VENV)/.demo: $(VENV)/.made requirements/demo.lock pyproject.toml
	@$(PIP) install --require-hashes -r requirements/demo.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made requirements/dev.lock pyproject.toml
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.demo

# uv is installed from the lock file that it makes. If there is no lock file yet, pip installs the newest uv.
$(VENV)/.uv: $(VENV)/.made
	@if [ -f requirements/dev.lock ]; then $(PIP) install --require-hashes -r requirements/dev.lock; else $(PIP) install uv; fi
	@touch $@
