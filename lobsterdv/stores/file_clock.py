"""The clock of a file system: a server's, where the disk is a network's. Asked by making a file and looking at it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Final

from lobsterdv import durable

_TRUSTED_S: Final = 5.0


class FileClock:
    """Asks again after 5 s, and when this machine's clock jumped or slept meanwhile. Threads share it."""

    def __init__(self) -> None:
        self._asked: tuple[float, float, float] | None = None  # the disk's time, and when by two clocks of ours
        self._lock = threading.Lock()

    def now(self, folder: Path) -> float:
        """Seconds since 1970 on the file system of ``folder``. Raises LocalIOError, OSError."""
        with self._lock:
            steady, wall = time.monotonic(), time.time()
            if self._asked is not None:
                passed = steady - self._asked[1]
                if passed < _TRUSTED_S and 0 <= wall - self._asked[2] < _TRUSTED_S:
                    return self._asked[0] + passed
            fd, temp = durable.create_temp(folder)
            try:
                found = os.fstat(fd).st_mtime
            finally:
                os.close(fd)
                temp.unlink(missing_ok=True)
            self._asked = found, steady, wall
            return found
