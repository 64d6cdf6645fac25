"""If these fail, a manifest that lies about where bytes are makes lobsterdv read what is not there, write where it
must not, or crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given

from lobsterdv.chunker import MAX_CHUNK_BYTES
from lobsterdv.digest import digest_of
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import encode_columns, pack_integers, pack_texts, parse_columns
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.formats.table import RAW, ZSTD, Content, Extent, StoredObject, Table, encode_table, parse_table
from lobsterdv.paths import SafeRelPath
from tests.formats.strategies import damaged, directory_tables, file_tables, moderate, parses

Columns = dict[str, bytes]


def parse(columns: Columns) -> Table:
    return parse_table({name: memoryview(data) for name, data in columns.items()}, what="table")


def body_of(table: Table) -> bytes:
    return encode_columns("segment", {}, encode_table(table))


def parse_body(body: bytes) -> Table:
    return parse_table(parse_columns(body, "segment", what="table")[1], what="table")


@moderate
@given(directory_tables() | file_tables())
def test_a_table_is_read_back_as_written(table: Table) -> None:
    found = parse(encode_table(table))
    assert found == table
    assert encode_table(found) == encode_table(table)


@moderate
@given(directory_tables(min_size=1).flatmap(lambda table: damaged(body_of(table))))
def test_damage_is_refused_or_another_table_with_one_encoding(body: bytes) -> None:
    found = parses(parse_body, body)
    assert found is None or body_of(found) == body or b"columns" in body  # type: ignore[arg-type]


def sample() -> Table:
    """Two files, one cut in three (two raw chunks, one zstd), a link, an empty folder, an empty file."""
    big, small, empty = digest_of(b"big"), digest_of(b"small"), digest_of(b"")
    shared = StoredObject(digest_of(b"o1"), 100)
    coded = StoredObject(digest_of(b"o2"), 50, ZSTD)
    entries = (
        Entry(SafeRelPath("a"), EntryType.FILE, 90, big),
        Entry(SafeRelPath("b"), EntryType.EXECUTABLE, 7, small),
        Entry(SafeRelPath("c"), EntryType.FILE, 90, big),
        Entry(SafeRelPath("d"), EntryType.LINK, target="a"),
        Entry(SafeRelPath("e"), EntryType.FOLDER),
        Entry(SafeRelPath("f"), EntryType.FILE, 0, empty),
    )
    names = [digest_of(bytes([n])) for n in range(3)]
    contents = (
        Content(big, 90, 14, [40, 30, 20], names, [40, 30, 11], (Extent(shared, 0, 2), Extent(coded, 39, 1))),
        Content(small, 7, 14, [7], [small], [7], (Extent(shared, 93, 1),)),
        Content(empty, 0, 14, [], [], [], ()),
    )
    return Table(entries, contents)


def test_every_changed_bit_of_the_columns_is_refused_or_counts() -> None:
    table = sample()
    columns = encode_table(table)
    for name, data in columns.items():
        for position in range(len(data) * 8):
            changed = bytearray(data)
            changed[position // 8] ^= 1 << position % 8
            found = parses(parse, columns | {name: bytes(changed)})  # type: ignore[arg-type]
            assert found is None or (found != table and encode_table(found)[name] == changed)  # type: ignore[arg-type]


def test_every_missing_cut_or_longer_column_is_refused() -> None:
    columns = encode_table(sample())
    for name, data in columns.items():
        for lie in (None, data[:-1], data + b"\0", data + data, b""):
            if lie == data:
                continue
            changed = {k: v for k, v in columns.items() if k != name}
            if lie is not None:
                changed[name] = lie
            with pytest.raises(FormatError):
                parse(changed)


def u1(*values: int) -> bytes:
    return pack_integers(values, 1)


def u4(*values: int) -> bytes:
    return pack_integers(values, 4)


def u8(*values: int) -> bytes:
    return pack_integers(values, 8)


big, small, empty = digest_of(b"big"), digest_of(b"small"), digest_of(b"")
o1, o2 = digest_of(b"o1"), digest_of(b"o2")

LIES: dict[str, Columns] = {
    "chunks that add up to less": {"chunk_lengths": u4(40, 30, 19)},
    "chunks that add up to more": {"chunk_lengths": u4(40, 30, 21)},
    "a chunk of no bytes": {"chunk_lengths": u4(40, 50, 0)},
    "a size beyond its chunks": {"sizes": u8(91, 7, 0)},
    "a size of 2^64-1": {"sizes": u8(2**64 - 1, 7, 0)},
    "an empty file with a chunk": {"chunk_counts": u4(3, 1, 1)},
    "a file without chunks": {"chunk_counts": u4(3, 0, 0)},
    "four billion chunks": {"chunk_counts": u4(2**32 - 1, 1, 0)},
    "an average nobody uses": {"average_bits": u1(15, 14, 14)},
    "a content twice": {"contents": big + big + empty},
    "an extent beyond its object": {"extent_offsets": u8(31, 39, 93)},
    "an extent at 2^64-1": {"extent_offsets": u8(2**64 - 1, 39, 93)},
    "a coded extent beyond its object": {"stored_lengths": u4(12)},
    "an extent in an object that is not there": {"extent_objects": u4(0, 2, 0)},
    "extents that hold too few chunks": {"extent_chunks": u4(1, 1, 1)},
    "extents that hold too many chunks": {"extent_chunks": u4(2, 2, 1)},
    "an extent of no chunks": {"extent_chunks": u4(3, 0, 1)},
    "four billion chunks in an extent": {"extent_chunks": u4(2**32 - 1, 1, 1)},
    "an extent too many": {"extent_counts": u4(2, 1, 1)},
    "objects in another order": {
        "objects": o2 + o1, "object_sizes": u8(50, 100), "object_codecs": u1(1, 0), "extent_objects": u4(1, 0, 1)},
    "an object that no extent uses": {
        "objects": o1 + o2 + empty, "object_sizes": u8(100, 50, 1), "object_codecs": u1(0, 1, 0)},
    "an object twice": {
        "objects": o1 + o1, "object_sizes": u8(100, 100), "object_codecs": u1(0, 0),
        "stored_lengths": b"", "chunk_lengths": u4(40, 30, 20), "extent_offsets": u8(0, 39, 93)},
    "an unknown codec": {"object_codecs": u1(0, 2)},
    "a stored length for raw bytes": {"object_codecs": u1(0, 0)},
    "stored lengths too many": {"stored_lengths": u4(11, 11)},
    "an unknown type": {"types": u1(0, 1, 0, 2, 4, 0)},
    "a link without target": {"types": u1(0, 1, 0, 2, 2, 0)},
    "a file without content": {"types": u1(0, 1, 0, 2, 0, 0)},
    "a content that is not there": {"entry_contents": u4(0, 1, 0, 3)},
    "contents out of order": {"entry_contents": u4(1, 0, 1, 2)},
    "a content that no entry uses": {"entry_contents": u4(0, 1, 0, 1)},
    "paths out of order": {"paths": pack_texts(["b", "a", "c", "d", "e", "f"])},
    "a path twice": {"paths": pack_texts(["a", "a", "c", "d", "e", "f"])},
    "a path below a link": {"paths": pack_texts(["a", "b", "c", "d", "d/e", "f"])},
    "a path that climbs": {"paths": pack_texts(["../a", "b", "c", "d", "e", "f"])},
    "a path with a line end": {"paths": b"a\nb\nc\nd\ne\nf\n\n"},
    "a path into .git": {"paths": pack_texts([".git/config", "b", "c", "d", "e", "f"])},
    "a link that climbs": {"targets": b"../a\n"},
    "an absolute link": {"targets": b"/etc/passwd\n"},
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused(name: str) -> None:
    columns = encode_table(sample())
    assert parse(columns) == sample()
    with pytest.raises(FormatError):
        parse(columns | LIES[name])


def test_columns_of_a_newer_lobsterdv_are_passed_over() -> None:
    assert parse(encode_table(sample()) | {"later": b"\1\2\3"}) == sample()


def with_content(change: Callable[[Content], Content]) -> Table:
    table = sample()
    return replace(table, contents=(change(table.contents[0]), *table.contents[1:]))


def test_chunks_have_a_bound_so_that_no_reader_needs_more_memory() -> None:
    huge = MAX_CHUNK_BYTES + 1
    target = StoredObject(digest_of(b"o"), huge)
    table = Table((), (Content(digest_of(b"h"), huge, 22, [huge], [digest_of(b"h")], [huge], (Extent(target, 0, 1),)),))
    with pytest.raises(FormatError):
        parse(encode_table(table))


def test_objects_are_named_once_in_order_of_first_use() -> None:
    assert [(o.digest, o.codec) for o in sample().objects()] == [(o1, RAW), (o2, ZSTD)]
