"""Stat signatures: what tells that a file was not touched since it was last read. Pure."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

LARGEST: Final = (1 << 63) - 1
RACY_NS: Final = 2_000_000_000
"""A file modified less than this before it was read may change again unnoticed within one clock tick
of a coarse file system (git's "racily clean" rule)."""


class Signature(NamedTuple):
    """What ``lstat`` says of a file. Equal signatures mean equal bytes, unless racy."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def is_racy(self, read_ns: int) -> bool:
        """True when the file may have changed after it was read at ``read_ns`` without the signature showing it."""
        return self.mtime_ns >= read_ns - RACY_NS


def signature_of(stat: os.stat_result) -> Signature:
    """The signature in a stat result. Device and inode numbers are taken modulo 2^63, SQLite's and array's range:
    some FUSE file systems use all 64 bits."""
    return Signature(stat.st_dev & LARGEST, stat.st_ino & LARGEST, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
