"""Free space: asked for once a file system, before the first byte is written. It writes nothing."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from lobsterdv.errors import NoSpace
from lobsterdv.units import size


class Demand(NamedTuple):
    """``new_bytes`` that are about to be written at or below ``place`` (which may not exist yet), for ``purpose``."""

    place: Path
    new_bytes: int
    purpose: str


def free_bytes(folder: Path) -> int | None:
    """Bytes that an ordinary user may still write where ``folder`` lies; None where the file system does not say
    (some network file systems tell of no blocks at all) or may not be asked."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize if found.f_blocks else None


def check_space(demands: Iterable[Demand], *, free: Callable[[Path], int | None]) -> NoSpace | None:
    """The first file system that has not the room for all that is demanded of it; None when all have.

    ``free`` is asked once a file system. Others may write meanwhile: that there is room is no promise.
    """
    by_device: dict[int, tuple[Path, list[Demand]]] = {}
    for demand in demands:
        if demand.new_bytes:
            folder = existing(demand.place)
            try:
                device = folder.stat().st_dev
            except OSError:
                continue  # whoever writes there will say what is wrong
            by_device.setdefault(device, (folder, []))[1].append(demand)
    for folder, wanted in by_device.values():
        needed = sum(demand.new_bytes for demand in wanted)
        left = free(folder)
        if left is not None and needed > left:
            parts: Counter[str] = Counter()
            for demand in wanted:
                parts[demand.purpose] += demand.new_bytes
            detail = " and ".join(f"{size(n)} for {purpose}" for purpose, n in parts.items()) if len(parts) > 1 else ""
            return NoSpace(str(max(wanted, key=lambda d: d.new_bytes).place), detail, errno.ENOSPC, needed, left)
    return None


def existing(place: Path) -> Path:
    """``place``, or the nearest folder above it that is there."""
    while not os.path.exists(place) and place != place.parent:
        place = place.parent
    return place
