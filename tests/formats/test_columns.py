"""If these fail, a damaged or crafted manifest crashes lobsterdv or eats its memory instead of being named and
refused."""

from __future__ import annotations

import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.errors import FormatError, UnknownFeature, UnknownFormat
from lobsterdv.formats.columns import (
    MAX_BODY_BYTES,
    compress,
    decompress,
    digests,
    encode_columns,
    integers,
    pack_integers,
    pack_texts,
    parse_columns,
    texts,
)
from tests.formats.strategies import damaged, moderate, parses

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
columns = st.dictionaries(names, st.binary(max_size=20), max_size=4)
facts = st.dictionaries(names.map(lambda n: "x" + n), st.integers() | names | st.booleans(), max_size=3)


def parse(body: bytes) -> tuple[dict[str, object], dict[str, bytes]]:
    header, found = parse_columns(body, "kind", what="sample")
    return dict(header), {name: bytes(data) for name, data in found.items()}


@moderate
@given(facts, columns)
def test_columns_are_read_back_as_written(extra: dict[str, object], data: dict[str, bytes]) -> None:
    body = encode_columns("kind", extra, data)
    header, found = parse(body)
    assert found == data and extra.items() <= header.items()
    kept = {k: v for k, v in header.items() if k not in ("lobsterdv", "type", "features", "columns")}
    assert encode_columns("kind", kept, found) == body


@moderate
@given(st.builds(lambda f, c: encode_columns("kind", f, c), facts, columns).flatmap(damaged))
def test_damage_never_crashes(body: bytes) -> None:
    parses(parse, body)


@pytest.mark.parametrize(
    "header",
    ["", "null", "1", "[]", '"x"', "{}", '{"lobsterdv":1}', '{"lobsterdv":true,"type":"kind"}', "{", "\ufeff{}",
     '{"columns":[],"features":null,"lobsterdv":1,"type":"kind"}',
     '{"columns":[],"features":5,"lobsterdv":1,"type":"kind"}',
     '{"columns":[],"features":{},"lobsterdv":1,"type":"kind"}',
     '{"columns":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":5,"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":null,"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":{"a":1},"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":["a"],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",true]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",1.0]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",-1],["b",2]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",2]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",0]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",1],["a",0]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[[1,1]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",99999999999999999999999]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"other"}',
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":["kind"]}',
     '{"columns":[["a", 1]],"features":[],"lobsterdv":1,"type":"kind"}',
     '{"features":[],"columns":[["a",1]],"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"lobsterdv":1,"type":"kind"}',
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"kind","z":NaN}',
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"kind","z":1e999}',
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"kind","z":1.0}'.replace("1.0", "1.00"),
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"kind","z":"\\ud800"}',
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"kind","z":"\\u0061"}',
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"kind","z":' + "[" * 30_000 + "]" * 30_000 + "}",
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"kind","z":' + "9" * 5000 + "}",
     '{"columns":[["a",1]],"features":[],"lobsterdv":1,"type":"kind","z":"' + "x" * 70_000 + '"}'],
)  # fmt: skip
def test_headers_that_lie_are_refused(header: str) -> None:
    with pytest.raises(FormatError):
        parse(header.encode() + b"\nx")


def test_any_depth_of_nesting_is_refused_or_read() -> None:
    """Where the JSON decoder still succeeds and the encoder no longer does, too."""
    for depth in range(300, 1100, 7):
        nested = "[" * depth + "]" * depth
        parses(parse, f'{{"columns":[],"features":[],"lobsterdv":1,"type":"kind","z":{nested}}}\n'.encode())


def test_newer_documents_are_refused_by_name() -> None:
    with pytest.raises(UnknownFormat) as newer:
        parse(b'{"lobsterdv":2}\n')
    assert newer.value.found == "2"
    with pytest.raises(UnknownFeature) as needs:
        parse(b'{"features":["deltas"],"lobsterdv":1}\n')
    assert needs.value.feature == "deltas"


@moderate
@given(st.binary(min_size=1, max_size=300))
def test_compression_is_undone_and_every_changed_byte_is_noticed(body: bytes) -> None:
    stored = compress(body)
    assert decompress(stored, what="") == body
    for junk in (b"\0", b"x", stored):
        assert parses(lambda data: decompress(data, what=""), stored + junk) is None
    for cut in range(len(stored)):
        assert parses(lambda data: decompress(data, what=""), stored[:cut]) is None


def test_a_changed_bit_never_gives_other_bytes() -> None:
    body = b"some columns " * 50
    stored = compress(body)
    for position in range(len(stored) * 8):
        changed = bytearray(stored)
        changed[position // 8] ^= 1 << position % 8
        assert parses(lambda data: decompress(data, what=""), bytes(changed)) in (None, body)


def test_bombs_are_refused_before_they_grow() -> None:
    huge = zstandard.ZstdCompressor(level=1).compress(bytes(MAX_BODY_BYTES + 1))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 100)
    for stored in (huge, unsized, b"", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\x1f\x8b"):
        with pytest.raises(FormatError):
            decompress(stored, what="sample")
    with pytest.raises(FormatError):
        compress(bytes(MAX_BODY_BYTES + 1))


@moderate
@given(st.sampled_from([1, 4, 8]), st.data())
def test_integers_are_little_endian(width: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, (1 << 8 * width) - 1), max_size=5))
    packed = pack_integers(values, width)
    assert packed == b"".join(v.to_bytes(width, "little") for v in values)
    assert integers({"n": memoryview(packed)}, "n", width, what="").tolist() == values
    with pytest.raises((OverflowError, TypeError)):
        pack_integers([1 << 8 * width], width)


def test_columns_that_are_cut_or_missing_are_refused() -> None:
    cut = {"n": memoryview(b"\x01\x02\x03"), "t": memoryview(b"line"), "u": memoryview(b"\xff\n")}
    for read in (
        lambda: integers(cut, "n", 4, what=""),
        lambda: integers(cut, "m", 4, what=""),
        lambda: digests(cut, "n", what=""),
        lambda: texts(cut, "t", what=""),
        lambda: texts(cut, "u", what=""),
        lambda: texts(cut, "m", what=""),
    ):
        with pytest.raises(FormatError):
            read()
    assert texts({"t": memoryview(pack_texts(["a", "", "é"]))}, "t", what="") == ["a", "", "é"]
    assert texts({"t": memoryview(b"")}, "t", what="") == []


def test_the_header_is_a_line_of_sorted_json_that_any_language_reads() -> None:
    body = encode_columns("kind", {"é": 1}, {"a": b"xy", "b": b""})
    line, _, rest = body.partition(b"\n")
    expected = {"columns": [["a", 2], ["b", 0]], "features": [], "lobsterdv": 1, "type": "kind", "é": 1}
    assert json.loads(line) == expected and list(json.loads(line)) == sorted(expected)
    assert rest == b"xy"
