# The habits of this house; `make` alone lists them. All it needs is Python 3.11 with venv and pip.

VENV := .venv
BIN := $(VENV)/bin
# The first of these that is new enough makes the environment; `make PYTHON=/path/to/python` names another.
PYTHON := python3.11 python3 python3.12 python3.13 python3.14
# `make lock LOCK_OPTIONS=--upgrade` moves every pin; `LOCK_OPTIONS='--upgrade-package orjson'` one.
LOCK_OPTIONS :=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header $(LOCK_OPTIONS)

SOAK := $(addprefix tests/faults/test_,stream_kill.py backfill_live.py backfill_kill.py feed_kill.py prism_kill.py \
	shards_kill.py elasticsearch_kill.py kafka_kill.py kafka_newsroom_kill.py)

.PHONY: help install demo test test-servers servers soak check format bench wheel lock terraform

help: ## list the habits
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(VENV)/.project ## set up .venv with what publog runs on; leaves .venv/bin/publog

demo: install ## show the whole path on a small invented newsroom
	@$(BIN)/publog --home .publog-demo demo

test: $(VENV)/.dev ## run every test that needs no server
	@$(BIN)/python -m pytest -m "not servers"

test-servers: $(VENV)/.dev ## run the tests on a real Kafka, Elasticsearch, Prism and Dask, which it fetches and starts
	@$(BIN)/python -m tests.servers.prism >/dev/null # minutes the first time, which no test's clock has to bear
	@$(BIN)/python -m pytest -m servers

servers: $(VENV)/.dev ## start Kafka and Elasticsearch on this machine until Ctrl-C, and say how to use them
	@$(BIN)/python -m tests.servers

soak: $(VENV)/.dev ## kill everything that can be killed, more often than `make test` and `make test-servers` do
	@$(BIN)/python -m tests.servers.prism >/dev/null
	@PUBLOG_SOAK=1 $(BIN)/python -m pytest $(SOAK)

check: $(VENV)/.dev ## format, lint, types, directions of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev ## measure it against its rivals
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench --only search
	@$(BIN)/python -m bench --only elasticsearch

wheel: $(VENV)/.project ## build the wheel and the source distribution into dist/
	@$(BIN)/python -m hatchling build --directory dist

lock: $(VENV)/.project ## pin the dependencies, with hashes, as pyproject.toml asks
	@$(COMPILE) --group bootstrap -o requirements/bootstrap.txt >/dev/null
	@$(COMPILE) pyproject.toml -c requirements/bootstrap.txt -o requirements/run.txt >/dev/null
	@$(COMPILE) pyproject.toml -c requirements/run.txt --group bootstrap --group dev --group bench \
		-o requirements/dev.txt >/dev/null
	@$(COMPILE) pyproject.toml --all-extras -c requirements/dev.txt -o requirements/image.txt >/dev/null

terraform: ## check the Terraform modules and run their tests
	@terraform/check

# Each step leaves a stamp that is newer than what it was made from, so a second `make` does nothing.

$(VENV)/.created:
	@for python in $(PYTHON); do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$("$$python" --version)"; \
			"$$python" -m venv --clear $(VENV) && touch $@; exit; \
		fi; \
	done; \
	echo "publog needs Python 3.11 or later with its venv module (on Debian: apt-get install python3 python3-venv)." >&2; \
	echo "Looked for: $(PYTHON). Name another with: make PYTHON=/path/to/python" >&2; \
	exit 1

$(VENV)/.run: $(VENV)/.created requirements/bootstrap.txt requirements/run.txt
	@scripts/install-lock $(BIN)/python requirements/run.txt
	@touch $@

$(VENV)/.project: $(VENV)/.run pyproject.toml hatch_build.py assets/native.pyx assets/native.pxd denormalizer/native.pyx indexers/native.pyx
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-index --no-build-isolation --editable .
	@touch $@
	@echo "Ready: $(BIN)/publog"

$(VENV)/.dev: $(VENV)/.project requirements/dev.txt
	@scripts/install-lock $(BIN)/python requirements/dev.txt
	@touch $@
