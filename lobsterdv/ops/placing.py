"""How one version comes to lie in a remote: its contents, its manifest, its record; and whether it still does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.bases import Bases
from lobsterdv.blobs.heads import Heads, require
from lobsterdv.blobs.remote import Remote, read_document, read_table, records
from lobsterdv.blobs.source import Source
from lobsterdv.blobs.storage import Storage
from lobsterdv.blobs.upload import send_contents
from lobsterdv.blobs.verbatim import is_verbatim
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import ContentError, FormatError, KeyMissing, MissingContent
from lobsterdv.formats.contents import Contents
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.layout import manifest_key, object_key, record_key, segment_key
from lobsterdv.formats.manifest import (
    Manifest,
    SegmentRef,
    encode_manifest,
    encode_segment,
    objects_in,
    parse_manifest,
    segments_in,
    split_table,
)
from lobsterdv.formats.record import Record, encode_record
from lobsterdv.formats.table import Table
from lobsterdv.index.pushed import Pushed, load_pushed, save_pushed
from lobsterdv.ops.context import Project
from lobsterdv.ops.resolve import entries_of
from lobsterdv.ops.wishes import Wish

BASES: Final = 4
"""So many earlier versions of a dataset are searched for contents that are already placed."""
ALL_HEADS: Final = 1000
"""Up to so many objects of a version are all asked for; of more, an even sample of as many."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who pushes, for the catalog records of one push."""

    project_id: str
    by: str
    host: str


def known_pushes(project: Project, room: Remote, wanted: Sequence[Wish]) -> dict[tuple[str, Digest], Pushed]:
    """What the catalog says was pushed, by path and version, oldest first: from memory, and, when a wanted version
    is not in it, from the records that this machine has not read yet."""
    shelf = f"{room.marker.store_id}/{project.project_id}"
    rows = load_pushed(project.index, shelf)
    known = {(row.path, row.version): row for row in rows}
    if any(wish.key not in known for wish in wanted):
        new = [
            Pushed(record.path, record.pointer.digest, record.manifest, digest, record.at)
            for digest, record in records(room, project.project_id, known=(row.record for row in rows))
        ]
        save_pushed(project.index, shelf, new)
        known = {(row.path, row.version): row for row in sorted([*rows, *new], key=lambda row: row.at)}
    return known


def still_complete(room: Remote, claims: Sequence[tuple[Wish, Pushed]], *, project_id: str) -> set[tuple[str, Digest]]:
    """Ask for everything these pushes claim; returns the keys of those that are not whole at the remote."""
    heads: dict[str, tuple[int | None, set[tuple[str, Digest]]]] = {}
    incomplete = set()
    for wish, row in claims:
        try:
            heads.setdefault(record_key(project_id, row.record), (None, set()))[1].add(wish.key)
            for key, size in _claimed(room, wish, row):
                heads.setdefault(key, (size, set()))[1].add(wish.key)
        except (ContentError, FormatError, KeyMissing):
            incomplete.add(wish.key)

    def absent(key: str) -> set[tuple[str, Digest]]:
        size, needed_by = heads[key]
        try:
            stat = room.store.head(key)
        except KeyMissing:
            return needed_by
        return needed_by if stat.archived or (size is not None and stat.size != size) else set()

    for lost in workers.each(absent, heads, jobs=room.jobs):
        incomplete |= lost
    return incomplete


def is_plain(room: Remote, wish: Wish, row: Pushed) -> bool:
    """True when this push stored every file as an object of its own. Raises what reading a manifest raises."""
    return all(is_verbatim(c) for c in _table(room, wish.path, row.version, row.manifest).contents if c.size)


