"""revert: make an old version the newest. History stays: the old pointer, lineage and all, is what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lobsterdv.errors import UsageError
from lobsterdv.events import Observer
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import pointer_path
from lobsterdv.ops.gitfiles import stage
from lobsterdv.ops.names import commit_of
from lobsterdv.ops.pull import PullReport, pull


@dataclass
class RevertReport:
    """``pull`` tells what was fetched and written; ``staged`` whether the pointers were."""

    rev: str
    pull: PullReport
    staged: bool = False
    failures: list[Failure] = field(default_factory=list)


def revert(
    project: Project, paths: Sequence[str], *, to: str, remote: str | None = None, force: bool = False,
    observer: Observer,
) -> RevertReport:  # fmt: skip
    """Fetch what ``paths`` were at ``to``, put it into the work tree, and stage the pointers that name it.

    Unsaved changes are refused, or moved to the trash with ``force``. Raises UnknownRevision.
    """
    if not paths:
        raise UsageError("revert needs the datasets that are to be what they were")
    commit = commit_of(project, to, paths[0] if len(paths) == 1 else None)
    pulled = pull(project, paths, rev=commit, remote=remote, force=force, observer=observer)
    report = RevertReport(to, pulled, failures=pulled.failures)
    changed = [row.path for row in pulled.checkout.checked_out if row.pointer_changed]
    report.staged = bool(changed) and stage(project.git, map(pointer_path, changed), observer=observer)
    return report
