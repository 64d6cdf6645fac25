"""Lines of S3's server access logs (docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html). Pure.

Fields are set apart by a space; times stand in brackets and texts of the client in quotes, which may hold quotes of
their own. The date in its brackets takes two tokens, so that the operation is the eighth token of a line. AWS adds
fields at the end now and then, and says that a reader must bear it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import unquote_plus

MAX_LINE: Final = 64 << 10  # bytes; a key has at most 1,024, and what clients say of themselves 8 KiB

# A quoted field ends at a quote before a space or the end: AWS does not escape those inside. No part of this can
# match in two ways, so that hostile lines take linear time.
_FIELD: Final = re.compile(r'\[([^\]]*)\]|"((?:[^"]|"(?! |$))*)"|([^ ]+)')
_AT_LEAST: Final = 15  # up to the object's size


@dataclass(frozen=True, slots=True)
class Access:
    """One request. ``at`` is seconds since 1970; ``user`` an ARN, an account or empty for anonymous; ``operation`` as
    ``REST.GET.OBJECT``; ``key`` empty where the bucket itself was asked; ``error`` empty where nothing failed."""

    at: float
    user: str
    operation: str
    key: str
    status: int
    error: str
    sent_bytes: int


def parse_access(line: bytes) -> Access | None:
    """None for what is no line of such a log. Never raises."""
    if len(line) > MAX_LINE:
        return None
    fields = [m[1] or m[2] or m[3] or "" for m in _FIELD.finditer(line.decode("utf-8", "replace").strip("\r\n"))]
    if len(fields) < _AT_LEAST:
        return None
    _, _, date, _, user, _, operation, key, _, status, error, sent = fields[:12]
    at = _time(date)
    if at is None or not re.fullmatch(r"[A-Z0-9]+(?:\.[A-Za-z0-9_]+)+", operation):
        return None
    return Access(
        at,
        "" if user == "-" else user,
        operation,
        "" if key == "-" else unquote_plus(unquote_plus(key)),  # encoded twice, AWS says
        _number(status),
        "" if error == "-" else error,
        _number(sent),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _time(text: str) -> float | None:
    """``06/Feb/2019:00:00:38 +0000``, whatever the language of this machine."""
    match = re.fullmatch(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})", text, re.ASCII)
    month = _MONTHS.get(match[2]) if match else None
    if match is None or month is None:
        return None
    try:
        numbers = f"{match[3]}-{month:02}-{match[1]}T{match[4]}:{match[5]}:{match[6]}{match[7]}"
        return datetime.strptime(numbers, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except (ValueError, OverflowError):
        return None


_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: number for number, name in enumerate(_NAMES, 1)}
