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

Scope = Literal["tracked", "private", "user", "environment", "flag"]
KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30
LINK_TYPES: Final = ("reflink", "copy", "hardlink", "symlink")

_SECRET: Final = re.compile(r"secret|password|passwd|token|access_key|credential|private_key|sse_c", re.IGNORECASE)
_SIZE: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
_UNITS: Final = {
    "B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4,
    "KiB": KiB, "MiB": MiB, "GiB": GiB, "TiB": 1 << 40,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. ``kind`` is how its text is read; ``tracked`` whether a cloned repository may set it."""

    kind: Literal["text", "size", "count", "switch", "choice", "links", "digest-id"]
    default: Value
    tracked: bool
    help: str
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 1 << 62


def parse_size(text: str) -> int:
    """``10MB``, ``64 MiB`` or plain bytes, to bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size such as 10MB or 64MiB")
    return int(float(match[1]) * _UNITS[match[2] or "B"])


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
            case "choice" if str(value) in key.choices and not isinstance(value, bool):
                return str(value)
            case "links":
                links: Value = [*value.split(",")] if isinstance(value, str) else value
                if isinstance(links, list) and links and all(link in LINK_TYPES for link in links):
                    return links
            case "size" | "count" if not isinstance(value, bool) and isinstance(value, int | str):
                number = value if isinstance(value, int) else (parse_size(value) if key.kind == "size" else int(value))
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
        else {"links": f"of {', '.join(LINK_TYPES)}"}.get(key.kind, f"a {key.kind}")
    )
    raise ConfigError(source, f"`{name}` cannot be {redacted(str(value))[:60]!r}; it is {wanted}")


def unknown(key: str, known: Iterable[str]) -> str:
    if _SECRET.search(key):
        return f"`{key}` looks like a secret; secrets are never kept here (use an AWS profile or the environment)"
    close = min(known, key=lambda k: (sum(a != b for a, b in zip(k, key, strict=False)) + abs(len(k) - len(key)), k))
    return f"unknown setting `{key}`" + (f" (did you mean `{close}`?)" if close[:2] == key[:2] else "")
