"""What earlier versions of a dataset already place in a remote: whole contents, and the chunks of large ones."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from lobsterdv.compact import DigestIndex
from lobsterdv.digest import Digest, Digests
from lobsterdv.formats.contents import Content, Contents, StoredObject
from lobsterdv.formats.entries import FILES, Entries
from lobsterdv.formats.table import Table

BASES: Final = 4
"""So many earlier versions of a dataset are searched for what a new one shares with them."""
BASE_ENTRIES: Final = 1 << 18
"""No more of them once they have so many entries: a million take 180 MB."""
MAX_BASE_CHUNKS: Final = 1 << 20
"""So many chunks are remembered, those of the newest versions first: about 200 MB at the most."""


class Place(NamedTuple):
    """Where one chunk lies: so many stored bytes from an offset in an object."""

    object: StoredObject
    offset: int
    stored: int


class Bases:
    """Tables of earlier versions, newest first, as something to look chunks up in. Threads share it."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self.contents = [Contents.of(table.contents) for table in tables]
        self._chunks: Chunks | None = None
        self._indexes: dict[int, DigestIndex] = {}
        self._lock = threading.Lock()

    def find(self, digest: Digest, length: int) -> Place | None:
        """Where a chunk lies, if it is a chunk of a content that has several."""
        return self.chunks.find(digest, length)

    def forget(self, objects: Collection[StoredObject]) -> None:
        """These objects are not there any more, and what they held is nowhere."""
        self.chunks.gone.update(objects)

    @property
    def have_chunks(self) -> bool:
        """True when a new content could share chunks with an old one."""
        return len(self.chunks) > 0

    def average_bits(self, path: str) -> int | None:
        """The average chunk size (log2) with which the newest version that has a path cut it; the one content of a
        version that is a file has the path ''."""
        for number, (table, contents) in enumerate(zip(self._tables, self.contents, strict=True)):
            if not table.entries:
                if path == "" and len(contents):
                    return contents.bits[0]
                continue
            entries = Entries.of(table.entries)
            at = entries.paths.find(path)
            if at >= 0 and entries.types[at] < FILES:
                if number not in self._indexes:
                    self._indexes[number] = DigestIndex(bytes(contents.digests))
                return contents.bits[self._indexes[number].find(Digests(entries.digests)[at])]
        return None

    @property
    def chunks(self) -> Chunks:
        with self._lock:
            if self._chunks is None:
                self._chunks = Chunks(
                    contents[at]
                    for contents in self.contents
                    if len(contents.lengths)
                    for at, count in enumerate(contents.counts)
                    if count > 1
                )
            return self._chunks


class Chunks:
    """Chunks by digest, in columns: 16 bytes each beside the dictionary. Of ``contents`` the first come first, up to
    MAX_BASE_CHUNKS."""

    def __init__(self, contents: Iterable[Content]) -> None:
        self._positions: dict[Digest, int] = {}
        self._offsets, self._stored, self._lengths = array("Q"), array("I"), array("I")
        self._objects: list[StoredObject] = []
        self._object_starts: list[int] = []
        self.gone: set[StoredObject] = set()
        for content in contents:
            if len(self._positions) + len(content.lengths) > MAX_BASE_CHUNKS:
                break
            self._take(content)

    def __len__(self) -> int:
        return len(self._positions)

    def find(self, digest: Digest, length: int) -> Place | None:
        position = self._positions.get(digest)
        if position is None or self._lengths[position] != length:
            return None
        item = self._objects[bisect_right(self._object_starts, position) - 1]
        return None if item in self.gone else Place(item, self._offsets[position], self._stored[position])

    def _take(self, content: Content) -> None:
        chunk = 0
        digests = iter(content.chunk_digests)
        for extent in content.extents:
            offset = extent.offset
            for number in range(chunk, chunk + extent.chunks):
                digest = next(digests)
                stored = content.stored_lengths[number]
                if digest not in self._positions:
                    if not self._objects or self._objects[-1] != extent.object:
                        self._objects.append(extent.object)
                        self._object_starts.append(len(self._offsets))
                    self._positions[digest] = len(self._offsets)
                    self._offsets.append(offset)
                    self._stored.append(stored)
                    self._lengths.append(content.lengths[number])
                offset += stored
            chunk += extent.chunks
