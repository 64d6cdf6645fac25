"""Large files read through windows: mapped, at page-cache speed, with no copy and bounded memory; or, where somebody
may cut the file off, read. Reads only."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lobsterdv.errors import ChangedMeanwhile

WINDOW_BYTES: Final = 64 << 20


class Unsteady(int):
    """A descriptor of a file that others may change meanwhile. It is never mapped: a mapped page beyond a file's end
    kills the process, and mapped bytes change after they were checked. ``path`` is for messages."""

    path: str

    def __new__(cls, descriptor: int, path: str) -> Unsteady:
        made = super().__new__(cls, descriptor)
        made.path = path
        return made


@contextmanager
def window(descriptor: int, offset: int, length: int) -> Iterator[memoryview]:
    """``length`` >= 1 bytes from ``offset``, mapped while the block runs. The file must not be truncated meanwhile
    (only our own immutable files and private temps are read this way), unless it is Unsteady: then the bytes are a
    copy, and ChangedMeanwhile is raised when there are fewer. Raises OSError."""
    if isinstance(descriptor, Unsteady):
        with memoryview(_read(descriptor, offset, length)) as view:
            yield view
        return
    skip = offset % mmap.ALLOCATIONGRANULARITY
    mapped = mmap.mmap(descriptor, length + skip, prot=mmap.PROT_READ, offset=offset - skip)
    try:
        with memoryview(mapped) as whole, whole[skip:] as view:
            yield view
    finally:
        mapped.close()


def _read(descriptor: Unsteady, offset: int, length: int) -> bytearray:
    data = bytearray(length)
    done = 0
    with memoryview(data) as view:
        while done < length:
            got = os.preadv(descriptor, [view[done:]], offset + done)
            if not got:
                raise ChangedMeanwhile(descriptor.path)
            done += got
    return data


def windows(descriptor: int, *, step: int = WINDOW_BYTES) -> Iterator[memoryview]:
    """The whole file, window by window; each view is valid until the next is asked for."""
    size = os.fstat(descriptor).st_size
    for offset in range(0, size, step):
        with window(descriptor, offset, min(step, size - offset)) as view:
            yield view
