"""The ranged reads that bring contents: runs of chunks, joined with their neighbours in an object. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from lobsterdv.digest import Digest
from lobsterdv.formats.table import Content, StoredObject

RANGE_BYTES: Final = 16 << 20
GAP_BYTES: Final = 128 << 10
"""Bytes between two wanted runs that are read along rather than asked around: about what a connection
carries during one round trip (10 ms at 100 Mbit/s). All gaps of a plan weigh at most half of what is wanted."""
FEW_BYTES: Final = 1 << 20
"""A plan of less has its manifest to read as well, which may weigh as much: of what is wanted its gaps weigh at most a
sixteenth."""
NARROW_BYTES: Final = 8 << 10
"""Gaps up to this are not asked around for that, as long as half is enough: a request costs more (2 ms of CPU; 8 KiB
are 0.7 ms at 100 Mbit/s)."""


class Piece(NamedTuple):
    """A run of a content's chunks inside one object: ``raw_offset`` is where they belong in the content."""

    object: StoredObject
    offset: int
    stored: int
    content: Content
    raw_offset: int
    first_chunk: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Range:
    """One ranged read: pieces of one object, in order of their offsets."""

    object: StoredObject
    offset: int
    length: int
    pieces: tuple[Piece, ...]


def pieces_of(content: Content, held: Sequence[bool] = ()) -> Iterator[Piece]:
    """A content's extents, but for chunks that are ``held``, cut into runs of at most RANGE_BYTES."""
    chunk = raw = 0
    for extent in content.extents:
        offset = extent.offset
        first, run, run_raw = chunk, 0, 0
        for position in range(chunk, chunk + extent.chunks):
            stored = content.stored_lengths[position]
            is_held = bool(held) and held[position]
            if run and (is_held or max(run + stored, run_raw + content.lengths[position]) > RANGE_BYTES):
                yield Piece(extent.object, offset, run, content, raw, first, position - first)
                offset, raw = offset + run, raw + run_raw
                first, run, run_raw = position, 0, 0
            if is_held:
                offset, raw, first = offset + stored, raw + content.lengths[position], position + 1
            else:
                run += stored
                run_raw += content.lengths[position]
        chunk += extent.chunks
        if run:
            yield Piece(extent.object, offset, run, content, raw, first, chunk - first)
        raw += run_raw


def plan_ranges(
    contents: Iterable[Content], held: Mapping[Digest, Sequence[bool]] = MappingProxyType({})
) -> list[Range]:
    """The ranged reads that bring these contents, neighbours joined; of those in ``held``, the chunks not held."""
    pieces = sorted(
        (p for c in contents for p in pieces_of(c, held.get(c.digest, ()))), key=lambda p: (p.object.digest, p.offset)
    )
    widest = _widest_gap(pieces)
    ranges: list[Range] = []
    group: list[Piece] = []
    end = 0
    for piece in pieces:
        piece_end = piece.offset + piece.stored
        if group and (
            piece.object != group[0].object
            or piece.offset - end > widest
            or max(end, piece_end) - group[0].offset > RANGE_BYTES
        ):
            ranges.append(Range(group[0].object, group[0].offset, end - group[0].offset, tuple(group)))
            group = []
        end = max(end, piece_end) if group else piece_end
        group.append(piece)
    if group:
        ranges.append(Range(group[0].object, group[0].offset, end - group[0].offset, tuple(group)))
    return ranges


def _widest_gap(pieces: Sequence[Piece]) -> int:
    """The widest gap to read along, such that all of them weigh no more of what ``pieces`` weigh than they may."""
    gaps = sorted(
        gap
        for one, next_one in pairwise(pieces)
        if one.object == next_one.object and 0 < (gap := next_one.offset - one.offset - one.stored) <= GAP_BYTES
    )
    wanted = sum(piece.stored for piece in pieces)
    along = 0
    for gap in gaps:
        along += gap
        if along > wanted // (16 if wanted < FEW_BYTES and gap > NARROW_BYTES else 2):
            return gap - 1  # none of this width: an even grid is read piece by piece
    return GAP_BYTES
