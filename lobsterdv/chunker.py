"""Bytes to cut points: FastCDC (Xia et al., 2020) through pyfastcdc's compiled code. Pure.

Cut points matter for deduplication only, never for correctness: a manifest carries the chunk table
that was really used, and readers never cut.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

AVERAGE_BITS: Final = (14, 16, 18, 20, 22)
SMALL_UP_TO_BYTES: Final = 64 << 20
MAX_CHUNKS: Final = 1 << 20
MAX_CHUNK_BYTES: Final = 4 << max(AVERAGE_BITS)


def average_bits_for(size: int) -> int:
    """log2 of the average chunk size for a file of ``size`` bytes.

    16 KiB up to 64 MiB, then the smallest of 64 KiB, 256 KiB, 1 MiB and 4 MiB that keeps the file
    under 2^20 chunks, so that a chunk table never exceeds about 40 MB.
    """
    if size <= SMALL_UP_TO_BYTES:
        return AVERAGE_BITS[0]
    return next((bits for bits in AVERAGE_BITS[1:] if size >> bits <= MAX_CHUNKS), AVERAGE_BITS[-1])


def cut_lengths(data: bytes | memoryview, *, average_bits: int) -> list[int]:
    """Lengths of the chunks of ``data``, in order; they add up to ``len(data)``; none for empty data.

    Chunks are between a quarter of and four times the average (the last may be shorter).
    """
    return [chunk.length for chunk in _cutter()(1 << average_bits).cut_buf(data)] if len(data) else []


def is_compiled() -> bool:
    """True when pyfastcdc's compiled cutter is in use; the pure one is about 200 times slower."""
    return _cutter().__module__.startswith("pyfastcdc.cy")


@cache
def _cutter() -> type[FastCDC]:
    from pyfastcdc import FastCDC  # noqa: PLC0415  start-up time: whoever reads tables needs the limits above alone

    return FastCDC
