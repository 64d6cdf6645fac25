"""The container of manifests, segments and pack indexes: one JSON line, then raw columns (docs/format.md, 5).

The line names the format, the type, the features and every column with its size in bytes; integers in
columns are unsigned little-endian. Made so that any language reads it with a JSON parser and an array.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

from lobsterdv.digest import DIGEST_BYTES, Digests
from lobsterdv.errors import FormatError, UnknownFeature, UnknownFormat
from lobsterdv.formats.yamlio import FORMAT, clipped

MAX_BODY_BYTES: Final = 64 << 20
MAX_HEADER_BYTES: Final = 64 << 10

_WIDTHS: Final = {1: "B", 4: "I", 8: "Q"}
_LEVEL: Final = 3
Header = Mapping[str, object]


def encode_columns(kind: str, facts: Mapping[str, object], columns: Mapping[str, bytes]) -> bytes:
    """The one encoding of a header and its columns."""
    header = {
        **facts,
        "lobsterdv": FORMAT,
        "type": kind,
        "features": [],
        "columns": [[name, len(data)] for name, data in columns.items()],
    }
    return _header_line(header) + b"".join(columns.values())


def parse_columns(body: bytes, kind: str, *, what: str) -> tuple[Header, dict[str, memoryview]]:
    """Header and columns (views into ``body``). Raises FormatError, UnknownFormat, UnknownFeature."""
    end = body.find(b"\n", 0, MAX_HEADER_BYTES)
    if end < 0:
        raise FormatError(what, "no header line")
    try:
        header = json.loads(body[:end].decode(), object_pairs_hook=no_duplicates, parse_constant=no_constants)
    except (ValueError, RecursionError):
        raise FormatError(what, "its header is not JSON") from None
    if not isinstance(header, dict) or type(header.get("lobsterdv")) is not int:
        raise FormatError(what, "its header has no format number")
    if header["lobsterdv"] != FORMAT:
        found = str(header["lobsterdv"])[:40]
        raise UnknownFormat(what, f"written in format {found}; this lobsterdv reads format {FORMAT}", found)
    features = header.get("features")
    if not isinstance(features, list):
        raise FormatError(what, "its header has no list of features")
    for feature in features:
        raise UnknownFeature(
            what, f"needs the feature {clipped(feature)}, which this lobsterdv does not have", str(feature)[:80]
        )
    if header.get("type") != kind:
        raise FormatError(what, f"a {str(header.get('type'))[:40]!r}, where a {kind!r} was expected")
    try:
        canonical = _header_line(header)
    except (ValueError, RecursionError):  # half a surrogate pair; nested as deep as the decoder just bears
        canonical = b""
    if canonical != body[: end + 1]:
        raise FormatError(what, "its header is not in the one encoding")
    columns: dict[str, memoryview] = {}
    offset = end + 1
    view = memoryview(body)
    described = header.get("columns")
    for item in described if isinstance(described, list) else [None]:
        match item:
            case [str(name), size] if type(size) is int and 0 <= size <= len(body) - offset and name not in columns:
                columns[name] = view[offset : offset + size]
                offset += size
            case _:
                raise FormatError(what, "its columns do not fit")
    if offset != len(body):
        raise FormatError(what, "it has bytes after its last column")
    return header, columns


def compress(body: bytes) -> bytes:
    """The stored form: one zstd frame that carries its content size and a checksum. Raises FormatError
    above 64 MiB, which nobody would read."""
    if len(body) > MAX_BODY_BYTES:
        raise FormatError("document", f"it would be {len(body)} bytes long; at most {MAX_BODY_BYTES} are allowed")
    import zstandard  # noqa: PLC0415 - start-up time: 5 ms, and only pushes and fetches need it

    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(body)


def decompress(stored: bytes, *, what: str) -> bytes:
    """The body of a stored form; never more than 64 MiB. Raises FormatError."""
    import zstandard  # noqa: PLC0415 - start-up time, as above

    try:
        size = zstandard.frame_content_size(stored)
        if not 0 < size <= MAX_BODY_BYTES:
            raise FormatError(what, "its content size is missing or over 64 MiB")
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        body = decompressor.decompress(stored, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(what, f"not a whole zstd frame ({error})") from None
    if len(body) != size:
        raise FormatError(what, "it does not have the size it claims")
    return body


def pack_integers(values: Sequence[int], width: int) -> bytes:
    """Integers as a column of ``width`` bytes each."""
    return pack_array(array(_WIDTHS[width], values))


def pack_array(numbers: array[int]) -> bytes:
    """An array as a column; its type gives the width."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def integers(columns: Mapping[str, memoryview], name: str, width: int, *, what: str) -> array[int]:
    """A column of integers. Raises FormatError when it is missing or cut."""
    data = column(columns, name, what=what)
    if len(data) % width:
        raise FormatError(what, f"its column {name} is cut off")
    numbers = array(_WIDTHS[width])
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def digests(columns: Mapping[str, memoryview], name: str, *, what: str) -> Digests:
    """A column of digests. Raises FormatError when it is missing or cut."""
    data = bytes(column(columns, name, what=what))
    if len(data) % DIGEST_BYTES:
        raise FormatError(what, f"its column {name} is cut off")
    return Digests(data)


def texts(columns: Mapping[str, memoryview], name: str, *, what: str) -> list[str]:
    """A column of lines. Raises FormatError when it is missing, not UTF-8 or its last line is cut."""
    data = bytes(column(columns, name, what=what))
    if data and data[-1:] != b"\n":
        raise FormatError(what, f"its column {name} is cut off")
    try:
        return data.decode().split("\n")[:-1]
    except UnicodeDecodeError:
        raise FormatError(what, f"its column {name} is not UTF-8") from None


def pack_texts(lines: Sequence[str]) -> bytes:
    """Lines as a column; they must not contain line breaks (safe paths and targets never do)."""
    return "".join(f"{line}\n" for line in lines).encode()


def column(columns: Mapping[str, memoryview], name: str, *, what: str) -> memoryview:
    if name not in columns:
        raise FormatError(what, f"it has no column {name}")
    return columns[name]


def _header_line(header: Mapping[str, object]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """For ``json.loads``: one meaning only. Raises ValueError."""
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("duplicate key")
    return mapping


def no_constants(name: str) -> object:
    """For ``json.loads``: NaN and Infinity are no JSON. Raises ValueError."""
    raise ValueError(f"{name} is not allowed")
