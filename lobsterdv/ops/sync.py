"""remote sync: make a second remote hold what a first one does.

In a push's order: objects, segments, manifest, runs, catalog record. Killed anywhere, only unnamed values lie there,
and the next sync goes on from them. The second remote is never read from, and nothing is removed from either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lobsterdv import workers
from lobsterdv.blobs.handing_on import hand_on
from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.remote import Remote, read_document, read_marker, retired
from lobsterdv.blobs.tombstones import forgotten
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
    CATALOG,
    FORGOTTEN,
    PROJECT_ID,
    manifest_key,
    name_in_key,
    object_key,
    record_in_key,
    run_key,
    segment_key,
)
from lobsterdv.formats.manifest import objects_in, segments_in
from lobsterdv.formats.record import MAX_RECORD_BYTES, Record, parse_record
from lobsterdv.formats.table import StoredObject
from lobsterdv.formats.yamlio import MAX_BYTES
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """A catalog record and its bytes; what its manifest names is read when it is its turn."""

    project: str
    key: str
    record: Record
    data: bytes


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
        marker = read_marker(project.store(other))
        if marker is None:
            return _counted(room, None, report)
        away = Remote(project.store(other), project.cache, marker, jobs or other.number("concurrency"))
        return _counted(room, away, report)
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
        there = _listed(away)
        todo = _todo(room, away, there, report)
        self._observer(Started("syncing", total_items=len(todo)))
        report.runs = self._bring_documents(_RUNS)
        for entry, is_named in todo:
            try:
                self._bring(entry, there if is_named else None)
            except (ContentError, FormatError, KeyMissing) as error:
                report.failures.append(Failure(entry.record.path, _as_content(entry, room, error)))
            except RemoteError:
                raise
            except LobsterError as error:
                report.failures.append(Failure(entry.record.path, error))
        self._observer(Finished("syncing"))

    def _bring(self, entry: _Entry, there: dict[str, int] | None) -> None:
        objects, documents = _needs(self._room, entry)
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

    def _bring_object(self, item: StoredObject, entry: _Entry) -> StoredObject:
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


def _counted(room: Remote, away: Remote | None, report: SyncReport) -> SyncReport:
    """A dry run: what a sync would bring. Nothing is written, not even a marker."""
    there = _listed(away) if away else {}
    have = set(there)
    for prefix, attribute in ((_RUNS, "runs"), (FORGOTTEN, "tombstones")):
        known = {stat.key for stat in away.store.list(prefix)} if away else set()
        setattr(report, attribute, sum(stat.key not in known for stat in room.store.list(prefix)))
    directly = away is not None and share_server(room.store, away.store)
    for entry, _ in _todo(room, away, there, report):
        try:
            objects, _ = _needs(room, entry)
        except (ContentError, FormatError, KeyMissing) as error:
            report.failures.append(Failure(entry.record.path, _as_content(entry, room, error)))
            continue
        new = [item for item in objects if object_key(item.digest) not in have]
        have.update(object_key(item.digest) for item in new)
        report.versions.append(_row(entry, len(new), sum(item.size for item in new)))
    total = sum(row.new_bytes for row in report.versions)
    report.copied_bytes, report.sent_bytes = (total, 0) if directly else (0, total)
    return report


def _todo(room: Remote, away: Remote | None, there: dict[str, int], report: SyncReport) -> list[tuple[_Entry, bool]]:
    """The records to bring, oldest first, and whether the second remote has the record, but not all behind it."""
    gone = forgotten(room) | (forgotten(away) if away else set())
    entries = _entries(room, report)
    retired_there = {
        (project, name)
        for project in {entry.project for entry in entries}
        for name in (retired(away, project) if away else ())
    }
    todo = []
    for entry in entries:
        is_named = entry.key in there
        if entry.record.pointer.digest in gone:
            report.forgotten += 1
        elif not is_named and (entry.project, name_in_key(entry.key, what=entry.key)) in retired_there:
            report.retired += 1
        elif is_named and _is_whole(room, entry, there):
            report.present += 1
        else:
            todo.append((entry, is_named))
    return todo


def _entries(room: Remote, report: SyncReport) -> list[_Entry]:
    keys = []
    for stat in room.store.list(CATALOG):
        project, _, _ = stat.key.removeprefix(CATALOG).partition("/")
        if PROJECT_ID.fullmatch(project) and record_in_key(stat.key, project) is not None:
            keys.append((project, stat.key))

    def read(item: tuple[str, str]) -> _Entry | Failure | None:
        project, key = item
        try:
            data = room.store.read_whole(key, limit=MAX_RECORD_BYTES)
            record = parse_record(data, what=key)
        except (KeyMissing, FormatError, CorruptContent) as error:
            return Failure(key, error)
        if digest_of(data) != name_in_key(key, what=key):
            return Failure(key, CorruptContent(key, room.url, key.rpartition("/")[2], str(digest_of(data))))
        return None if record is None else _Entry(project, key, record, data)

    found = list(workers.each(read, keys, jobs=room.jobs))
    report.failures += [item for item in found if isinstance(item, Failure)]
    return sorted((e for e in found if isinstance(e, _Entry)), key=lambda entry: (entry.record.at, entry.key))


def _needs(room: Remote, entry: _Entry) -> tuple[list[StoredObject], list[tuple[str, bytes]]]:
    """The objects of a version, and its segments and then its manifest with their keys. Verified."""
    pointer = entry.record.pointer
    key = manifest_key(pointer.digest, entry.record.manifest)
    stored = read_document(room, key, entry.record.manifest, name=f"the manifest of {entry.record.path}")
    objects = list(objects_in(stored, "manifest", what=key))
    documents = []
    for digest in segments_in(stored, what=key):
        part_key = segment_key(digest)
        part = read_document(room, part_key, digest, name=f"a segment of {entry.record.path}")
        objects += objects_in(part, "segment", what=part_key)
        documents.append((part_key, part))
    return list(dict.fromkeys(objects)), [*documents, (key, stored)]


def _is_whole(room: Remote, entry: _Entry, there: dict[str, int]) -> bool:
    """Whether the second remote listed everything that a record it has names."""
    try:
        objects, documents = _needs(room, entry)
    except (ContentError, FormatError, KeyMissing):
        return True  # not from here
    return all(there.get(object_key(item.digest)) == item.size for item in objects) and all(
        there.get(key) == len(data) for key, data in documents
    )


def _listed(away: Remote) -> dict[str, int]:
    """What lies at a remote and can be read, with sizes: some 200 bytes of memory a key."""
    prefixes: Sequence[str] = ("objects/", "segments/", "manifests/", CATALOG)
    return {stat.key: stat.size for prefix in prefixes for stat in away.store.list(prefix) if not stat.archived}


def _as_content(entry: _Entry, room: Remote, error: LobsterError) -> LobsterError:
    if isinstance(error, KeyMissing):
        return MissingContent(entry.record.path, str(entry.record.pointer.digest), room.url)
    return error


def _row(entry: _Entry, objects: int, size: int) -> SyncedVersion:
    return SyncedVersion(entry.project, entry.record.path, entry.record.pointer.digest, objects, size)


def total_objects(rows: Iterable[SyncedVersion]) -> int:
    return sum(row.new_objects for row in rows)
