"""remote gc: retire what no ref names any more, and delete from a remote what nothing names (DESIGN.md, section 5).

Roots are the catalog records of all projects, whoever pushed them, so a collection depends on nobody's clone. This
project's git only ever adds to them: it says which of its own records may be retired. A retired version stays for 30
days, in which the retirement can be undone; then a mark notes that nothing names its bytes; then, at least the grace
later, a second look that agrees deletes them. Without ``yes`` nothing is changed anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from lobsterdv.blobs.grace import DAY_S, GRACE_S, UNDO_S
from lobsterdv.blobs.heads import require
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.remote_lock import RemoteLock, check_skew
from lobsterdv.blobs.remote_look import Filed, Named, named_by, read_catalogs, unnamed
from lobsterdv.blobs.remote_sweep import (
    candidates,
    lost_records,
    make_mark,
    read_marks,
    ripe,
    sweep,
    write_mark,
)
from lobsterdv.blobs.tombstones import forgotten
from lobsterdv.digest import Digest
from lobsterdv.errors import Refused
from lobsterdv.events import Finished, Observer, Started
from lobsterdv.formats.layout import manifest_key, record_key
from lobsterdv.formats.mark import Mark
from lobsterdv.git_changes import commits_here, is_whole_clone
from lobsterdv.index.pushed import forget_pushed, load_pushed
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.retiring import retire
from lobsterdv.ops.roots import roots_of
from lobsterdv.ops.wishes import matches
from lobsterdv.stores.base import Stat

_MARK_EACH_S: Final = DAY_S
"""A mark that finds the same as one that is younger than this is not written."""
_UNDO_MARGIN_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A version as it was pushed: ``size`` are its bytes, not those that it takes at the remote. ``until`` (UTC, ISO
    8601, by the store's clock) is when it ceases to be kept, empty where nothing is decided."""

    path: str
    digest: Digest
    pushed: str
    commit: str
    size: int
    until: str = ""


@dataclass
class RemoteGcReport:
    """``acted`` tells whether this was done or only looked at.

    ``records`` count, ``lost`` are gone without a retirement, and were accepted to be.
    ``retired`` are this project's versions that no ref names: proposed, or retired by this run; ``retired_bytes`` is
    what their objects take that nothing else names. ``waiting`` were retired before and can be brought back,
    ``expired`` cannot, and ``deleted`` of these are gone with this run (or would be). ``unnamed_*`` is everything that
    nothing names, in objects, manifests and segments; ``ripe_*`` of that what may go now, and ``next`` when more may.
    ``restored`` were brought back by ``undo``. ``denied`` are keys that the store would not give up; a failure too
    unless a retention period or a legal hold keeps them, and so is a lock that could not be given back.
    """

    remote: str
    url: str
    acted: bool
    records: int = 0
    lost: int = 0
    retired: list[RemoteVersion] = field(default_factory=list)
    retired_bytes: int = 0
    waiting: list[RemoteVersion] = field(default_factory=list)
    expired: list[RemoteVersion] = field(default_factory=list)
    restored: list[RemoteVersion] = field(default_factory=list)
    unnamed_items: int = 0
    unnamed_bytes: int = 0
    ripe_items: int = 0
    ripe_bytes: int = 0
    deleted: list[RemoteVersion] = field(default_factory=list)
    deleted_items: int = 0
    deleted_bytes: int = 0
    spared_items: int = 0
    denied: list[str] = field(default_factory=list)
    next: str = ""
    failures: list[Failure] = field(default_factory=list)


def collect_remote(
    project: Project,
    paths: Sequence[str] = (),
    *,
    remote: str | None = None,
    yes: bool = False,
    accept_lost: bool = False,
    grace_s: float = GRACE_S,
    jobs: int | None = None,
    observer: Observer,
) -> RemoteGcReport:
    """Retire, mark and sweep, or tell what that would do. ``paths`` limit what is retired, nothing else.

    Catalog records do not go by themselves (a retired one is kept in its retirement). What one named that is gone could
    be restored by whoever has it, and would be swept here: so Refused, unless a version is known to have another
    record, or with ``accept_lost``, from which on they do not count.

    Raises Refused, too, for a shallow or partial clone, clocks that are apart, a root that cannot be read and a list
    that does not fit what is known; Busy while another collection runs; RemoteError. May be interrupted anywhere.
    """
    config = project.remote(remote)
    room = replace(connect(project, config, jobs=jobs), grace_s=grace_s)
    report = RemoteGcReport(config.name, room.url, yes)
    observer(Started("looking at the remote"))
    if not yes:
        began = room.store.clock()
        check_skew(room.store, began, project.now())
        _collect(project, room, paths, report, began, None, accept_lost=accept_lost)
    else:
        holder = f"{project.git.identity()} on {project.host}"
        with RemoteLock(room.store, holder=holder, now=project.now()) as lock:
            _collect(project, room, paths, report, lock.began, lock, accept_lost=accept_lost)
        report.failures += [Failure(key, error) for key, error in lock.left.items()]
    observer(Finished("looking at the remote"))
    return report


def undo_retirements(
    project: Project, paths: Sequence[str] = (), *, remote: str | None = None, jobs: int | None = None
) -> RemoteGcReport:
    """Put this project's retired records back into the catalog, those of ``paths``, all without. A version whose 30
    days are over fails. Raises Refused, RemoteError. May be repeated and raced."""
    config = project.remote(remote)
    room = connect(project, config, jobs=jobs)
    report = RemoteGcReport(config.name, room.url, True)
    now = room.store.clock()
    for row in read_catalogs(room, forgotten=forgotten(room)):
        if row.retired is None or row.project_id != project.project_id or not matches(row.record.path, paths):
            continue
        if not row.is_root(now + _UNDO_MARGIN_S):
            reason = "it was retired more than 30 days ago; whoever has it can push it again"
            report.failures.append(Failure(row.record.path, Refused(row.record.path, reason, "expired")))
            continue
        key = record_key(row.project_id, row.name)
        room.store.put(key, row.data, if_absent=True)
        require(room, key, len(row.data), name=row.record.path)
        report.restored.append(_version(row))
    return report


