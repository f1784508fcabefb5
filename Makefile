# Thin aliases: each line is a command one could type.
PYTHON ?= python3
BIN := .venv/bin
LAB := eval "$$($(PYTHON) -m lab env)" &&

.PHONY: setup demo up test soak check bench clean

setup: .venv/ready ## .venv with kubekit in it

up: ## a Minikube: the one on this machine, or one that the lab builds
	$(PYTHON) -m lab up

demo: setup up .env ## the main job, and the backend's answer
	$(LAB) $(BIN)/python -m lab.demo

test: setup backend/.venv/ready up ## all tests, on the real Minikube
	$(BIN)/python -m pytest -n 3

soak: setup ## what must not fail, three times over, 200 builds, and all of what `test` samples
	$(BIN)/python -m pytest tests/cluster/scenarios tests/cluster/test_many_builds.py tests/cluster/test_context.py tests/unit/test_readers_fuzz.py --rounds 3 --timed
	$(BIN)/python -m pytest tests/cluster/dev/test_load.py tests/cluster/dev/test_minikube_restart.py tests/cluster/dev/test_debug.py --rounds 3
	$(BIN)/python -m pytest tests/cluster/dev/test_soak.py --rounds 3
	$(BIN)/python -m tests.cluster.dev.soaked
	$(BIN)/python -m pytest tests/cluster/test_faults.py tests/cluster/test_bystanders.py --rounds 3
	$(BIN)/python -m pytest tests/cluster/test_chaos.py --rounds 3
	$(BIN)/python -m tests.cluster.chaotic
	$(BIN)/python -m pytest tests/cluster/projects --rounds 3
	$(BIN)/python -m pytest tests/cli/test_profiles.py tests/cli/test_wheel.py tests/cluster/test_lab_profiles.py tests/cluster/test_nodes.py tests/cluster/test_push.py --rounds 3

check: setup backend/.venv/ready ## style, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/mypy --python-executable backend/.venv/bin/python backend/src
	$(BIN)/lint-imports

bench: setup up ## kubekit beside the plain tools, as ratios
	$(LAB) $(BIN)/python -m tests.bench.main_job
	$(LAB) $(BIN)/python -m tests.bench.building
	$(LAB) $(BIN)/python -m tests.bench.dev
	$(LAB) $(BIN)/python -m tests.bench.dev_rebuild
	$(LAB) $(BIN)/python -m tests.bench.dev_idle
	$(LAB) $(BIN)/python -m tests.bench.teardown
	$(LAB) $(BIN)/python -m tests.bench.images

clean: ## what make has made here; `python -m lab down --purge` removes the Minikube
	rm -rf .venv backend/.venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist

.env:
	install -m 600 .env.example $@

.venv/ready: pyproject.toml requirements-dev.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet 'uv>=0.9'
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

backend/.venv/ready: backend/requirements.txt backend/requirements-dev.txt .venv/ready
	$(BIN)/uv venv --quiet --allow-existing --python $(PYTHON) backend/.venv
	$(BIN)/uv pip install --quiet --compile-bytecode --python backend/.venv/bin/python -r backend/requirements-dev.txt
	touch $@
