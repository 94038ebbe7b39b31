# Everything a developer, an operator's first look and CI need. `make` alone lists the targets.

PYTHON ?= python3
BUS ?= postgres
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BUF := proto/node_modules/.bin/buf
BUF_STAMP := proto/node_modules/.installed
UV_VERSION := 0.13.9
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
SUITES := $(wildcard $(addprefix tests/,unit contract simulator integration security upgrade faults history containers \
  compose volume interop e2e chaos))
LAST_RELEASE := $(shell sed -n 's/^commit = "\(.*\)"/\1/p' tests/upgrade/releases.toml | tail -1)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo up down test promises promises-page check buf bench chaos history simulate proto docs lock images bundle \
  compose-test sbom audit

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-13s %s\n", $$1, $$2}'
	@echo "  BUS=kafka with demo or up takes a real Apache Kafka instead of the PostgreSQL log."

demo: setup ## Run the whole story once on a fresh local stack
	$(BIN)/tongban demo --bus $(BUS)

up: setup ## Start the local stack: PostgreSQL, four services, nothing to install
	$(BIN)/tongban up --bus $(BUS)

down: setup ## Stop the local stack; its data stays
	$(BIN)/tongban down

test: setup ## Run every test: unit, contract, integration, end to end; WORKERS=1 for one at a time
	$(BIN)/pytest $(SUITES) -n $(WORKERS) --dist loadgroup --promises build/promises.json $(PYTEST_ARGS)

promises: setup ## Run every test that proves a promise, and renew docs/promises.md with what came out
	rm -f build/promises.json
	-$(BIN)/pytest $(SUITES) -m promise -n $(WORKERS) --dist loadgroup --promises build/promises.json $(PYTEST_ARGS)
	$(MAKE) --no-print-directory promises-page

promises-page: setup ## Renew docs/promises.md with the results of the last run of the tests
	$(BIN)/python -m docs.promises_page build/promises.json "$$(date -u +%F)" "$$(git rev-parse --short HEAD)" "$$(nproc) cores"
	$(BIN)/python docs/generate.py

check: setup buf ## Lint, format, types, layers, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python proto/generate.py --check
	$(BIN)/python docs/generate.py --check
	$(BIN)/python deploy/observability/dashboards.py --check
	$(BIN)/python -m supply.asvs --check
	$(BIN)/python -m supply.leaks

bench: setup ## Measure throughput and latency; BENCH_ARGS="--only NAME --seconds 5" for less
	$(BIN)/python -m tests.load $(BENCH_ARGS)

chaos: setup ## Kill every service under load, in 20 seeded orders: nothing lost, doubled or reordered
	$(BIN)/pytest tests/chaos -s --seeds 20 $(PYTEST_ARGS)

proto: setup ## Regenerate gen/ from proto/
	$(BIN)/python proto/generate.py

docs: setup ## Regenerate the generated pages of docs/
	$(BIN)/python docs/generate.py

simulate: setup ## Run the real handlers on a virtual clock, bus and database, in 3,000 seeded worlds of faults
	$(BIN)/pytest tests/simulator -s --simulations 3000 $(PYTEST_ARGS)

history: setup ## Kill, stop and cut off every part between outbox and inbox on a real Kafka, in 100 seeded orders
	$(BIN)/python -m tests.history --seeds 100 --bus kafka --events 10000 --json build/history.json

images: setup ## Build every image without a registry: from Debian packages, wheels and published jars
	$(BIN)/python deploy/airgap/build.py

bundle: setup ## Export the signed bundle for a place without a network: KEY=builder.key
	$(BIN)/python deploy/airgap/bundle.py --key $(KEY) --out dist

compose-test: setup ## Start the deployment in containers, run the main job from outside, lose every volume, restore
	$(BIN)/pytest tests/compose -s $(PYTEST_ARGS)

sbom: setup ## Write the bill of materials of this release to build/
	$(BIN)/python -m supply.bill

audit: setup ## Ask for known vulnerabilities of everything locked
	$(BIN)/python -m supply.audit

lock: setup ## Renew the hashed requirement locks; LOCK_ARGS=--upgrade takes newer versions
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(UV) pyproject.toml $(LOCK_ARGS) -o requirements/runtime.lock
	$(UV) pyproject.toml --extra tools $(LOCK_ARGS) -c requirements/runtime.lock -o requirements/tools.lock
	$(UV) pyproject.toml --extra local --extra tools --group dev $(LOCK_ARGS) -c requirements/runtime.lock -o requirements/dev.lock

# The environment is made once, and again when a lock or the project file changes.
setup: $(STAMP)

$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tongban needs Python 3.11 or newer; say which with PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# buf comes from npm; machines without it leave this gate to those that have it.
ifneq ($(and $(shell command -v node),$(shell command -v npm)),)
buf: setup $(BUF_STAMP)
	$(BIN)/python proto/generate.py --image build/protos.binpb
	$(BUF) lint build/protos.binpb
	@# An archive: buf itself would look only through the last 50 commits.
	rm -rf build/released && mkdir -p build/released
	git archive $(LAST_RELEASE) buf.yaml proto | tar -x -C build/released
	$(BUF) breaking build/protos.binpb --against build/released

$(BUF_STAMP): proto/package-lock.json
	npm install --prefix proto --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@
else
buf:
	@echo "buf: skipped, this machine has no Node.js"
endif
