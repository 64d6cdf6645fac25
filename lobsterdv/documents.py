"""Small documents of the work tree, read as what they are. Reads only, and follows no link.

A repository brings them (``.lobsterdv.yaml``, pointers, ``.gitignore``), so a contributor decides what lies there: a
link could lead to the reader's keys, whose bytes the next ``add`` would write into the repository, and a pipe or a
device could stop every command or never end. So only a regular file is read, up to a limit.
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
from pathlib import Path
from typing import Final

from lobsterdv.errors import FormatError, Refused
from lobsterdv.reading import naming

LINES_BYTES: Final = 1 << 20
"""The largest file of patterns (``.gitignore`` and the like) that is read."""
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_document(path: Path, limit: int, *, name: str) -> bytes:
    """A document of at most ``limit`` bytes; ``name`` is for messages. Raises FormatError for a larger one, and what
    ``read_start`` raises."""
    data = read_start(path, limit + 1, name=name)
    if len(data) > limit:
        raise FormatError(name, f"it is larger than {limit} bytes")
    return data


def read_start(path: Path, count: int, *, name: str) -> bytes:
    """Its first ``count`` bytes, or all that it has. Raises Refused for what is no regular file, OSError."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK) and path.is_symlink():
            raise Refused(name, "it is a symbolic link; only a file of its own is read there", "document") from None
        if error.errno == errno.ENXIO:  # a socket
            raise _special(name) from None
        raise
    try:
        if not stat_module.S_ISREG(os.fstat(descriptor).st_mode):
            raise _special(name)
        with naming(path), os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(count)
    finally:
        os.close(descriptor)


def _special(name: str) -> Refused:
    return Refused(name, "it is no regular file", "document")
