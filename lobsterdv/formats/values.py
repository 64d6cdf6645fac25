"""The kinds of values that a setting can have: how its text is read, what it may be, and where it may stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from lobsterdv.errors import ConfigError
from lobsterdv.formats.layout import PROJECT_ID
from lobsterdv.formats.yamlio import Value
from lobsterdv.redaction import redacted

Scope = Literal["aws", "user", "tracked", "private", "environment", "flag"]
"""Where a setting was said; ``aws`` is the ``[s3]`` section of a profile in ~/.aws/config."""
KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30
LINK_TYPES: Final = ("reflink", "copy", "hardlink", "symlink")

_SECRET: Final = re.compile(r"secret|password|passwd|token|access_key|credential|private_key|sse_c", re.IGNORECASE)
_SIZE: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
_TAG: Final = re.compile(r"[\w +.:/@-]+")  # what AWS takes in tags, but = between key and value only
_STORAGE_CLASS: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_ARCHIVING: Final = ("GLACIER", "DEEP_ARCHIVE")  # what lies there must be restored before it can be read
_UNITS: Final = {
    "B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4,
    "KiB": KiB, "MiB": MiB, "GiB": GiB, "TiB": 1 << 40,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. ``kind`` is how its text is read; ``tracked`` whether a cloned repository may set it; with
    ``asks`` what a cloned repository says counts only after `remote trust`."""

    kind: Literal["text", "size", "rate", "count", "switch", "choice", "links", "tags", "digest-id", "storage class"]
    default: Value
    tracked: bool
    help: str
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 1 << 62
    asks: bool = False


def parse_size(text: str) -> int:
    """``10MB``, ``64 MiB`` or plain bytes, to bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size such as 10MB or 64MiB")
    return int(float(match[1]) * _UNITS[match[2] or "B"])


def parse_tags(text: str) -> dict[str, str]:
    """``lab=omics,project=atlas`` to tags of an object, within S3's limits. Raises ValueError."""
    tags: dict[str, str] = {}
    for pair in text.split(","):
        key, equals, value = pair.strip().partition("=")
        if not equals or not _TAG.fullmatch(key) or not _TAG.fullmatch("x" + value) or key.startswith("aws:"):
            raise ValueError(f"{pair.strip()!r} is not a tag such as project=atlas")
        if len(key) > 128 or len(value) > 256 or key in tags:
            raise ValueError(f"the tag {key[:40]!r} is too long, or there twice")
        tags[key] = value
    if len(tags) > 10:
        raise ValueError("an object has at most 10 tags")
    return tags


def convert(name: str, key: Key, value: Value, scope: Scope, source: str) -> Value:
    if scope == "tracked" and not key.tracked:
        raise ConfigError(source, f"`{name}` belongs to a machine or user, not into the tracked file")
    try:
        match key.kind:
            case "text" if isinstance(value, str) and value and value.isprintable():
                return value
            case "digest-id" if isinstance(value, str) and PROJECT_ID.fullmatch(value):
                return value
            case "switch":
                if isinstance(value, bool):
                    return value
                if isinstance(value, str) and value.lower() in ("on", "off", "true", "false", "yes", "no", "1", "0"):
                    return value.lower() in ("on", "true", "yes", "1")
            case "storage class" if isinstance(value, str) and _STORAGE_CLASS.fullmatch(value):
                if value in _ARCHIVING:
                    why = (
                        f"{value} would make every reader wait for hours; `lobsterdv remote tier` archives old versions"
                    )
                    raise ConfigError(source, f"`{name}`: {why}")
                return value
            case "choice" if str(value) in key.choices and not isinstance(value, bool):
                return str(value)
            case "links":
                links: Value = [*value.split(",")] if isinstance(value, str) else value
                if isinstance(links, list) and links and all(link in LINK_TYPES for link in links):
                    return links
            case "tags" if isinstance(value, str):
                return ",".join(f"{key}={text}" for key, text in parse_tags(value).items())
            case "size" | "rate" | "count" if not isinstance(value, bool) and isinstance(value, int | str):
                number = value if isinstance(value, int) else _number(key.kind, value)
                if not key.least <= number <= key.most:
                    raise ConfigError(source, f"`{name}` must be between {key.least} and {key.most}")
                return number
    except ValueError as error:
        raise ConfigError(source, f"`{name}`: {error}") from None
    if value is None:
        return key.default
    wanted = (
        f"one of {', '.join(key.choices)}"
        if key.choices
        else {"links": f"of {', '.join(LINK_TYPES)}", "tags": "tags such as project=atlas,lab=omics"}.get(
            key.kind, f"a {key.kind}"
        )
    )
    raise ConfigError(source, f"`{name}` cannot be {redacted(str(value))[:60]!r}; it is {wanted}")


def _number(kind: str, text: str) -> int:
    return int(text) if kind == "count" else parse_size(text.removesuffix("/s") if kind == "rate" else text)


def unknown(key: str, known: Iterable[str]) -> str:
    if _SECRET.search(key):
        return f"`{key}` looks like a secret; secrets are never kept here (use an AWS profile or the environment)"
    close = min(known, key=lambda k: (sum(a != b for a, b in zip(k, key, strict=False)) + abs(len(k) - len(key)), k))
    return f"unknown setting `{key}`" + (f" (did you mean `{close}`?)" if close[:2] == key[:2] else "")
