"""Large files read window by window, into memory of our own. Reads only.

Nothing is mapped: where a mapped page cannot be had (a file cut off meanwhile, a bad sector, a hole on a full memory
file system) the kernel kills the process; a read fails with an error that names the file. A buffer that is used again
costs a tenth of the time of hashing (docs/performance.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lobsterdv.errors import ChangedMeanwhile

HASHED_BYTES: Final = 1 << 20
"""How much is read at a time to be hashed: it stays in the processor's cache for both hashes."""


class Unsteady(int):
    """A descriptor of a file that others may change meanwhile; ``path`` is for messages."""

    path: str

    def __new__(cls, descriptor: int, path: str) -> Unsteady:
        made = super().__new__(cls, descriptor)
        made.path = path
        return made


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """An OSError raised inside says which file it is about: a read knows a descriptor only."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def read_whole(path: Path) -> bytes:
    """All of a small file. Raises OSError, which names it."""
    with naming(path):
        return path.read_bytes()


def read(descriptor: int, offset: int, length: int) -> memoryview:
    """``length`` bytes from ``offset``; fewer where the file ends, but ChangedMeanwhile when it is Unsteady.
    Raises OSError."""
    view = memoryview(bytearray(length))
    return view[: read_into(view, descriptor, offset)]


def read_into(view: memoryview, descriptor: int, offset: int) -> int:
    """Fill ``view`` from ``offset``; returns how many bytes there were. Raises as ``read``."""
    done = 0
    while done < len(view):
        got = os.preadv(descriptor, [view[done:]], offset + done)
        if not got:
            if isinstance(descriptor, Unsteady):
                raise ChangedMeanwhile(descriptor.path)
            break
        done += got
    return done


def windows(descriptor: int, *, start: int = 0, end: int | None = None) -> Iterator[memoryview]:
    """The whole file, or from ``start`` to before ``end``, in order; each view is valid until the next is asked for.
    Raises as ``read``."""
    stop = os.fstat(descriptor).st_size if end is None else end
    buffer = memoryview(bytearray(max(0, min(stop - start, HASHED_BYTES))))
    offset = start
    while offset < stop:
        got = read_into(buffer[: stop - offset], descriptor, offset)
        if not got:
            return
        yield buffer[:got]
        offset += got
