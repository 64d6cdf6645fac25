"""Contents cut into chunks, every chunk named. Large files pass window by window, in bounded memory."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from blake3 import blake3

from lobsterdv.chunker import MAX_CHUNKS, average_bits_for, cut_lengths
from lobsterdv.digest import Digest, Digests
from lobsterdv.reading import read_into

WINDOW_BYTES: Final = 8 << 20
BLOCK_BYTES: Final = 16 << 20
"""What is compressed or packed is worked on, and stored, in pieces of at most so many bytes."""


class Cut(NamedTuple):
    """How a content is cut: log2 of the average, and per chunk its length in bytes and its digest."""

    average_bits: int
    lengths: Sequence[int]
    digests: Sequence[Digest]


class Piece(NamedTuple):
    """Chunks in a row, at most BLOCK_BYTES: the first one's number, the bytes, and how these are cut."""

    first: int
    data: bytes
    lengths: Sequence[int]


def bits_for(size: int, began_with: int | None) -> int:
    """log2 of the average chunk for ``size`` bytes: what the dataset began with, as long as that gives no more than
    2^20 chunks, because cut points of two averages do not align."""
    if began_with is not None and size >> began_with <= MAX_CHUNKS:
        return began_with
    return average_bits_for(size)


def cut_data(data: bytes | memoryview, digest: Digest, average_bits: int) -> Cut:
    """Cut a content that is in memory. One chunk is the content itself and has its digest."""
    if len(data) <= (1 << average_bits) // 4:
        return Cut(average_bits, [len(data)][: len(data)], [digest][: len(data)])
    lengths = cut_lengths(data, average_bits=average_bits)
    return Cut(average_bits, lengths, [digest] if len(lengths) == 1 else name_chunks(memoryview(data), lengths))


def cut_file(descriptor: int, average_bits: int) -> tuple[Cut, Digest]:
    """Cut a file; returns the digest of all of it too, made in the same pass."""
    whole = blake3(max_threads=blake3.AUTO)
    lengths = array("I")
    names = bytearray()
    for view, cuts in _steps(descriptor, average_bits):
        whole.update(view)
        names += b"".join(name_chunks(view, cuts))
        lengths.extend(cuts)
    return Cut(average_bits, lengths, Digests(bytes(names))), Digest(whole.digest())


class Cutter:
    """A content that passes in buffers of the caller's: hashed as a whole, and cut where no ``cut`` of it is known.
    For one thread at a time."""

    def __init__(self, average_bits: int, cut: Cut | None) -> None:
        self.room = 0 if cut is not None else 4 << average_bits
        """How many bytes before the new ones ``feed`` may write to: the longest chunk."""
        self._known = cut
        self._average_bits = average_bits
        self._whole = blake3(max_threads=blake3.AUTO)
        self._lengths = array("I")
        self._names = bytearray()
        self._rest = b""  # what the last buffer ended, not the content

    def feed(self, buffer: memoryview, *, is_last: bool) -> None:
        """The next bytes: all of ``buffer`` but its first ``room``, over which the rest of those before is written."""
        self._whole.update(buffer[self.room :])
        if self._known is not None:
            return
        start = self.room - len(self._rest)
        buffer[start : self.room] = self._rest
        view = buffer[start:]
        cuts = cut_lengths(view, average_bits=self._average_bits)
        self._rest = b"" if is_last else bytes(view[len(view) - cuts.pop() :])
        self._names += b"".join(name_chunks(view, cuts))
        self._lengths.extend(cuts)

    def finish(self) -> tuple[Cut, Digest]:
        """As ``cut_file``."""
        cut = self._known or Cut(self._average_bits, self._lengths, Digests(bytes(self._names)))
        return cut, Digest(self._whole.digest())


def stream_file(descriptor: int, average_bits: int, whole: blake3) -> Iterator[Piece]:
    """Cut a file while it is read, piece by piece; ``whole`` is fed all bytes, in order."""
    first = 0
    for view, cuts in _steps(descriptor, average_bits):
        start = done = 0
        while done < len(cuts):
            count, size = _fitting(cuts, done)
            data = bytes(view[start : start + size])
            whole.update(data)
            yield Piece(first, data, cuts[done : done + count])
            first, start, done = first + count, start + size, done + count


def read_rows(descriptor: int, offset: int, cut: Cut, first: int, end: int) -> Iterator[Piece]:
    """Chunks ``first`` to ``end`` of a file that is cut already, read again from ``offset``; whoever takes them
    compares them with the cut."""
    while first < end:
        count, size = _fitting(cut.lengths, first, end)
        yield Piece(first, os.pread(descriptor, size, offset), cut.lengths[first : first + count])
        first, offset = first + count, offset + size


def name_chunks(view: memoryview, lengths: Sequence[int]) -> list[Digest]:
    """The digests of chunks that follow each other."""
    return [Digest(blake3(view[end - n : end]).digest()) for n, end in zip(lengths, accumulate(lengths), strict=True)]


def _fitting(lengths: Sequence[int], first: int, end: int | None = None) -> tuple[int, int]:
    """How many chunks from ``first`` make a piece, and their bytes; at least one."""
    size = count = 0
    for position in range(first, len(lengths) if end is None else end):
        if count and size + lengths[position] > BLOCK_BYTES:
            break
        size += lengths[position]
        count += 1
    return count, size


def _steps(descriptor: int, average_bits: int) -> Iterator[tuple[memoryview, list[int]]]:
    """Whole chunks, window by window; a view is valid until the next is asked for."""
    size = os.fstat(descriptor).st_size
    step = max(WINDOW_BYTES, 16 << average_bits)  # four of the largest chunks
    buffer = memoryview(bytearray(min(size, step)))
    start = 0
    while start < size:
        view = buffer[: read_into(buffer[: size - start], descriptor, start)]
        if not view:
            return  # it was cut off; its digest will tell
        cuts = cut_lengths(view, average_bits=average_bits)
        if start + len(view) < size:
            cuts.pop()  # the window ended it, not the content
        used = sum(cuts)
        yield view[:used], cuts
        start += used
