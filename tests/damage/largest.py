"""Documents as large as their parsers take, in the shapes that cost most, by parser and name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lobsterdv.formats.columns import compress, encode_columns
from lobsterdv.formats.layout import MAX_MARKER_BYTES
from lobsterdv.formats.record import MAX_RECORD_BYTES
from lobsterdv.formats.retirement import MAX_RETIREMENT_BYTES
from lobsterdv.formats.runs import MAX_RUN_BYTES
from lobsterdv.formats.table import Table, encode_table
from lobsterdv.formats.yamlio import MAX_BYTES
from tests.damage.corpus import CONTENT, HEX, HONEST

YAML: Final = {
    "pointer": MAX_BYTES, "config": MAX_BYTES, "record": MAX_RECORD_BYTES, "retirement": MAX_RETIREMENT_BYTES,
    "tombstone": MAX_BYTES,
}  # fmt: skip
JSON: Final = {"run record": MAX_RUN_BYTES, "marker": MAX_MARKER_BYTES}
BODY_BYTES: Final = 1 << 20
"""Of the columns of what may have 64 MiB of them: those cost in proportion (docs/safety.md)."""
_Unit = bytes | Callable[[int], bytes]


def largest() -> Iterator[tuple[str, str, bytes]]:
    for parser, size in YAML.items():
        for name, (head, unit, tail) in _YAML_SHAPES.items():
            yield parser, name, _filled(HONEST[parser] + head, unit, tail, size)
    for parser, size in JSON.items():
        rest = HONEST[parser].rstrip()[1:]
        for name, (head, unit, tail) in _JSON_SHAPES.items():
            yield parser, name, _filled(b'{"zz":' + head, unit, tail + b"," + rest, size)
    yield from _columns()


_YAML_SHAPES: Final[dict[str, tuple[bytes, _Unit, bytes]]] = {
    "a list of digits": (b"zz: [", b"1,", b"1]\n"),
    "a list of mappings": (b"zz: [", b"{},", b"1]\n"),
    "a list in lines": (b"zz:\n", b"- 1\n", b""),
    "keys": (b"", lambda n: b"k%05d: 1\n" % n, b""),
    "keys below": (b"zz:\n", lambda n: b" %05x: {}\n" % n, b""),
    "pairs": (b"zz:\n", b" - a: b\n", b""),
    "comments": (b"", b"#\n", b""),
    "one long word": (b"zz: ", b"a", b"\n"),
    "escapes": (b'zz: "', b"\\x41", b'"\n'),
    "inputs": (b"inputs:\n", lambda n: b'- path: a%05d\n  digest: "blake3:%s"\n' % (n, HEX.encode()), b""),
    "markers of a merge": (b"", b"<<<<<<< a\n", b""),
}
_JSON_SHAPES: Final[dict[str, tuple[bytes, _Unit, bytes]]] = {
    "a list of digits": (b"[", b"1,", b"1]"),
    "lists": (b"[", b"[],", b"1]"),
    "mappings": (b"[", b"{},", b"1]"),
    "deep ones": (b"[", b'{"a":[{"a":[1]}]},', b"1]"),
    "keys": (b"{", lambda n: b'"%x":1,' % n, b'"z":1}'),
    "escapes": (b'"', b"\\u0041", b'"'),
}


def _filled(head: bytes, unit: _Unit, tail: bytes, size: int) -> bytes:
    left = size - len(head) - len(tail)
    if isinstance(unit, bytes):
        return head + unit * (left // len(unit)) + tail
    return head + b"".join(unit(n) for n in range(left // len(unit(99_999)))) + tail


def _columns() -> Iterator[tuple[str, str, bytes]]:
    """Compressed and filled with what a parser has to walk through; of a listing, lines."""
    honest = encode_table(Table((), (CONTENT,)))
    rows = BODY_BYTES // 2
    wide = {**honest, "paths": b"a\n" * (rows // 2), "types": bytes(rows // 2)}
    chunks = {**honest, "chunk_lengths": b"\1\0\0\0" * (rows // 4), "chunk_counts": (rows // 4).to_bytes(4, "little")}
    facts: dict[str, object] = {"version": f"blake3:{HEX}", "shape": "file", "size": 4}
    for name, columns in (("paths", wide), ("chunks", chunks)):
        yield "manifest", name, compress(encode_columns("manifest", facts, columns))
        yield "segment", name, compress(encode_columns("segment", {}, columns))
    line = b"file\ta%07d\t4\t" + HEX.encode() + b"\n"
    head = HONEST["listing"].split(b"\n")[0] + b"\n"
    yield "listing", "lines", head + b"".join(line % n for n in range(BODY_BYTES // len(line % 0)))
