"""A bounded number of files kept open, to be read or written at offsets."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lobsterdv.reading import naming

OPEN_FILES: Final = 64
"""So many stay open: a cache of thousands of packs is far below the 256 or 1024 that a process may have."""


@dataclass(slots=True)
class _Open:
    descriptor: int
    users: int = 0


class OpenFiles:
    """Files by a key of the caller's, the least recently used closed first; ``flags`` are what each is opened with.
    Threads share it."""

    def __init__(self, capacity: int = OPEN_FILES, *, flags: int = os.O_RDONLY | os.O_CLOEXEC) -> None:
        self._capacity = capacity
        self._flags = flags
        self._files: dict[Hashable, _Open] = {}  # the least recently used first
        self._lock = threading.Lock()

    def read(self, key: Hashable, path: Path, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes at ``offset``; ``path`` is where the file lies if it is not open. Raises OSError."""
        file = self._take(key, path)
        try:
            with naming(path):
                return os.pread(file.descriptor, size, offset)
        finally:
            self._give_back(key, file)

    @contextmanager
    def lent(self, key: Hashable, path: Path) -> Iterator[int]:
        """The file's descriptor, which stays open meanwhile; ``path`` as in ``read``. Raises OSError."""
        file = self._take(key, path)
        try:
            yield file.descriptor
        finally:
            self._give_back(key, file)

    def adopt(self, key: Hashable, descriptor: int) -> None:
        """Keep a file that the caller has opened; closing it is no more the caller's. Raises OSError."""
        with self._lock:
            self._files[key] = _Open(descriptor)
            self._close_surplus()

    def forget(self, key: Hashable) -> None:
        """Open the file anew the next time: it was replaced. Who uses it now ends on the old one."""
        with self._lock:
            if (file := self._files.pop(key, None)) is not None:
                self._close(file)

    def close(self) -> None:
        """Close all, those that are in use when that is done."""
        with self._lock:
            while self._files:
                self._close(self._files.popitem()[1])

    def _take(self, key: Hashable, path: Path) -> _Open:
        with self._lock:
            file = self._files.pop(key, None)
            if file is None:
                file = _Open(os.open(path, self._flags))
            self._files[key] = file
            file.users += 1
        return file

    def _give_back(self, key: Hashable, file: _Open) -> None:
        with self._lock:
            file.users -= 1
            if self._files.get(key) is not file:
                self._close(file)
            else:
                self._close_surplus()

    def _close_surplus(self) -> None:
        if len(self._files) <= self._capacity:
            return
        for key, file in self._files.items():
            if not file.users:
                del self._files[key]
                os.close(file.descriptor)
                return

    def _close(self, file: _Open) -> None:
        if not file.users:
            os.close(file.descriptor)
