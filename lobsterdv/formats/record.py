"""The catalog record: one push of one version, written once, never changed (docs/format.md, section 8.3).

It carries what a pointer may not: when, who, from which commit, and which manifest was verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lobsterdv.digest import Digest, parse_digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.pointer import Pointer, pointer_from, pointer_mapping
from lobsterdv.formats.yamlio import (
    FORMAT,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_EVENTS,
    Value,
    check_format,
    dump_mapping,
    load_mapping,
)
from lobsterdv.paths import SafeRelPath, safe_path

MAX_RECORD_BYTES: Final = 2 * MAX_BYTES
"""A pointer of the largest size fits, although each of its lines is two bytes longer here."""
_DEPTH: Final = MAX_DEPTH + 1
_EVENTS: Final = MAX_EVENTS + 100
_KNOWN: Final = ("lobsterdv", "features", "event", "at", "by", "host", "commit", "path", "manifest", "pointer")


@dataclass(frozen=True, slots=True)
class Record:
    """``at`` is UTC in ISO 8601; ``commit`` the one that named the version, None before there is one."""

    path: SafeRelPath
    pointer: Pointer
    manifest: Digest
    at: str
    by: str
    host: str
    commit: str | None = None
    extra: Mapping[str, Value] = field(default_factory=dict)


def encode_record(record: Record) -> bytes:
    """The record's one encoding; its BLAKE3 is its name. Raises FormatError above 128 KiB."""
    mapping: dict[str, Value] = {
        "lobsterdv": FORMAT,
        "event": "push",
        "at": record.at,
        "by": record.by,
        "host": record.host,
    }
    if record.commit is not None:
        mapping["commit"] = record.commit
    mapping |= {"path": str(record.path), "manifest": str(record.manifest), "pointer": pointer_mapping(record.pointer)}
    mapping.update(record.extra)
    data = dump_mapping(mapping, max_depth=_DEPTH, max_events=_EVENTS)
    if len(data) > MAX_RECORD_BYTES:
        raise FormatError("record", f"it would be {len(data)} bytes long; at most {MAX_RECORD_BYTES} are allowed")
    return data


def parse_record(data: bytes, *, what: str) -> Record | None:
    """Bytes to a Record; None for an event of another kind. Raises FormatError."""
    mapping = load_mapping(data, what=what, max_bytes=MAX_RECORD_BYTES, max_depth=_DEPTH, max_events=_EVENTS)
    check_format(mapping, what=what)
    if mapping.get("event") != "push":
        return None
    pointer = mapping.get("pointer")
    if not isinstance(pointer, dict):
        raise FormatError(what, "no pointer in it")
    return Record(
        path=safe_path(_text(mapping, "path", what)),
        pointer=pointer_from(pointer, what=what),
        manifest=parse_digest(mapping.get("manifest"), what=what),
        at=_text(mapping, "at", what),
        by=_text(mapping, "by", what),
        host=_text(mapping, "host", what),
        commit=None if mapping.get("commit") is None else _text(mapping, "commit", what),
        extra={k: v for k, v in mapping.items() if k not in _KNOWN},
    )


def _text(mapping: Mapping[str, Value], key: str, what: str) -> str:
    value = mapping.get(key)
    if not isinstance(value, str):
        raise FormatError(what, f"`{key}` is missing or not text")
    return value
