"""Long sequences that take little more than their bytes: a million rows as Python objects are half a gigabyte.

Each gives ordinary items when asked for them and equals any sequence of the same items. Nothing here is checked:
that is for whoever reads the bytes.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from operator import eq, methodcaller
from typing import Final, TypeVar, overload

from lobsterdv.digest import DIGEST_BYTES, Digests

Item = TypeVar("Item", covariant=True)
_BLOCK: Final = 1024


class Compact(Sequence[Item]):
    """What they have in common."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self[:3])!r}{', …' if len(self) > 3 else ''})"

    __hash__ = None  # type: ignore[assignment]


class Numbers(Compact[int]):
    """Integers of an array; slices share its memory."""

    __slots__ = ("_items",)

    def __init__(self, items: array[int] | memoryview[int]) -> None:
        self._items = items if isinstance(items, memoryview) else memoryview(items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Numbers: ...
    def __getitem__(self, at: int | slice) -> int | Numbers:
        found = self._items[at]
        return Numbers(found) if isinstance(at, slice) else found  # type: ignore[return-value, arg-type]

    @property
    def bytes(self) -> memoryview:
        """The array's own bytes."""
        return self._items.cast("B")


class Texts(Compact[str]):
    """Lines in UTF-8 bytes, each ended by LF."""

    __slots__ = ("_starts", "bytes")

    def __init__(self, data: bytes, starts: array[int] | None = None) -> None:
        self.bytes = data
        if starts is None:
            starts = array("I", chain([0], map(methodcaller("end"), re.finditer(b"\n", data))))
        self._starts = starts

    @classmethod
    def of(cls, lines: Iterable[str]) -> Texts:
        """These lines, none of which may contain a line break."""
        text = "\n".join(rows := lines if isinstance(lines, list) else list(lines))
        return cls(f"{text}\n".encode(errors="surrogateescape") if rows else b"")

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK):
            yield from self.block(start, min(start + _BLOCK, len(self)))

    def block(self, start: int, end: int) -> list[str]:
        """The lines from ``start`` to before ``end``."""
        lines = self.bytes[self._starts[start] : self._starts[end]].decode(errors="surrogateescape").split("\n")
        lines.pop()
        return lines

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Texts: ...
    def __getitem__(self, at: int | slice) -> str | Texts:
        rows = range(len(self))[at]
        if not isinstance(rows, range):
            data = self.bytes[self._starts[rows] : self._starts[rows + 1] - 1]
            return data.decode(errors="surrogateescape")
        if rows.step != 1:
            return Texts.of(self[i] for i in rows)
        if len(rows) == len(self):
            return self
        first = self._starts[rows.start]
        starts = array("I", (n - first for n in self._starts[rows.start : max(rows.start, rows.stop) + 1]))
        return Texts(self.bytes[first : first + starts[-1]], starts)

    def find(self, line: str) -> int:
        """Where a line stands in sorted lines; -1 when it is not there."""
        at = bisect_left(self, line)
        return at if at < len(self) and self[at] == line else -1

    def lengths(self) -> Iterator[int]:
        """How many bytes each line has."""
        return (b - a - 1 for a, b in pairwise(self._starts))


def interleaved(first: Texts, second: Texts) -> Iterator[tuple[slice, slice]]:
    """How two sorted columns become one: rows of the first, then rows of the second, and so on. A line that both have
    is taken from the second."""
    at = new = 0
    while at < len(first) or new < len(second):
        end = bisect_left(first, second[new], lo=at) if new < len(second) else len(first)
        until = bisect_left(second, first[end], lo=new) if end < len(first) else len(second)
        both = until < len(second) and end < len(first) and second[until] == first[end]
        yield slice(at, end), slice(new, until + both)
        at, new = end + both, until + both


def remaining(count: int, drop: Iterable[int]) -> Iterator[slice]:
    """The rows that are left of ``count`` without those at the positions ``drop``, which ascend."""
    start = 0
    for at in drop:
        if at > start:
            yield slice(start, at)
        start = at + 1
    if start < count:
        yield slice(start, count)


def heads_of(digests: bytes) -> array[int]:
    """The first four bytes of each digest as a number; they ascend where the digests do."""
    heads = array("I", digests)[:: DIGEST_BYTES // 4]
    if sys.byteorder == "little":
        heads.byteswap()
    return heads


class DigestIndex:
    """Finds a digest among many: 8 bytes a digest (4 when they are sorted) and a microsecond a look-up, where a dict
    takes 200 bytes."""

    __slots__ = ("_digests", "_heads", "_order")

    def __init__(self, digests: bytes, *, is_sorted: bool = False) -> None:
        heads = heads_of(digests)
        self._digests = digests
        self._order: Sequence[int] = range(len(heads))
        if not is_sorted:
            self._order = array("I", sorted(self._order, key=heads.__getitem__))
            heads = array("I", map(heads.__getitem__, self._order))
        self._heads = heads

    def find(self, digest: bytes) -> int:
        """The position of ``digest`` (of one of them, if there are several); -1 when it is not there."""
        heads = self._heads
        head = int.from_bytes(digest[:4])
        at = bisect_left(heads, head)
        while at < len(heads) and heads[at] == head:
            position = self._order[at]
            if self._digests[position * DIGEST_BYTES : (position + 1) * DIGEST_BYTES] == digest:
                return position
            at += 1
        return -1


def starts_of(counts: Iterable[int]) -> array[int]:
    """Where each run begins when runs of these lengths follow each other; one more, the end of all."""
    starts = array("Q", [0])
    total = 0
    for count in counts:
        total += count
        starts.append(total)
    return starts


def repeated(digests: Digests) -> set[bytes]:
    """Those that occur more than once. Compares 8 bytes of each before it looks closer."""
    heads = memoryview(digests.raw).cast("B").cast("Q")[:: DIGEST_BYTES // 8]
    if len(set(heads)) == len(heads):
        return set()
    once: set[int] = set()
    twice: set[int] = set()
    for head in heads:
        (twice if head in once else once).add(head)
    seen: set[bytes] = set()
    found: set[bytes] = set()
    for position, head in enumerate(heads):
        if head in twice:
            digest = bytes(digests[position])
            (found if digest in seen else seen).add(digest)
    return found
