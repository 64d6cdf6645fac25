"""Two calls of Linux that Python has not: a whole file system brought to disk, and a file begun with. ``durable`` says
when they pay; on other systems they do nothing."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable
from typing import Final

_SYNC_FILE_RANGE_WRITE: Final = 2  # linux/fs.h: start, wait for nothing


def syncfs(fd: int) -> None:
    """Bring all that was written to the file system that holds ``fd`` to its disk, where ``reports_errors``. Raises
    OSError."""
    sys.audit("lobsterdv.sync", fd)
    failure = _syncfs()(fd)
    if failure:
        raise OSError(failure, os.strerror(failure))


@functools.cache
def reports_errors() -> bool:
    """Linux 5.8 and later: before, syncfs answered 0 although data was lost (man 2 syncfs)."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return sys.platform == "linux" and found is not None and (int(found[1]), int(found[2])) >= (5, 8)


def begin_sync(fd: int, offset: int, length: int) -> None:
    """Have the disk begin with these bytes while others are made, so that the sync at the end waits for less. It
    promises nothing, and where it cannot be had nothing happens (Linux: sync_file_range)."""
    start = _sync_file_range()
    if start is not None:
        start(fd, offset, length)


@functools.cache
def _syncfs() -> Callable[[int], int]:
    import ctypes  # noqa: PLC0415  start-up time: 10 ms, and only large batches need it

    libc = ctypes.CDLL(None, use_errno=True)
    return lambda fd: ctypes.get_errno() if libc.syncfs(fd) else 0


@functools.cache
def _sync_file_range() -> Callable[[int, int, int], object] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415  start-up time: 10 ms, and only large files need it

    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return lambda fd, offset, length: function(fd, offset, length, _SYNC_FILE_RANGE_WRITE)
