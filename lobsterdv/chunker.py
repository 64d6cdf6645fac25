"""Bytes to cut points: FastCDC (Xia et al., 2020) through pyfastcdc's compiled code. Pure.

Cut points matter for deduplication only, never for correctness: a manifest carries the chunk table
that was really used, and readers never cut.
"""

from __future__ import annotations

import mmap
from typing import Final

from pyfastcdc import FastCDC

SMALL_AVERAGE_BITS: Final = 14
LARGE_AVERAGE_BITS: Final = 16
LARGE_FROM_BYTES: Final = 64 << 20
WINDOW_BYTES: Final = 64 << 20


def average_bits_for(size: int) -> int:
    """log2 of the average chunk size for a file of ``size`` bytes: 16 KiB up to 64 MiB, 64 KiB above."""
    return SMALL_AVERAGE_BITS if size <= LARGE_FROM_BYTES else LARGE_AVERAGE_BITS


def cut_lengths(data: bytes | memoryview | mmap.mmap, *, average_bits: int) -> list[int]:
    """Lengths of the chunks of ``data``, in order; they add up to ``len(data)``; none for empty data.

    Chunks are between a quarter of and four times the average (the last may be shorter).
    """
    return [chunk.length for chunk in FastCDC(1 << average_bits).cut_buf(data)] if len(data) else []


def is_compiled() -> bool:
    """True when pyfastcdc's compiled cutter is in use; the pure one is about 200 times slower."""
    return FastCDC.__module__.startswith("pyfastcdc.cy")