def send_version(
    project: Project,
    room: Remote,
    wish: Wish,
    source: Source,
    placed: Sequence[Pushed],
    known: Iterable[Pushed],
    storage: Storage,
    heads: Heads,
    signer: Signer,
    *,
    part_threshold: int,
    jobs: int,
    progress: Callable[[int], None],
) -> Pushed:
    """Place one version, in the order of the protocol. Raises MissingContent when neither side has its bytes."""
    pointer = wish.pointer
    rows = _base_rows(wish, placed)
    tables = _base_tables(room, wish, rows)
    entries = entries_of(project, wish.path, pointer, tables=tables)
    contents = send_contents(
        room,
        source,
        Entries.of(entries),
        Bases(tables),
        _elsewhere(room, [*known, *placed], {row.manifest for row in rows}),
        storage,
        heads,
        part_threshold=part_threshold,
        jobs=jobs,
        name=wish.path,
        progress=progress,
    )
    table = Table(entries if pointer.is_directory else (), contents)
    stored = _write_manifest(room, wish, table, jobs=jobs)
    manifest = digest_of(stored)
    at = datetime.fromtimestamp(project.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    record = Record(wish.path, pointer, manifest, at, signer.by, signer.host, wish.commit)
    encoded = encode_record(record)
    name = digest_of(encoded)
    _put(room, record_key(signer.project_id, name), encoded)
    room.cache.keep_remote(room.kept(manifest_key(pointer.digest, manifest)), stored)  # a kept one means: it is there
    return Pushed(wish.path, pointer.digest, manifest, name, at)


def _write_manifest(room: Remote, wish: Wish, table: Table, *, jobs: int) -> bytes:
    pointer = wish.pointer
    parts = list(split_table(table))
    if len(parts) == 1:
        manifest = Manifest(pointer.digest, pointer.is_directory, pointer.size, table)
    else:

        def write(part: Table) -> SegmentRef:
            stored = encode_segment(part)
            ref = SegmentRef(digest_of(stored), len(part.entries), part.entries[0].path)
            _put(room, segment_key(ref.digest), stored)
            room.cache.keep_remote(room.kept(segment_key(ref.digest)), stored)
            return ref

        refs = tuple(workers.each(write, parts, jobs=jobs))
        manifest = Manifest(pointer.digest, pointer.is_directory, pointer.size, None, refs)
    stored = encode_manifest(manifest)
    _put(room, manifest_key(pointer.digest, digest_of(stored)), stored)
    return stored


def _put(room: Remote, key: str, data: bytes) -> None:
    """Write a document; one that is there already stays, unless it is not whole."""
    if not room.store.put(key, data, if_absent=True) and room.store.head(key).size != len(data):
        room.store.put(key, data)
    require(room, key, len(data), name=key)


def _base_rows(wish: Wish, placed: Sequence[Pushed]) -> list[Pushed]:
    """The dataset's latest known versions, and this very version when the remote has it."""
    exact = [row for row in placed if row.version == wish.pointer.digest]
    return [*exact, *[row for row in placed[::-1] if row not in exact][:BASES]]


def _base_tables(room: Remote, wish: Wish, rows: Sequence[Pushed]) -> list[Table]:
    tables = []
    for row in rows:
        try:
            tables.append(_table(room, wish.path, row.version, row.manifest))
        except (ContentError, FormatError, KeyMissing):
            continue  # a base only saves bytes
    return tables


def _elsewhere(room: Remote, known: Iterable[Pushed], searched: Set[Digest]) -> Iterator[Contents]:
    """What other datasets and older versions place, newest first: only manifests that this machine keeps are read."""
    others = {row.manifest: row for row in known if row.manifest not in searched}
    for row in sorted(others.values(), key=lambda row: row.at, reverse=True):
        key = manifest_key(row.version, row.manifest)
        if room.cache.kept_remote(room.kept(key)) is None:
            continue
        try:
            yield Contents.of(_table(room, row.path, row.version, row.manifest).contents)
        except (ContentError, FormatError, KeyMissing):
            continue


def _table(room: Remote, name: str, version: Digest, manifest: Digest) -> Table:
    return read_table(room, _manifest(room, name, version, manifest), name=name)


def _manifest(room: Remote, name: str, version: Digest, manifest: Digest) -> Manifest:
    key = manifest_key(version, manifest)
    try:
        return parse_manifest(read_document(room, key, manifest, name=f"the manifest of {name}"), what=key)
    except KeyMissing:
        raise MissingContent(f"the manifest of {name}", str(manifest), room.url) from None


def _claimed(room: Remote, wish: Wish, row: Pushed) -> Iterable[tuple[str, int | None]]:
    """Every key a push wrote or relied on, with its size. Of manifest and segments only what names other keys is
    parsed: all of a table of 10,000 files takes 50 ms."""
    key = manifest_key(row.version, row.manifest)
    stored = read_document(room, key, row.manifest, name=f"the manifest of {wish.path}")
    yield key, len(stored)
    objects = objects_in(stored, "manifest", what=key)
    for digest in segments_in(stored, what=key):
        key = segment_key(digest)
        stored = read_document(room, key, digest, name=f"a segment of {wish.path}")
        yield key, len(stored)
        objects += objects_in(stored, "segment", what=key)
    objects = list(dict.fromkeys(objects))
    step = max(1, len(objects) // ALL_HEADS)
    for item in objects[::step]:
        yield object_key(item.digest), item.size
