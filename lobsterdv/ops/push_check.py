"""push --check: does a remote hold all that a push would ensure? The gate for CI: every object of every version gets a
HEAD, and nothing is written, at the remote or on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from lobsterdv.blobs.remote import Remote, read_marker
from lobsterdv.events import Observer
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.ops.context import Project
from lobsterdv.ops.damage import Damage, damage_of, with_revs
from lobsterdv.ops.forgotten import without_forgotten
from lobsterdv.ops.push import PushedVersion, PushReport
from lobsterdv.ops.rounds import Clock, Round
from lobsterdv.ops.verifying_remote import check_remote
from lobsterdv.ops.wishes import Wish, wishes


def check_push(
    project: Project,
    paths: Sequence[str] = (),
    *,
    remote: str | None = None,
    rev: str | None = None,
    everything: bool = False,
    jobs: int | None = None,
    observer: Observer,
) -> PushReport:
    """Look for what ``wishes`` names: catalog records, manifests and segments by their bytes, all objects by HEAD. What
    lacks is in the report's ``lacking``. Raises RemoteError."""
    config = project.remote(remote)
    wanted, failures = wishes(project, paths, rev=rev, everything=everything)
    report = PushReport(config.name, config.url, config.name == EMBEDDED, failures=failures, checked=True)
    if not wanted:
        return report
    store = project.store(config)
    report.url = store.url
    marker = read_marker(store)
    if marker is None:
        report.lacking = with_revs(project, (_not_pushed(wish) for wish in wanted))
        return report
    room = Remote(store, project.cache, marker, jobs or config.number("concurrency"))
    wanted, gone = without_forgotten(room, wanted)
    report.failures += gone
    clock = Clock(project.now, None)
    once = Round(project.state, "push-check", now=project.now, keep=False)
    found = check_remote(
        project, room, wanted, once, clock, level="heads", remembers=False, needs_readable=True, observer=observer
    )
    report.lacking = with_revs(project, [*found.damages, *(_not_pushed(wish) for wish in found.unpushed)])
    report.checked_objects = found.objects
    lacking = {wish.key for wish in [*found.damaged, *found.unpushed]}
    report.versions = [
        PushedVersion(w.path, w.pointer.digest, "up to date", w.pointer.size, 0, 0, w.current, w.pointer.size)
        for w in wanted
        if w.key not in lacking
    ]
    return report


def _not_pushed(wish: Wish) -> Damage:
    files, size = wish.pointer.files or 0, wish.pointer.size
    return damage_of(wish, "remote", "record", wish.pointer.digest, "missing", "not pushed", files=files, size=size)
