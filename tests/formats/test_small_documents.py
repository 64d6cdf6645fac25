"""Records, markers, keys and pack indexes. If these fail, pushes of others are not seen, a place that is no remote is
written to, or the cache gives out the wrong part of a pack."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import FormatError, NotARemote, UnknownFeature, UnknownFormat
from lobsterdv.formats import layout
from lobsterdv.formats.columns import encode_columns, pack_integers
from lobsterdv.formats.layout import Marker, encode_marker, parse_marker
from lobsterdv.formats.pack import Packed, PackIndex, encode_pack_index, parse_pack_index
from lobsterdv.formats.pointer import Pointer, encode_pointer
from lobsterdv.formats.record import MAX_RECORD_BYTES, Record, encode_record, parse_record
from lobsterdv.formats.yamlio import MAX_BYTES
from lobsterdv.paths import SafeRelPath
from tests.formats.strategies import any_text, damaged, digests, mappings, moderate, parses, pointers, safe_paths

D = digest_of(b"d")
RECORD = Record(SafeRelPath("a b"), Pointer(D, 3, "file"), D, "2026-09-21T13:33:20Z", "Ada", "lab-1", "ab" * 20)
known = {"lobsterdv", "features", "event", "at", "by", "host", "commit", "path", "manifest", "pointer"}
records = st.builds(
    Record, safe_paths(), pointers(), digests, any_text, any_text, any_text, st.none() | any_text,
    mappings.map(lambda m: {k: v for k, v in m.items() if k not in known}),
)  # fmt: skip


def read_record(data: bytes) -> Record | None:
    return parse_record(data, what="record")


@moderate
@given(records)
def test_a_record_is_read_back_as_written(record: Record) -> None:
    data = encode_record(record)
    assert read_record(data) == record
    assert encode_record(read_record(data)) == data  # type: ignore[arg-type]


@moderate
@given(records.flatmap(lambda r: damaged(encode_record(r))))
def test_damage_of_a_record_is_refused_or_another_record(data: bytes) -> None:
    found = parses(read_record, data)
    assert found is None or read_record(encode_record(found)) == found  # type: ignore[arg-type]


def test_every_pointer_that_can_be_written_fits_into_a_record() -> None:
    """Else push says done, and nobody can read what it recorded."""
    numbers: list[object] = []
    pointer = Pointer(D, 3, "file", extra={"z": numbers})
    numbers += range(0, 10)
    numbers *= (MAX_BYTES - len(encode_pointer(Pointer(D, 3, "file"))) - 10) // 40
    assert MAX_BYTES - 200 < len(encode_pointer(pointer)) <= MAX_BYTES
    deep = Pointer(D, 3, "file", run={"a": [[[[[[1]]]]]]})
    encode_pointer(deep)
    for each in (pointer, deep):
        record = dataclasses.replace(RECORD, pointer=each)
        assert read_record(encode_record(record)) == record
    with pytest.raises(FormatError):
        encode_record(dataclasses.replace(RECORD, by="x" * MAX_RECORD_BYTES))


@pytest.mark.parametrize("key", ["at", "by", "host", "path", "manifest", "pointer"])
def test_a_record_without_one_of_its_facts_is_refused(key: str) -> None:
    lines = encode_record(RECORD).decode().split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(key + ":"))
    end = next(i for i in range(start + 1, len(lines)) if not lines[i].startswith(" "))
    with pytest.raises(FormatError):
        read_record("\n".join(lines[:start] + lines[end:]).encode())
    with pytest.raises(FormatError):
        read_record("\n".join([*lines[:start], f"{key}: 5", *lines[end:]]).encode())


def test_events_of_a_later_lobsterdv_are_passed_over_but_not_newer_formats() -> None:
    assert read_record(b"lobsterdv: 1\nevent: retire\nwhatever: [1, 2]\n") is None
    with pytest.raises(UnknownFormat):
        read_record(b"lobsterdv: 2\nevent: push\n")
    with pytest.raises(FormatError):
        read_record(encode_record(RECORD).replace(b"commit: ", b"commit: [1] #"))


def test_a_record_cannot_name_a_path_outside_the_project() -> None:
    with pytest.raises(FormatError):
        read_record(encode_record(RECORD).replace(b"path: a b", b"path: ../a"))


def test_the_marker_has_one_encoding() -> None:
    data = encode_marker(Marker("0f" * 16))
    assert parse_marker(data, url="u") == Marker("0f" * 16)
    assert data == b'{"features":[],"lobsterdv":1,"store":"' + b"0f" * 16 + b'"}\n'
    assert parse_marker(json.dumps({**json.loads(data), "later": 1}).encode(), url="u") == Marker("0f" * 16)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", NotARemote), (b"\xff", NotARemote), (b"<html>", NotARemote), (b"[]", NotARemote), (b"1", NotARemote),
        (b"[" * 100_000, NotARemote), (b"{}", NotARemote), (b'{"lobsterdv":true}', NotARemote),
        (b'{"lobsterdv":1}', NotARemote), (b'{"lobsterdv":1,"store":"xyz"}', NotARemote),
        (b'{"lobsterdv":1,"store":5}', NotARemote), (b'{"lobsterdv":2}', UnknownFormat),
        (b'{"lobsterdv":1,"features":5}', FormatError), (b'{"lobsterdv":1,"features":["locks2"]}', UnknownFeature),
        (b'{"lobsterdv":1,"store":"' + b"0F" * 16 + b'"}', NotARemote),
    ],
)  # fmt: skip
def test_other_places_are_not_taken_for_remotes(text: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_marker(text, url="u")


@given(st.binary(max_size=60))
def test_no_bytes_at_all_crash_the_reader_of_markers(data: bytes) -> None:
    try:
        parse_marker(data, url="u")
    except (NotARemote, FormatError):
        pass


def test_keys_are_what_every_remote_ever_written_uses() -> None:
    hexed = D.hex()
    assert layout.object_key(D) == f"objects/{hexed[:2]}/{hexed}"
    assert layout.segment_key(D) == f"segments/{hexed[:2]}/{hexed}"
    assert layout.run_key(D) == f"runs/{hexed[:2]}/{hexed}"
    assert layout.manifest_key(D, D) == f"manifests/{hexed}/{hexed}"
    assert layout.record_key("p", D) == f"catalog/p/{hexed}.yaml"
    for key in (layout.object_key(D), layout.manifest_key(D, D), layout.record_key("p", D)):
        assert layout.name_in_key(key, what=key) == D
    for key in ("objects/ab/short", f"objects/{hexed}x", f"objects/{hexed.upper()}", "", "manifests/"):
        with pytest.raises(FormatError):
            layout.name_in_key(key, what=key)


@st.composite
def indexes(draw: st.DrawFn) -> tuple[Digest, int, list[Packed]]:
    sizes = draw(st.lists(st.integers(0, 1 << 18), max_size=6))
    packed = [Packed(digest_of(bytes([i])), sum(sizes[:i]), size) for i, size in enumerate(sizes)]
    return draw(digests), sum(sizes) + draw(st.integers(0, 5)), packed


def read_index(data: bytes) -> PackIndex:
    return parse_pack_index(data, what="index")


@moderate
@given(indexes())
def test_a_pack_index_is_read_back_and_finds_what_it_holds(facts: tuple[Digest, int, list[Packed]]) -> None:
    pack, size, packed = facts
    data = encode_pack_index(pack, size, packed)
    index = read_index(data)
    assert (index.pack, index.pack_size, list(index), len(index)) == (pack, size, sorted(packed), len(packed))
    assert encode_pack_index(pack, size, index) == data == encode_pack_index(pack, size, reversed(packed))
    assert [index.find(row.digest) for row in packed] == packed
    assert index.find(digest_of(b"absent")) is None and index.find(Digest(bytes(32))) is None


@moderate
@given(indexes().flatmap(lambda f: st.tuples(st.just(encode_pack_index(*f)), damaged(encode_pack_index(*f)))))
def test_damage_of_a_pack_index_is_always_noticed(pair: tuple[bytes, bytes]) -> None:
    original, changed = pair
    assert original == changed or parses(read_index, changed) is None


@pytest.mark.parametrize(
    "change",
    [{"digests": bytes(D)[:-1]}, {"offsets": pack_integers([0, 1], 8)}, {"sizes": b""},
     {"sizes": pack_integers([11], 4)}, {"offsets": pack_integers([2**64 - 1], 8)}],
)  # fmt: skip
def test_an_index_that_lies_is_refused_although_its_checksum_fits(change: dict[str, bytes]) -> None:
    columns = {"digests": bytes(D), "offsets": pack_integers([0], 8), "sizes": pack_integers([10], 4)}
    body = encode_columns("pack", {"pack": str(D), "pack_size": 10}, columns)
    assert len(read_index(body + digest_of(body))) == 1
    body = encode_columns("pack", {"pack": str(D), "pack_size": 10}, columns | change)
    with pytest.raises(FormatError):
        read_index(body + digest_of(body))
