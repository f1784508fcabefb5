# Thin aliases: each line is a command one could type.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo up test check bench clean

setup: .venv/ready ## make .venv with kubekit in it

.venv/ready: pyproject.toml requirements-dev.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet 'uv>=0.9'
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
