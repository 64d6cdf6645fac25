"""alone_in(): one at a time, of all threads and processes that do something in a folder. Nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lobsterdv import durable, locks
from lobsterdv.events import Observer, silent


@contextmanager
def alone_in(folder: Path, *, wait_s: float | None = None, observer: Observer = silent) -> Iterator[None]:
    """Hold a lock on ``folder`` itself, so that there is no lock file to go stale. Where the file system has no
    locks nobody is held up: what is done inside must be right then too, only perhaps done twice. Raises Busy after
    ``wait_s`` (locks.WAIT_S)."""
    with durable.translating(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        locks.hold(descriptor, shared=False, what=str(folder), wait_s=wait_s, observer=observer)
        yield
    finally:
        os.close(descriptor)
