"""Where the bytes are. A figure that does not add up is worth less than none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.blobs.accounting import Account, Sizes
from lobsterdv.digest import Digest, digest_of
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.formats.table import RAW, ZSTD, Content, Extent, StoredObject, Table
from lobsterdv.paths import SafeRelPath

PACK = StoredObject(digest_of(b"pack"), 10_000)
FRAMES = StoredObject(digest_of(b"frames"), 5_000, ZSTD)


def content(name: str, lengths: Sequence[int], *extents: Extent, stored: Sequence[int] | None = None) -> Content:
    """Chunks of these lengths, stored as these; their digests do not matter here."""
    names = [digest_of(f"{name}{n}".encode()) for n in range(len(lengths))]
    return Content(digest_of(name.encode()), sum(lengths), 14, lengths, names, stored or lengths, extents)


def table(*files: Content) -> Table:
    """A directory of these files; equal ones share their content."""
    entries = [Entry(SafeRelPath(f"f{n:03}"), EntryType.FILE, c.size, c.digest) for n, c in enumerate(files)]
    return Table(entries, list({c.digest: c for c in files}.values()))


def adds_up(sizes: Sizes) -> bool:
    return sizes.logical - sizes.identical - sizes.dedupe - sizes.zstd == sizes.stored


def test_one_file_whole() -> None:
    account = Account()
    whole = StoredObject(digest_of(b"w"), 300)
    alone = content("w", [100, 200], Extent(whole, 0, 2))
    assert account.enter(Table([], [alone]), 0) == Sizes(logical=300, stored=300)
    assert account.enter(Table([], [alone]), 1) == Sizes(logical=300, identical=300)
    assert account.unused() == {0: 0}


def test_equal_files_in_a_version_and_in_the_next() -> None:
    account = Account()
    a, b = content("a", [100], Extent(PACK, 0, 1)), content("b", [50], Extent(PACK, 100, 1))
    assert account.enter(table(a, a, b, a), 0) == Sizes(logical=350, identical=200, stored=150)
    c = content("c", [10], Extent(PACK, 400, 1))
    assert account.enter(table(a, c), 1) == Sizes(logical=110, identical=100, stored=10)
    assert account.unused() == {0: 10_000 - 160}


def test_ranges_of_an_older_object() -> None:
    """A delta: most chunks lie in the old object, one in a new one."""
    account = Account()
    old = StoredObject(digest_of(b"old"), 600)
    new = StoredObject(digest_of(b"new"), 80)
    account.enter(Table([], [content("v1", [100, 200, 300], Extent(old, 0, 3))]), 0)
    delta = content("v2", [100, 80, 300], Extent(old, 0, 1), Extent(new, 0, 1), Extent(old, 300, 1))
    assert account.enter(Table([], [delta]), 1) == Sizes(logical=480, dedupe=400, stored=80)


def test_other_cut_points_of_the_same_bytes() -> None:
    """Ranges that overlap count by the byte."""
    account = Account()
    old = StoredObject(digest_of(b"old"), 600)
    account.enter(Table([], [content("v1", [100], Extent(old, 100, 1))]), 0)
    over = content("v2", [60, 60, 80], Extent(old, 90, 3))
    assert account.enter(Table([], [over]), 1) == Sizes(logical=200, dedupe=100, stored=100)
    assert account.unused() == {0: 400}


def test_frames() -> None:
    account = Account()
    first = content("v1", [1000, 2000], Extent(FRAMES, 0, 2), stored=[300, 700])
    assert account.enter(Table([], [first]), 0) == Sizes(logical=3000, zstd=2000, stored=1000)
    again = content("v2", [2000, 500], Extent(FRAMES, 300, 1), Extent(FRAMES, 1000, 1), stored=[700, 510])
    assert account.enter(Table([], [again]), 1) == Sizes(logical=2500, dedupe=2000, zstd=-10, stored=510)
    assert account.unused() == {0: 5000 - 1510}


def test_a_content_that_is_placed_anew_is_stored_anew() -> None:
    """Packed anew: the same file, but its old place is not what this version reads."""
    account = Account()
    account.enter(table(content("a", [100], Extent(PACK, 0, 1))), 0)
    other = StoredObject(digest_of(b"other"), 100)
    assert account.enter(table(content("a", [100], Extent(other, 0, 1))), 1) == Sizes(logical=100, stored=100)


def test_segments_are_counted_without_reading_them_twice() -> None:
    account = Account()
    part = table(content("a", [100], Extent(PACK, 0, 1)), content("b", [50], Extent(PACK, 100, 1)))
    name = digest_of(b"segment")
    assert account.known_segment(name) is None
    assert account.enter_segment(name, part, 0) == Sizes(logical=150, stored=150)
    assert account.known_segment(name) == Sizes(logical=150, identical=150) == account.enter(part, 1)


def test_empty_files_and_folders() -> None:
    empty = Content(digest_of(b""), 0, 14, [], [], [], ())
    entries = [Entry(SafeRelPath("a"), EntryType.FOLDER), Entry(SafeRelPath("b"), EntryType.FILE, 0, empty.digest)]
    assert Account().enter(Table(entries, [empty]), 0) == Sizes()
    assert Account().enter(Table([], []), 0) == Sizes()


OBJECTS = [StoredObject(digest_of(b"%d" % n), 60, codec) for n, codec in enumerate((RAW, RAW, ZSTD))]


@st.composite
def files(draw: st.DrawFn) -> Content:
    """Any content that can be written down: chunks anywhere in the objects, frames where they always are."""
    extents: list[Extent] = []
    lengths: list[int] = []
    stored: list[int] = []
    for _ in range(draw(st.integers(1, 3))):
        item = draw(st.sampled_from(OBJECTS))
        chunks = draw(st.integers(1, 4))
        if item.codec == ZSTD:  # frames of 5 bytes, each holding 8
            start = draw(st.integers(0, 12 - chunks)) * 5
            inside, raw = [5] * chunks, [8] * chunks
        else:
            raw = inside = draw(st.lists(st.integers(1, 9), min_size=chunks, max_size=chunks))
            start = draw(st.integers(0, item.size - sum(inside)))
        extents.append(Extent(item, start, chunks))
        lengths += raw
        stored += inside
    made = content("x", lengths, *extents, stored=stored)
    name = digest_of(repr((lengths, extents)).encode())  # of the same places: the same content
    return replace(made, digest=Digest(name))


@given(st.lists(st.lists(files(), min_size=1, max_size=4), min_size=1, max_size=5))
def test_every_version_adds_up_and_every_byte_counts_once(versions: list[list[Content]]) -> None:
    account = Account()
    named: set[tuple[Digest, int]] = set()
    total = Sizes()
    for number, version in enumerate(versions):
        sizes = account.enter(table(*version), number)
        assert adds_up(sizes)
        assert sizes.logical == sum(c.size for c in version)
        before = len(named)
        for item in version:
            chunk = 0
            for extent in item.extents:
                length = sum(item.stored_lengths[chunk : chunk + extent.chunks])
                named |= {(extent.object.digest, at) for at in range(extent.offset, extent.offset + length)}
                chunk += extent.chunks
        assert sizes.stored == len(named) - before
        total += sizes
    used = {name for name, _ in named}
    assert adds_up(total)
    assert total.stored + sum(account.unused().values()) == 60 * len(used)
