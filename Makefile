# All set-up happens in .venv, the first time a target needs it. PYTHON=... chooses the interpreter.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
DEPS := setup.cfg constraints.txt dbrt/_version.py

# Tests that need data skip by name where this is not set.
ifneq ($(wildcard ../shared/data),)
export DBRT_DATA ?= $(abspath ../shared/data)
endif

# numba does not see an edit in another file of a kernel it calls: one cache for each state of them.
KERNELS := $(sort $(wildcard postproc/*.py engine/letterbox.py))
export NUMBA_CACHE_DIR := $(CURDIR)/.numba_cache/$(firstword $(shell cat $(KERNELS) | cksum))

export PIP_NO_INPUT = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# uv brings certificates of its own; a proxy's are known to the system only.
export UV_SYSTEM_CERTS = 1

# A .venv whose interpreter has gone, or that was copied from elsewhere, counts as none.
ifneq ($(wildcard $(VENV)/.*-ok),)
ifneq ($(shell $(BIN)/python -c 'import os, sys; print(os.path.samefile(sys.prefix, "$(VENV)"))' 2>/dev/null),True)
$(shell rm -f $(VENV)/.*-ok)
endif
endif

.PHONY: help demo test check lint types floors wheel clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.run-ok ## find text in the sample clip; writes out/demo.mp4 and out/demo.jsonl
	@mkdir -p out
	$(BIN)/python -m dbrt stream --source sample --out out/demo.mp4 --out out/demo.jsonl --overwrite
	@echo "the video with the regions drawn in: $(CURDIR)/out/demo.mp4"
	@echo "the regions, one line a frame:       $(CURDIR)/out/demo.jsonl"

test: $(VENV)/.dev-ok $(VENV)/.bindings-ok ## all tests; ARGS='tests/engine -k cache' for some
	@$(BIN)/python -m pytest -q $(ARGS)

check: lint types floors ## lint, format, types and floors

lint: $(VENV)/.dev-ok ## ruff: rules and format; hadolint: container files
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@! test -x $(BIN)/hadolint || $(BIN)/hadolint docker/*.Dockerfile

types: $(VENV)/.dev-ok ## mypy, strict
	@$(BIN)/python -m mypy

floors: $(VENV)/.dev-ok ## which part may import which (docs/architecture.md)
	@$(BIN)/python -c 'from importlinter.cli import lint_imports_command as c; c(["--no-cache"])'

wheel: $(VENV)/.dev-ok ## sdist and wheel in dist/
	@rm -rf build dist
	@$(BIN)/python -m build

clean: ## remove what the other targets made, .venv too
	rm -rf $(VENV) build dist out .numba_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

# An environment that is there and works is used as it is.
SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
$(VENV)/.venv-ok:
	@$(BIN)/python -c 'import pip; $(SUITS)' 2>/dev/null && touch $@ && exit 0; \
	for p in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	  $$p -c '$(SUITS)' 2>/dev/null || continue; \
	  $$p -m venv --clear $(VENV) && touch $@ && exit 0; \
	  echo "dbrt: $$p cannot make a virtual environment (Debian: apt-get install python3-venv)" >&2; \
	  exit 1; \
	done; \
	echo "dbrt: needs Python 3.11, 3.12 or 3.13 on the PATH, or make PYTHON=/path/to/python" >&2; exit 1

# uv where it can be had and reaches an index, else pip (only pip reads pip.conf). uv writes no
# bytecode unless told to, and then every start compiles everything anew.
define install
	@echo "dbrt: installing $(2) into $(VENV), once" >&2
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install -q uv >/dev/null 2>&1 || true
	@$(BIN)/python -m uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt $(1) 2>$(VENV)/uv.log \
	  || $(BIN)/python -m pip install -q -c constraints.txt $(1)
	@touch $@
endef

$(VENV)/.run-ok: $(DEPS) | $(VENV)/.venv-ok
	$(call install,-e .,dbrt and what it needs (750 MB))

$(VENV)/.dev-ok: $(DEPS) | $(VENV)/.venv-ok
	$(call install,-e '.[dev]',dbrt with its training and test tools (2.5 GB))
	@touch $(VENV)/.run-ok

# TensorRT's bindings, six megabytes, for the tests that compare names with them; never imported by
# dbrt. Without them those tests skip by name.
$(VENV)/.bindings-ok: tests/reference/tensorrt_bindings.py $(VENV)/.dev-ok
	@$(BIN)/python $< download $(VENV)/tensorrt-bindings && touch $@ || true
