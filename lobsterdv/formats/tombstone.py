"""The tombstone of a version that must not be kept, by anyone: consent was withdrawn (docs/format.md, section 8.7).

Written once, never changed, never removed. It names the version by its digest and holds nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lobsterdv.digest import Digest, parse_digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.yamlio import FORMAT, MAX_BYTES, Value, check_format, dump_mapping, load_mapping
from lobsterdv.paths import safe_path

MAX_REASON: Final = 2000  # characters


@dataclass(frozen=True, slots=True)
class Tombstone:
    """``at`` is UTC in ISO 8601, by the clock of whoever forgot; ``path`` is what the dataset was called there."""

    version: Digest
    path: str
    reason: str
    at: str
    by: str
    host: str


def encode_tombstone(tombstone: Tombstone) -> bytes:
    """Its one encoding; its BLAKE3 is its name. Raises FormatError for a reason of more than 2,000 characters."""
    if len(tombstone.reason) > MAX_REASON:
        raise FormatError("the reason", f"{len(tombstone.reason)} characters; at most {MAX_REASON} are kept")
    mapping: dict[str, Value] = {
        "lobsterdv": FORMAT,
        "event": "forget",
        "at": tombstone.at,
        "by": tombstone.by,
        "host": tombstone.host,
        "path": tombstone.path,
        "version": str(tombstone.version),
        "reason": tombstone.reason,
    }
    return dump_mapping(mapping)


def parse_tombstone(data: bytes, *, what: str) -> Tombstone:
    """Raises FormatError."""
    mapping = load_mapping(data, what=what, max_bytes=MAX_BYTES)
    check_format(mapping, what=what)
    found = [mapping.get(key) for key in ("path", "reason", "at", "by", "host")]
    texts = [value for value in found if isinstance(value, str)]
    if mapping.get("event") != "forget" or len(texts) != len(found):
        raise FormatError(what, "it is no tombstone")
    path, reason, at, by, host = texts
    if len(reason) > MAX_REASON:
        raise FormatError(what, f"a reason of {len(reason)} characters; at most {MAX_REASON} are kept")
    return Tombstone(parse_digest(mapping.get("version"), what=what), safe_path(path), reason, at, by, host)
