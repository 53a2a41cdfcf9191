# Everything a contributor runs. `make` alone lists it.
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/core.installed
DEV := $(VENV)/dev.installed
ARGS ?=
PYTEST_ARGS ?=
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --generate-hashes \
	--no-emit-index-url --python-version 3.11 $(if $(UPGRADE),--upgrade) --extra demo pyproject.toml

.PHONY: help demo test test-long bench lint format docs lock clean

help:
	@echo "make demo [DETACH=1]   start Evalstream with the demo application's traffic"
	@echo "make test              checks and tests; PYTEST_ARGS='-k name' narrows"
	@echo "make test-long         the tests that take minutes"
	@echo "make bench             the benchmarks of docs/benchmarks.md; ARGS='name …' narrows"
	@echo "make lint              ruff, mypy, import rules"
	@echo "make format            ruff's formatter and its safe fixes"
	@echo "make docs              write the generated pages of docs/reference"
	@echo "make lock [UPGRADE=1]  resolve the lock files again"
	@echo "make clean             remove the environment and all caches in the tree"

$(CORE): requirements.lock pyproject.toml infra/dev/environment.sh
	@sh infra/dev/environment.sh requirements.lock
	@touch $@

$(DEV): requirements-dev.lock pyproject.toml infra/dev/environment.sh
	@sh infra/dev/environment.sh requirements-dev.lock
	@touch $@

demo: $(CORE)
	@$(BIN)/evalstream demo $(if $(filter-out 0,$(DETACH)),--detach) $(ARGS)

test: lint
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-long: $(DEV)
	@$(BIN)/python -m pytest -m long $(PYTEST_ARGS)

bench: $(DEV)
	@$(BIN)/python -m tests.bench $(ARGS)

lint: $(DEV)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "make format would change files" >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(DEV)
	@$(BIN)/ruff check --fix --exit-zero --quiet
	@$(BIN)/ruff format

docs: $(DEV)
	@$(BIN)/python -m tests.pages

lock: $(DEV)
	@$(LOCK) --output-file requirements.lock
	@$(LOCK) --group dev --constraints requirements.lock --output-file requirements-dev.lock

clean:
	@rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
