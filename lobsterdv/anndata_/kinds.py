"""Which kind of data a path holds, told by its name and a peek at its first bytes.

Imports nothing heavy, reads at most 2 KiB of one file, and raises for a path that cannot be read only what may be
otherwise the next time.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lobsterdv.formats.pointer import Kind as Kind

SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})
"""What tells nothing of the data, but of the machine now."""
_HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
# The HDF5 format allows a user block first (h5mu has one of 512 bytes); the magic then starts at a power of two.
_HDF5_OFFSETS: Final = (0, 512, 1024, 2048)
_ZARR_MARKS: Final = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How a table is encoded. ``delimiter`` is empty unless ``encoding`` is ``delimited``."""

    encoding: Literal["delimited", "parquet", "feather"]
    delimiter: str = ""
    gzipped: bool = False


_TABLES: Final = {
    ".csv": TableFormat("delimited", ","),
    ".tsv": TableFormat("delimited", "\t"),
    ".csv.gz": TableFormat("delimited", ",", gzipped=True),
    ".tsv.gz": TableFormat("delimited", "\t", gzipped=True),
    ".parquet": TableFormat("parquet"),
    ".feather": TableFormat("feather"),
}


def table_format(name: str) -> TableFormat | None:
    """The encoding of a table by its name; None when the name is not one of a table."""
    lower = name.lower()
    return next((known for suffix, known in _TABLES.items() if lower.endswith(suffix)), None)


def kind_of(path: Path) -> Kind:
    """The kind of what is at ``path``; ``file`` when nothing better is known, also for a path that is missing. Raises
    OSError where the system has nothing left to read it with."""
    name = path.name.lower()
    if path.is_dir():
        return "zarr" if any((path / mark).is_file() for mark in _ZARR_MARKS) else "directory"
    if name.endswith(".h5ad"):
        return "anndata" if _is_hdf5(path) else "file"
    if name.endswith(".h5mu"):
        return "mudata" if _is_hdf5(path) else "file"
    return "table" if table_format(name) else "file"


def _is_hdf5(path: Path) -> bool:
    if not path.is_file():  # opening a FIFO would wait for its writer
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HDF5_OFFSETS[-1] + len(_HDF5_MAGIC))
    except OSError as error:
        if error.errno in SHORTAGES:
            raise
        return False
    return any(head.startswith(_HDF5_MAGIC, offset) for offset in _HDF5_OFFSETS)
