"""The questions that Python asks of history: DataManager's other half."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lobsterdv.events import Observer
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.lineage import Direction, ImpactReport, LineageReport, impact, lineage
from lobsterdv.ops.log import LogReport, log
from lobsterdv.ops.search import SearchReport, search
from lobsterdv.ops.show import ShowReport, show
from lobsterdv.ops.stale import StaleReport, stale
from lobsterdv.recording import Run


class Asking:
    """What was made from what, by which code, and what depends on it. Offline: no remote is asked."""

    _project: Project
    _observer: Observer
    _run: Run | None = None

    def run(self, activity: str, *, params: Mapping[str, Any] | None = None) -> Run:
        """A run of Python code, for ``with`` or as a decorator: what is loaded inside is its input, what is saved its
        output. See ``lobsterdv.recording``."""
        return Run(self, activity, params or {})

    def log(self, *paths: str, rev: str | None = None, everything: bool = False, limit: int | None = None) -> LogReport:
        """The versions of datasets in git's history, newest first. See ``lobsterdv log``. Raises NotTracked."""
        report = log(
            self._project, [self._name(path) for path in paths], rev=rev, everything=everything, limit=limit,
            observer=self._observer,
        )  # fmt: skip
        raise_first(report.failures)
        return report

    def lineage(
        self, name: str, rev: str | None = None, *, direction: Direction = "up", depth: int | None = None
    ) -> LineageReport:
        """What a version was made from, or what was made of it; ``report.graph()`` is a networkx graph. Raises
        NotTracked, UnknownRevision."""
        return lineage(
            self._project, self._name(name), direction=direction, depth=depth, rev=rev, observer=self._observer
        )

    def impact(self, name: str) -> ImpactReport:
        """What was made, however indirectly, from a dataset, and what of it is stale. Raises NotTracked."""
        return impact(self._project, self._name(name), observer=self._observer)

    def stale(self, *paths: str) -> StaleReport:
        """Datasets whose inputs, or whose code, have newer versions. Raises NotTracked."""
        report = stale(self._project, [self._name(path) for path in paths], observer=self._observer)
        raise_first(report.failures)
        return report

    def search(self, *words: str, limit: int = 20) -> SearchReport:
        """Versions by words that were said of them. Raises UsageError."""
        return search(self._project, words, limit=limit, observer=self._observer)

    def show(self, name: str, rev: str | None = None) -> ShowReport:
        """Everything that is known about a version. Raises NotTracked, UnknownRevision."""
        return show(self._project, self._name(name), rev=rev, observer=self._observer)

    def _name(self, name: str) -> str:
        raise NotImplementedError


def raise_first(failures: list[Failure]) -> None:
    """Raise the first of several failures, the others as its notes."""
    if failures:
        error = failures[0].error
        for other in failures[1:]:
            error.add_note(f"{other.path}: {other.error}")
        raise error
