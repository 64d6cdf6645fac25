"""Contents: the bytes of files, the chunks they are cut into and the extents that hold these, in columns (80 bytes for
a small file, 36 for a further chunk). Checks nothing; ``table`` does."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from operator import eq
from typing import Final, NamedTuple, overload

from lobsterdv.compact import Compact, Numbers, repeated, starts_of
from lobsterdv.digest import DIGEST_BYTES, Digest, Digests

RAW: Final = "none"
ZSTD: Final = "zstd"


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


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """The bytes of a file: its chunks (lengths in bytes, digests) and the extents that hold them.

    ``stored_lengths`` are the chunks' lengths inside their objects; equal to ``lengths`` unless the
    object's codec is zstd. Any sequences will do, and compare by their items.
    """

    digest: Digest
    size: int
    average_bits: int
    lengths: Sequence[int]
    chunk_digests: Sequence[Digest]
    stored_lengths: Sequence[int]
    extents: tuple[Extent, ...]

    @property
    def is_verbatim(self) -> bool:
        """True when it is one object, byte for byte, that any tool can open."""
        return len(self.extents) == 1 and self.extents[0].object == StoredObject(self.digest, self.size, RAW)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Content):
            return NotImplemented
        return _comparable(self) == _comparable(other)

    __hash__ = None  # type: ignore[assignment]


def _comparable(content: Content) -> list[object]:
    values = (getattr(content, f.name) for f in fields(content))
    return [list(v) if isinstance(v, Sequence) and not isinstance(v, bytes) else v for v in values]


class Contents(Compact[Content]):
    """Contents in columns, as in docs/format.md, 6.1; ``coded`` are the stored lengths of chunks in zstd objects.
    ``objects`` stand in order of first use. Filled by ``append`` and ``extend``; a content comes once."""

    def __init__(self) -> None:
        self.digests: bytes | bytearray = bytearray()
        self.sizes = array("Q")
        self.bits: bytes | bytearray = bytearray()
        self.counts = array("I")
        self.lengths = array("I")
        self.chunk_digests: bytes | bytearray = bytearray()
        self.coded = array("I")
        self.extent_counts = array("I")
        self.extent_objects = array("I")
        self.extent_offsets = array("Q")
        self.extent_chunks = array("I")
        self.objects: list[StoredObject] = []
        self._known: dict[StoredObject, int] = {}
        self._extent_starts: Sequence[int] | None = None
        self._cut_starts: Sequence[int] = ()
        self._coded_starts: Sequence[int] = ()

    @classmethod
    def of(cls, contents: Iterable[Content]) -> Contents:
        """Any contents as columns, in their order; columns as they are."""
        if isinstance(contents, Contents):
            return contents
        made = cls()
        for content in contents:
            made.append(content)
        return made

    @classmethod
    def joined(cls, parts: list[Contents]) -> Contents:
        """All contents of several, each once, where it first comes. The list is empty then: a part that was taken need
        not stay in memory."""
        made = cls()
        several = repeated(Digests(b"".join(part.digests for part in parts)))
        seen: set[bytes] = set()
        parts.reverse()
        while parts:
            part = parts.pop()
            if several:
                new = [at for at, d in enumerate(Digests(part.digests).plain()) if d not in several or d not in seen]
                seen.update(several.intersection(Digests(part.digests).plain()))
            if several and len(new) < len(part):
                part = part.take(new)
            made.extend(part)
        return made

    def append(self, content: Content) -> None:
        """One more."""
        cut = len(content.lengths) > 1
        self.digests += content.digest
        self.sizes.append(content.size)
        self.bits += bytes((content.average_bits,))
        self.counts.append(len(content.lengths))
        if cut:
            self.lengths.extend(content.lengths)
            names = content.chunk_digests
            self.chunk_digests += bytes(names.raw) if isinstance(names, Digests) else b"".join(names)
        self.extent_counts.append(len(content.extents))
        first = 0
        for extent in content.extents:
            self.extent_objects.append(self._number(extent.object))
            self.extent_offsets.append(extent.offset)
            self.extent_chunks.append(extent.chunks)
            if extent.object.codec != RAW:
                self.coded.extend(content.stored_lengths[first : first + extent.chunks])
            first += extent.chunks
        self._extent_starts = None

    def extend(self, part: Contents) -> None:
        """All of another, none of which may be here yet."""
        numbers = [self._number(item) for item in part.objects]
        same = numbers == list(range(len(numbers)))
        self.extent_objects.extend(part.extent_objects if same else map(numbers.__getitem__, part.extent_objects))
        self.digests += part.digests
        self.bits += part.bits
        self.chunk_digests += part.chunk_digests
        for name in ("sizes", "counts", "lengths", "coded", "extent_counts", "extent_offsets", "extent_chunks"):
            getattr(self, name).extend(getattr(part, name))
        self._extent_starts = None

    def adopt(self, objects: list[StoredObject]) -> None:
        """The objects that the columns, set by a reader, mean."""
        self.objects = objects
        self._known = {item: number for number, item in enumerate(objects)}

    def take(self, positions: Sequence[int]) -> Contents:
        """Those at ``positions``, in that order."""
        made = Contents()
        first = positions[0] if positions else 0
        if not _is_row(positions):
            for at in positions:
                made.append(self[at])
            return made
        cuts, coded, extents = self._starts()
        end = first + len(positions)
        made.digests = self.digests[first * DIGEST_BYTES : end * DIGEST_BYTES]
        made.sizes, made.bits, made.counts = self.sizes[first:end], self.bits[first:end], self.counts[first:end]
        made.extent_counts = self.extent_counts[first:end]
        made.lengths = self.lengths[cuts[first] : cuts[end]]
        made.chunk_digests = self.chunk_digests[cuts[first] * DIGEST_BYTES : cuts[end] * DIGEST_BYTES]
        made.coded = self.coded[coded[first] : coded[end]]
        rows = slice(extents[first], extents[end])
        made.extent_offsets, made.extent_chunks = self.extent_offsets[rows], self.extent_chunks[rows]
        used = self.extent_objects[rows]
        numbers = {old: new for new, old in enumerate(dict.fromkeys(used))}
        made.adopt([self.objects[old] for old in numbers])
        made.extent_objects = array("I", map(numbers.__getitem__, used))
        return made

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Content]:
        return map(self.__getitem__, range(len(self)))

    @overload
    def __getitem__(self, at: int) -> Content: ...
    @overload
    def __getitem__(self, at: slice) -> Contents: ...
    def __getitem__(self, at: int | slice) -> Content | Contents:
        if isinstance(at, slice):
            return self.take(range(len(self))[at])
        at = range(len(self))[at]
        cuts, coded, rows = self._starts()
        digest, size, count = self.digest(at), self.sizes[at], self.counts[at]
        extents = tuple(
            Extent(self.objects[self.extent_objects[row]], self.extent_offsets[row], self.extent_chunks[row])
            for row in range(rows[at], rows[at + 1])
        )
        lengths: Sequence[int] = [size] * count
        names: Sequence[Digest] = [digest] * count
        if count > 1:
            first, end = cuts[at], cuts[at + 1]
            lengths = Numbers(memoryview(self.lengths)[first:end])
            names = Digests(memoryview(self.chunk_digests)[first * DIGEST_BYTES : end * DIGEST_BYTES])
        stored = self._stored(lengths, extents, coded[at]) if coded[at] != coded[at + 1] else lengths
        return Content(digest, size, self.bits[at], lengths, names, stored, extents)

    def digest(self, at: int) -> Digest:
        """The digest of one of them."""
        return Digest(bytes(self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]))

    def _stored(self, lengths: Sequence[int], extents: tuple[Extent, ...], coded: int) -> Sequence[int]:
        if all(extent.object.codec != RAW for extent in extents):
            return Numbers(memoryview(self.coded)[coded : coded + len(lengths)])
        stored = array("I")
        for extent in extents:
            first = len(stored)
            if extent.object.codec == RAW:
                stored.extend(lengths[first : first + extent.chunks])
            else:
                stored.extend(self.coded[coded : coded + extent.chunks])
                coded += extent.chunks
        return Numbers(stored)

    def _number(self, item: StoredObject) -> int:
        number = self._known.setdefault(item, len(self.objects))
        if number == len(self.objects):
            self.objects.append(item)
        return number

    def _starts(self) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Where the cut chunks, coded chunks and extents of each begin; found when first asked for."""
        if self._extent_starts is None:
            rows = _starts(self.extent_counts)
            self._cut_starts = starts_of(n if n > 1 else 0 for n in self.counts) if self.lengths else _Zeros()
            self._coded_starts = self._find_coded(rows) if self.coded else _Zeros()
            self._extent_starts = rows  # last: threads may ask at the same time
        return self._cut_starts, self._coded_starts, self._extent_starts

    def _find_coded(self, rows: Sequence[int]) -> Sequence[int]:
        is_coded = [item.codec != RAW for item in self.objects]
        chunks = [n if is_coded[o] else 0 for n, o in zip(self.extent_chunks, self.extent_objects, strict=True)]
        if isinstance(rows, range):
            return starts_of(chunks)
        return starts_of(sum(chunks[rows[at] : rows[at + 1]]) for at in range(len(self)))


class _Zeros(Sequence[int]):
    """As many zeros as anyone asks for."""

    __slots__ = ()

    def __len__(self) -> int:
        return 0

    def __getitem__(self, at: int | slice) -> int:  # type: ignore[override]
        return 0


def _is_row(positions: Sequence[int]) -> bool:
    """True when each follows the one before it; of a range no item is looked at."""
    if isinstance(positions, range):
        return positions.step == 1
    return all(map(eq, positions, range(positions[0], positions[0] + len(positions)))) if positions else True


def _starts(counts: array[int]) -> Sequence[int]:
    return range(len(counts) + 1) if counts.count(1) == len(counts) else starts_of(counts)
