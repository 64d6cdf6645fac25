"""forget: a version must go, and must not come back (consent was withdrawn).

Order: the tombstone, which stops every push of that version; its records are retired; its manifests go, so that
nobody finds its bytes; then this machine's copies. What only it consisted of at the remote goes with the next
collections (`remote gc`), by their rules: an object that somebody is just relying on must not be deleted under
them. Killed in between, forgetting once more goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lobsterdv.blobs.grace import GRACE_S
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.remote_look import Filed, named_by, read_catalogs
from lobsterdv.blobs.tenants import alone
from lobsterdv.blobs.tombstones import bury
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, NotARemote, Refused, UsageError
from lobsterdv.events import Observer
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.layout import manifests_prefix
from lobsterdv.formats.tombstone import Tombstone
from lobsterdv.index.pushed import forget_pushed, load_pushed
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, Selected, dataset_of, pointers, select
from lobsterdv.ops.drop import give_up
from lobsterdv.ops.names import commit_of
from lobsterdv.ops.resolve import entries_of
from lobsterdv.ops.retiring import retire
from lobsterdv.ops.roots import live, roots_of
from lobsterdv.ops.runs import utc


@dataclass
class ForgetReport:
    """``acted``: done, or only looked at. ``records`` are pushes of the version, by their times; ``own_bytes`` are in
    objects that nothing else names and go with the collections from ``gone_from`` (UTC) on, ``shared_bytes`` in objects
    that other versions need and that stay; ``local_bytes`` go from this machine's cache."""

    acted: bool
    remote: str
    path: str
    digest: Digest
    reason: str
    size: int
    records: list[str] = field(default_factory=list)
    own_bytes: int = 0
    shared_bytes: int = 0
    local_bytes: int = 0
    gone_from: str = ""
    failures: list[Failure] = field(default_factory=list)


def forget(
    project: Project, path: str, *, rev: str, reason: str, remote: str | None = None, yes: bool = False,
    jobs: int | None = None, observer: Observer,
) -> ForgetReport:  # fmt: skip
    """Forget the version of a dataset at ``rev``, for good; without ``yes`` only say what that would do. Where nothing
    was pushed yet the remote begins with the tombstone: other clones may have the version, and push it one day.

    Raises Refused for a version that the work tree's pointers name, or that another project of the remote has pushed;
    NotTracked, UnknownRevision, RemoteError, Busy. May be repeated.
    """
    if not reason.strip():
        raise UsageError("forget needs --reason: those who look for the data will be told")
    dataset = _named(project, path, rev)
    digest = dataset.pointer.digest
    for name, other in pointers(project, None).good.items():
        if other.pointer.digest == digest:
            raise Refused(name, "it is what its pointer names now; give it another version first", "forget-current")
    config = project.remote(remote)
    room = _room(project, config, begin=yes, jobs=jobs)
    filed = read_catalogs(room) if room is not None else []
    ours = [row for row in filed if row.record.pointer.digest == digest]
    for row in ours:
        if row.project_id != project.project_id and row.retired is None:
            raise Refused(path, f"project {row.project_id} has pushed the same version, and needs it", "forget-shared")
    report = ForgetReport(yes, config.name, str(dataset.path), digest, reason, dataset.pointer.size)
    report.records = sorted(row.record.at for row in ours)
    if room is not None and ours:
        now = room.store.clock()
        _weigh(room, filed, ours, now, report)
        report.gone_from = utc(now + GRACE_S)
    if room is not None and yes:
        identity = project.git.identity()
        bury(room, Tombstone(digest, str(dataset.path), reason, utc(project.now()), identity, project.host))
        retire(project, room, [row for row in ours if row.retired is None])
        for stat in list(room.store.list(manifests_prefix(digest))):
            room.store.delete(stat.key)
        shelf = f"{room.marker.store_id}/{project.project_id}"
        forget_pushed(project.index, shelf, [row for row in load_pushed(project.index, shelf) if row.version == digest])
    report.local_bytes = _forget_here(project, room, dataset, yes=yes, observer=observer)
    return report


def _room(project: Project, config: RemoteConfig, *, begin: bool, jobs: int | None) -> Remote | None:
    """The remote; None for one where nothing was pushed yet, unless it shall ``begin`` now."""
    try:
        return connect(project, config, create=begin, jobs=jobs)
    except NotARemote as error:
        if not error.is_empty:
            raise
        return None


def _named(project: Project, path: str, rev: str) -> Dataset:
    selected, failures = select(pointers(project, commit_of(project, rev, dataset_of(path))), [path], rev=rev)
    if failures:
        raise failures[0].error
    if len(selected) != 1 or selected[0].below:
        raise Refused(path, "a version is forgotten whole, and one at a time", "whole")
    return selected[0].dataset


def _weigh(room: Remote, filed: Sequence[Filed], ours: Sequence[Filed], now: float, report: ForgetReport) -> None:
    others = named_by(room, (row for row in filed if row.is_root(now) and row not in ours))
    for digest, size in _objects(room, ours).items():
        if digest in others.objects:
            report.shared_bytes += size
        else:
            report.own_bytes += size


def _objects(room: Remote, rows: Sequence[Filed]) -> dict[Digest, int]:
    """What the version's manifests name; nothing when they are gone already."""
    try:
        return named_by(room, rows).objects
    except Refused:
        return {}


def _forget_here(project: Project, room: Remote | None, dataset: Dataset, *, yes: bool, observer: Observer) -> int:
    """Delete this machine's copies of what only this version has, its listing and its manifests; returns the bytes."""
    cache, digest = project.cache, dataset.pointer.digest
    try:
        contents = set(Entries.of(entries_of(project, dataset.path, dataset.pointer)).file_digests().plain())
    except ContentError:
        contents = set()  # its listing is not here, so its contents are not either

    def needed() -> set[bytes]:
        roots = roots_of(project)
        roots.named.pop(digest, None)
        roots.current.discard(digest)
        roots.others.discard(digest)
        return live(cache, roots).contents

    selection = Selected(dataset, "")
    if not yes:
        return give_up(project, selection, contents, needed(), yes=False, observer=observer).freed_bytes
    with alone(cache.folder, observer=observer):
        row = give_up(project, selection, contents, needed(), yes=True, observer=observer)
        kept = [] if room is None else (cache.folder / room.kept(manifests_prefix(digest))).glob("*")
        for path in [cache.listing_path(digest), *kept]:
            path.unlink(missing_ok=True)
    return row.freed_bytes
