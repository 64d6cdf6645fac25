"""One large value on its way into a folder, in parts: at their places in a temp, which gets its name at the end.

What an interrupted upload left of a value that is named by its digest is gone on with: a part that lies there already,
byte for byte, is not written again.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from lobsterdv import durable, temps
from lobsterdv.linux_sync import begin_sync
from lobsterdv.reading import read_into
from lobsterdv.stores.parts import check_all_sent, check_part, count_parts
from lobsterdv.writing import write_at


class DirectoryUpload:
    """Made by ``DirectoryStore.upload``, for a folder that is there. ``writing`` translates what the system refuses."""

    def __init__(
        self, writing: Callable[[], AbstractContextManager[None]], path: Path, size: int, *, part_size: int
    ) -> None:
        self.part_size = part_size
        self.part_count = count_parts(size, part_size=part_size)
        self._writing = writing
        self._path = path
        self._size = size
        self._sent: set[int] = set()
        self._lock = threading.Lock()
        self._digest = path.name if temps.is_digest(path.name) else ""
        left = _left(path, size) if self._digest else None
        self._is_begun = left is not None
        self._fd, self._temp = left or durable.create_temp(path.parent, digest=self._digest)
        try:
            os.truncate(self._fd, size)
        except OSError:
            self.abort()
            raise

    def send(self, number: int, data: bytes | memoryview) -> None:
        check_part(number, len(data), size=self._size, part_size=self.part_size)
        offset = number * self.part_size
        with self._writing():
            if not (self._is_begun and self._holds(data, offset)):
                write_at(self._fd, data, offset)
            begin_sync(self._fd, offset, len(data))
        with self._lock:
            self._sent.add(number)

    def complete(self) -> None:
        check_all_sent(self._sent, self.part_count)
        self._close()
        with self._writing():
            durable.publish([durable.Publication(self._temp, self._path, 0o444)])

    def abort(self) -> None:
        self._close()
        with suppress(OSError):
            self._temp.unlink()

    def suspend(self) -> None:
        if not self._digest:
            self.abort()
        elif self._fd >= 0:
            self._close()
            with suppress(OSError):
                self._temp.rename(temps.temp_path(self._temp.parent, digest=self._digest, is_mine=False))

    def _holds(self, data: bytes | memoryview, offset: int) -> bool:
        there = memoryview(bytearray(len(data)))
        return read_into(there, self._fd, offset) == len(data) and there == data

    def _close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def _left(path: Path, size: int) -> tuple[int, Path] | None:
    """A temp of this user's that an upload of the same value left, and that is nobody's now."""
    for digest, temp in temps.partials(path.parent):
        if digest != path.name:
            continue
        with suppress(OSError):
            info = temp.lstat()
            if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1 or info.st_uid != os.geteuid():
                continue
            if info.st_size == size and (taken := durable.adopt_temp(temp, digest=digest)) is not None:
                return taken
    return None
