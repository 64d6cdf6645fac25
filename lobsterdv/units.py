"""Bytes as people read them. Pure."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB", "EB")


def size(number: int) -> str:
    """Bytes in decimal units: ``512 B``, ``18.3 MB``."""
    if number < 1000:
        return f"{number} B"
    power = 1
    while number >= 999_950 * 1000 ** (power - 1) and power < len(_UNITS):
        power += 1
    return f"{number / 1000**power:.1f} {_UNITS[power - 1]}"
