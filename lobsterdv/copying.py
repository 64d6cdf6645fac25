"""Copies of file bytes: a clone where the file system can, else copied inside the kernel. It verifies nothing.

Sources and targets are open descriptors, so no path is followed here.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Final

_FICLONE: Final = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_STEP_BYTES: Final = 32 << 20
_CANNOT: Final = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EPERM, errno.EBADF}
)


def clone(source: int, target: int) -> bool:
    """Make ``target`` share ``source``'s blocks (reflink). False where the file system cannot."""
    if sys.platform != "linux":
        return False
    import fcntl  # noqa: PLC0415 - absent on some platforms

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def copy(source: int, target: int, size: int, *, progress: Callable[[int], None] | None = None) -> int:
    """Copy up to ``size`` bytes from the start of ``source`` to the start of ``target``; returns how many there were.

    ``progress`` is told each step's bytes. Holes need not stay holes. Raises OSError.
    """
    done = 0
    in_kernel = hasattr(os, "copy_file_range")
    while done < size:
        step = min(_STEP_BYTES, size - done)
        moved = 0
        if in_kernel:
            try:
                moved = os.copy_file_range(source, target, step, done, done)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                in_kernel = False
                continue
        else:
            data = os.pread(source, min(step, 4 << 20), done)
            view = memoryview(data)
            while moved < len(data):
                moved += os.pwrite(target, view[moved:], done + moved)
        if not moved:
            break
        done += moved
        if progress:
            progress(moved)
    return done
