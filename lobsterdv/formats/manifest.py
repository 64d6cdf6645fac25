"""Manifests and segments: one way a version is stored (docs/format.md, sections 6 and 7).

A manifest holds its table itself, or, when that would be large, names the segments that hold it in
order. Segments are cut by content (a path decides), so that one changed file among a million changes
one segment and the manifest.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from lobsterdv.digest import Digest, checksum_of, parse_digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import (
    compress,
    decompress,
    digests,
    encode_columns,
    integers,
    pack_integers,
    pack_texts,
    parse_columns,
    texts,
)
from lobsterdv.formats.contents import Content, Contents, StoredObject
from lobsterdv.formats.entries import FILES, LINK, Entries
from lobsterdv.formats.table import Table, content_positions, encode_table, parse_objects, parse_table
from lobsterdv.paths import SafeRelPath, safe_path

INLINE_ROWS: Final = 1 << 16
"""Up to so many rows of 64 bytes (4 MiB, stored in under 1 MB) a directory's table stays in the manifest itself."""
SEGMENT_ROWS: Final = 1 << 18
"""A segment ends at the latest after so many rows (16 MiB): with the chunks of one more file, at most 2^20
in 40 MiB, it stays below the 64 MiB that readers take."""
_CUT_MASK: Final = (1 << 13) - 1  # of 8,192 rows (512 KiB) one ends a segment, wherever it stands
_ROW_BYTES: Final = 64
_ENTRY_BYTES: Final = 64  # in the columns, besides path, target, chunks and extents
_CHUNK_BYTES: Final = 40
_EXTENT_BYTES: Final = 57  # with an object of its own


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """A segment as its manifest names it: the digest of its stored bytes, its entries and their first path."""

    digest: Digest
    entries: int
    first_path: SafeRelPath


@dataclass(frozen=True, slots=True)
class Manifest:
    """How the version ``version`` (``size`` bytes) is stored. Exactly one of ``table`` and ``segments`` counts:
    ``table`` is None when the rows are in segments."""

    version: Digest
    is_directory: bool
    size: int
    table: Table | None
    segments: tuple[SegmentRef, ...] = ()


def split_table(table: Table) -> Iterator[Table]:
    """A large table cut into segments at paths that end one; a small one, or a single file, as it is."""
    entries, contents = Entries.of(table.entries), Contents.of(table.contents)
    positions = content_positions(entries, contents)
    weights = _rows(entries, contents, positions)
    if sum(weights) <= INLINE_ROWS:
        yield table
        return
    start = first = rows = 0
    for position, (path, weight) in enumerate(zip(entries.paths, weights, strict=True)):
        rows += weight
        # The more rows an entry has, the likelier it ends a segment: segments are alike in size, whatever they hold.
        ends = int.from_bytes(checksum_of(path.encode())[:4]) & _CUT_MASK < weight
        if ends or rows >= SEGMENT_ROWS or position + 1 == len(entries):
            part = entries[start : position + 1]
            used = dict.fromkeys(positions[first : first + part.files])
            yield Table(part, contents.take(list(used)))
            start, first, rows = position + 1, first + part.files, 0


