"""Small files that go into an object together, in columns all the way: ten thousand cost what a few hundred would
one by one."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from lobsterdv.blobs.cutting import Cut, Piece
from lobsterdv.compact import starts_of
from lobsterdv.digest import Digest
from lobsterdv.formats.contents import RAW, Contents, StoredObject


class SmallFile(NamedTuple):
    """A small file, verified, and how it is cut; never empty."""

    digest: Digest
    size: int
    cut: Cut


def piece_of(files: Sequence[SmallFile], data: Sequence[bytes]) -> Piece:
    """All of them as one run of chunks."""
    return Piece(0, b"".join(data), array("I", chain.from_iterable(file.cut.lengths for file in files)))


def contents_of(files: Sequence[SmallFile], item: StoredObject, offset: int, stored: Sequence[int]) -> Contents:
    """Where they lie, when their chunks follow each other in ``item`` from ``offset`` on, with these stored lengths."""
    made = Contents()
    made.digests = b"".join([file.digest for file in files])
    made.sizes = array("Q", [file.size for file in files])
    made.bits = bytes([file.cut.average_bits for file in files])
    made.counts = array("I", [len(file.cut.lengths) for file in files])
    cut = [file.cut for file in files if len(file.cut.lengths) > 1]
    made.lengths = array("I", chain.from_iterable(c.lengths for c in cut))
    made.chunk_digests = b"".join(chain.from_iterable(c.digests for c in cut))
    made.extent_counts = array("I", [1]) * len(files)
    made.extent_objects = array("I", [0]) * len(files)
    made.extent_chunks = made.counts[:]
    if item.codec == RAW:
        starts: Sequence[int] = starts_of(made.sizes)
    else:
        made.coded = array("I", stored)
        ends = [0, *accumulate(stored)]
        starts = [ends[first] for first in starts_of(made.counts)]
    made.extent_offsets = array("Q", [offset + start for start in starts[: len(files)]])
    made.adopt([item])
    return made
