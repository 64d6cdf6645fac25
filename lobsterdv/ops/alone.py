"""alone_in(): one at a time, of all threads and processes that do something in a folder. Nothing is left behind."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lobsterdv import durable


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on ``folder`` itself, so that there is no lock file to go stale. Where the file system has no
    locks nobody is held up: what is done inside must be right then too, only perhaps done twice."""
    with durable.translating(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
