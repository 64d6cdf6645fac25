"""A zarr store in a folder as a tree of nodes, read from its JSON files without the zarr library.

Formats: https://zarr-specs.readthedocs.io, versions 2 (.zgroup, .zarray, .zattrs) and 3 (zarr.json). Consolidated
metadata is not used: it is a copy that may be stale. Never opens a chunk, never writes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lobsterdv.anndata_.tree import decoded, is_name

_MAX_JSON_BYTES: Final = 16 << 20
_V2_LETTERS: Final = {"f": "float", "i": "int", "u": "uint", "c": "complex"}


@dataclass(frozen=True, slots=True)
class ZarrNode:
    """See ``tree.Node``. Holds no open file; members are read when asked for."""

    folder: Path
    shape: tuple[int, ...] | None
    dtype: str
    fields: list[str]
    attributes: dict[str, object]

    def names(self) -> list[str]:
        if self.shape is not None:
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if _metadata(entry) is not None)

    def child(self, name: str) -> ZarrNode | None:
        return open_zarr(self.folder / name) if is_name(name) else None

    def text(self, attribute: str) -> str:
        return decoded(self.attributes.get(attribute))

    def texts(self, attribute: str) -> list[str] | None:
        value = self.attributes.get(attribute)
        return [decoded(item) for item in value] if isinstance(value, list) else None

    def numbers(self, attribute: str) -> list[int]:
        value = self.attributes.get(attribute)
        return [item for item in value if isinstance(item, int)] if isinstance(value, list) else []


def open_zarr(folder: Path) -> ZarrNode | None:
    """The group or array stored in ``folder``; None if it holds neither.

    Raises OSError if a metadata file cannot be read, ValueError if it is not a JSON object or over 16 MiB.
    """
    metadata = _metadata(folder)
    if metadata is None:
        return None
    found = _json_object(metadata)
    shape, dtype, fields = None, "", list[str]()
    if metadata.name == "zarr.json":
        attributes = found.get("attributes")
        if found.get("node_type") == "array":
            shape, dtype = _shape(found), _v3_dtype(found.get("data_type"))
    else:
        side = folder / ".zattrs"
        attributes = _json_object(side) if side.is_file() else {}
        if metadata.name == ".zarray":
            shape, (dtype, fields) = _shape(found), _v2_dtype(found.get("dtype"))
    return ZarrNode(folder, shape, dtype, fields, attributes if isinstance(attributes, dict) else {})


def _metadata(folder: Path) -> Path | None:
    """The file that says what ``folder`` is. A lone .zattrs makes it a group, as old writers left it."""
    marks = (folder / name for name in ("zarr.json", ".zarray", ".zgroup", ".zattrs"))
    return next((mark for mark in marks if mark.is_file()), None)


def _json_object(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        data = file.read(_MAX_JSON_BYTES + 1)
    if len(data) > _MAX_JSON_BYTES:
        raise ValueError(f"{path} is over {_MAX_JSON_BYTES} bytes")
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError(f"{path} does not hold a JSON object")
    return value


def _shape(found: dict[str, object]) -> tuple[int, ...]:
    shape = found.get("shape")
    return tuple(n for n in shape if isinstance(n, int)) if isinstance(shape, list) else ()


def _v3_dtype(value: object) -> str:
    name = value.get("name") if isinstance(value, dict) else value
    return decoded(name)


def _v2_dtype(value: object) -> tuple[str, list[str]]:
    """Numpy's names for version 2's type strings: ``<f4`` is float32; a list describes a record's fields."""
    if isinstance(value, list):
        return "record", [decoded(field[0]) for field in value if isinstance(field, list) and field]
    text = decoded(value)
    if text == "|b1":
        return "bool", []
    if text == "|O" or text[1:2] in ("U", "S"):
        return "string", []
    number = re.fullmatch(r"[<>|]([fiuc])(\d{1,2})", text)
    return (f"{_V2_LETTERS[number[1]]}{8 * int(number[2])}" if number else text), []
