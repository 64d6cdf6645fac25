"""If these fail, what was pushed cannot be found again, or one changed file among a million sends all metadata anew."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import FormatError
from lobsterdv.formats import manifest as module
from lobsterdv.formats.columns import compress, decompress, encode_columns, pack_integers, pack_texts
from lobsterdv.formats.listing import Entry, EntryType, Listing, digest_of_listing
from lobsterdv.formats.manifest import (
    INLINE_ROWS,
    Manifest,
    SegmentRef,
    encode_manifest,
    encode_segment,
    join_tables,
    parse_manifest,
    parse_segment,
    split_table,
)
from lobsterdv.formats.table import Content, Extent, StoredObject, Table, encode_table
from lobsterdv.paths import SafeRelPath
from tests.formats.strategies import damaged, digests, directory_tables, file_tables, moderate, parses, safe_paths


def parse(stored: bytes) -> Manifest:
    return parse_manifest(stored, what="manifest")


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    shape = draw(st.sampled_from(["file", "directory", "segments"]))
    if shape == "file":
        table = draw(file_tables())
        return Manifest(table.contents[0].digest, False, table.contents[0].size, table)
    version, size = draw(digests), draw(st.integers(0, (1 << 63) - 1))
    if shape == "directory":
        return Manifest(version, True, size, draw(directory_tables()))
    firsts = sorted(draw(st.lists(safe_paths(), min_size=1, max_size=4, unique=True)))
    refs = tuple(SegmentRef(draw(digests), draw(st.integers(1, 1 << 20)), first) for first in firsts)
    return Manifest(version, True, size, None, refs)


@moderate
@given(manifests())
def test_a_manifest_is_read_back_as_written(manifest: Manifest) -> None:
    stored = encode_manifest(manifest)
    assert parse(stored) == manifest
    assert encode_manifest(parse(stored)) == stored


@moderate
@given(manifests().flatmap(lambda m: damaged(decompress(encode_manifest(m), what=""))))
def test_damage_inside_is_refused_or_another_manifest(body: bytes) -> None:
    found = parses(parse, compress(body)) if body else None
    assert found is None or parse(encode_manifest(found)) == found  # type: ignore[arg-type]


@moderate
@given(manifests().flatmap(lambda m: st.tuples(st.just(m), damaged(encode_manifest(m)))))
def test_damage_of_what_is_stored_never_shows_other_content(pair: tuple[Manifest, bytes]) -> None:
    assert parses(parse, pair[1]) in (None, pair[0])


@moderate
@given(directory_tables(min_size=1), st.data())
def test_a_segment_holds_what_its_manifest_says_or_is_refused(table: Table, data: st.DataObject) -> None:
    stored = encode_segment(table)
    ref = SegmentRef(digest_of(stored), len(table.entries), table.entries[0].path)
    assert parse_segment(stored, ref, what="segment") == table
    for lie in (replace(ref, entries=ref.entries + 1),
                replace(ref, first_path=SafeRelPath(ref.first_path + "x"))):  # fmt: skip
        with pytest.raises(FormatError):
            parse_segment(stored, lie, what="segment")
    parses(lambda d: parse_segment(d, ref, what="segment"), data.draw(damaged(stored)))


def body(facts: dict[str, object], columns: dict[str, bytes]) -> bytes:
    return compress(encode_columns("manifest", facts, columns))


D = digest_of(b"d")
SEGMENTS = {
    "segments": D + digest_of(b"e"),
    "segment_entries": pack_integers([2, 1], 4),
    "segment_first_paths": pack_texts(["a", "m"]),
}
FACTS: dict[str, object] = {"version": str(D), "shape": "directory", "size": 3}


@pytest.mark.parametrize(
    ("facts", "columns"),
    [
        (FACTS | {"shape": "file"}, SEGMENTS),
        (FACTS | {"shape": "zebra"}, SEGMENTS),
        (FACTS | {"size": -1}, SEGMENTS),
        (FACTS | {"size": 1 << 63}, SEGMENTS),
        (FACTS | {"size": True}, SEGMENTS),
        (FACTS | {"version": D.hex()}, SEGMENTS),
        (FACTS | {"version": 5}, SEGMENTS),
        (FACTS, {}),
        (FACTS, SEGMENTS | {"segments": b""}),
        (FACTS, dict.fromkeys(SEGMENTS, b"")),
        (FACTS, SEGMENTS | {"segment_entries": pack_integers([2, 0], 4)}),
        (FACTS, SEGMENTS | {"segment_first_paths": pack_texts(["m", "a"])}),
        (FACTS, SEGMENTS | {"segment_first_paths": pack_texts(["a", "a"])}),
        (FACTS, SEGMENTS | {"segment_first_paths": pack_texts(["../a", "m"])}),
        (FACTS, SEGMENTS | {"segment_first_paths": pack_texts(["a"])}),
        (FACTS, SEGMENTS | encode_table(Table((), ()))),
    ],
)
def test_manifests_that_lie_are_refused(facts: dict[str, object], columns: dict[str, bytes]) -> None:
    assert parse(body(FACTS, SEGMENTS)).segments[1].first_path == "m"
    with pytest.raises(FormatError):
        parse(body(facts, columns))


def test_the_manifest_of_a_file_describes_that_file_alone() -> None:
    other = _content(b"other", 0)
    mine = _content(b"mine", 0)
    entry = Entry(SafeRelPath("a"), EntryType.FILE, 4, mine.digest)
    for table in (Table((), (other,)), Table((), (mine, other)), Table((entry,), (mine,)), Table((), ())):
        with pytest.raises(FormatError):
            parse(encode_manifest(Manifest(mine.digest, False, 4, table)))
    with pytest.raises(FormatError):
        parse(encode_manifest(Manifest(mine.digest, False, 5, Table((), (mine,)))))
    with pytest.raises(FormatError):
        parse(encode_manifest(Manifest(D, True, 4, Table((), (mine,)))))
    assert parse(encode_manifest(Manifest(mine.digest, False, 4, Table((), (mine,))))).size == 4


def test_other_documents_are_not_taken_for_manifests() -> None:
    segment = encode_segment(Table((), ()))
    for stored in (segment, b"", b"lobsterdv: 1\n", decompress(segment, what="")):
        with pytest.raises(FormatError):
            parse(stored)
    with pytest.raises(FormatError):
        parse_segment(body(FACTS, SEGMENTS), SegmentRef(D, 1, SafeRelPath("a")), what="segment")


def _content(data: bytes, offset: int, target: StoredObject | None = None) -> Content:
    digest = digest_of(data)
    place = Extent(target or StoredObject(digest_of(b"o"), 1 << 40), offset, 1)
    return Content(digest, len(data), 14, [len(data)], [digest], [len(data)], (place,))


def _table(names: list[str], changed: str = "") -> Table:
    contents: dict[Digest, Content] = {}
    entries = []
    target = StoredObject(digest_of(b"o"), 1 << 40)
    for number, name in enumerate(names):
        if number % 50 == 3:
            entries.append(Entry(SafeRelPath(name), EntryType.LINK, target="x"))
            continue
        text = b"changed" if name == changed else b"%07d" % (number % 30_000)  # some contents are shared
        content = contents.get(digest_of(text)) or _content(text, number, target)
        contents[content.digest] = content
        entries.append(Entry(SafeRelPath(name), EntryType.FILE, content.size, content.digest))
    return Table(tuple(entries), tuple(contents.values()))


@functools.cache
def _large() -> tuple[Table, list[bytes]]:
    table = _table([f"plate {i // 97:04}/{i:06}.tif" for i in range(34_000)])
    return table, [encode_segment(part) for part in split_table(table)]


def test_a_large_directory_is_cut_into_segments_and_comes_back_whole() -> None:
    table, stored = _large()
    parts = list(split_table(table))
    refs = [SegmentRef(digest_of(s), len(p.entries), p.entries[0].path) for s, p in zip(stored, parts, strict=True)]
    assert 5 <= len(refs) <= 25
    joined = join_tables([parse_segment(s, r, what="segment") for s, r in zip(stored, refs, strict=True)])
    assert joined == table
    assert digest_of_listing(Listing(joined.entries)) == digest_of_listing(Listing(table.entries))


def test_one_changed_file_among_many_changes_one_segment() -> None:
    table, stored = _large()
    names = [e.path for e in table.entries]
    changed = {encode_segment(part) for part in split_table(_table(names, changed=names[21_010]))} - set(stored)
    assert len(changed) == 1 and sum(map(len, changed)) < 0.3 * sum(map(len, stored))


def test_a_new_or_removed_file_moves_no_other_cut() -> None:
    table, _ = _large()
    names = [e.path for e in table.entries]
    lasts = {part.entries[-1].path for part in split_table(table)}
    for other in ([*names[:21_003], *names[21_004:]], sorted([*names, names[21_003] + "x"])):
        found = {part.entries[-1].path for part in split_table(_table(other))}
        assert len(found ^ lasts) <= 2


def test_directories_of_large_files_have_small_segments_too() -> None:
    """One changed block in one of many 60 MB files must not send the chunk tables of all the others."""
    target = StoredObject(digest_of(b"o"), 1 << 40)
    ones, chunks = [16_000] * 4000, [D] * 4000
    contents = []
    for number in range(40):
        name = digest_of(b"%d" % number)
        contents.append(Content(name, 64_000_000, 14, ones, chunks, ones, (Extent(target, 0, 4000),)))
    entries = [Entry(SafeRelPath(f"{i:02}"), EntryType.FILE, c.size, c.digest) for i, c in enumerate(contents)]
    parts = list(split_table(Table(tuple(entries), tuple(contents))))
    assert len(parts) >= 8 and max(len(p.entries) for p in parts) <= 15


def test_small_directories_and_single_files_stay_in_one_piece() -> None:
    small = _table([f"{i:05}" for i in range(100)])
    assert list(split_table(small)) == [small]
    many = [D] * (INLINE_ROWS * 2)
    ones = [1] * len(many)
    big = Content(D, len(many), 14, ones, many, ones, (Extent(StoredObject(D, len(many)), 0, len(many)),))
    assert list(split_table(Table((), (big,)))) == [Table((), (big,))]
    assert join_tables([small]) == small


def test_long_paths_are_cut_before_they_outgrow_a_reader() -> None:
    deep = "/".join(["d" * 250] * 12)
    table = _table([f"{deep}/{i:05}" for i in range(3000)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CUT_MASK", 0xFFFFFFFF)  # next to no path ends a segment, so only size does
        patch.setattr(module, "SEGMENT_ROWS", 4096)
        parts = list(split_table(table))
    assert max(len(encode_columns("segment", {}, encode_table(p))) for p in parts) < 4100 * 64
    assert join_tables(parts) == table


def test_what_readers_would_refuse_is_not_written() -> None:
    deep = "/".join(["d" * 250] * 16)
    with pytest.raises(FormatError):
        encode_segment(_table([f"{deep}/{i:05}" for i in range(17_000)]))
