"""The table inside manifests and segments: entries, their contents, the chunks of these, and where they lie.

A *content* is the bytes of one or more equal files. Its chunks follow each other; an *extent* says
that the next so many chunks lie one after another in one object. A whole file in an object of its own,
a pack of small files and (later) a delta are all just extents (docs/format.md, section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from lobsterdv.chunker import AVERAGE_BITS, MAX_CHUNK_BYTES
from lobsterdv.digest import Digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import digests, integers, pack_integers, pack_texts, texts
from lobsterdv.formats.listing import Entry, EntryType, check_tree
from lobsterdv.paths import safe_link, safe_path

RAW: Final = "none"
ZSTD: Final = "zstd"
_CODECS: Final = (RAW, ZSTD)
_TYPES: Final = (EntryType.FILE, EntryType.EXECUTABLE, EntryType.LINK, EntryType.FOLDER)
_TYPE_CODES: Final = {kind: code for code, kind in enumerate(_TYPES)}


class StoredObject(NamedTuple):
    """An object as a manifest names it: digest and size in bytes of what is stored, and its codec."""

    digest: Digest
    size: int
    codec: str = RAW


class Extent(NamedTuple):
    """``chunks`` chunks in a row, from byte ``offset`` of ``object``."""

    object: StoredObject
    offset: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file: its chunks (lengths in bytes, digests) and the extents that hold them.

    ``stored_lengths`` are the chunks' lengths inside their objects; equal to ``lengths`` unless the
    object's codec is zstd.
    """

    digest: Digest
    size: int
    average_bits: int
    lengths: Sequence[int]
    chunk_digests: Sequence[Digest]
    stored_lengths: Sequence[int]
    extents: tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Entries in listing order (none for a version that is a single file) and contents in order of first use."""

    entries: tuple[Entry, ...]
    contents: tuple[Content, ...]

    def objects(self) -> list[StoredObject]:
        """Every object that is named, once, in order of first use."""
        return list(dict.fromkeys(e.object for c in self.contents for e in c.extents))


def encode_table(table: Table) -> dict[str, bytes]:
    """The columns of a table."""
    objects = {o: i for i, o in enumerate(table.objects())}
    index = {content.digest: i for i, content in enumerate(table.contents)}
    extents = [e for c in table.contents for e in c.extents]
    cut = [c for c in table.contents if len(c.lengths) > 1]
    entries = table.entries
    return {
        "paths": pack_texts([e.path for e in entries]),
        "types": pack_integers([_TYPE_CODES[e.type] for e in entries], 1),
        "targets": pack_texts([e.target for e in entries if e.target is not None]),
        "entry_contents": pack_integers([index[e.digest] for e in entries if e.digest is not None], 4),
        "contents": b"".join(c.digest for c in table.contents),
        "sizes": pack_integers([c.size for c in table.contents], 8),
        "average_bits": pack_integers([c.average_bits for c in table.contents], 1),
        "chunk_counts": pack_integers([len(c.lengths) for c in table.contents], 4),
        "chunk_lengths": pack_integers([n for c in cut for n in c.lengths], 4),
        "chunk_digests": b"".join(d for c in cut for d in c.chunk_digests),
        "stored_lengths": pack_integers(list(_coded_lengths(table.contents)), 4),
        "extent_counts": pack_integers([len(c.extents) for c in table.contents], 4),
        "extent_objects": pack_integers([objects[e.object] for e in extents], 4),
        "extent_offsets": pack_integers([e.offset for e in extents], 8),
        "extent_chunks": pack_integers([e.chunks for e in extents], 4),
        "objects": b"".join(o.digest for o in objects),
        "object_sizes": pack_integers([o.size for o in objects], 8),
        "object_codecs": pack_integers([_CODECS.index(o.codec) for o in objects], 1),
    }


def parse_table(columns: dict[str, memoryview], *, what: str) -> Table:
    """Columns to a Table, every reference and sum checked. Raises FormatError."""
    objects = parse_objects(columns, what=what)
    contents = _parse_contents(columns, objects, what)
    entries = _parse_entries(columns, contents, what)
    table = Table(entries, contents)
    if table.objects() != objects:
        raise FormatError(what, "its objects are not those that its extents use, in that order")
    return table


def parse_objects(columns: dict[str, memoryview], *, what: str) -> list[StoredObject]:
    """The objects that a table names, without the rest of it (which takes 50 ms for 10,000 files)."""
    names = digests(columns, "objects", what=what)
    sizes = integers(columns, "object_sizes", 8, what=what)
    codecs = integers(columns, "object_codecs", 1, what=what)
    if not len(names) == len(sizes) == len(codecs) or any(code >= len(_CODECS) for code in codecs):
        raise FormatError(what, "its object columns do not fit each other")
    return [StoredObject(*row) for row in zip(names, sizes, map(_CODECS.__getitem__, codecs), strict=True)]


def _parse_contents(columns: dict[str, memoryview], objects: list[StoredObject], what: str) -> tuple[Content, ...]:
    names = digests(columns, "contents", what=what)
    sizes = integers(columns, "sizes", 8, what=what)
    bits = integers(columns, "average_bits", 1, what=what)
    counts = integers(columns, "chunk_counts", 4, what=what)
    extent_counts = integers(columns, "extent_counts", 4, what=what)
    if not len(names) == len(set(names)) == len(sizes) == len(bits) == len(counts) == len(extent_counts):
        raise FormatError(what, "its content columns do not fit each other")
    if not set(bits) <= set(AVERAGE_BITS):
        raise FormatError(what, "an unknown average chunk size")
    cut_lengths = integers(columns, "chunk_lengths", 4, what=what)
    cut_digests = digests(columns, "chunk_digests", what=what)
    coded = iter(integers(columns, "stored_lengths", 4, what=what))
    rows = list(
        zip(
            integers(columns, "extent_objects", 4, what=what),
            integers(columns, "extent_offsets", 8, what=what),
            integers(columns, "extent_chunks", 4, what=what),
            strict=False,
        )
    )
    if any(
        len(columns[n]) != w * len(rows)
        for n, w in (("extent_objects", 4), ("extent_offsets", 8), ("extent_chunks", 4))
    ):
        raise FormatError(what, "its extent columns do not fit each other")
    if sum(n for n in counts if n > 1) != len(cut_lengths) or len(cut_lengths) != len(cut_digests):
        raise FormatError(what, "its chunk columns do not fit each other")
    if sum(extent_counts) != len(rows) or any(row[0] >= len(objects) for row in rows):
        raise FormatError(what, "its extents do not fit its contents")
    contents = []
    chunk = row = 0
    for name, size, average, count, extent_count in zip(names, sizes, bits, counts, extent_counts, strict=True):
        if count > 1:
            lengths, chunk_names = cut_lengths[chunk : chunk + count], cut_digests[chunk : chunk + count]
            chunk += count
        else:
            lengths, chunk_names = [size] * count, [name] * count
        if sum(lengths) != size or (size == 0) != (count == 0) or any(not 0 < n <= MAX_CHUNK_BYTES for n in lengths):
            raise FormatError(what, f"the chunks of {name.short} do not add up to its size")
        extents = tuple(Extent(objects[o], offset, n) for o, offset, n in rows[row : row + extent_count])
        row += extent_count
        stored = _stored_lengths(name, lengths, extents, coded, what)
        contents.append(Content(name, size, average, lengths, chunk_names, stored, extents))
    if next(coded, None) is not None:
        raise FormatError(what, "it has more stored lengths than chunks")
    return tuple(contents)


def _stored_lengths(
    name: Digest, lengths: list[int], extents: tuple[Extent, ...], coded: Iterable[int], what: str
) -> Sequence[int]:
    """Lengths inside the objects; every extent must lie in its object and all chunks in an extent."""
    if sum(e.chunks for e in extents) != len(lengths) or any(e.chunks == 0 for e in extents):
        raise FormatError(what, f"the extents of {name.short} do not hold its chunks")
    stored: list[int] = []
    source = iter(coded)
    for extent in extents:
        first = len(stored)
        if extent.object.codec == RAW:
            stored += lengths[first : first + extent.chunks]
        else:
            stored += [n for _, n in zip(range(extent.chunks), source, strict=False)]
        if len(stored) != first + extent.chunks or extent.offset + sum(stored[first:]) > extent.object.size:
            raise FormatError(what, f"an extent of {name.short} is outside its object")
    return stored


def _parse_entries(columns: dict[str, memoryview], contents: tuple[Content, ...], what: str) -> tuple[Entry, ...]:
    paths = texts(columns, "paths", what=what)
    types = integers(columns, "types", 1, what=what)
    targets = texts(columns, "targets", what=what)
    used = integers(columns, "entry_contents", 4, what=what)
    if len(paths) != len(types) or any(code >= len(_TYPES) for code in types):
        raise FormatError(what, "its entry columns do not fit each other")
    if types.count(2) != len(targets) or types.count(0) + types.count(1) != len(used):
        raise FormatError(what, "its entry columns do not fit each other")
    # Contents come in order of first use, so the running maximum of the indexes grows by at most one.
    highest = list(accumulate(used, max, initial=-1))
    if any(b > a + 1 for a, b in pairwise(highest)):
        raise FormatError(what, "its contents are not in order of first use")
    if paths and highest[-1] + 1 != len(contents):
        raise FormatError(what, "it holds contents that no entry uses")
    target, content = iter(targets), iter(used)
    entries = []
    for text, code in zip(paths, types, strict=True):
        path, kind = safe_path(text), _TYPES[code]
        if code < 2:
            found = contents[next(content)]
            entries.append(Entry(path, kind, found.size, found.digest))
        elif code == 2:
            entries.append(Entry(path, kind, target=safe_link(path, next(target))))
        else:
            entries.append(Entry(path, kind))
    check_tree(entries, what=what)
    return tuple(entries)


def _coded_lengths(contents: Iterable[Content]) -> Iterable[int]:
    for content in contents:
        first = 0
        for extent in content.extents:
            if extent.object.codec != RAW:
                yield from content.stored_lengths[first : first + extent.chunks]
            first += extent.chunks
