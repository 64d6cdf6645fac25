"""Node: a group or an array inside an HDF5 file or a zarr store, seen without reading its values."""

from __future__ import annotations

from typing import Protocol


class Node(Protocol):
    """One group or array. Attributes that are absent or of another type read as empty."""

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Lengths by dimension; None for a group."""

    @property
    def dtype(self) -> str:
        """The type of an array's elements, for example ``float32``; empty for a group."""

    @property
    def fields(self) -> list[str]:
        """Field names, in order, of an array of records; empty otherwise."""

    def names(self) -> list[str]:
        """Names of a group's members, sorted; empty for an array."""

    def child(self, name: str) -> Node | None:
        """The member ``name``; None if it is absent or stored outside this file or store."""

    def text(self, attribute: str) -> str:
        """An attribute that is one string."""

    def texts(self, attribute: str) -> list[str] | None:
        """An attribute that is a list of strings; None if it is absent, because an empty list says something."""

    def numbers(self, attribute: str) -> list[int]:
        """An attribute that is a list of integers."""


def is_name(name: str) -> bool:
    """Whether ``name`` names a direct member; a path or ``..`` taken from a file's attribute does not."""
    return name not in ("", ".", "..") and "/" not in name and "\\" not in name and "\0" not in name


def decoded(value: object) -> str:
    """``value`` as text if it is a string or bytes, else empty."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""
