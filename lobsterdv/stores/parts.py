"""How a large value is cut into parts: the arithmetic alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from lobsterdv.errors import UsageError

MIB: Final = 1 << 20
GIB: Final = 1 << 30
TIB: Final = 1 << 40


def count_parts(size: int, *, part_size: int) -> int:
    """How many parts of ``part_size`` bytes hold ``size`` bytes. Raises UsageError below one byte."""
    if size < 1:
        raise UsageError(f"an upload has at least 1 byte, not {size}")
    return -(-size // part_size)


def check_part(number: int, length: int, *, size: int, part_size: int) -> None:
    """Raises UsageError unless part ``number`` of a value of ``size`` bytes has ``length`` bytes."""
    expected = min(part_size, size - number * part_size)
    if number < 0 or expected < 1 or length != expected:
        raise UsageError(f"part {number} of {size} bytes has {max(expected, 0)} bytes, not {length}")


def check_all_sent(parts: Collection[int], part_count: int) -> None:
    """Raises UsageError when a part is missing."""
    if len(parts) < part_count:
        raise UsageError(f"{part_count - len(parts)} of {part_count} parts were never sent")
