"""The pointer: ``NAME.ldv.yaml``, the small file that git tracks and that names one version (docs/format.md, 3).

Equal work gives equal bytes: no times, hosts, users or commits. Unknown keys are kept and written back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args

from lobsterdv.digest import Digest, parse_digest
from lobsterdv.errors import ConflictedPointer, FormatError
from lobsterdv.formats.yamlio import FORMAT, MAX_BYTES, Value, check_format, dump_mapping, load_mapping
from lobsterdv.paths import SafeRelPath, safe_path

SUFFIX: Final = ".ldv.yaml"
Kind = Literal["file", "directory", "anndata", "mudata", "zarr", "table"]
KINDS: Final = frozenset(get_args(Kind))

_KNOWN: Final = frozenset(
    [
        "lobsterdv",
        "features",
        "digest",
        "size",
        "files",
        "kind",
        "executable",
        "storage",
        "message",
        "summary",
        "inputs",
        "run",
    ]
)
_OURS: Final = re.compile(rb"^<{7} ", re.MULTILINE)
_MIDDLE: Final = re.compile(rb"^={7}\r?$", re.MULTILINE)
_DIGEST: Final = re.compile(rb"^digest: *\"?(blake3:[0-9a-f]{64})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Input:
    """One version that a version was made from: where it was, in the project, and its digest."""

    path: SafeRelPath
    digest: Digest


@dataclass(frozen=True, slots=True)
class Pointer:
    """One version: ``size`` in bytes (of all its files), ``files`` only for directories (regular files in it)."""

    digest: Digest
    size: int
    kind: Kind
    files: int | None = None
    executable: bool = False
    storage: Literal["plain"] | None = None
    message: str | None = None
    summary: Mapping[str, Value] | None = None
    inputs: tuple[Input, ...] = ()
    run: Mapping[str, Value] | None = None
    extra: Mapping[str, Value] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.identity)

    @property
    def is_directory(self) -> bool:
        return self.files is not None

    def same_version(self, other: Pointer | None) -> bool:
        """True when both name the same content (message and lineage may differ)."""
        return other is not None and self.identity == other.identity

    @property
    def identity(self) -> tuple[Digest, bool, bool]:
        """What makes a version: content, shape, executable bit."""
        return self.digest, self.is_directory, self.executable


def pointer_mapping(pointer: Pointer) -> dict[str, Value]:
    """The pointer as the mapping that is written, keys in their order."""
    mapping: dict[str, Value] = {"lobsterdv": FORMAT, "digest": str(pointer.digest), "size": pointer.size}
    if pointer.files is not None:
        mapping["files"] = pointer.files
    mapping["kind"] = pointer.kind
    if pointer.executable:
        mapping["executable"] = True
    if pointer.storage is not None:
        mapping["storage"] = pointer.storage
    if pointer.message is not None:
        mapping["message"] = pointer.message
    if pointer.summary:
        mapping["summary"] = dict(pointer.summary)
    if pointer.inputs:
        mapping["inputs"] = [{"path": str(i.path), "digest": str(i.digest)} for i in pointer.inputs]
    if pointer.run:
        mapping["run"] = dict(pointer.run)
    mapping.update(pointer.extra)
    return mapping


def encode_pointer(pointer: Pointer) -> bytes:
    """The pointer's one encoding. Raises FormatError above 64 KiB."""
    data = dump_mapping(pointer_mapping(pointer))
    if len(data) > MAX_BYTES:
        raise FormatError("pointer", f"it would be {len(data)} bytes long; at most {MAX_BYTES} are allowed")
    return data


def parse_pointer(data: bytes, *, what: str) -> Pointer:
    """Bytes to a Pointer. Raises ConflictedPointer for git's merge markers, FormatError for the rest."""
    if len(data) <= 2 * MAX_BYTES and _OURS.search(data):
        problem = "git left merge conflict markers in it"
        ours, theirs = _sides(data)
        raise ConflictedPointer(what, problem, ours=ours, theirs=theirs)
    return pointer_from(load_mapping(data, what=what), what=what)


def pointer_from(mapping: Mapping[str, Value], *, what: str) -> Pointer:
    """A parsed mapping to a Pointer, every field checked. Raises FormatError."""
    check_format(mapping, what=what)
    kind = mapping.get("kind", "file")
    if not isinstance(kind, str) or kind not in KINDS:
        raise FormatError(what, f"unknown kind {str(kind)[:40]!r}")
    files = None if mapping.get("files") is None else _count(mapping, "files", what)
    if kind == "directory" and files is None:
        raise FormatError(what, "a directory without its number of `files`")
    if files is not None and kind not in ("directory", "zarr"):
        raise FormatError(what, f"`files` given for kind {kind}")
    executable = mapping.get("executable", False)
    if not isinstance(executable, bool) or (executable and files is not None):
        raise FormatError(what, "`executable` is true or false, and only for a file")
    storage = mapping.get("storage")
    if storage not in (None, "plain"):
        raise FormatError(what, "`storage` is `plain` or absent")
    message = mapping.get("message")
    if message is not None and not isinstance(message, str):
        raise FormatError(what, "`message` is not text")
    return Pointer(
        digest=parse_digest(mapping.get("digest"), what=what),
        size=_count(mapping, "size", what),
        kind=cast(Kind, kind),
        files=files,
        executable=executable,
        storage="plain" if storage else None,
        message=message,
        summary=_section(mapping, "summary", what),
        inputs=_inputs(mapping.get("inputs"), what),
        run=_section(mapping, "run", what),
        extra={k: v for k, v in mapping.items() if k not in _KNOWN},
    )


def _sides(data: bytes) -> tuple[str, str]:
    """The digests that the two sides of a merge name; one that stands above the conflict belongs to both."""
    common, _, rest = data.partition(b"<<<<<<< ")
    middle = _MIDDLE.search(rest)
    halves = (rest[: middle.start()], rest[middle.end() :]) if middle else (rest, b"")
    found = [_DIGEST.search(half) or _DIGEST.search(common) for half in halves]
    ours, theirs = (match[1].decode() if match else "" for match in found)
    return ours, theirs


def _count(mapping: Mapping[str, Value], key: str, what: str) -> int:
    value = mapping.get(key)
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise FormatError(what, f"`{key}` is not a whole number of at least 0")
    return value


def _section(mapping: Mapping[str, Value], key: str, what: str) -> Mapping[str, Value] | None:
    value = mapping.get(key)
    if value is not None and not isinstance(value, dict):
        raise FormatError(what, f"`{key}` is not a mapping")
    return value or None


def _inputs(value: Value, what: str) -> tuple[Input, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise FormatError(what, "`inputs` is not a list")
    inputs = []
    for item in value:
        if not isinstance(item, dict) or set(item) != {"path", "digest"} or not isinstance(item["path"], str):
            raise FormatError(what, "an input is not a `path` and a `digest`")
        inputs.append(Input(safe_path(item["path"]), parse_digest(item["digest"], what=what)))
    return tuple(inputs)
