# One command for each thing that is done often; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install venv lock loop test test-all check bench-loop bench-eval bench-judge bench-data tiny clean

PYTHON ?= $(shell for p in python3.11 python3.12; do $$p -c '' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
DIGEST = $(shell cat requirements.lock pyproject.toml | cksum)
# Errors only: pip's warnings are about the user's own pip settings, and a failure still prints its reason.
PIP = $(BIN)/python -m pip install -qq --disable-pip-version-check
pinned = $(shell grep -iE '^$(1)==' requirements.lock)

# Ray announces these defaults of its next release in a warning at every start; the project wants them now.
export RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO ?= 0
# Nothing is reported to anybody, and nothing is asked.
export RAY_USAGE_STATS_ENABLED ?= 0
# The Rust tokenizers warn, and may hang, when a process that used their threads forks.
export TOKENIZERS_PARALLELISM ?= false

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: ## make .venv as requirements.lock pins it; does nothing when it is up to date
	@if [ "$$(cat $(STAMP) 2>/dev/null)" != "$(DIGEST)" ]; then $(MAKE) --no-print-directory venv; fi

# torch and setuptools go first: deepspeed is built from source and asks both of them what it should build.
venv:
	@test -n "$(PYTHON)" || { echo "make install: expected python3.11 or python3.12 on the PATH, found neither;" \
		"install one, or name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@echo "Installing $$(grep -c == requirements.lock) pinned packages into .venv: one to two minutes with a fast network"
	@$(PIP) $(call pinned,torch) $(call pinned,setuptools)
	@DS_BUILD_OPS=0 $(PIP) --no-build-isolation --use-pep517 -r requirements.lock
	@$(PIP) --no-build-isolation --no-deps -e .
	@echo "$(DIGEST)" > $(STAMP)
	@echo "Installed. Next: make loop"

lock: ## write what .venv holds into requirements.lock
	@{ sed -n '/^#/p' requirements.lock; $(BIN)/python -m pip freeze --all --exclude-editable --exclude pip \
		--exclude ratchet | sed -E 's/\+[a-z0-9.]+$$//' | grep -vE '^(#|nvidia-|triton==|cuda-)' | LC_ALL=C sort -f; } \
		> requirements.lock.new && mv requirements.lock.new requirements.lock

loop: install ## one whole turn of the loop on this machine [SEED=n]
	@$(BIN)/ratchet loop $(if $(SEED),--seed $(SEED))

test: install ## every test that is neither slow nor a whole loop
	@$(BIN)/python -m pytest -m "not slow and not loop" $(ARGS)

test-all: install ## the slow tests and the whole loops, which `make test` leaves out
	@$(BIN)/python -m pytest -m "slow or loop" --timeout 1800 $(ARGS)

check: install ## format, lint, strict types, the import arrow and the size budgets
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_imports.py tests/test_style.py

bench-loop: install ## whole turns over several seeds, and controls that must not be approved [SEED=n] [FULL=1]
	@SEED=$(SEED) FULL=$(FULL) $(BIN)/python -m tests.bench_loop $(ARGS)

bench-eval: install ## agreement with outsiders' checkers, and the harness beside inspect_ai [SEED=n] [FULL=1]
	@SEED=$(SEED) FULL=$(FULL) $(BIN)/python -m tests.bench_eval $(ARGS)

bench-judge: install ## coverage, false differences, power beside statsmodels and scipy, the gate [SEED=n] [FULL=1]
	@SEED=$(SEED) FULL=$(FULL) $(BIN)/python -m tests.bench_judge $(ARGS)

bench-data: install ## ingest, kills, active learning, privacy, dedup, preparation, beside their peers [SEED=n] [FULL=1]
	@SEED=$(SEED) FULL=$(FULL) $(BIN)/python -m tests.bench_data $(ARGS)

tiny: install ## train the shipped base model `tiny` again; goes on where it was stopped
	@$(BIN)/python -m training.tiny $(ARGS)

clean: ## remove .venv, caches and build output; .ratchet, which holds your data, stays
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
