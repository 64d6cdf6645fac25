"""Retirements and marks: what gc reads wrongly it deletes wrongly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import compress, decompress, encode_columns
from lobsterdv.formats.mark import Mark, encode_mark, parse_mark
from lobsterdv.formats.retirement import Retirement, encode_retirement, parse_retirement
from tests.formats.strategies import moderate

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
DIGESTS = st.binary(min_size=32, max_size=32).map(Digest)
KEYS = st.from_regex(r"objects/[0-9a-f]{2}/[0-9a-f]{8}", fullmatch=True)
SIZES = st.integers(0, (1 << 64) - 1)


@moderate
@given(WORDS, WORDS, WORDS, WORDS)
def test_a_retirement_holds_the_record_byte_for_byte(record: str, at: str, by: str, host: str) -> None:
    retirement = Retirement(record.encode(), at, by, host)
    data = encode_retirement(retirement)
    assert parse_retirement(data, what="r") == retirement
    assert retirement.name == digest_of(record.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"event: retire", b"event: push"),
        (b"event: retire", b"event: 1"),
        (b'was: "', b'was: "x'),
        (b"lobsterdv: 1", b"lobsterdv: 2"),
        (b"record: ", b"recorded: "),
        (b"blake3:", b"sha256:"),
    ],
)
def test_a_retirement_that_is_not_right_is_refused(old: bytes, new: bytes) -> None:
    data = encode_retirement(Retirement(b"record: 1\n", "now", "Ada", "lab"))
    assert old in data
    with pytest.raises(FormatError):
        parse_retirement(data.replace(old, new, 1), what="r")


@given(st.integers(0, 1 << 60), st.dictionaries(KEYS, SIZES, max_size=9), st.lists(DIGESTS, max_size=9))
def test_a_mark_is_read_back(at: int, rows: dict[str, int], records: list[Digest]) -> None:
    keys = sorted(rows)
    mark = Mark(at, keys, [rows[key] for key in keys], sorted(records))
    read = parse_mark(encode_mark(mark), what="m")
    assert (read.at, list(read.keys), list(read.sizes), list(read.records)) == (
        at, keys, [rows[key] for key in keys], sorted(records)
    )  # fmt: skip
    assert encode_mark(read) == encode_mark(mark)


@given(st.binary(max_size=200))
def test_noise_is_no_mark(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_mark(data, what="m")
    with pytest.raises(FormatError):
        parse_mark(compress(data or b"x"), what="m")


@pytest.mark.parametrize(
    "body",
    [
        encode_columns("mark", {"at": 1}, {"keys": b"b\na\n", "sizes": b"\0" * 16, "records": b""}),
        encode_columns("mark", {"at": 1}, {"keys": b"a\n", "sizes": b"\0" * 16, "records": b""}),
        encode_columns("mark", {"at": -1}, {"keys": b"", "sizes": b"", "records": b""}),
        encode_columns("mark", {"at": True}, {"keys": b"", "sizes": b"", "records": b""}),
        encode_columns("mark", {}, {"keys": b"", "sizes": b"", "records": b""}),
        encode_columns("mark", {"at": 1}, {"keys": b"", "sizes": b""}),
        encode_columns("segment", {"at": 1}, {"keys": b"", "sizes": b"", "records": b""}),
    ],
)
def test_a_mark_that_contradicts_itself_is_refused(body: bytes) -> None:
    assert decompress(compress(body), what="m") == body
    with pytest.raises(FormatError):
        parse_mark(compress(body), what="m")
