"""Chunks that older files in the cache hold already: a pull takes them from there, and only new bytes travel.

Nothing here is trusted: every chunk is hashed as it is read, and what is not what its digest says is fetched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from typing import Final, NamedTuple

from lobsterdv.blobs.bases import Chunks
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.cutting import name_chunks
from lobsterdv.blobs.incoming import Incoming
from lobsterdv.blobs.ranges import GAP_BYTES
from lobsterdv.digest import Digest
from lobsterdv.formats.contents import Content, Extent, StoredObject
from lobsterdv.reading import read

_STEP_BYTES: Final = 1 << 20


class _Run(NamedTuple):
    """Chunks ``first`` to ``end`` of a new content, which follow each other in an older file from ``offset`` on."""

    first: int
    end: int
    source: Digest
    offset: int


class LocalChunks:
    """What the plain files among ``contents`` of earlier versions can give. One thread at a time."""

    def __init__(self, cache: Cache, contents: Iterable[Content]) -> None:
        self._cache = cache
        self._chunks = Chunks(
            _as_it_lies_here(content)
            for content in contents
            if len(content.lengths) > 1 and cache.is_plain(content.digest)
        )
        self.reused_bytes = 0

    def runs(self, content: Content, held: Sequence[bool]) -> list[_Run]:
        """What can be taken for ``content``, but for chunks that are ``held``; nothing that is too short to be worth a
        request more."""
        if not len(self._chunks):
            return []
        found: list[_Run] = []
        for island in self._islands(content, held):
            first, end = island[0].first, island[-1].end
            is_inside = first > 0 and end < len(content.lengths)
            if not is_inside or sum(content.stored_lengths[first:end]) >= GAP_BYTES:
                found += island
        return found

    def fill(self, incoming: Incoming, content: Content, runs: Sequence[_Run], held: list[bool]) -> None:
        """Write the chunks of ``runs``, those that prove right, and note them as ``held``. Raises LocalIOError."""
        starts = [0, *accumulate(content.lengths)]
        for run in runs:
            try:
                data = self._read(run, starts[run.end] - starts[run.first])
            except OSError:
                continue  # it went meanwhile, or cannot be read: the remote has it
            lengths = content.lengths[run.first : run.end]
            if sum(lengths) != len(data):
                continue
            names = name_chunks(data, lengths)
            for number, (name, length) in enumerate(zip(names, lengths, strict=True), start=run.first):
                held[number] = name == content.chunk_digests[number]
                self.reused_bytes += length if held[number] else 0
            for first, end in _held_runs(held, run.first, run.end):
                begin = starts[run.first]
                incoming.write_at(starts[first], data[starts[first] - begin : starts[end] - begin])

    def _islands(self, content: Content, held: Sequence[bool]) -> Iterator[list[_Run]]:
        """Chunks in a row that lie here, wherever they lie."""
        island: list[_Run] = []
        run_bytes = 0
        for number, (digest, length) in enumerate(zip(content.chunk_digests, content.lengths, strict=True)):
            place = None if held and held[number] else self._chunks.find(digest, length)
            if place is None:
                if island:
                    yield island
                island = []
                continue
            last = island[-1] if island else None
            follows = (
                last is not None and last.source == place.object.digest and last.offset + run_bytes == place.offset
            )
            if last is not None and follows and run_bytes + length <= _STEP_BYTES:
                island[-1] = last._replace(end=number + 1)
                run_bytes += length
            else:
                island.append(_Run(number, number + 1, place.object.digest, place.offset))
                run_bytes = length
        if island:
            yield island

    def _read(self, run: _Run, size: int) -> memoryview:
        descriptor = os.open(self._cache.plain_path(run.source), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return read(descriptor, run.offset, size)
        finally:
            with suppress(OSError):
                os.close(descriptor)


def _as_it_lies_here(content: Content) -> Content:
    """A content placed in its own plain file, whatever objects a remote keeps it in."""
    whole = Extent(StoredObject(content.digest, content.size), 0, len(content.lengths))
    return replace(content, stored_lengths=content.lengths, extents=(whole,))


def _held_runs(held: Sequence[bool], first: int, end: int) -> Iterator[tuple[int, int]]:
    start = first
    for number in range(first, end + 1):
        if number == end or not held[number]:
            if start < number:
                yield start, number
            start = number + 1
