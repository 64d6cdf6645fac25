"""Large data in small: what the engine counts in megabytes is counted in hundreds of kilobytes, so that a file of
6 MB takes as many requests as one of 400 MB. For children of the nursery (``prepare="tests.damage.scaled:shrink"``).
"""

from __future__ import annotations

from typing import Any

BLOCK = 256 << 10
"""Instead of 16 MiB: an object of what is compressed or packed, a ranged read, a part of an upload."""
SHARED_BELOW = 128 << 10
"""Instead of 8 MiB."""
SMALL = 32 << 10
"""Instead of 256 KiB: what the cache keeps in packs. Below SHARED_BELOW, as it is in full size."""


def values() -> list[tuple[Any, str, Any]]:
    """Module, name and small value of everything that counts in megabytes."""
    from lobsterdv.blobs import arrivals, cutting, intake, objects, ranges, sending, storage, upload
    from lobsterdv.ops import addition, taking_in
    from lobsterdv.stores import s3_upload

    return [
        *((module, "BLOCK_BYTES", BLOCK) for module in (cutting, objects, sending, upload)),
        *((module, "SHARED_BELOW_BYTES", SHARED_BELOW) for module in (sending, upload)),
        *((module, "SMALL_BYTES", SMALL) for module in (addition, arrivals, taking_in)),
        (storage, "SHORT_RANGE_BYTES", 8 << 10),
        (ranges, "RANGE_BYTES", BLOCK),
        (arrivals, "_DECODED_BYTES", BLOCK // 4),
        (intake, "_PENDING_BYTES", 2 * BLOCK),
        (s3_upload, "part_size_for", lambda size, *, chosen: BLOCK),
    ]


def shrink() -> None:
    """Set the sizes for the rest of this process."""
    for module, name, value in values():
        assert hasattr(module, name), f"{module.__name__} has no {name} any more"
        setattr(module, name, value)
