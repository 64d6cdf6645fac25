"""Directories of very many small files, made fast."""

from __future__ import annotations

import os
from pathlib import Path

LONG_AGO_S = 1_600_000_000


def write_files(folder: Path, count: int, *, folders: int = 100, padding: bytes = b"") -> None:
    """``count`` different small files in ``folders`` folders, last changed long ago."""
    each = -(-count // folders)
    for number in range(folders):
        below = folder / f"sub{number:03d}"
        below.mkdir(parents=True)
        here = os.open(below, os.O_RDONLY)
        for position in range(min(each, count - number * each)):
            file = os.open(f"{position:04d}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=here)
            os.write(file, b"%d of %d\n" % (position, number) + padding)
            os.utime(file, (LONG_AGO_S, LONG_AGO_S))
            os.close(file)
        os.close(here)
