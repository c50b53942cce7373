# Every target sets up what it needs: a virtual environment in .venv with the exact versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# More than processors: most tests wait for something real.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) \* 2)

# The tests start hundreds of processes: each would compile all of SceneSync again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-cluster compiled test reliability check format bench bench-quick bench-publish run reference screenshots plugin wheels clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(READY) ## make .venv with everything in it

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "SceneSync needs Python 3.11 or newer (PYTHON=... make ...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY) ## the main job against simulated servers: 300 scenes, an outage, a kill -9
	$(BIN)/scenesync demo

demo-cluster: $(READY) ## the same with two workers and a PostgreSQL of its own; one worker is killed
	$(BIN)/scenesync demo --cluster

compiled: $(READY) ## compile SceneSync and its tests ahead of time
	$(BIN)/python -m compileall -q scenesync worker plex
	$(BIN)/pytest --collect-only -q --no-cov >/dev/null

test: $(READY) ## all tests, in parallel, with coverage
	$(BIN)/python -m compileall -q scenesync worker plex
	tests/in_memory.sh $(BIN)/python tests/second_chance.py -n $(WORKERS) --dist worksteal --cov --cov-report=term

reliability: $(READY) ## the long form of every proof in docs/RELIABILITY.md, with its figures
	tests/in_memory.sh $(BIN)/pytest tests/reliability --long -n $(WORKERS) --timeout 3600

check: $(READY) ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## measure all, beside limits and rivals: a table, and bench/results/ (in some eight minutes)
	$(BIN)/python -m bench

bench-quick: $(READY) ## the same with smaller sizes, in under a minute; all but index, growth, web, pages and fleet
	$(BIN)/python -m bench --quick

bench-publish: $(READY) ## put the figures of the last `make bench` into README and docs/PERFORMANCE.md
	$(BIN)/python -m bench.publish

run: $(READY) ## the daemon, with the settings of this machine
	$(BIN)/scenesync run

reference: $(READY) ## regenerate docs/SETTINGS.md and docs/COMMANDS.md
	$(BIN)/python -m scenesync.app.configuration.reference > docs/SETTINGS.md
	$(BIN)/python -m scenesync.app.command_reference > docs/COMMANDS.md

screenshots: $(READY) ## pictures of every page in build/screenshots, and those that docs/images has
	PYTHONPATH=.:tests/e2e:tests/e2e/browser $(BIN)/python -m screenshots --keep

plugin: $(READY) ## dist/scenesync.zip and dist/index.yml, as Stash installs plugins
	@epoch="$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)}"; $(BIN)/python -m deploy.plugin_zip --epoch "$$epoch"

wheels: $(READY) ## ask the package server whether every dependency has wheels for musl and glibc, x86_64 and aarch64
	@PIP_FIND_LINKS= $(BIN)/python -m deploy.wheels

clean: ## remove what the other targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage .coverage.* dist build
