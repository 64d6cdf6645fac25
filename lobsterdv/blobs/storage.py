"""How new content is stored: the rules that choose between ranges of old objects, packs, zstd and whole files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from lobsterdv.blobs.zframes import stored_share

LEAST_SAVING: Final = 0.25
"""A file is stored as ranges of older objects when that saves at least so much of it."""
MANY_RANGES: Final = 64
SHORT_RANGE_BYTES: Final = 512 << 10
"""More than so many ranges, of fewer bytes on average, make a file slow to read: it is stored whole."""
WORTHWHILE_SHARE: Final = 0.9
"""What zstd leaves of a sample must be at most so much, else it is not worth its time."""
_SAMPLES: Final = 16
_SAMPLE_BYTES: Final = 64 << 10
AUTO_LEVEL: Final = 3

How = Literal["ranges", "packed", "whole", "compressed", "plain"]


@dataclass(frozen=True, slots=True)
class Storage:
    """What the user wants: the zstd level where zstd pays (None: never), and every file verbatim or not."""

    level: int | None = AUTO_LEVEL
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """How one file was stored, and why: ``reused`` bytes of its ``size`` were at the remote, in ``ranges`` runs."""

    path: str
    size: int
    how: How
    reused: int
    ranges: int
    why: str


def storage_for(compression: str, *, plain: bool = False) -> Storage:
    """The remote's setting ``compression``: ``auto``, ``none``, or a level."""
    levels = {"auto": AUTO_LEVEL, "none": None}
    return Storage(levels[compression] if compression in levels else int(compression), plain)


def against_ranges(size: int, reused: int, ranges: int) -> str | None:
    """Why a file should not be stored as ranges; None when it should."""
    if reused < LEAST_SAVING * size:
        return f"{reused / size:.0%} of it were there" if reused else "nothing of it was there"
    if ranges > MANY_RANGES and size < ranges * SHORT_RANGE_BYTES:
        return f"{ranges} short ranges would be slow to read"
    return None


def zstd_pays(parts: Iterable[bytes | memoryview], level: int | None) -> bool:
    """True when zstd makes the sample ``parts`` smaller by a tenth."""
    return level is not None and stored_share(parts, level=min(level, AUTO_LEVEL)) <= WORTHWHILE_SHARE


def sample_of(data: bytes, lengths: Sequence[int]) -> list[memoryview]:
    """Some chunks of ``data``, evenly spread, for ``zstd_pays``: each is compressed by itself, as they will be."""
    view = memoryview(data)
    ends = list(accumulate(lengths))
    wanted = _SAMPLES * max(1, _SAMPLE_BYTES * len(ends) // max(len(data), 1))
    step = max(1, len(ends) // wanted)
    return [view[ends[i] - lengths[i] : ends[i]] for i in range(0, len(ends), step)]


def sample_of_file(descriptor: int) -> list[bytes]:
    """The same of a file."""
    return [os.pread(descriptor, _SAMPLE_BYTES, start) for start in _starts(os.fstat(descriptor).st_size)]


def _starts(size: int) -> range:
    if size <= _SAMPLES * _SAMPLE_BYTES:
        return range(0, size, _SAMPLE_BYTES)
    return range(0, size - _SAMPLE_BYTES, (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
