"""One look at a remote: what its catalogs name, and what lies there that they do not. Reads only.

What cannot be read is a root that nobody knows, so it ends the look: a collection that passes over a record deletes
what it names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from lobsterdv import workers
from lobsterdv.blobs.grace import UNDO_S
from lobsterdv.blobs.remote import Remote, documents
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import CorruptContent, FormatError, KeyMissing, Refused
from lobsterdv.formats.layout import (
    CATALOG,
    PROJECT_ID,
    name_in_key,
    object_key,
    record_in_key,
    record_key,
    retirement_key,
    segment_key,
)
from lobsterdv.formats.record import MAX_RECORD_BYTES, Record, parse_record
from lobsterdv.formats.retirement import MAX_RETIREMENT_BYTES, Retirement, parse_retirement
from lobsterdv.stores.base import Stat

_KINDS = ("manifests/", "segments/", "objects/")  # in the order in which they may go: names before what they name


@dataclass(frozen=True, slots=True)
class Filed:
    """A catalog record: ``data`` are its bytes. ``retired`` is when it was, by the store's clock; None for one that
    counts."""

    project_id: str
    name: Digest
    record: Record
    data: bytes
    retired: float | None = None
    is_forgotten: bool = False

    def is_root(self, now: float) -> bool:
        """Whether what it names must stay: a retirement can be undone for 30 days, unless the version was forgotten."""
        return not self.is_forgotten and (self.retired is None or now - self.retired < UNDO_S)


@dataclass
class Named:
    """What records name: keys of manifests and segments, and objects with their sizes in bytes."""

    keys: set[str] = field(default_factory=set)
    objects: dict[Digest, int] = field(default_factory=dict)


def read_catalogs(room: Remote, *, forgotten: Collection[Digest] = ()) -> list[Filed]:
    """Every record of every project, and those that were retired; ``forgotten`` are versions that have a tombstone.
    Raises Refused for a record that cannot be read."""
    records: list[tuple[str, Digest]] = []
    retirements: dict[tuple[str, Digest], tuple[float, str, Digest]] = {}
    for stat in room.store.list(CATALOG):
        project_id, _, rest = stat.key.removeprefix(CATALOG).partition("/")
        if not PROJECT_ID.fullmatch(project_id):
            continue
        record = record_in_key(stat.key, project_id)
        if record is not None:
            records.append((project_id, record))
        elif (found := _retirement(stat.key, project_id, rest)) is not None:
            key = project_id, found[0]
            retirements[key] = max(retirements.get(key, (0.0, "", found[1])), (stat.modified, stat.key, found[1]))
    there = set(records)

    def read(item: tuple[str, Digest]) -> Filed:
        key = record_key(*item)
        data = _read(room, key, item[1], MAX_RECORD_BYTES)
        record = _parsed(data, key)
        return Filed(*item, record, data, None, record.pointer.digest in forgotten)

    def read_retired(item: tuple[str, Digest]) -> Filed:
        modified, key, name = retirements[item]
        retirement = _retired_in(_read(room, key, name, MAX_RETIREMENT_BYTES), key)
        record = _parsed(retirement.record, key)
        return Filed(*item, record, retirement.record, modified, record.pointer.digest in forgotten)

    gone = [item for item in retirements if item not in there]  # one that is there again counts
    return [*workers.each(read, records, jobs=room.jobs), *workers.each(read_retired, gone, jobs=room.jobs)]


def named_by(room: Remote, filed: Iterable[Filed]) -> Named:
    """Everything that these records name. Raises Refused when a manifest or segment cannot be read."""
    named = Named()
    rows = {(row.record.pointer.digest, row.record.manifest): row for row in filed}

    def read(row: Filed) -> tuple[list[str], dict[Digest, int]]:
        version = row.record.pointer.digest
        what = f"{row.record.path} {version.short}"
        keys: list[str] = []
        objects: dict[Digest, int] = {}
        try:
            for key, _, found in documents(room, version, row.record.manifest, name=what):
                keys.append(key)
                objects |= {item.digest: item.size for item in found}
        except (KeyMissing, CorruptContent, FormatError) as error:
            raise Refused(what, f"what its push wrote cannot be read ({error})", "unreadable-root") from error
        return keys, objects

    for keys, objects in workers.each(read, rows.values(), jobs=room.jobs):
        named.keys.update(keys)
        named.objects |= objects
    return named


def unnamed(room: Remote, named: Named) -> Iterator[Stat]:
    """Manifests, segments and objects that nothing names. Keys of any other form are passed over."""
    for kind in _KINDS:
        for stat in room.store.list(kind):
            try:
                digest = name_in_key(stat.key, what=stat.key)
            except FormatError:
                continue
            if kind == "objects/":
                if stat.key == object_key(digest) and digest not in named.objects:
                    yield stat
            elif stat.key not in named.keys and (kind == "manifests/" or stat.key == segment_key(digest)):
                yield stat


def _retirement(key: str, project_id: str, rest: str) -> tuple[Digest, Digest] | None:
    """The retired record and the name of its retirement, of a key of that form."""
    try:
        record, name = name_in_key(rest.rpartition("/")[0], what=key), name_in_key(key, what=key)
    except FormatError:
        return None
    return (record, name) if retirement_key(project_id, record, name) == key else None


def _read(room: Remote, key: str, name: Digest, limit: int) -> bytes:
    try:
        data = room.store.read_whole(key, limit=limit)
    except (KeyMissing, CorruptContent) as error:
        raise Refused(key, f"it is in the catalog and cannot be read ({error})", "unreadable-root") from error
    if (actual := digest_of(data)) != name:
        raise Refused(
            key, f"it is in the catalog and is corrupt: its bytes are those of {actual.short}", "unreadable-root"
        )
    return data


def _parsed(data: bytes, key: str) -> Record:
    try:
        record = parse_record(data, what=key)
    except FormatError as error:
        raise Refused(
            key, f"it is in the catalog and cannot be understood ({error.problem})", "unreadable-root"
        ) from error
    if record is None:
        raise Refused(
            key, "it is in the catalog and tells of an event that this lobsterdv does not know", "unreadable-root"
        )
    return record


def _retired_in(data: bytes, key: str) -> Retirement:
    try:
        return parse_retirement(data, what=key)
    except FormatError as error:
        raise Refused(
            key, f"it is in the catalog and cannot be understood ({error.problem})", "unreadable-root"
        ) from error