def _collect(
    project: Project,
    room: Remote,
    paths: Sequence[str],
    report: RemoteGcReport,
    began: float,
    lock: RemoteLock | None,
    *,
    accept_lost: bool,
) -> None:
    marks = read_marks(room)
    filed = read_catalogs(room, forgotten=forgotten(room))
    lost = _lost(project, room, filed, marks)
    if lost and not accept_lost:
        some = "a catalog record is" if len(lost) == 1 else f"{len(lost):,} catalog records are"
        raise Refused(room.url, f"{some} gone that a collection or a push from here saw there", "lost")
    report.lost = len(lost)
    report.records = sum(row.retired is None for row in filed)
    going = _to_retire(project, filed, paths)
    names = {row.name for row in going}
    kept = named_by(room, (row for row in filed if row.is_root(began) and row.name not in names))
    also = named_by(room, going)
    report.retired_bytes = sum(size for digest, size in also.objects.items() if digest not in kept.objects)
    report.retired = [_version(row, began + UNDO_S) for row in going]
    for row in filed:
        if row.retired is not None and row.project_id == project.project_id:
            (report.waiting if row.is_root(began) else report.expired).append(_version(row, row.retired + UNDO_S))
    dead = list(unnamed(room, Named(kept.keys | also.keys, kept.objects | also.objects)))
    report.unnamed_items, report.unnamed_bytes = len(dead), _bytes(dead)
    first = ripe(room, marks, began=began)
    chosen = candidates(dead, first) if first is not None else []
    report.ripe_items, report.ripe_bytes = len(chosen), _bytes(chosen)
    mark = make_mark(dead, (row.name for row in filed), began=began)
    report.next = _next(room, marks, mark, {stat.key for stat in chosen})
    gone = {stat.key for stat in chosen}
    if lock is not None:
        is_news = not marks or marks[-1][1].keys != mark.keys or bool(lost)
        if is_news or marks[-1][1].at < mark.at - _MARK_EACH_S * 1000:
            write_mark(room, mark)
        shelf = _shelf(project, room)
        forget_pushed(project.index, shelf, [row for row in load_pushed(project.index, shelf) if row.record in lost])
        retire(project, room, going)
        if first is not None:
            swept = sweep(room, chosen, first, before_each=lock.renew)
            report.deleted_items, report.deleted_bytes = len(swept.keys), swept.bytes
            report.spared_items, report.denied = swept.spared, swept.denied
            if swept.denial is not None:
                report.failures.append(Failure(swept.denied[0], swept.denial))
            gone = set(swept.keys)
            for key, old in marks:
                if old.at < first.at:
                    room.store.delete(key)
    report.deleted = [_version(row) for row in filed if _key(row) in gone]


def _to_retire(project: Project, filed: Iterable[Filed], paths: Sequence[str]) -> list[Filed]:
    """This project's versions that nothing in git names, of commits that this clone has. Raises Refused where git
    does not tell all."""
    own = [row for row in filed if row.project_id == project.project_id and row.retired is None]
    if not is_whole_clone(project.git):
        reason = "this is a shallow or partial clone, which does not know all that names data"
        raise Refused(str(project.root), reason, "shallow")
    roots = roots_of(project)
    found = [row for row in own if row.record.pointer.digest not in roots.named and matches(row.record.path, paths)]
    here = commits_here(project.git, (row.record.commit for row in found if row.record.commit))
    return [row for row in found if row.record.commit in here]


def _lost(project: Project, room: Remote, filed: Sequence[Filed], marks: Sequence[tuple[str, Mark]]) -> set[Digest]:
    """Records that were there and are gone, but for those of versions that have another one by now."""
    listed = {row.name for row in filed}
    projects = {project.project_id, *(row.project_id for row in filed)}
    lost = lost_records(room, listed, marks[-1][1].records, projects) if marks else set()
    known = {row.record: row.version for row in load_pushed(project.index, _shelf(project, room))}
    lost |= lost_records(room, listed, known, [project.project_id])
    counting = {row.record.pointer.digest for row in filed if row.retired is None}
    return {name for name in lost if known.get(name) not in counting}


def _shelf(project: Project, room: Remote) -> str:
    return f"{room.marker.store_id}/{project.project_id}"


def _next(room: Remote, marks: Sequence[tuple[str, Mark]], now: Mark, chosen: set[str]) -> str:
    """When the earliest of what this look found, and cannot go yet, may."""
    left = {key for key in now.keys if key not in chosen}
    for mark in chain((mark for _, mark in marks), [now]):
        if left.intersection(mark.keys):
            return _text(mark.at / 1000 + room.grace_s)
    return ""


def _key(row: Filed) -> str:
    return manifest_key(row.record.pointer.digest, row.record.manifest)


def _version(row: Filed, until: float | None = None) -> RemoteVersion:
    record = row.record
    size, commit = record.pointer.size, record.commit or ""
    return RemoteVersion(
        record.path, record.pointer.digest, record.at, commit, size, "" if until is None else _text(until)
    )


def _bytes(stats: Iterable[Stat]) -> int:
    return sum(stat.size for stat in stats)


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
