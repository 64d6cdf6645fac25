"""If these fail, a table of a million files answers for the wrong file, or takes a gigabyte again."""

from __future__ import annotations

import tracemalloc
from array import array
from itertools import accumulate
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.compact import DigestIndex, Numbers, Texts, repeated, starts_of
from lobsterdv.digest import DIGEST_BYTES, Digest, Digests, digest_of
from lobsterdv.formats.contents import ZSTD, Content, Contents, Extent, StoredObject
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.table import Table, encode_table, parse_table
from tests.formats.strategies import directory_tables, entry_lists, moderate

lines = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=12)
names = st.lists(st.integers(0, 9).map(lambda n: digest_of(bytes([n]))), max_size=20)
numbers = st.lists(st.integers(0, 2**32 - 1), max_size=12)
slices = st.builds(slice, *[st.none() | st.integers(-14, 14)] * 2)


@given(lines, slices)
def test_texts_are_a_sequence_of_lines(rows: list[str], some: slice) -> None:
    texts = Texts.of(rows)
    assert texts == rows and list(texts) == rows and [texts[i] for i in range(len(rows))] == rows
    assert texts[some] == rows[some] and texts != [*rows, "x"]
    assert list(texts.lengths()) == [len(row.encode()) for row in rows]
    ordered = sorted(set(rows))
    assert [Texts.of(ordered).find(row) for row in ordered] == list(range(len(ordered)))
    assert Texts.of(ordered).find("\n") == -1


@given(names, numbers, slices)
def test_digests_and_numbers_are_sequences(rows: list[Digest], counts: list[int], some: slice) -> None:
    digests, integers = Digests(b"".join(rows)), Numbers(array("I", counts))
    assert digests == rows and tuple(rows) == digests and list(digests.plain()) == rows
    assert digests[some] == rows[some] and [digests[i] for i in range(len(rows))] == rows
    assert integers == counts and integers[some] == counts[some] and sum(integers) == sum(counts)
    assert digests != [*rows, digest_of(b"x")] and integers != [*counts, 1]
    assert repeated(digests) == {row for row in rows if rows.count(row) > 1}
    assert starts_of(counts).tolist() == [0, *accumulate(counts)]


@given(names, st.booleans())
def test_a_digest_is_found_where_it_stands(rows: list[Digest], is_sorted: bool) -> None:
    rows = sorted(rows) if is_sorted else rows
    index = DigestIndex(b"".join(rows), is_sorted=is_sorted)
    for row in rows:
        assert rows[index.find(row)] == row
    assert index.find(digest_of(b"not there")) == -1


def test_digests_that_begin_alike_are_told_apart() -> None:
    rows = [Digest(b"same" + bytes([n]) * 28) for n in range(9)]
    index = DigestIndex(b"".join(reversed(rows)))
    assert [index.find(row) for row in rows] == list(range(8, -1, -1))
    assert index.find(Digest(b"same" + bytes([9]) * 28)) == -1
    heads = Digests(b"".join(b"12345678" + bytes([n % 8]) * 24 for n in range(9)))
    assert repeated(heads) == {heads[0]}


@given(entry_lists(), slices)
def test_entries_are_what_they_were_made_of(rows: tuple[object, ...], some: slice) -> None:
    entries = Entries.of(rows)  # type: ignore[arg-type]
    assert entries == rows and [entries[i] for i in range(len(rows))] == list(rows)
    assert entries[some] == rows[some]
    assert Entries.joined([entries[:3], entries[3:]]) == rows
    for row in entries:
        assert entries.find(row.path) == row and row in entries.below(row.path.partition("/")[0])
        assert all(e.path == row.path for e in entries.below(row.path))
    assert entries.find("\x7f") is None and not entries.below("\x7f")


@moderate
@given(directory_tables(), directory_tables(), slices)
def test_contents_are_what_they_were_made_of(first: Table, second: Table, some: slice) -> None:
    contents = Contents.of(first.contents)
    assert contents == first.contents and contents[some] == first.contents[some]
    assert contents.take(list(range(len(contents)))[::-1]) == first.contents[::-1]
    both = {c.digest: c for c in [*second.contents, *first.contents]} | {c.digest: c for c in first.contents}
    expected = list({c.digest: both[c.digest] for c in [*first.contents, *second.contents]}.values())
    assert Contents.joined([contents, Contents.of(second.contents)]) == expected


def test_a_parsed_content_takes_little_more_than_its_columns() -> None:
    count = 100_000
    rng = Random(1)
    target = StoredObject(digest_of(b"o"), 1 << 40, ZSTD)
    digests = Digests(rng.randbytes(DIGEST_BYTES * count))
    lengths = array("I", [1 << 16] * count)
    content = Content(digest_of(b"c"), count << 16, 16, lengths, digests, lengths, (Extent(target, 0, count),))
    columns = {name: memoryview(data) for name, data in encode_table(Table((), (content,))).items()}
    tracemalloc.start()
    try:
        (found,) = parse_table(columns, what="table").contents
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == content
    assert kept < 42 * count and peak < 60 * count
    assert found.chunk_digests[-1] == digests[count - 1] and found.lengths[-3:] == [1 << 16] * 3
