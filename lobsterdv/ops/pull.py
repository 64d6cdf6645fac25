"""pull: fetch, then checkout. Nothing of the work tree is touched for what could not be fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lobsterdv.errors import MissingContent
from lobsterdv.events import Observer
from lobsterdv.ops.checkout import CheckoutReport, checkout
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.fetch import FetchReport, fetch


@dataclass
class PullReport:
    fetch: FetchReport
    checkout: CheckoutReport
    failures: list[Failure]


def pull(
    project: Project,
    paths: Sequence[str] = (),
    *,
    remote: str | None = None,
    rev: str | None = None,
    force: bool = False,
    ignore_missing: bool = False,
    jobs: int | None = None,
    observer: Observer,
) -> PullReport:
    """Bring versions from the remote and put them into the work tree. See ``fetch`` and ``checkout``.

    With ``ignore_missing`` a version that is nowhere is left out of the failures.
    """
    fetched = fetch(project, paths, remote=remote, rev=rev, jobs=jobs, observer=observer)
    placed = checkout(project, rev=rev, force=force, selected=list(fetched.entries.items()), observer=observer)
    failed = {failure.path for failure in fetched.failures}
    failures = fetched.failures + [f for f in placed.failures if f.path not in failed]
    if ignore_missing:
        failures = [f for f in failures if not isinstance(f.error, MissingContent)]
    return PullReport(fetched, placed, failures)
