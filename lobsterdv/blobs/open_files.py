"""A bounded number of files kept open for reading at offsets."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPEN_FILES: Final = 64
"""So many stay open: a cache of thousands of packs is far below the 256 or 1024 that a process may have."""


@dataclass(slots=True)
class _Open:
    descriptor: int
    readers: int = 0


class OpenFiles:
    """Files by a key of the caller's, the least recently read closed first. Threads share it."""

    def __init__(self, capacity: int = OPEN_FILES) -> None:
        self._capacity = capacity
        self._files: dict[Hashable, _Open] = {}  # the least recently read first
        self._lock = threading.Lock()

    def read(self, key: Hashable, path: Path, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes at ``offset``; ``path`` is where the file lies if it is not open. Raises OSError."""
        with self._lock:
            file = self._files.pop(key, None)
            if file is None:
                file = _Open(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            self._files[key] = file
            file.readers += 1
        try:
            return os.pread(file.descriptor, size, offset)
        finally:
            with self._lock:
                file.readers -= 1
                if self._files.get(key) is not file:
                    self._close(file)
                elif len(self._files) > self._capacity:
                    self._close_one()

    def forget(self, key: Hashable) -> None:
        """Open the file anew the next time: it was replaced. Reads under way end on the old one."""
        with self._lock:
            if (file := self._files.pop(key, None)) is not None:
                self._close(file)

    def close(self) -> None:
        """Close all, those that are being read when that is done."""
        with self._lock:
            while self._files:
                self._close(self._files.popitem()[1])

    def _close_one(self) -> None:
        for key, file in self._files.items():
            if not file.readers:
                del self._files[key]
                os.close(file.descriptor)
                return

    def _close(self, file: _Open) -> None:
        if not file.readers:
            os.close(file.descriptor)
