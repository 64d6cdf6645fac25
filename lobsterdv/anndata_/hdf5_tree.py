"""An HDF5 file as a tree of nodes. Never takes a lock, never writes, never follows a link out of the file.

Imports h5py (0.2 s of CPU), so import this module late.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from lobsterdv.anndata_.tree import decoded, is_name


class Hdf5Node:
    """See ``tree.Node``. Valid while its file is open."""

    __slots__ = ("_item",)

    def __init__(self, item: Any) -> None:
        self._item = item

    @property
    def shape(self) -> tuple[int, ...] | None:
        return self._item.shape or () if isinstance(self._item, h5py.Dataset) else None

    @property
    def dtype(self) -> str:
        if not isinstance(self._item, h5py.Dataset):
            return ""
        dtype = self._item.dtype
        return "string" if h5py.check_string_dtype(dtype) else str(dtype.name)

    @property
    def fields(self) -> list[str]:
        return list(self._item.dtype.names or ()) if isinstance(self._item, h5py.Dataset) else []

    def names(self) -> list[str]:
        return sorted(map(decoded, self._item)) if isinstance(self._item, h5py.Group) else []

    def child(self, name: str) -> Hdf5Node | None:
        if not isinstance(self._item, h5py.Group) or not is_name(name):
            return None
        # An external or soft link may name any file of this machine: only what is stored here counts.
        if not isinstance(self._item.get(name, getlink=True), h5py.HardLink):
            return None
        return Hdf5Node(self._item[name])

    def text(self, attribute: str) -> str:
        return decoded(self._attribute(attribute))

    def texts(self, attribute: str) -> list[str] | None:
        value = self._attribute(attribute)
        return [decoded(item) for item in value] if isinstance(value, list) else None

    def numbers(self, attribute: str) -> list[int]:
        value = self._attribute(attribute)
        return [item for item in value if isinstance(item, int)] if isinstance(value, list) else []

    def _attribute(self, name: str) -> object:
        """An attribute as plain Python data: numpy's arrays and scalars become lists, strings and numbers."""
        value = self._item.attrs.get(name)
        return value.tolist() if hasattr(value, "tolist") else value


@contextmanager
def open_hdf5(path: Path) -> Iterator[Hdf5Node]:
    """The root of the file at ``path``, open for the length of the block. Raises OSError if it is not HDF5."""
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError:
        # HDF5 refuses other lock settings for a file this process has open, for example a backed AnnData. Asking
        # again with the default then shares that open file and takes no new lock.
        file = h5py.File(path, "r")
    with file:
        yield Hdf5Node(file)
