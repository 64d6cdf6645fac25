"""The ``s3`` section of a profile in ~/.aws/config, as settings of a remote. Pure: text in, settings out.

Names, units (1 MB is 2^20 bytes there) and their meaning:
https://docs.aws.amazon.com/cli/latest/topic/s3-config.html
"""

from __future__ import annotations

import re
from typing import Final

from lobsterdv.errors import ConfigError
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.values import convert
from lobsterdv.formats.yamlio import Value

_NAMES: Final = {
    "max_concurrent_requests": "concurrency",
    "multipart_threshold": "multipart_threshold",
    "multipart_chunksize": "part_size",
    "max_bandwidth": "max_bandwidth",
    "use_accelerate_endpoint": "accelerate",
    "use_dualstack_endpoint": "dualstack",
    "addressing_style": "addressing",
    "payload_signing_enabled": "payload_signing",
}
_HEADING: Final = re.compile(r"\[\s*(?:profile\s+)?[\"']?(?P<name>[^\]\"']+?)[\"']?\s*\]")
_AMOUNT: Final = re.compile(r"(?P<number>[0-9]+) ?(?P<unit>[KMGT]?)(?P<base>i?[Bb]?)(?P<each>/s)?")
_POWERS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def profile_settings(text: str, profile: str | None, *, source: str) -> dict[str, Value]:
    """What the profile (None: ``default``) says of S3, by our names. Raises ConfigError for what cannot be read.

    Numbers outside our limits are brought to the nearest one: the file is for other programs too.
    """
    settings: dict[str, Value] = {}
    for name, value in _section(text, profile or "default").items():
        key = _NAMES.get(name)
        if key is None:
            continue
        spec = REMOTE_KEYS[key]
        where = f"{source}: s3: {name}"
        if spec.kind in ("size", "rate", "count"):
            settings[key] = min(max(_amount(value, where), spec.least), spec.most)
        else:
            settings[key] = convert(name, spec, value, "aws", where)
    return settings


def _section(text: str, profile: str) -> dict[str, str]:
    """The indented lines under ``s3 =`` in the profile's section."""
    found: dict[str, str] = {}
    here = inside = False
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        heading = _HEADING.match(line)
        key, _, value = line.partition("=")
        if heading:
            here, inside = heading["name"] == profile, False
        elif line[0].isspace():
            if here and inside:
                found[key.strip()] = value.strip()
        else:
            inside = key.strip() == "s3" and not value.strip()
    return found


def _amount(text: str, where: str) -> int:
    match = _AMOUNT.fullmatch(text)
    if not match:
        raise ConfigError(where, f"{text[:40]!r} is no number of bytes, or of requests")
    bits = 8 if match["base"] == "b" and match["each"] else 1
    return (int(match["number"]) << 10 * _POWERS[match["unit"]]) // bits
