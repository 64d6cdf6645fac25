"""How much was tried and survived: tests add to named counts, and a table of all of them ends the run. What did not go
as promised failed its test, and is counted as a version lost.

A pytest plugin; counts cross from the workers of pytest-xdist with the reports of the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

PART = "of these"
"""Names with it are parts of others, and are not added to the sum."""
_PROPERTY = "faults-counted"
_totals: dict[str, list[int]] = {}


class Counters:
    """Counts of one test, by what was done: how often it was tried, how often it went as promised."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = {}

    def tried(self, what: str, times: int = 1) -> None:
        self.counts.setdefault(what, [0, 0])[0] += times

    def survived(self, what: str, times: int = 1) -> None:
        self.counts.setdefault(what, [0, 0])[1] += times

    def both(self, what: str, times: int = 1) -> None:
        """Tried, and survived: for what would have failed the test before this line."""
        self.tried(what, times)
        self.survived(what, times)


@pytest.fixture
def counters(record_property: object) -> Iterator[Counters]:
    """Counts that the table at the end shows, also of a test that fails."""
    assert callable(record_property)
    made = Counters()
    yield made
    record_property(_PROPERTY, json.dumps(made.counts))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        for name, value in report.user_properties:
            if name == _PROPERTY:
                for what, (tried, survived) in json.loads(str(value)).items():
                    total = _totals.setdefault(what, [0, 0])
                    total[0] += tried
                    total[1] += survived


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _totals:
        write = terminalreporter.write_line
        width = max(map(len, _totals))
        terminalreporter.section("faults")
        write(f"| {'what was done'.ljust(width)} | tried | survived |")
        write(f"| {'-' * width} | ----- | -------- |")
        for what, (tried, survived) in sorted(_totals.items()):
            write(f"| {what.ljust(width)} | {tried:5,} | {survived:8,} |")
        alone = [counts for what, counts in _totals.items() if PART not in what]
        tried, survived = (sum(counts[at] for counts in alone) for at in (0, 1))
        write(f"In all {tried:,} tried, {survived:,} went as promised. Versions lost: {tried - survived:,}.")
