"""``syncfs``: a whole file system brought to disk by one call of Linux. ``durable`` says when that is cheaper."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable


def syncfs(fd: int) -> None:
    """Bring all that was written to the file system that holds ``fd`` to its disk. Raises OSError."""
    sys.audit("lobsterdv.sync", fd)
    failure = _function()(fd)
    if failure:
        raise OSError(failure, os.strerror(failure))


@functools.cache
def _function() -> Callable[[int], int]:
    import ctypes  # noqa: PLC0415  start-up time: 10 ms, and only large batches need it

    libc = ctypes.CDLL(None, use_errno=True)
    return lambda fd: ctypes.get_errno() if libc.syncfs(fd) else 0


@functools.cache
def reports_errors() -> bool:
    """Linux 5.8 and later: before, syncfs answered 0 although data was lost (man 2 syncfs)."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return sys.platform == "linux" and found is not None and (int(found[1]), int(found[2])) >= (5, 8)
