"""The JSON document of a command: one, on stdout, the same frame for all (docs/cli.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias

from lobsterdv.digest import Digest

Plain: TypeAlias = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None

FORMAT: Final = 1
INTERNAL: Final = {("FetchReport", "entries"), ("FetchReport", "tight")}
"""Fields of reports that verbs hand to each other, by class and name."""


def document(
    command: str,
    *,
    report: object,
    exit_code: int,
    warnings: Sequence[str],
    errors: Sequence[Mapping[str, object]],
) -> str:
    """The document as text. ``report`` is a dataclass or None; its ``failures`` are in ``errors``."""
    frame = {
        "lobsterdv": FORMAT,
        "command": command,
        "ok": exit_code == 0,
        "exit": exit_code,
        "report": plain(report),
        "warnings": list(warnings),
        "errors": [dict(error) for error in errors],
    }
    return json.dumps(frame, indent=2)


def shown_fields(report: type[Any]) -> list[str]:
    """Which fields of a report are in its document."""
    hidden = {name for owner, name in INTERNAL if owner == report.__name__}
    return [f.name for f in fields(report) if f.name != "failures" and f.name not in hidden]


def plain(value: object) -> Plain:
    """Dataclasses to mappings, digests and paths to text. Raises TypeError for what JSON cannot say."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Digest | Path):
        return str(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {str(name): plain(part) for name, part in value._asdict().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in shown_fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    raise TypeError(f"a report holds a {type(value).__name__}, which has no JSON form")
