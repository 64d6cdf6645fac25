"""All of some bytes into an open file: one call of the system may take a part of them only. It syncs nothing."""

from __future__ import annotations

import os


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it: a disk that is nearly full takes a part, and says so only the next time. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """As ``write_all``, at a place of its own: threads may write to one file at once. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.pwrite(descriptor, rest, offset + len(data) - len(rest)) :]
