# `make app` sets up and opens the explorer; `make test` sets up and runs every check; `make bench` measures.
# See README.md for plain pip.
PYTHON ?= python3
VENV ?= .venv
BENCH ?=
BIN := $(VENV)/bin
PORT ?= 5006
TORCH := torch>=2.8,<2.14

.PHONY: app test bench clean

# torch comes first and inside its bound; one that is already in the virtual environment is kept.
define install
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$(1)]"
	touch $@
endef

$(VENV)/.app: pyproject.toml
	$(call install,all)

$(VENV)/.dev: pyproject.toml
	$(call install,dev)

app: $(VENV)/.app
	$(BIN)/panel serve apps/explorer.py --port $(PORT) --show

test: $(VENV)/.dev
	PYTHON=$(BIN)/python tests/run

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.page $(BENCH)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
