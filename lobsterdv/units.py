"""Bytes, times and shapes as people read them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB", "EB")


def size(number: int) -> str:
    """Bytes in decimal units: ``512 B``, ``18.3 MB``."""
    if number < 1000:
        return f"{number} B"
    power = 1
    while number >= 999_950 * 1000 ** (power - 1) and power < len(_UNITS):
        power += 1
    return f"{number / 1000**power:.1f} {_UNITS[power - 1]}"


def duration(seconds: float) -> str:
    """``12 ms``, ``0.3 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if seconds < 0.0995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def shape(summary: Mapping[str, Any]) -> str | None:
    """What a pointer's summary says of extent: ``2,700 x 32,738`` cells by genes, ``1,000 rows``; None without."""
    shape, cells, genes, rows = (summary.get(key) for key in ("shape", "n_obs", "n_vars", "n_rows"))
    if not isinstance(shape, list):
        shape = [number for number in (cells, genes) if number is not None]
    if shape and all(type(number) is int for number in shape):
        return " x ".join(f"{number:,}" for number in shape)
    return f"{rows:,} rows" if type(rows) is int else None
