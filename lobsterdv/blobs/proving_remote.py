"""Is an object what its name says, and does it hold the chunks that manifests place in it? Reads only."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from blake3 import blake3

from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.ranges import RANGE_BYTES
from lobsterdv.blobs.zframes import decode_frames
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import CorruptContent
from lobsterdv.formats.contents import RAW, Content, Contents, StoredObject
from lobsterdv.formats.layout import object_key
from lobsterdv.stores.base import Store

_KEPT: Final = 8


class Chunk(NamedTuple):
    """``stored`` bytes from ``offset`` of an object are the ``length`` bytes of chunk ``digest``."""

    offset: int
    stored: int
    length: int
    digest: Digest


class ChunkMap:
    """Which chunks many tables place in which object. One thread at a time fills it; then threads share it."""

    def __init__(self) -> None:
        self._columns: list[Contents] = []
        self._extents: dict[Digest, list[tuple[int, int, int, int]]] = {}
        self._seen: set[tuple[Digest, int, StoredObject, int]] = set()

    def add(self, contents: Contents) -> None:
        """Enter a table; contents that an earlier one places alike cost nothing."""
        number = len(self._columns)
        self._columns.append(contents)
        for position, content in enumerate(contents):
            if not content.extents:
                continue
            first = content.extents[0]
            key = (content.digest, len(content.extents), first.object, first.offset)
            if key in self._seen and len(content.extents) == 1:
                continue
            self._seen.add(key)
            chunk = 0
            for at, extent in enumerate(content.extents):
                self._extents.setdefault(extent.object.digest, []).append((number, position, at, chunk))
                chunk += extent.chunks

    def chunks_in(self, item: StoredObject) -> list[Chunk]:
        """Those of one object, in order of their offsets, each once."""
        found: set[Chunk] = set()
        kept: dict[tuple[int, int], Content] = {}
        for number, position, at, first in self._extents.get(item.digest, []):
            content = kept.get((number, position))
            if content is None:
                if len(kept) >= _KEPT:
                    kept.clear()
                content = kept[number, position] = self._columns[number][position]
            end = first + content.extents[at].chunks
            stored = content.stored_lengths[first:end]
            offsets = accumulate(stored, initial=content.extents[at].offset)
            lengths, digests = content.lengths[first:end], content.chunk_digests[first:end]
            found.update(map(Chunk, offsets, stored, lengths, digests))
        return sorted(found)


def prove_object(store: Store, item: StoredObject, chunks: list[Chunk], *, check: Callable[[], None]) -> None:
    """Read an object in ranges of 16 MiB: its bytes must be those of its name, and hold these chunks. ``check`` is
    called before each range and may raise. Raises KeyMissing, CorruptContent, RemoteError, Archived."""
    key = object_key(item.digest)
    hasher = blake3(max_threads=blake3.AUTO)
    buffer, base, at = b"", 0, 0
    problem: CorruptContent | None = None
    for start in range(0, item.size, RANGE_BYTES):
        check()
        data = store.read(key, start=start, length=min(RANGE_BYTES, item.size - start))
        hasher.update(data)
        buffer = buffer + data if buffer else data
        while at < len(chunks) and chunks[at].offset + chunks[at].stored <= base + len(buffer):
            problem = problem or _chunk_problem(store, key, item, chunks[at], buffer, base)
            at += 1
        if at == len(chunks):
            buffer, base = b"", start + len(data)
        else:
            drop = min(max(chunks[at].offset - base, 0), len(buffer))
            buffer, base = buffer[drop:], base + drop
    actual = Digest(hasher.digest())
    if actual != item.digest:
        raise CorruptContent(key, store.url, str(item.digest), str(actual))
    if problem is not None:
        raise problem


def _chunk_problem(
    store: Store, key: str, item: StoredObject, chunk: Chunk, buffer: bytes, base: int
) -> CorruptContent | None:
    data: bytes | memoryview = memoryview(buffer)[chunk.offset - base : chunk.offset - base + chunk.stored]
    try:
        if item.codec != RAW:
            data = decode_frames(memoryview(data), [(chunk.length, chunk.stored)], name=key)
    except CorruptContent as error:
        return error
    actual = digest_of(data)
    return None if actual == chunk.digest else CorruptContent(key, store.url, str(chunk.digest), str(actual))


def crc32_here(cache: Cache, item: StoredObject) -> int | None:
    """The CRC-32 that an object should have, when it is a file, byte for byte, that the cache holds; else None. The
    bytes are proved first: what is damaged here says nothing of the remote."""
    if item.codec != RAW or not cache.has(item.digest):
        return None
    hasher, crc = blake3(max_threads=blake3.AUTO), 0
    for data in _bytes_of(cache, item.digest):
        hasher.update(data)
        crc = zlib.crc32(data, crc)
    return crc if hasher.digest() == item.digest else None


def _bytes_of(cache: Cache, digest: Digest) -> Iterator[bytes]:
    data = cache.read_packed(digest, name="")
    if data is not None:
        yield data
        return
    with cache.plain_path(digest).open("rb") as file:
        while part := file.read(RANGE_BYTES):
            yield part
