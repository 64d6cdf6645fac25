"""How one version comes to lie in a remote: its contents, its manifest, its record; and whether it still does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.bases import BASE_ENTRIES, BASES, Bases
from lobsterdv.blobs.grace import is_old, require_no_sweep, took_long
from lobsterdv.blobs.heads import Heads, require
from lobsterdv.blobs.remote import Remote, read_manifest, read_segment, read_table
from lobsterdv.blobs.source import Source
from lobsterdv.blobs.storage import Storage
from lobsterdv.blobs.upload import send_contents
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import ContentError, FormatError, KeyMissing, MissingContent, Unreachable
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
from lobsterdv.ops.context import Project
from lobsterdv.ops.resolve import entries_of
from lobsterdv.ops.wishes import Wish

_TRIES: Final = 3


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
    """Place one version, in the order of the protocol. What it names was seen there lately, by the store's clock, when
    the record is written and when it is there; else all is looked at again, and what went is sent again.

    Raises MissingContent when neither side has its bytes, Busy while a collection deletes at a store where it could
    hit what was refreshed."""
    pointer = wish.pointer
    tables, segments = _base_tables(room, wish, _base_rows(wish, placed))
    entries = entries_of(project, wish.path, pointer, tables=tables.values())
    before = [*known, *placed]
    for _ in range(_TRIES):
        contents = send_contents(
            room,
            source,
            Entries.of(entries),
            Bases(list(tables.values())),
            _elsewhere(room, before, set(tables), segments),
            storage,
            heads,
            part_threshold=part_threshold,
            jobs=jobs,
            name=wish.path,
            progress=progress,
        )
        began = room.store.clock()
        stored = _write_manifest(room, wish, Table(entries if pointer.is_directory else (), contents), jobs=jobs)
        if not heads.still(contents.objects) or took_long(began, room.store.clock(), room.grace_s):
            continue
        row, encoded = _record(project, wish, digest_of(stored), signer)
        put_document(room, record_key(signer.project_id, row.record), encoded)
        if heads.still(contents.objects) and not took_long(began, room.store.clock(), room.grace_s):
            # A kept manifest means: it is there.
            room.cache.keep_remote(room.kept(manifest_key(pointer.digest, row.manifest)), stored)
            return row
    raise Unreachable(room.url, "push", f"what {wish.path} consists of does not stay there long enough to be named")


def _record(project: Project, wish: Wish, manifest: Digest, signer: Signer) -> tuple[Pushed, bytes]:
    at = datetime.fromtimestamp(project.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    encoded = encode_record(Record(wish.path, wish.pointer, manifest, at, signer.by, signer.host, wish.commit))
    return Pushed(wish.path, wish.pointer.digest, manifest, digest_of(encoded), at), encoded


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
                put_document(room, key, stored)
                room.cache.keep_remote(room.kept(key), stored)
            return ref

        refs = tuple(workers.each(write, chain(first, parts), jobs=jobs))
        manifest = Manifest(pointer.digest, pointer.is_directory, pointer.size, None, refs)
    stored = encode_manifest(manifest)
    put_document(room, manifest_key(pointer.digest, digest_of(stored)), stored)
    return stored


def _is_there(room: Remote, key: str, size: int) -> bool:
    """One HEAD: a conditional PUT would send all of the document to learn that. One that is old counts as absent."""
    try:
        stat = room.store.head(key)
    except KeyMissing:
        return False
    return stat.size == size and not stat.archived and not is_old(stat.modified, room.store.clock(), room.grace_s)


def put_document(room: Remote, key: str, data: bytes) -> None:
    """Write a document; one that is there already stays, unless it is not whole, or so old that a collection might
    be about to take it. One that a collection takes all the same while it is looked at is written again."""
    for _ in range(_TRIES):
        if not room.store.put(key, data, if_absent=True) and not _is_there(room, key, len(data)):
            room.store.put(key, data)
            if not room.store.is_exact:
                require_no_sweep(room.store)
        with suppress(MissingContent):
            require(room, key, len(data), name=key)
            return
    raise Unreachable(room.url, "push", f"{key} does not stay there")


def _base_rows(wish: Wish, placed: Sequence[Pushed]) -> list[Pushed]:
    """The dataset's latest known versions, and this very version when the remote has it."""
    exact = [row for row in placed if row.version == wish.pointer.digest]
    return [*exact, *[row for row in placed[::-1] if row not in exact][:BASES]]


def _base_tables(room: Remote, wish: Wish, rows: Sequence[Pushed]) -> tuple[dict[Digest, Table], Set[Digest]]:
    """By manifest, the first of them foremost; and the segments that were read for them."""
    tables: dict[Digest, Table] = {}
    segments: set[Digest] = set()
    for row in rows:
        if sum(len(table.entries) for table in tables.values()) > BASE_ENTRIES:
            break  # whole files of older versions are found all the same, one version after another
        try:
            manifest = read_manifest(room, row.version, row.manifest, name=wish.path)
            tables[row.manifest] = read_table(room, manifest, name=wish.path)
        except (ContentError, FormatError, KeyMissing):
            continue  # a base only saves bytes
        segments.update(ref.digest for ref in manifest.segments)
    return tables, segments


def _elsewhere(
    room: Remote, known: Iterable[Pushed], searched: Set[Digest], segments: Set[Digest]
) -> Iterator[Contents]:
    """What other datasets and older versions place, newest first: only manifests that this machine keeps are read, and
    of these no segment that was looked at: a hundred versions of a million files differ in as many segments."""
    looked_at = set(segments)
    others = {row.manifest: row for row in known if row.manifest not in searched}
    for row in sorted(others.values(), key=lambda row: row.at, reverse=True):
        key = manifest_key(row.version, row.manifest)
        if room.cache.kept_remote(room.kept(key)) is None:
            continue
        try:
            manifest = read_manifest(room, row.version, row.manifest, name=row.path)
            if manifest.table is not None:
                yield Contents.of(manifest.table.contents)
            for ref in manifest.segments:
                if ref.digest not in looked_at:
                    looked_at.add(ref.digest)
                    yield Contents.of(read_segment(room, ref, name=row.path).contents)
        except (ContentError, FormatError, KeyMissing):
            continue