def _rows(entries: Entries, contents: Contents, positions: Iterable[int]) -> array[int]:
    """How many rows each entry counts for: what it takes in the columns, rounded up."""
    weights = array("I")
    used = iter(positions)
    for at, (code, path_bytes) in enumerate(zip(entries.types, entries.paths.lengths(), strict=True)):
        weight = _ENTRY_BYTES + path_bytes
        if code < FILES:
            content = next(used)
            chunks = contents.counts[content]
            weight += (_CHUNK_BYTES * chunks if chunks > 1 else 0) + _EXTENT_BYTES * contents.extent_counts[content]
        elif code == LINK:
            weight += len(entries.targets[at].encode())
        weights.append(-(-weight // _ROW_BYTES))
    return weights


def encode_manifest(manifest: Manifest) -> bytes:
    """The stored form (zstd). Its BLAKE3 is the manifest's name."""
    facts: dict[str, object] = {
        "version": str(manifest.version),
        "shape": "directory" if manifest.is_directory else "file",
        "size": manifest.size,
    }
    if manifest.table is not None:
        columns = encode_table(manifest.table)
    else:
        columns = {
            "segments": b"".join(s.digest for s in manifest.segments),
            "segment_entries": pack_integers([s.entries for s in manifest.segments], 4),
            "segment_first_paths": pack_texts([s.first_path for s in manifest.segments]),
        }
    return compress(encode_columns("manifest", facts, columns))


def parse_manifest(stored: bytes, *, what: str) -> Manifest:
    """A stored manifest, checked as far as it can be without its segments. Raises FormatError."""
    header, columns = parse_columns(decompress(stored, what=what), "manifest", what=what)
    shape, size = header.get("shape"), header.get("size")
    if shape not in ("file", "directory") or type(size) is not int or not 0 <= size < 1 << 63:
        raise FormatError(what, "its header has no shape or size")
    version = parse_digest(header.get("version"), what=what)
    if "segments" in columns:
        if shape != "directory" or "paths" in columns:
            raise FormatError(what, "segments are for directories, and in place of a table")
        return Manifest(version, shape == "directory", size, None, _parse_segments(columns, what))
    table = parse_table(columns, what=what)
    check_totals(
        table.entries, table.contents, version=version, is_directory=shape == "directory", size=size, what=what
    )
    return Manifest(version, shape == "directory", size, table)


def objects_in(stored: bytes, kind: Literal["manifest", "segment"], *, what: str) -> list[StoredObject]:
    """The objects that a stored manifest or segment names; none for a manifest whose rows are in segments."""
    _, columns = parse_columns(decompress(stored, what=what), kind, what=what)
    return [] if "segments" in columns else parse_objects(columns, what=what)


def segments_in(stored: bytes, *, what: str) -> list[Digest]:
    """The segments that a stored manifest names; none for one that holds its rows itself."""
    _, columns = parse_columns(decompress(stored, what=what), "manifest", what=what)
    return list(digests(columns, "segments", what=what)) if "segments" in columns else []


def check_totals(
    entries: Sequence[object],
    contents: Sequence[Content],
    *,
    version: Digest,
    is_directory: bool,
    size: int,
    what: str,
) -> None:
    """A file version is its one content; a directory's size is checked with its listing."""
    if not is_directory and (
        entries or len(contents) != 1 or contents[0].digest != version or contents[0].size != size
    ):
        raise FormatError(what, "it does not describe the one file it names")
    if is_directory and contents and not entries:
        raise FormatError(what, "it holds contents that no entry uses")


def encode_segment(table: Table) -> bytes:
    """The stored form (zstd) of one segment. Its BLAKE3 is the segment's name."""
    return compress(encode_columns("segment", {}, encode_table(table)))


def parse_segment(stored: bytes, ref: SegmentRef, *, what: str) -> Table:
    """A stored segment; it must hold what its manifest says. Raises FormatError."""
    _, columns = parse_columns(decompress(stored, what=what), "segment", what=what)
    table = parse_table(columns, what=what)
    if len(table.entries) != ref.entries or table.entries[0].path != ref.first_path:
        raise FormatError(what, "it does not hold the entries its manifest says")
    return table


def join_tables(tables: Iterable[Table]) -> Table:
    """Segments in order, as one table; a content that several segments use is kept once."""
    parts = list(tables)
    if len(parts) == 1:
        return parts[0]
    entries = Entries.joined(Entries.of(part.entries) for part in parts)
    contents = [Contents.of(part.contents) for part in parts]
    parts.clear()  # of a million files the parts and the whole together are 300 MB
    return Table(entries, Contents.joined(contents))


def _parse_segments(columns: dict[str, memoryview], what: str) -> tuple[SegmentRef, ...]:
    names = digests(columns, "segments", what=what)
    counts = integers(columns, "segment_entries", 4, what=what)
    firsts = [safe_path(text) for text in texts(columns, "segment_first_paths", what=what)]
    if not len(names) == len(counts) == len(firsts) or 0 in counts or not names:
        raise FormatError(what, "its segment columns do not fit each other")
    if any(a >= b for a, b in pairwise(firsts)):
        raise FormatError(what, "its segments are out of order")
    return tuple(map(SegmentRef, names, counts, firsts))
