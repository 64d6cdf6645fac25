"""remote sync: make a second remote hold what a first one does.

In a push's order: objects, segments, manifest, runs, catalog record. Killed anywhere, only unnamed values lie there,
and the next sync goes on from them. The second remote is never read from, and nothing is removed from either.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lobsterdv import workers
from lobsterdv.blobs.handing_on import hand_on
from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.remote import Remote, read_marker
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import (
    ContentError,
    CorruptContent,
    FormatError,
    KeyMissing,
    LobsterError,
    MissingContent,
    Refused,
    RemoteError,
    Unreachable,
)
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.layout import (
    FORGOTTEN,
    name_in_key,
    object_key,
    run_key,
)
from lobsterdv.formats.table import StoredObject
from lobsterdv.formats.yamlio import MAX_BYTES
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.difference import Difference, Entry, difference, needs
from lobsterdv.ops.placing import put_document
from lobsterdv.ops.using import uses_cache
from lobsterdv.stores.server_copy import share_server

_RUNS = "runs/"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class SyncedVersion:
    """One push that the second remote did not have, of any project; ``new_bytes`` of ``new_objects`` had to come."""

    project: str
    path: str
    digest: Digest
    new_objects: int
    new_bytes: int


@dataclass
class SyncReport:
    """``copied_bytes`` were copied by the server, ``sent_bytes`` passed here. Versions that are ``present`` were there
    whole; ``forgotten`` and ``retired`` ones are not brought (back). Of a dry run all numbers are what would be."""

    source: str
    source_url: str
    target: str
    target_url: str
    dry_run: bool
    versions: list[SyncedVersion] = field(default_factory=list)
    present: int = 0
    forgotten: int = 0
    retired: int = 0
    runs: int = 0
    tombstones: int = 0
    copied_bytes: int = 0
    sent_bytes: int = 0
    failures: list[Failure] = field(default_factory=list)


@uses_cache
def sync(
    project: Project, source: str, target: str, *, dry_run: bool = False, jobs: int | None = None, observer: Observer
) -> SyncReport:
    """Copy to ``target`` every pushed version, run record and tombstone of ``source`` that it lacks, of all projects.

    A version that was forgotten at either is not copied, nor is one that was retired at ``target``. What is named there
    was seen there in this run. Each version fails alone. Raises NotARemote, RemoteError, Refused for the same place.
    """
    one, other = project.remote(source), project.remote(target)
    if one.place == other.place:
        raise Refused(target, f"it is the same place as {source}", "same-place")
    room = connect(project, one, jobs=jobs)
    report = SyncReport(one.name, room.url, other.name, other.url, dry_run)
    if dry_run:
        store = project.store(other)
        marker = read_marker(store)
        there = None if marker is None else Remote(store, project.cache, marker, jobs or other.number("concurrency"))
        return _counted(room, there, report, directly=share_server(room.store, store))
    away = connect(project, other, create=True, jobs=jobs)
    _Sync(room, away, report, observer).run()
    return report


class _Sync:
    """One run. ``sizes`` is what the second remote listed at its start; what is newly named is asked for besides."""

    def __init__(self, room: Remote, away: Remote, report: SyncReport, observer: Observer) -> None:
        self._room = room
        self._away = away
        self._report = report
        self._observer = observer
        self._directly = share_server(room.store, away.store)
        self._heads = Heads(away, min(room.jobs, away.jobs))

    def run(self) -> None:
        room, away, report = self._room, self._away, self._report
        report.tombstones = self._bring_documents(FORGOTTEN)
        found = difference(room, away)
        _tell(report, found)
        self._observer(Started("syncing", total_items=len(found.lacking)))
        report.runs = self._bring_documents(_RUNS)
        for entry in found.lacking:
            try:
                self._bring(entry, found.there if entry.is_named else None)
            except (ContentError, FormatError, KeyMissing) as error:
                report.failures.append(Failure(entry.record.path, _as_content(entry, room, error)))
            except RemoteError:
                raise
            except LobsterError as error:
                report.failures.append(Failure(entry.record.path, error))
        self._observer(Finished("syncing"))

    def _bring(self, entry: Entry, there: dict[str, int] | None) -> None:
        objects, documents = needs(self._room, entry)
        moved = [0, 0]
        for _ in range(_TRIES):
            if there is None:
                lacking = self._heads.absent(objects)
            else:
                lacking = {item for item in objects if there.get(object_key(item.digest)) != item.size}
            for item in workers.each(lambda item: self._bring_object(item, entry), lacking, jobs=self._heads.jobs):
                moved = [moved[0] + 1, moved[1] + item.size]
                if there is not None:
                    there[object_key(item.digest)] = item.size
            if there is None and not self._heads.still(objects):
                continue
            for key, data in documents:  # segments first, the manifest after them
                put_document(self._away, key, data)
            if there is None and not self._heads.still(objects):
                continue
            put_document(self._away, entry.key, entry.data)
            break
        else:
            raise Unreachable(self._away.url, "sync", f"what {entry.record.path} consists of does not stay there")
        self._report.versions.append(_row(entry, *moved))

    def _bring_object(self, item: StoredObject, entry: Entry) -> StoredObject:
        key = object_key(item.digest)
        by_server = hand_on(
            self._room.store, self._away.store, key, item.digest, item.size,
            name=entry.record.path, directly=self._directly,
        )  # fmt: skip
        self._heads.arrived(item, name=entry.record.path)
        self._report.copied_bytes += item.size * by_server
        self._report.sent_bytes += item.size * (not by_server)
        self._observer(Advanced("syncing", item.size))
        return item

    def _bring_documents(self, prefix: str) -> int:
        """Small documents that name themselves: what lies there with the right size stays. Damaged ones are passed
        over."""
        have = {stat.key: stat.size for stat in self._away.store.list(prefix)}
        wanted = [stat.key for stat in self._room.store.list(prefix) if have.get(stat.key) != stat.size]
        return sum(workers.each(self._bring_document, wanted, jobs=self._heads.jobs))

    def _bring_document(self, key: str) -> bool:
        try:
            name = name_in_key(key, what=key)
            if key.startswith(_RUNS) and key != run_key(name):
                return False
            data = self._room.store.read_whole(key, limit=MAX_BYTES if key.startswith(FORGOTTEN) else 64 << 20)
        except (FormatError, KeyMissing, CorruptContent):
            return False
        if digest_of(data) != name:
            return False
        put_document(self._away, key, data)
        return True


def _counted(room: Remote, away: Remote | None, report: SyncReport, *, directly: bool) -> SyncReport:
    """A dry run: what a sync would bring, ``directly`` by the server. Nothing is written, not even a marker."""
    found = difference(room, away)
    _tell(report, found)
    have = set(found.there)
    for prefix, attribute in ((_RUNS, "runs"), (FORGOTTEN, "tombstones")):
        known = {stat.key for stat in away.store.list(prefix)} if away else set()
        setattr(report, attribute, sum(stat.key not in known for stat in room.store.list(prefix)))
    for entry in found.lacking:
        try:
            objects, _ = needs(room, entry)
        except (ContentError, FormatError, KeyMissing) as error:
            report.failures.append(Failure(entry.record.path, _as_content(entry, room, error)))
            continue
        new = [item for item in objects if object_key(item.digest) not in have]
        have.update(object_key(item.digest) for item in new)
        report.versions.append(_row(entry, len(new), sum(item.size for item in new)))
    total = sum(row.new_bytes for row in report.versions)
    report.copied_bytes, report.sent_bytes = (total, 0) if directly else (0, total)
    return report


def _tell(report: SyncReport, found: Difference) -> None:
    report.present, report.forgotten, report.retired = found.present, found.forgotten, found.retired
    report.failures += found.failures


def _as_content(entry: Entry, room: Remote, error: LobsterError) -> LobsterError:
    if isinstance(error, KeyMissing):
        return MissingContent(entry.record.path, str(entry.record.pointer.digest), room.url)
    return error


def _row(entry: Entry, objects: int, size: int) -> SyncedVersion:
    return SyncedVersion(entry.project, entry.record.path, entry.record.pointer.digest, objects, size)
