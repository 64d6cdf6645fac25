"""The table inside manifests and segments: entries, their contents, the chunks of these, and where they lie.

A *content* is the bytes of one or more equal files. Its chunks follow each other; an *extent* says
that the next so many chunks lie one after another in one object. A whole file in an object of its own,
a pack of small files and (later) a delta are all just extents (docs/format.md, section 6).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lobsterdv.chunker import AVERAGE_BITS, MAX_CHUNK_BYTES
from lobsterdv.compact import DigestIndex, Texts, repeated
from lobsterdv.digest import DIGEST_BYTES, Digests
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import column, digests, integers, pack_array, pack_integers, pack_texts, texts
from lobsterdv.formats.contents import RAW as RAW
from lobsterdv.formats.contents import ZSTD as ZSTD
from lobsterdv.formats.contents import Content as Content
from lobsterdv.formats.contents import Contents as Contents
from lobsterdv.formats.contents import Extent as Extent
from lobsterdv.formats.contents import StoredObject as StoredObject
from lobsterdv.formats.entries import BLOCK, FILES, LINK, TYPES, Entries, Entry
from lobsterdv.formats.listing import check_tree
from lobsterdv.paths import check_paths, safe_link, safe_path

_CODECS: Final = (RAW, ZSTD)


@dataclass(frozen=True, slots=True)
class Table:
    """Entries in listing order (none for a version that is a single file) and contents in order of first use.

    Any sequences will do; those of a parsed table are Entries and Contents, which give each item when it is asked for.
    """

    entries: Sequence[Entry]
    contents: Sequence[Content]

    def objects(self) -> list[StoredObject]:
        """Every object that is named, once, in order of first use."""
        return list(Contents.of(self.contents).objects)


def encode_table(table: Table) -> dict[str, bytes]:
    """The columns of a table."""
    entries, contents = Entries.of(table.entries), Contents.of(table.contents)
    objects = contents.objects
    return {
        "paths": entries.paths.bytes,
        "types": bytes(entries.types),
        "targets": pack_texts([entries.targets[at] for at in sorted(entries.targets)]),
        "entry_contents": pack_array(content_positions(entries, contents)),
        "contents": bytes(contents.digests),
        "sizes": pack_array(contents.sizes),
        "average_bits": bytes(contents.bits),
        "chunk_counts": pack_array(contents.counts),
        "chunk_lengths": pack_array(contents.lengths),
        "chunk_digests": bytes(contents.chunk_digests),
        "stored_lengths": pack_array(contents.coded),
        "extent_counts": pack_array(contents.extent_counts),
        "extent_objects": pack_array(contents.extent_objects),
        "extent_offsets": pack_array(contents.extent_offsets),
        "extent_chunks": pack_array(contents.extent_chunks),
        "objects": b"".join(o.digest for o in objects),
        "object_sizes": pack_integers([o.size for o in objects], 8),
        "object_codecs": pack_integers([_CODECS.index(o.codec) for o in objects], 1),
    }


def content_positions(entries: Entries, contents: Contents) -> array[int]:
    """For each regular file the position of its content. Contents come in order of first use, so only those of
    repeated files must be looked for. Raises KeyError for a file without one."""
    if len(entries) == len(contents) and entries.digests == contents.digests:
        return array("I", range(len(entries)))
    positions = array("I")
    index: DigestIndex | None = None
    new = 0
    wanted = bytes(contents.digests)
    for at, code in enumerate(entries.types):
        if code >= FILES:
            continue
        digest = entries.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]
        if digest == wanted[new * DIGEST_BYTES : (new + 1) * DIGEST_BYTES]:
            positions.append(new)
            new += 1
            continue
        index = index or DigestIndex(wanted)
        found = index.find(digest)
        if found < 0:
            raise KeyError(digest)
        positions.append(found)
    return positions


def parse_table(columns: dict[str, memoryview], *, what: str) -> Table:
    """Columns to a Table, every reference and sum checked. Raises FormatError."""
    objects = parse_objects(columns, what=what)
    contents = _parse_contents(columns, objects, what)
    entries = _parse_entries(columns, contents, what)
    if not _in_order_of_use(contents.extent_objects, len(objects)) or len(set(objects)) != len(objects):
        raise FormatError(what, "its objects are not those that its extents use, in that order")
    return Table(entries, contents)


def parse_objects(columns: dict[str, memoryview], *, what: str) -> list[StoredObject]:
    """The objects that a table names, without the rest of it."""
    names = digests(columns, "objects", what=what)
    sizes = integers(columns, "object_sizes", 8, what=what)
    codecs = integers(columns, "object_codecs", 1, what=what)
    if not len(names) == len(sizes) == len(codecs) or any(code >= len(_CODECS) for code in codecs):
        raise FormatError(what, "its object columns do not fit each other")
    return [StoredObject(*row) for row in zip(names, sizes, map(_CODECS.__getitem__, codecs), strict=True)]


def _parse_contents(columns: dict[str, memoryview], objects: list[StoredObject], what: str) -> Contents:
    found = Contents()
    found.digests = bytes(digests(columns, "contents", what=what).raw)
    found.sizes = integers(columns, "sizes", 8, what=what)
    found.bits = bytes(column(columns, "average_bits", what=what))
    found.counts = integers(columns, "chunk_counts", 4, what=what)
    found.extent_counts = integers(columns, "extent_counts", 4, what=what)
    found.lengths = integers(columns, "chunk_lengths", 4, what=what)
    found.chunk_digests = bytes(digests(columns, "chunk_digests", what=what).raw)
    found.coded = integers(columns, "stored_lengths", 4, what=what)
    found.extent_objects = integers(columns, "extent_objects", 4, what=what)
    found.extent_offsets = integers(columns, "extent_offsets", 8, what=what)
    found.extent_chunks = integers(columns, "extent_chunks", 4, what=what)
    found.adopt(objects)
    names = Digests(found.digests)
    rows = len(found.extent_objects)
    if not len(names) == len(found.sizes) == len(found.bits) == len(found.counts) == len(found.extent_counts):
        raise FormatError(what, "its content columns do not fit each other")
    if repeated(names):
        raise FormatError(what, "it holds a content twice")
    if not set(found.bits) <= set(AVERAGE_BITS):
        raise FormatError(what, "an unknown average chunk size")
    if not rows == len(found.extent_offsets) == len(found.extent_chunks):
        raise FormatError(what, "its extent columns do not fit each other")
    if not sum(n for n in found.counts if n > 1) == len(found.lengths) == len(Digests(found.chunk_digests)):
        raise FormatError(what, "its chunk columns do not fit each other")
    if sum(found.extent_counts) != rows or max(found.extent_objects, default=-1) >= len(objects):
        raise FormatError(what, "its extents do not fit its contents")
    _check_extents(found, what)
    return found


def _check_extents(found: Contents, what: str) -> None:
    """Chunks must add up to their content; every extent must lie in its object and all chunks in an extent."""
    coded = [item.codec != RAW for item in found.objects]
    ends = [item.size for item in found.objects]
    cut = code = row = 0
    for at, (size, count, extents) in enumerate(zip(found.sizes, found.counts, found.extent_counts, strict=True)):
        lengths: Sequence[int] = (size,)
        if count > 1:
            lengths = found.lengths[cut : cut + count]
            cut += count
        if (sum(lengths) != size or min(lengths) == 0 or max(lengths) > MAX_CHUNK_BYTES) if count else size:
            raise FormatError(what, f"the chunks of {found.digest(at).short} do not add up to its size")
        first = 0
        for r in range(row, row + extents):
            chunks, target = found.extent_chunks[r], found.extent_objects[r]
            if not 0 < chunks <= count - first:
                raise FormatError(what, f"the extents of {found.digest(at).short} do not hold its chunks")
            if coded[target]:
                stored: Sequence[int] = found.coded[code : code + chunks]
                code += chunks
            else:
                stored = lengths if chunks == count else lengths[first : first + chunks]
            if len(stored) != chunks or found.extent_offsets[r] + sum(stored) > ends[target]:
                raise FormatError(what, f"an extent of {found.digest(at).short} is outside its object")
            first += chunks
        if first != count:
            raise FormatError(what, f"the extents of {found.digest(at).short} do not hold its chunks")
        row += extents
    if code != len(found.coded):
        raise FormatError(what, "it has more stored lengths than chunks")


def _parse_entries(columns: dict[str, memoryview], contents: Contents, what: str) -> Entries:
    lines = bytes(column(columns, "paths", what=what))
    types = bytes(column(columns, "types", what=what))
    links = texts(columns, "targets", what=what)
    used = integers(columns, "entry_contents", 4, what=what)
    if lines[-1:] not in (b"", b"\n") or lines.count(b"\n") != len(types) or max(types, default=0) >= len(TYPES):
        raise FormatError(what, "its entry columns do not fit each other")
    if types.count(LINK) != len(links) or types.count(0) + types.count(1) != len(used):
        raise FormatError(what, "its entry columns do not fit each other")
    if types and not _in_order_of_use(used, len(contents)):
        raise FormatError(what, "it holds contents that no entry uses, or not in order of first use")
    paths = _parse_paths(lines, what)
    if len(used) == len(types) == len(contents):
        sizes, names = contents.sizes, bytes(contents.digests)
    else:
        sizes, names = _spread(types, used, contents)
    targets = dict(zip((at for at, code in enumerate(types) if code == LINK), links, strict=True))
    for at, target in targets.items():
        safe_link(safe_path(paths[at]), target)
    entries = Entries(paths, types, sizes, names, targets)
    check_tree(entries, what=what)
    return entries


def _parse_paths(lines: bytes, what: str) -> Texts:
    try:
        lines.decode()
    except UnicodeDecodeError:
        raise FormatError(what, "its column paths is not UTF-8") from None
    paths = Texts(lines)
    for start in range(0, len(paths), BLOCK):
        check_paths(paths.block(start, min(start + BLOCK, len(paths))))
    return paths


def _spread(types: bytes, used: array[int], contents: Contents) -> tuple[array[int], bytes]:
    """The sizes and digests of entries that are not each a content of its own."""
    sizes, names = array("Q"), bytearray()
    following = iter(used)
    for code in types:
        if code < FILES:
            at = next(following)
            sizes.append(contents.sizes[at])
            names.extend(contents.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES])
        else:
            sizes.append(0)
            names += bytes(DIGEST_BYTES)
    return sizes, bytes(names)


def _in_order_of_use(used: Sequence[int], count: int) -> bool:
    """True when all of 0 to ``count`` - 1 are used, and each for the first time after those before it."""
    new = 0
    for at in used:
        if at >= new:
            if at > new:
                return False
            new += 1
    return new == count
