"""A dataset with one small file changed again and again: no version is scattered over many objects."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lobsterdv.blobs.bases import BASES, Bases
from lobsterdv.blobs.heads import Heads, Sent
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.source import CacheSource
from lobsterdv.blobs.upload import MANY_OBJECTS, send_contents
from lobsterdv.digest import digest_of
from lobsterdv.formats.table import Table
from tests.blobs.places import AUTO, CountingStore, entries_of, fetch, open_cache, remote_over

FILES = 120
SIZE = 1000
CHANGES = 150


@pytest.mark.parametrize("which", ["one", "any"])
def test_a_file_changed_very_often_stays_quick_to_pull(which: str, tmp_path: Path) -> None:
    """The same file each time: two objects at most. Another one each time: at most 65, and the price is a packing
    anew once in a while."""
    chance = random.Random(which)
    store = CountingStore()
    here = remote_over(store, open_cache(tmp_path / "here"))
    files = [chance.randbytes(SIZE) for _ in range(FILES)]
    tables: list[Table] = []
    sent = []
    for change in range(CHANGES + 1):
        if change:
            files[chance.randrange(FILES) if which == "any" else 7] = chance.randbytes(SIZE)
        with Intake(here.cache) as intake:
            intake.keep_verified((digest_of(data), data) for data in files)
        count = Sent()
        contents = send_contents(
            here, CacheSource(here.cache), entries_of(files),
            Bases(tables[-BASES:][::-1]), (), AUTO, Heads(here, 4).counting(count),
            part_threshold=1 << 30, jobs=4, name="run", progress=lambda n: None,
        )  # fmt: skip
        tables.append(Table((), contents))
        sent.append(count.new_bytes)
        objects = {extent.object for content in contents for extent in content.extents}
        assert len(objects) <= (2 if which == "one" else MANY_OBJECTS + 1), f"after {change} changes"
        if change % 50 == 0:
            store.calls.clear()
            cache, failed = fetch(here, contents, tmp_path / f"there{change}")
            assert not failed and store.calls == {"read": len(objects)}
            assert [cache.read_small(digest_of(data), name="n") for data in files] == files
    packings = sum(1 for size in sent if size > 2 * SIZE)
    assert packings == (1 if which == "one" else 2), "the first push, and one in some 85"
    assert sum(sent) <= packings * FILES * SIZE + CHANGES * SIZE
