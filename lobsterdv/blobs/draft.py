"""A content on its way to a remote: how it is cut, what lies there already, and, run by run, where the rest went."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from lobsterdv.blobs.bases import Bases
from lobsterdv.blobs.cutting import Cut
from lobsterdv.digest import Digest, Digests
from lobsterdv.formats.table import RAW, Content, Extent, StoredObject


class Segment(NamedTuple):
    """Chunks ``first`` to ``end``: neighbours in one object from ``offset``, or, with no object, new ones."""

    first: int
    end: int
    object: StoredObject | None
    offset: int
    stored: Sequence[int]


class Row(NamedTuple):
    """Chunks from number ``first`` on, of these lengths, lie in ``object`` at ``offset``, with these stored lengths.
    Digests None: those of the cut."""

    first: int
    object: StoredObject
    offset: int
    stored: Sequence[int]
    lengths: Sequence[int]
    digests: Sequence[Digest] | None


class Draft:
    """``content()`` once it ``is_complete``. One thread at a time."""

    __slots__ = ("_left", "_rows", "average_bits", "cut", "digest", "size")

    def __init__(self, digest: Digest, size: int, average_bits: int, cut: Cut | None) -> None:
        self.digest = digest
        self.size = size
        self.average_bits = average_bits
        self.cut = cut
        self._left = size
        self._rows: list[Row] = []

    @property
    def is_complete(self) -> bool:
        """True when every byte has its place."""
        return self._left == 0

    def agrees(self, first: int, digests: Sequence[Digest]) -> bool:
        """True when these chunks, from ``first`` on, are those of the cut."""
        return self.cut is not None and list(self.cut.digests[first : first + len(digests)]) == list(digests)

    def place(self, row: Row) -> None:
        """Some of its chunks have their place."""
        self._rows.append(row)
        self._left -= sum(row.lengths)

    def content(self) -> Content:
        rows = sorted(self._rows, key=lambda row: row.first) if len(self._rows) > 1 else self._rows
        if self.cut is not None:
            lengths, digests = self.cut.lengths, self.cut.digests
        else:
            lengths = array("I", chain.from_iterable(row.lengths for row in rows))
            digests = Digests.of(chain.from_iterable(row.digests or () for row in rows))
        if all(row.object.codec == RAW for row in rows):
            stored = lengths
        else:
            stored = array("I", chain.from_iterable(row.stored for row in rows))
        return Content(self.digest, self.size, self.average_bits, lengths, digests, stored, tuple(_extents(rows)))


def segments_of(cut: Cut, bases: Bases) -> list[Segment]:
    """A cut content as runs of chunks that are there, each as long as it goes, and runs that are new."""
    segments: list[Segment] = []
    current = Segment(0, 0, None, 0, ())
    stored = array("I")
    end = 0  # where the current run of old chunks ends in its object
    for number, (digest, length) in enumerate(zip(cut.digests, cut.lengths, strict=True)):
        place = bases.find(digest, length)
        item = place.object if place is not None else None
        if number == 0 or item != current.object or (place is not None and place.offset != end):
            if number:
                segments.append(current._replace(end=number))
            stored = array("I")
            current = Segment(number, 0, item, place.offset if place is not None else 0, stored)
        if place is not None:
            stored.append(place.stored)
            end = place.offset + place.stored
    return [*segments, current._replace(end=len(cut.lengths))] if len(cut.lengths) else []


def _extents(rows: Sequence[Row]) -> Iterator[Extent]:
    """Rows in order as extents, neighbours joined."""
    current: Extent | None = None
    end = 0
    for row in rows:
        if current is not None and row.object == current.object and row.offset == end:
            current = current._replace(chunks=current.chunks + len(row.lengths))
        else:
            if current is not None:
                yield current
            current = Extent(row.object, row.offset, len(row.lengths))
        end = row.offset + sum(row.stored)
    if current is not None:
        yield current
