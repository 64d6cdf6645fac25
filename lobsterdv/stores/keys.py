"""Which keys and key prefixes a store takes. It never looks at what is stored."""

from __future__ import annotations

import re
from typing import Final

from lobsterdv.errors import UsageError
from lobsterdv.temps import PREFIX as TEMP_PREFIX

MAX_KEY_BYTES: Final = 1024  # S3's limit, which includes the store's prefix

_PRINTABLE: Final = re.compile(r"[\x20-\x5b\x5d-\x7e]*", re.ASCII)  # no control characters, no backslash


def check_key(key: str) -> str:
    """Give ``key`` back when it is ASCII, relative, and clean in every part. Raises UsageError."""
    parts = key.split("/")
    if not _PRINTABLE.fullmatch(key) or len(key) > MAX_KEY_BYTES:
        raise UsageError(f"not a key: {key[:80]!r} (at most {MAX_KEY_BYTES} printable ASCII characters)")
    if any(part in ("", ".", "..") or part.startswith(TEMP_PREFIX) for part in parts):
        raise UsageError(f"not a key: {key[:80]!r} (no part may be empty, '.', '..' or start with {TEMP_PREFIX})")
    return key


def check_prefix(prefix: str) -> str:
    """Give a prefix of keys back: a key cut off anywhere, or nothing. Raises UsageError."""
    if prefix:
        # Whatever it is cut off from must be a key, so complete its last part with a letter.
        check_key(prefix + "x")
    return prefix
