# The two commands a newcomer needs are `make run` and `make test`; both do all the set-up.

# The first interpreter that is new enough; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: run demo test check trial bench soak docs audit dist clean

## follow the public logs on port 8080; the demonstration logs where none can be reached
run: $(VENV)/.run
	@exec $(BIN)/twistd --nodaemon --pidfile= certstream --demo-if-offline $(ARGS)

## follow only the built-in demonstration logs
demo: $(VENV)/.run
	@exec $(BIN)/twistd --nodaemon --pidfile= certstream --demo $(ARGS)

## style, types and every test, with coverage: what CI runs
test: check trial

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# TESTS=tests.ct: only those, and no report, which would be about the rest of the code
trial: $(VENV)/.dev $(VENV)/.node
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m twisted.trial --temp-directory=$(VENV)/trial $(or $(TESTS),tests)
ifndef TESTS
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
endif

## speed and memory, as ratios measured side by side (minutes)
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

## the long runs
soak: $(VENV)/.dev
	$(BIN)/python -m twisted.trial --temp-directory=$(VENV)/trial tests.soak.soak_kill \
		tests.soak.soak_limits tests.soak.soak_reload tests.soak.soak_stop tests.soak.soak_idle \
		tests.soak.soak_churn tests.soak.soak_slow tests.soak.soak_faults tests.soak.soak_logs \
		tests.soak.soak_autobahn

## pages that are generated from code
docs: $(VENV)/.run
	$(BIN)/python -m certstream_tx.config > docs/configuration.md
	$(BIN)/python -m certstream_tx.serve.metrics.page > docs/metrics.md
	for name in full lite domains-only heartbeat notice; do \
		$(BIN)/python -m certstream_tx.message.schema $$name > docs/schema/$$name.json || exit 1; done

## known vulnerabilities of what the server needs (asks a database on the network)
audit: $(VENV)/.release
	$(BIN)/pip freeze --exclude-editable > $(VENV)/audited.txt
	$(BIN)/pip-audit --strict --disable-pip --no-deps -r $(VENV)/audited.txt

## source archive and wheel, checked
dist: $(VENV)/.release
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "certstream-tx needs Python 3.11 or newer: set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: setup.py $(VENV)/bin/python
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: setup.py $(VENV)/bin/python
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.release: $(VENV)/.dev
	@$(PIP) -e '.[release]'
	@touch $@

# The JavaScript clients are tested where npm is at hand; the test says when it is not.
$(VENV)/.node: $(VENV)/bin/python
	@if command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix $(VENV)/node certstream@1 \
		|| echo "npm could not install the JavaScript clients: their tests will be skipped"; fi
	@touch $@
