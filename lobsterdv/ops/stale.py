"""stale: datasets of the work tree whose inputs, or whose code, have newer versions. Reads git and pointers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lobsterdv.events import Observer
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import pointers, select
from lobsterdv.ops.staleness import Reason, in_order, reasons


@dataclass(frozen=True, slots=True)
class StaleDataset:
    """``command`` made it, None when no command was recorded; ``folder`` is where, below the root."""

    path: str
    digest: str
    activity: str | None
    command: str | None
    folder: str
    reasons: list[Reason]


@dataclass
class StaleReport:
    """``stale`` so that each comes after those that it was made from; ``checked`` counts datasets that name inputs or
    code."""

    stale: list[StaleDataset] = field(default_factory=list)
    checked: int = 0
    failures: list[Failure] = field(default_factory=list)


def stale(project: Project, paths: Sequence[str] = (), *, observer: Observer) -> StaleReport:
    """Those of ``paths`` (all when empty) that are not up to date, and why."""
    work = pointers(project, None)
    selected, failures = select(work, paths) if paths else ([], [])
    report = StaleReport(failures=failures)
    found = reasons(project, work.good)
    wanted = {str(s.dataset.path) for s in selected} if paths else set(found)
    report.checked = len(wanted & set(found))
    for path in in_order([p for p in found if found[p] and p in wanted], work.good):
        pointer = work.good[path].pointer
        run = {key: value for key, value in (pointer.run or {}).items() if isinstance(value, str)}
        report.stale.append(
            StaleDataset(
                path, str(pointer.digest), run.get("activity"), run.get("command"), run.get("folder", ""), found[path]
            )
        )
    return report
