"""What a server was seen to do. ``remote doctor`` finds out; a machine remembers it for seven days."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Final, Literal

Checking = Literal["verified", "taken", "refused", ""]
"""Of a checksum that is sent along: compared by the server, ignored, not known there, or nobody tried."""
DAYS_KNOWN: Final = 7


@dataclass(frozen=True, slots=True)
class Capabilities:
    """None and "" mean that nobody knows. ``conditional_put``: an existing value survives ``If-None-Match: *``."""

    conditional_put: bool | None = None
    ranges: bool | None = None
    multipart: bool | None = None
    versioning: bool | None = None
    crc32: Checking = ""
    crc64nvme: Checking = ""
    xxhash128: Checking = ""

    def checking(self, algorithm: str) -> Checking:
        """What is known of a checksum, by its name in the settings: "auto" is a CRC-32."""
        if algorithm == "crc64nvme":
            return self.crc64nvme
        return self.xxhash128 if algorithm == "xxhash128" else self.crc32


def dump_capabilities(known: Capabilities) -> str:
    return json.dumps(asdict(known), sort_keys=True)


def parse_capabilities(text: str) -> Capabilities:
    """Nothing is known by what cannot be read, or was written by another version."""
    try:
        found = json.loads(text)
        known = Capabilities(**found)
    except (ValueError, TypeError):
        return Capabilities()
    for field in fields(Capabilities):
        value = getattr(known, field.name)
        right = ("verified", "taken", "refused", "") if isinstance(field.default, str) else (True, False, None)
        if value not in right or isinstance(value, int) != isinstance(value, bool):
            return Capabilities()
    return known
