# make          everything CI checks        make demo   the main job on real data
# make test     set up and run the tests    make bench  side by side with dvc and s5cmd
# make test-s3  real S3 servers             make slow   the long properties
# make test-browser  the lineage page in Chromium, drawings in Graphviz (apt-get install chromium graphviz)
# make test-faults  every fault at every step, and the table of what was survived

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CEPH := ceph-mon ceph-osd ceph-common radosgw
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo -n)

.PHONY: all check lint types layers docs test test-s3 servers test-faults test-browser slow demo bench page format clean

all: check

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,demo,servers]"
	touch $@

check: lint types layers docs test

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python -m lobsterdv.cli.reference --check docs/cli.md

test: $(STAMP)
	$(BIN)/python -m pytest -n 3 -m "not s3 and not slow and not faults and not browser"

test-s3: servers
	$(BIN)/python -m pytest -m "s3 and not faults" --write-servers docs/s3.md

servers: $(STAMP)  # what `make test-s3` runs against; what cannot be installed here is told at the end of its run
	test -x .servers/node_modules/.bin/s3rver || npm install --silent --no-audit --no-fund --prefix .servers s3rver@3 || true
	command -v radosgw >/dev/null || $(SUDO) apt-get install -y -qq --no-install-recommends $(CEPH) || true

test-faults: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "not s3" tests/damage

test-browser: $(STAMP)
	$(BIN)/python -m pytest -n 0 -m browser

slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m slow

demo: $(STAMP)
	$(BIN)/lobsterdv demo

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py

page:  # the lineage page's script; needs npm
	cd web && npm ci --silent && npm run --silent build

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
