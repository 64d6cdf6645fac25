"""Large files read through mapped windows: at page-cache speed, with no copy and bounded memory. Reads only."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

WINDOW_BYTES: Final = 64 << 20


@contextmanager
def window(descriptor: int, offset: int, length: int) -> Iterator[memoryview]:
    """``length`` >= 1 bytes from ``offset``, mapped while the block runs. The file must not be truncated meanwhile
    (only our own immutable files and private temps are read this way). Raises OSError."""
    skip = offset % mmap.ALLOCATIONGRANULARITY
    mapped = mmap.mmap(descriptor, length + skip, prot=mmap.PROT_READ, offset=offset - skip)
    try:
        with memoryview(mapped) as whole, whole[skip:] as view:
            yield view
    finally:
        mapped.close()


def windows(descriptor: int, *, step: int = WINDOW_BYTES) -> Iterator[memoryview]:
    """The whole file, window by window; each view is valid until the next is asked for."""
    size = os.fstat(descriptor).st_size
    for offset in range(0, size, step):
        with window(descriptor, offset, min(step, size - offset)) as view:
            yield view
