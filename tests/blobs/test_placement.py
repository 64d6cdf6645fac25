"""Where thousands of contents lie. If these fail, a push of a large directory names bytes that are another file's, or
sends what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from lobsterdv.blobs.placement import Placement
from lobsterdv.digest import digest_of
from lobsterdv.formats.contents import ZSTD, Content, Contents, Extent, StoredObject
from lobsterdv.formats.entries import Entries, Entry, EntryType
from lobsterdv.paths import SafeRelPath

COUNT = 3_000
"""Several of the blocks in which neighbours are placed at once."""
PACKS = [StoredObject(digest_of(b"pack %d" % number), 1 << 20, codec) for number, codec in enumerate(("none", ZSTD))]


def content(number: int) -> Content:
    """A small file in the pack of its thousand."""
    digest, size, pack = digest_of(b"%d" % number), 10 + number % 7, PACKS[number // 1000 % 2]
    return Content(digest, size, 14, [size], [digest], [size], (Extent(pack, 20 * (number % 1000), 1),))


def version(numbers: Sequence[int]) -> Entries:
    files = [content(number) for number in numbers]
    return Entries.of(Entry(SafeRelPath(f"{at:05}"), EntryType.FILE, c.size, c.digest) for at, c in enumerate(files))


CHANGES: dict[str, Callable[[list[int]], list[int]]] = {
    "nothing": lambda old: old,
    "one changed": lambda old: [*old[:1500], 9000, *old[1501:]],
    "one put in": lambda old: [*old[:700], 9000, *old[700:]],
    "one taken out": lambda old: [*old[:1100], *old[1101:]],
    "the first and the last changed": lambda old: [9000, *old[1:-1], 9001],
    "turned round": lambda old: old[::-1],
    "halves exchanged": lambda old: old[1500:] + old[:1500],
    "some twice": lambda old: old + old[:10],
    "all new": lambda old: [number + 5000 for number in old],
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_content_lies_where_its_table_says_and_only_new_ones_lack(change: str) -> None:
    old = list(range(COUNT))
    new = CHANGES[change](old)
    placement = Placement(version(new))
    placement.find_in(Contents.of(map(content, old)))
    placement.find_in(Contents.of(map(content, old[:5])))  # what is placed stays
    once = list(dict.fromkeys(new))
    assert placement.columns() == [content(number) for number in once if number < COUNT]
    assert [new[at] for at in placement.lacking()] == [number for number in once if number >= COUNT]
    assert placement.is_complete == all(number < COUNT for number in once)
    placement.put(Contents.of(content(number) for number in once if number >= COUNT))
    assert placement.is_complete
    assert placement.columns() == [content(number) for number in once]


def test_what_is_withdrawn_is_found_again_in_another_table() -> None:
    numbers = list(range(COUNT))
    placement = Placement(version(numbers))
    placement.find_in(Contents.of(map(content, numbers)))
    placement.withdraw([content(number).digest for number in (0, 1025, 2999)])
    assert list(placement.lacking()) == [0, 1025, 2999]
    placement.find_in(Contents.of(map(content, numbers)))
    assert placement.is_complete and placement.columns() == [content(number) for number in numbers]
