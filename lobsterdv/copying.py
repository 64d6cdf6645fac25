"""Copies of file bytes: a clone where the file system can, else copied inside the kernel. It verifies nothing.

Sources and targets are open descriptors, so no path is followed here.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
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
    """Copy up to ``size`` bytes from the start of ``source`` to the start of ``target``, which is empty; returns how
    many there were.

    ``progress`` is told each step's bytes. Holes stay holes where the file system tells them. Raises OSError.
    """
    done = 0
    for start, end in _data_runs(source, size):
        if start > done and progress:
            progress(start - done)
        done = _copy_run(source, target, start, end, progress)
        if done < end:
            break
    else:
        end = max(done, min(size, os.fstat(source).st_size))
        if end > done:  # it ends in a hole
            os.ftruncate(target, end)
            if progress:
                progress(end - done)
            done = end
    return done


def allocated_bytes(stat: os.stat_result) -> int:
    """What a copy of a file takes on a disk, at the least: its bytes without the holes."""
    return min(stat.st_size, stat.st_blocks * 512)


def _data_runs(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """From and to before, where a file has data; all of it where nobody knows."""
    stat = os.fstat(descriptor)
    if not hasattr(os, "SEEK_DATA") or allocated_bytes(stat) >= stat.st_size:
        yield 0, size
        return
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            if error.errno in _CANNOT:
                yield end, size
                return
            raise
        if start < size:
            yield start, min(end, size)


def _copy_run(source: int, target: int, start: int, end: int, progress: Callable[[int], None] | None) -> int:
    """Copy from ``start`` to before ``end``; returns where the source ended, if sooner."""
    done = start
    in_kernel = hasattr(os, "copy_file_range")
    while done < end:
        step = min(_STEP_BYTES, end - done)
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
