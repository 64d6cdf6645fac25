"""The run record: what one run of a command or of Python code was given, made and met (docs/format.md, section 8.6).

A pointer holds what is equal for equal work; what differs from run to run is here: when, who, where, from which
commit, how long. Written once, never changed; its name is the BLAKE3 of its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lobsterdv.digest import parse_digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import no_constants, no_duplicates
from lobsterdv.formats.pointer import Input
from lobsterdv.formats.yamlio import FORMAT, MAX_BYTES, MAX_DEPTH, Value, check_depth, check_format
from lobsterdv.paths import safe_path

MAX_RUN_BYTES: Final = 4 * MAX_BYTES
MAX_MARKS: Final = 32_768
"""Of ``[``, ``{`` and ``,`` in a record, in text too: what is read in 0.1 s, whatever its shape."""
_KNOWN: Final = frozenset(
    {"lobsterdv", "activity", "command", "script", "params", "inputs", "outputs", "started", "ended", "exit_code"}
    | {"commit", "dirty", "by", "host", "environment"}
)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """``started`` and ``ended`` are UTC in ISO 8601; ``commit`` is the code's, None before there is one, ``dirty``
    whether files that git tracks differed from it; ``command`` and ``script`` are as in the pointer."""

    activity: str
    inputs: tuple[Input, ...]
    outputs: tuple[Input, ...]
    started: str
    ended: str
    by: str
    host: str
    exit_code: int = 0
    command: str | None = None
    script: str | None = None
    params: Mapping[str, Value] = field(default_factory=dict)
    commit: str | None = None
    dirty: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Value] = field(default_factory=dict)


def encode_run(record: RunRecord) -> bytes:
    """The record's one encoding: JSON, keys sorted, no blanks. Raises FormatError above 256 KiB."""
    mapping: dict[str, object] = {
        "lobsterdv": FORMAT,
        "activity": record.activity,
        "inputs": _references(record.inputs),
        "outputs": _references(record.outputs),
        "started": record.started,
        "ended": record.ended,
        "exit_code": record.exit_code,
        "by": record.by,
        "host": record.host,
        "dirty": record.dirty,
        "environment": dict(record.environment),
        "params": dict(record.params),
    }
    optional = {"command": record.command, "script": record.script, "commit": record.commit}
    mapping |= {key: value for key, value in optional.items() if value is not None}
    mapping |= record.extra
    try:
        data = json.dumps(mapping, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    except ValueError as error:
        raise FormatError("run record", str(error)) from None
    if len(data) > MAX_RUN_BYTES:
        raise FormatError("run record", f"it would be {len(data)} bytes long; at most {MAX_RUN_BYTES} are allowed")
    _check_marks(data, "run record")
    return data


def parse_run(data: bytes, *, what: str) -> RunRecord:
    """Bytes to a RunRecord, every field checked. Raises FormatError."""
    if len(data) > MAX_RUN_BYTES:
        raise FormatError(what, f"{len(data)} bytes long; at most {MAX_RUN_BYTES} are allowed")
    mapping = _load(data, what)
    check_format(mapping, what=what)
    exit_code, dirty = mapping.get("exit_code", 0), mapping.get("dirty", False)
    if type(exit_code) is not int or abs(exit_code) >= 1 << 31 or type(dirty) is not bool:
        raise FormatError(what, "`exit_code` is a number of 32 bits and `dirty` true or false")
    environment = _section(mapping, "environment", what)
    versions = {name: value for name, value in environment.items() if isinstance(value, str)}
    if len(versions) != len(environment):
        raise FormatError(what, "`environment` holds something else than names and versions")
    return RunRecord(
        activity=_text(mapping, "activity", what),
        inputs=_parse_references(mapping.get("inputs"), "inputs", what),
        outputs=_parse_references(mapping.get("outputs"), "outputs", what),
        started=_text(mapping, "started", what),
        ended=_text(mapping, "ended", what),
        by=_text(mapping, "by", what),
        host=_text(mapping, "host", what),
        exit_code=exit_code,
        command=_optional(mapping, "command", what),
        script=_optional(mapping, "script", what),
        params=_section(mapping, "params", what),
        commit=_optional(mapping, "commit", what),
        dirty=dirty,
        environment=versions,
        extra={key: value for key, value in mapping.items() if key not in _KNOWN},
    )


def _load(data: bytes, what: str) -> dict[str, Value]:
    """One JSON object in UTF-8 of one meaning, which can be written again. Raises FormatError."""
    _check_marks(data, what)
    try:
        mapping = json.loads(data.decode(), object_pairs_hook=no_duplicates, parse_constant=no_constants)
        json.dumps(mapping, allow_nan=False, ensure_ascii=False).encode()  # half a surrogate pair, 1e999
    except (ValueError, RecursionError):
        raise FormatError(what, "not valid JSON") from None
    if not isinstance(mapping, dict):
        raise FormatError(what, "not a mapping of keys to values")
    check_depth(mapping, MAX_DEPTH, what=what)
    return mapping


def _check_marks(data: bytes, what: str) -> None:
    if sum(map(data.count, (b"[", b"{", b","))) > MAX_MARKS:
        raise FormatError(what, "it holds too many values")


def _references(items: tuple[Input, ...]) -> list[dict[str, str]]:
    return [{"path": str(item.path), "digest": str(item.digest)} for item in items]


def _parse_references(value: object, key: str, what: str) -> tuple[Input, ...]:
    if not isinstance(value, list):
        raise FormatError(what, f"`{key}` is not a list")
    found = []
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("path"), str):
            raise FormatError(what, f"`{key}` holds something else than a `path` and a `digest`")
        found.append(Input(safe_path(item["path"]), parse_digest(item.get("digest"), what=what)))
    return tuple(found)


def _text(mapping: Mapping[str, object], key: str, what: str) -> str:
    value = mapping.get(key)
    if not isinstance(value, str):
        raise FormatError(what, f"`{key}` is missing or not text")
    return value


def _optional(mapping: Mapping[str, object], key: str, what: str) -> str | None:
    return None if mapping.get(key) is None else _text(mapping, key, what)


def _section(mapping: Mapping[str, Value], key: str, what: str) -> dict[str, Value]:
    value = mapping.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FormatError(what, f"`{key}` is not a mapping")
    return value
