"""A content that arrives in parts from a remote: into a temp at its offsets, verified as a whole, then handed on.

Thousands may be on their way at once; only some of their temps are open at a time.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from lobsterdv import durable, temps
from lobsterdv.blobs.open_files import OpenFiles
from lobsterdv.digest import Digest, Hasher, digest_of
from lobsterdv.errors import CorruptContent, LocalIOError
from lobsterdv.linux_sync import begin_sync
from lobsterdv.reading import HASHED_BYTES, windows
from lobsterdv.writing import write_at

_AHEAD_BYTES = 1 << 20
"""What arrives in one piece of at least so much is given to the disk at once, while the next arrives."""


class Incoming:
    """A plain file that arrives in parts, in any order, from any thread; it is verified before ``accept`` gets it. Its
    temp, open for reading and writing as ``descriptor``, is kept by ``files``."""

    def __init__(
        self,
        accept: Callable[[Digest, int, bytes, Path], object],
        digest: Digest,
        size: int,
        *,
        name: str,
        files: OpenFiles,
        descriptor: int,
        temp: Path,
    ) -> None:
        self._accept = accept
        self._digest = digest
        self._size = size
        self._name = name
        self._files = files
        self._temp = temp
        self._is_open = True
        with durable.translating(temp):
            files.adopt(temp, descriptor)
            with self._descriptor() as own:
                self._is_hollow = os.fstat(own).st_blocks == 0
                os.ftruncate(own, size)
        self._front = _Front()

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Write one part; parts never reach beyond the size."""
        view = memoryview(data)
        if offset + len(view) > self._size:
            raise LocalIOError(self._name, "more bytes arrived than the version has")
        with durable.translating(self._temp), self._descriptor() as own:
            if not (self._is_hollow and _is_zero(view)):  # a hole reads as zeros
                write_at(own, view, offset)
            if len(view) >= _AHEAD_BYTES:
                begin_sync(own, offset, len(view))
            self._front.wrote(own, offset, view)

    def finish(self) -> None:
        """Verify the whole and queue it. Raises CorruptContent, and then nothing is kept."""
        try:
            with durable.translating(self._temp), self._descriptor() as own:
                hasher = self._front.finish(own)
        finally:
            self._close()
        if (actual := hasher.digest()) != self._digest:
            self._temp.unlink(missing_ok=True)
            raise CorruptContent(self._name, "what arrived from the remote", str(self._digest), str(actual))
        self._accept(self._digest, hasher.size, hasher.checksum(), self._temp)

    def held(self, lengths: Sequence[int], digests: Iterable[Digest]) -> list[bool]:
        """Which of its chunks are right already; holes are not read."""
        found = []
        start = 0
        with durable.translating(self._temp), self._descriptor() as own:
            data = _DataRuns(own)
            for length, digest in zip(lengths, digests, strict=True):
                is_there = data.touches(start, start + length)
                found.append(is_there and digest_of(os.pread(own, length, start)) == digest)
                start += length
        return found

    def suspend(self) -> None:
        """Leave it for a later fetch to go on with. After ``finish`` does nothing."""
        if self._is_open:
            self._close()
            with suppress(OSError):
                self._temp.rename(temps.temp_path(self._temp.parent, digest=self._digest.hex(), is_mine=False))

    def abandon(self) -> None:
        """Throw it away. May be repeated, and after ``finish`` does nothing."""
        if self._is_open:
            self._close()
            self._temp.unlink(missing_ok=True)

    def _descriptor(self) -> AbstractContextManager[int]:
        return self._files.lent(self._temp, self._temp)

    def _close(self) -> None:
        self._is_open = False
        self._files.forget(self._temp)


class _Front:
    """Hashes a file from its beginning while its parts arrive: those that come in order from memory, others from the
    file, once what was before them is there. What was written twice is only hashed at the end, as it lies there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hasher = Hasher()
        self._at = 0  # all before has been given to the hasher, or is being given
        self._ahead: dict[int, int] = {}  # what was written beyond: from, and to before
        self._is_busy = False
        self._is_torn = False

    def wrote(self, descriptor: int, offset: int, view: memoryview) -> None:
        """``view`` is in the file, at ``offset``. Of threads that come together, one hashes. Raises OSError."""
        with self._lock:
            self._is_torn |= offset < self._at or offset in self._ahead
            self._ahead[offset] = offset + len(view)
            if self._is_busy or self._is_torn:
                return
            self._is_busy = True
        try:
            while (run := self._next()) is not None:
                start, end = run
                if start == offset:
                    for at in range(0, len(view), HASHED_BYTES):
                        self._hasher.update(view[at : at + HASHED_BYTES])
                    start += len(view)
                self._read(descriptor, start, end)
        except BaseException:
            self._is_torn = True
            raise

    def finish(self, descriptor: int) -> Hasher:
        """Of the whole file; nobody writes any more. Raises OSError."""
        if self._is_torn or any(start < self._at for start in self._ahead):
            self._hasher, self._at = Hasher(), 0
        self._read(descriptor, self._at, os.fstat(descriptor).st_size)
        return self._hasher

    def _next(self) -> tuple[int, int] | None:
        """All that follows in a row, from and to before."""
        with self._lock:
            start = self._at
            while not self._is_torn and (end := self._ahead.pop(self._at, None)) is not None:
                self._at = end
            if self._at == start:
                self._is_busy = False
                return None
            return start, self._at

    def _read(self, descriptor: int, start: int, end: int) -> None:
        for view in windows(descriptor, start=start, end=end):
            self._hasher.update(view)


def _is_zero(view: memoryview) -> bool:
    return not any(view[:64]) and not bytes(view).strip(b"\0")


class _DataRuns:
    """Where a sparse file holds data, asked for in ascending order."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._start = self._end = 0

    def touches(self, start: int, end: int) -> bool:
        """True when some of ``start`` to ``end`` is not a hole."""
        while self._end <= start:
            try:
                self._start = os.lseek(self._descriptor, max(start, self._end), os.SEEK_DATA)
                self._end = os.lseek(self._descriptor, self._start, os.SEEK_HOLE)
            except OSError:  # no data beyond
                self._start = self._end = sys.maxsize
        return self._start < end
