"""What one remote lacks of another: the pushes of all projects, by the catalogs and a list of what is there.

Reads only. A value counts as there when it is listed under its name with its size, and can be read (an archived one
cannot); whether its bytes are right, ``verify --remote`` finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote, documents, retired
from lobsterdv.blobs.tombstones import forgotten
from lobsterdv.digest import digest_of
from lobsterdv.errors import ContentError, CorruptContent, FormatError, KeyMissing
from lobsterdv.formats.layout import (
    CATALOG,
    PROJECT_ID,
    name_in_key,
    object_key,
    record_in_key,
)
from lobsterdv.formats.record import MAX_RECORD_BYTES, Record, parse_record
from lobsterdv.formats.table import StoredObject
from lobsterdv.ops.context import Failure


@dataclass(frozen=True, slots=True)
class Entry:
    """A catalog record and its bytes; what its manifest names is read when it is its turn (``needs``). ``is_named``
    when the second remote has the record, but not all behind it."""

    project: str
    key: str
    record: Record
    data: bytes
    is_named: bool = False


@dataclass
class Difference:
    """``lacking`` oldest first. Versions that are ``present`` are there whole; ``forgotten`` at either remote or
    ``retired`` at the second are not to be brought. ``there`` is what the second one listed, with sizes."""

    there: dict[str, int]
    lacking: list[Entry] = field(default_factory=list)
    present: int = 0
    forgotten: int = 0
    retired: int = 0
    failures: list[Failure] = field(default_factory=list)


def difference(room: Remote, away: Remote | None) -> Difference:
    """What ``away`` lacks of ``room``; everything when there is no remote yet. Raises RemoteError."""
    found = Difference(_listed(away) if away else {})
    there = found.there
    gone = forgotten(room) | (forgotten(away) if away else set())
    entries = _entries(room, found.failures)
    retired_there = {
        (project, name)
        for project in {entry.project for entry in entries}
        for name in (retired(away, project) if away else ())
    }
    for entry in entries:
        is_named = entry.key in there
        if entry.record.pointer.digest in gone:
            found.forgotten += 1
        elif not is_named and (entry.project, name_in_key(entry.key, what=entry.key)) in retired_there:
            found.retired += 1
        elif is_named and _is_whole(room, entry, there):
            found.present += 1
        else:
            found.lacking.append(replace(entry, is_named=is_named))
    return found


def needs(room: Remote, entry: Entry) -> tuple[list[StoredObject], list[tuple[str, bytes]]]:
    """The objects of a version, and its segments and then its manifest with their keys. Verified."""
    record = entry.record
    (manifest, *segments) = documents(room, record.pointer.digest, record.manifest, name=record.path)
    objects = dict.fromkeys(item for _, _, named in (manifest, *segments) for item in named)
    return list(objects), [(key, data) for key, data, _ in (*segments, manifest)]


def _entries(room: Remote, failures: list[Failure]) -> list[Entry]:
    keys = []
    for stat in room.store.list(CATALOG):
        project, _, _ = stat.key.removeprefix(CATALOG).partition("/")
        if PROJECT_ID.fullmatch(project) and record_in_key(stat.key, project) is not None:
            keys.append((project, stat.key))

    def read(item: tuple[str, str]) -> Entry | Failure | None:
        project, key = item
        try:
            data = room.store.read_whole(key, limit=MAX_RECORD_BYTES)
            record = parse_record(data, what=key)
        except (KeyMissing, FormatError, CorruptContent) as error:
            return Failure(key, error)
        if digest_of(data) != name_in_key(key, what=key):
            return Failure(key, CorruptContent(key, room.url, key.rpartition("/")[2], str(digest_of(data))))
        return None if record is None else Entry(project, key, record, data)

    found = list(workers.each(read, keys, jobs=room.jobs))
    failures += [item for item in found if isinstance(item, Failure)]
    return sorted((e for e in found if isinstance(e, Entry)), key=lambda entry: (entry.record.at, entry.key))


def _is_whole(room: Remote, entry: Entry, there: dict[str, int]) -> bool:
    """Whether the second remote listed everything that a record it has names."""
    try:
        objects, documents = needs(room, entry)
    except (ContentError, FormatError, KeyMissing):
        return True  # not from here
    return all(there.get(object_key(item.digest)) == item.size for item in objects) and all(
        there.get(key) == len(data) for key, data in documents
    )


def _listed(away: Remote) -> dict[str, int]:
    """What lies at a remote and can be read, with sizes: some 200 bytes of memory a key."""
    prefixes: Sequence[str] = ("objects/", "segments/", "manifests/", CATALOG)
    return {stat.key: stat.size for prefix in prefixes for stat in away.store.list(prefix) if not stat.archived}
