"""How one version comes to lie in a remote: its contents, its manifest, its record; and whether it still does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.bases import Bases
from lobsterdv.blobs.heads import Heads, require
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.source import Source
from lobsterdv.blobs.storage import Storage
from lobsterdv.blobs.upload import send_contents
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import ContentError, FormatError, KeyMissing
from lobsterdv.formats.contents import Contents
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.layout import manifest_key, record_key, segment_key
from lobsterdv.formats.manifest import (
    Manifest,
    SegmentRef,
    encode_manifest,
    encode_segment,
    split_table,
)
from lobsterdv.formats.record import Record, encode_record
from lobsterdv.formats.table import Table
from lobsterdv.index.pushed import Pushed
from lobsterdv.ops.claims import claimed_table
from lobsterdv.ops.context import Project
from lobsterdv.ops.resolve import entries_of
from lobsterdv.ops.wishes import Wish

BASES: Final = 4
"""So many earlier versions of a dataset are searched for contents that are already placed."""
BASE_ENTRIES: Final = 1 << 18
"""No more of them once they have so many entries: a million take 180 MB."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who pushes, for the catalog records of one push."""

    project_id: str
    by: str
    host: str


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
    tables = _base_tables(room, wish, _base_rows(wish, placed))
    entries = entries_of(project, wish.path, pointer, tables=tables.values())
    contents = send_contents(
        room,
        source,
        Entries.of(entries),
        Bases(list(tables.values())),
        _elsewhere(room, [*known, *placed], set(tables)),
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
    parts = split_table(table)
    first = list(islice(parts, 2))
    if len(first) == 1:
        manifest = Manifest(pointer.digest, pointer.is_directory, pointer.size, table)
    else:

        def write(part: Table) -> SegmentRef:
            stored = encode_segment(part)
            ref = SegmentRef(digest_of(stored), len(part.entries), part.entries[0].path)
            key = segment_key(ref.digest)
            if room.cache.kept_remote(room.kept(key)) != stored or not _is_there(room, key, len(stored)):
                _put(room, key, stored)
                room.cache.keep_remote(room.kept(key), stored)
            return ref

        refs = tuple(workers.each(write, chain(first, parts), jobs=jobs))
        manifest = Manifest(pointer.digest, pointer.is_directory, pointer.size, None, refs)
    stored = encode_manifest(manifest)
    _put(room, manifest_key(pointer.digest, digest_of(stored)), stored)
    return stored


def _is_there(room: Remote, key: str, size: int) -> bool:
    """One HEAD: a conditional PUT would send all of the document to learn that."""
    try:
        stat = room.store.head(key)
    except KeyMissing:
        return False
    return stat.size == size and not stat.archived


def _put(room: Remote, key: str, data: bytes) -> None:
    """Write a document; one that is there already stays, unless it is not whole."""
    if not room.store.put(key, data, if_absent=True) and room.store.head(key).size != len(data):
        room.store.put(key, data)
    require(room, key, len(data), name=key)


def _base_rows(wish: Wish, placed: Sequence[Pushed]) -> list[Pushed]:
    """The dataset's latest known versions, and this very version when the remote has it."""
    exact = [row for row in placed if row.version == wish.pointer.digest]
    return [*exact, *[row for row in placed[::-1] if row not in exact][:BASES]]


def _base_tables(room: Remote, wish: Wish, rows: Sequence[Pushed]) -> dict[Digest, Table]:
    """By manifest, the first of them foremost."""
    tables: dict[Digest, Table] = {}
    for row in rows:
        if sum(len(table.entries) for table in tables.values()) > BASE_ENTRIES:
            break  # whole files of older versions are found all the same, one version after another
        try:
            tables[row.manifest] = claimed_table(room, wish.path, row.version, row.manifest)
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
            yield Contents.of(claimed_table(room, row.path, row.version, row.manifest).contents)
        except (ContentError, FormatError, KeyMissing):
            continue
