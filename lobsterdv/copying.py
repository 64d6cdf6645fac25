"""Copies of file bytes: a clone where the file system can, else read and written, which costs no more than a copy
inside the kernel and lets the bytes be hashed on their way. It verifies nothing.

Sources and targets are open descriptors, so no path is followed here.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import Final

from lobsterdv.linux_sync import begin_sync

_FICLONE: Final = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_STEP_BYTES: Final = 1 << 20
"""It stays in the processor's cache from the read to the write; 4 MiB take 1.4 times the CPU (docs/performance.md)."""
_AHEAD_BYTES: Final = 16 << 20
"""Each time so much is written the disk begins with it: that, not the copy, is what a large file waits for."""
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


def copy(
    source: int,
    target: int,
    size: int,
    *,
    seen: Callable[[memoryview], object] | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Copy up to ``size`` bytes from the start of ``source`` to the start of ``target``, which is empty; returns how
    many there were.

    ``seen`` is shown every byte that is copied, in order, in views that are valid until it returns; ``progress`` is
    told each step's bytes. Holes stay holes where the file system tells them. Raises OSError.
    """
    buffer = memoryview(bytearray(min(size, _STEP_BYTES)))
    zeros = memoryview(bytes(len(buffer)))
    done = begun = 0

    def passed(view: memoryview) -> None:
        nonlocal done, begun
        if seen:
            seen(view)
        if progress:
            progress(len(view))
        done += len(view)
        if done - begun >= _AHEAD_BYTES:
            begin_sync(target, begun, done - begun)
            begun = done

    def skip(end: int) -> None:
        while done < end:
            passed(zeros[: end - done])

    for start, end in _data_runs(source, size):
        skip(start)
        while done < end:
            got = os.preadv(source, [buffer[: end - done]], done)
            if not got:  # cut off meanwhile, perhaps in a hole
                os.ftruncate(target, done)
                return done
            written = 0
            while written < got:
                written += os.pwrite(target, buffer[written:got], done + written)
            passed(buffer[:got])
    end = min(size, os.fstat(source).st_size)
    if end > done:  # it ends in a hole
        os.ftruncate(target, end)
        skip(end)
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
