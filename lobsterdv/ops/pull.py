"""pull: fetch, then checkout. Nothing of the work tree is touched for what could not be fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lobsterdv.errors import CorruptContent, MissingContent, RemoteError
from lobsterdv.events import Observer
from lobsterdv.ops.checkout import CheckoutReport, checkout
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.fetch import FetchReport, fetch, fetch_again
from lobsterdv.ops.using import uses_cache


@dataclass
class PullReport:
    fetch: FetchReport
    checkout: CheckoutReport
    failures: list[Failure]


@uses_cache
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

    What the cache turns out to hold damaged is fetched again, once.
    With ``ignore_missing`` a version that is nowhere is left out of the failures.
    """
    fetched = fetch(project, paths, remote=remote, rev=rev, checking_out=True, jobs=jobs, observer=observer)
    chosen = list(fetched.entries.items())
    placed = checkout(project, rev=rev, force=force, selected=chosen, tight=fetched.tight, observer=observer)
    damaged = {f.path for f in placed.failures if isinstance(f.error, CorruptContent)}
    if damaged:
        _heal(project, fetched, placed, damaged, remote=remote, rev=rev, force=force, jobs=jobs, observer=observer)
    failed = {failure.path for failure in fetched.failures}
    failures = fetched.failures + [f for f in placed.failures if f.path not in failed]
    if ignore_missing:
        failures = [f for f in failures if not isinstance(f.error, MissingContent)]
    return PullReport(fetched, placed, failures)


def _heal(
    project: Project,
    fetched: FetchReport,
    placed: CheckoutReport,
    damaged: set[str],
    *,
    remote: str | None,
    rev: str | None,
    force: bool,
    jobs: int | None,
    observer: Observer,
) -> None:
    """Fetch and check out once more what failed for a damaged cache; both reports get the outcome."""
    again = [selection for selection in fetched.entries if selection.dataset.path in damaged]
    try:
        healed = fetch_again(project, again, fetched.entries, remote=remote, rev=rev, jobs=jobs, observer=observer)
    except RemoteError:
        return  # that the cache is damaged is the news
    if healed.failures:
        return
    second = checkout(
        project, rev=rev, force=force, selected=[(s, fetched.entries[s]) for s in again], observer=observer
    )
    paths = {row.path for row in healed.fetched}
    fetched.fetched[:] = [row for row in fetched.fetched if row.path not in paths] + healed.fetched
    fetched.served += healed.served
    placed.checked_out += second.checked_out
    placed.failures[:] = [f for f in placed.failures if f.path not in damaged] + second.failures
