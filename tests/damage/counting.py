"""How much was tried and survived: tests add to named counts, and a table of all of them ends the run. What is tried is
counted before it is judged, so that what did not go as promised shows in the table, too.

A pytest plugin; counts cross from the workers of pytest-xdist with the reports of the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.damage.oracle import Wrong

PART = "of these"
"""Names with it are parts of others, and are not added to the sum."""
_PROPERTY = "faults-counted"
_totals: dict[str, list[int]] = {}


@dataclass
class Attempt:
    """What is being tried. ``times`` is how often it happened, in the end: 0 when it turned out not to happen."""

    times: int = 1


class Counters:
    """Counts of one test, by what was done: how often it was tried, how often it went as promised, and how often the
    oracle found something lost or wrong."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = {}

    def _add(self, what: str, at: int, times: int) -> None:
        self.counts.setdefault(what, [0, 0, 0])[at] += times

    def tried(self, what: str, times: int = 1) -> None:
        self._add(what, 0, times)

    def survived(self, what: str, times: int = 1) -> None:
        self._add(what, 1, times)

    @contextmanager
    def trying(self, what: str, times: int = 1) -> Iterator[Attempt]:
        """Tried from the first line of the block on, survived after its last."""
        attempt = Attempt(times)
        self.tried(what, times)
        try:
            yield attempt
        except BaseException as error:
            self._add(what, 2, _is_loss(error))
            raise
        self.tried(what, attempt.times - times)
        self.survived(what, attempt.times)


def _is_loss(error: BaseException | None) -> bool:
    """Whether the oracle is at the root of it."""
    while error is not None and not isinstance(error, Wrong):
        error = error.__cause__ or error.__context__
    return error is not None


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
                for what, counts in json.loads(str(value)).items():
                    total = _totals.get(what, [0, 0, 0])
                    _totals[what] = [before + more for before, more in zip(total, counts, strict=True)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _totals:
        terminalreporter.section("faults")
        for line in table(_totals):
            terminalreporter.write_line(line)


def table(totals: dict[str, list[int]]) -> Iterator[str]:
    """The lines that end the run."""
    head = "what was done"
    width = max(map(len, (head, *totals)))
    yield f"| {head.ljust(width)} | tried | as promised |"
    yield f"| {'-' * width} | ----- | ----------- |"
    for what, (tried, survived, _) in sorted(totals.items()):
        yield f"| {what.ljust(width)} | {tried:5,} | {survived:11,} |"
    alone = [counts for what, counts in totals.items() if PART not in what]
    tried, survived, lost = (sum(counts[at] for counts in alone) for at in (0, 1, 2))
    if tried == survived:
        yield f"In all {tried:,} tried, and all went as promised. Versions lost: 0."
    else:
        yield f"In all {tried:,} tried. Not as promised: {tried - survived:,}; the oracle found {lost:,} lost or wrong."
