"""A file of a remote version, read in place: only the chunks that a reader touches travel, each verified.

Cheap for formats that seek: HDF5 reads its headers and one column without the rest of the file.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from blake3 import blake3

from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.zframes import decode_frames
from lobsterdv.digest import Digest
from lobsterdv.errors import (
    ContentError,
    CorruptContent,
    KeyMissing,
    LobsterError,
    MissingContent,
    RemoteError,
    Unavailable,
)
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import RAW, Content, Extent

_KEPT_BYTES: Final = 64 << 20
_AHEAD_BYTES: Final = 256 << 10
"""A sequential reader gets at least so much in one request."""


class RemoteFile(io.RawIOBase):
    """Read-only, seekable. Wrap it in ``io.BufferedReader``. Not for several threads at once.

    Reads raise MissingContent, CorruptContent or RemoteError; what they return was verified against the
    manifest's chunk digests.
    """

    def __init__(self, remote: Remote, content: Content, *, name: str) -> None:
        super().__init__()
        self._remote = remote
        self._content = content
        self._name = name
        self._starts = [0, *accumulate(content.lengths)]
        self._extent_starts = [0, *accumulate(extent.chunks for extent in content.extents)]
        self._position = 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._next = -1
        self.fetched_bytes = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._content.size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        start, end = self._position, min(self._position + len(buffer), self._content.size)
        if start >= end:
            return 0
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end - 1) - 1
        self._bring(first, last)
        done = 0
        for chunk in range(first, last + 1):
            data = self._kept[chunk]
            low = max(start - self._starts[chunk], 0)
            part = data[low : end - self._starts[chunk]]
            buffer[done : done + len(part)] = part
            done += len(part)
            self._kept.move_to_end(chunk)
        self._position += done
        self._shrink(first, last)
        return done

    def _bring(self, first: int, last: int) -> None:
        """Have chunks first..last at hand, and some more when the reader goes straight on."""
        if first == self._next:
            while last + 1 < len(self._content.lengths) and self._starts[last + 1] - self._starts[first] < _AHEAD_BYTES:
                last += 1
        self._next = last + 1
        chunk = first
        while chunk <= last:
            if chunk in self._kept:
                chunk += 1
                continue
            number = bisect_right(self._extent_starts, chunk) - 1
            until = chunk
            while until <= last and until < self._extent_starts[number + 1] and until not in self._kept:
                until += 1
            self._read(self._content.extents[number], self._extent_starts[number], chunk, until)
            chunk = until

    def _read(self, extent: Extent, extent_start: int, first: int, end: int) -> None:
        """One ranged read of chunks first..end-1, which lie in a row in one object."""
        stored, lengths = self._content.stored_lengths, self._content.lengths
        offset = extent.offset + sum(stored[extent_start:first])
        size = sum(stored[first:end])
        try:
            data = self._remote.store.read(object_key(extent.object.digest), start=offset, length=size)
        except KeyMissing:
            raise MissingContent(self._name, str(extent.object.digest), self._remote.url) from None
        self.fetched_bytes += size
        if extent.object.codec != RAW:
            sizes = zip(lengths[first:end], stored[first:end], strict=True)
            data = decode_frames(memoryview(data), sizes, name=self._name)
        position = 0
        for chunk in range(first, end):
            part = data[position : position + lengths[chunk]]
            position += lengths[chunk]
            actual = Digest(blake3(part).digest())
            if actual != self._content.chunk_digests[chunk]:
                expected = str(self._content.chunk_digests[chunk])
                raise CorruptContent(self._name, self._remote.url, expected, str(actual))
            self._kept[chunk] = part
            self._kept_bytes += len(part)

    def _shrink(self, first: int, last: int) -> None:
        for chunk in list(self._kept):
            if self._kept_bytes <= _KEPT_BYTES:
                break
            if not first <= chunk <= last:
                self._kept_bytes -= len(self._kept.pop(chunk))


class FailingOver(io.RawIOBase):
    """A RemoteFile that goes on, from where it was, with the next of ``others`` when it cannot be read any further;
    when there is none, its own error is raised. All are of one content."""

    def __init__(self, first: RemoteFile, others: Iterator[RemoteFile]) -> None:
        super().__init__()
        self._file = first
        self._others = others

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            try:
                return self._file.readinto(buffer)
            except (ContentError, RemoteError, Unavailable):
                following = self._following()
                if following is None:
                    raise
                following.seek(self._file.tell())
                self._file = following

    def _following(self) -> RemoteFile | None:
        try:
            return next(self._others, None)
        except LobsterError:
            return None
