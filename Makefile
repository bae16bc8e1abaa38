# Two commands are the interface: `make demo` and `make test`.
PYTHON ?= python3
# Many tests wait for a process or a clock: three at a time keep two cores busy.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint wheelhouse picture examples clean

demo: $(VENV)/.demo
	$(BIN)/lineclear demo --out demo-out

test: $(VENV)/.dev
	$(MAKE) lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(PIP) -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/.demo

# Everything for a box without a network: make wheelhouse [ARCH=aarch64 PYTHON_VERSION=3.10 MORE="cuda-bindings==12.*"]
wheelhouse:
	ARCH="$(ARCH)" PYTHON_VERSION="$(PYTHON_VERSION)" MORE="$(MORE)" PYTHON="$(PYTHON)" systemd/wheelhouse.sh wheelhouse

picture: demo
	mkdir -p docs/images
	$(BIN)/python -m benchmarks.picture demo-out docs/images/demo-overlay.jpg

# The recipes and images of configs/: again after a change of the registration or the variation model.
examples: $(VENV)/.dev
	$(BIN)/python -m benchmarks.example_recipes

clean:
	rm -rf $(VENV) demo-out build configs/state *.egg-info .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
