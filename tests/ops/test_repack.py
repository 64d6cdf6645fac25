"""If these fail, repacking loses what was kept, or saves nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.blobs.grace import GRACE_S, UNDO_S
from lobsterdv.ops.gc_remote import collect_remote
from lobsterdv.ops.repack import RepackReport, repack
from lobsterdv.stores.memory import MemoryStore
from tests.damage.oracle import check_remote, restore
from tests.ops.lab import Lab
from tests.properties.trees import picture

DAY = 86400


class Years:
    """One clock for the project and the store."""

    def __init__(self, lab: Lab, store: MemoryStore) -> None:
        self.lab, self.store = lab, store
        self.at(1_700_000_000)

    def at(self, now: float) -> None:
        self.now = self.store.now = now
        self.lab.project.now = lambda: now

    def collect(self) -> Any:
        return collect_remote(self.lab.project, yes=True, observer=self.lab.observe)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def years(lab: Lab, store: MemoryStore) -> Years:
    """v1 had 30 files in one object; v2 needs two of them, and nothing in git names v1 any more."""
    lab.use(store)
    years = Years(lab, store)
    lab.git("checkout", "-q", "-b", "old")
    files = {str(n): random.Random(n).randbytes(20_000) for n in range(30)}
    lab.version("d", files, "all")
    lab.push()
    lab.git("checkout", "-q", "main")
    for n in range(2, 30):
        lab.path(f"d/{n}").unlink()
    lab.write("d/new", random.Random(99).randbytes(5000))
    lab.add("d")
    lab.commit(tag="v2")
    lab.push()
    lab.git("branch", "-q", "-D", "old")
    lab.git("reflog", "expire", "--expire=now", "--all")
    years.collect()
    return years


def go(years: Years, **options: Any) -> RepackReport:
    return repack(years.lab.project, observer=years.lab.observe, **options)


def held(store: MemoryStore) -> dict[str, bytes]:
    return {stat.key: store.read_whole(stat.key, limit=1 << 30) for stat in store.list("")}


def test_a_dry_run_tells_the_waste_and_changes_nothing(years: Years, store: MemoryStore) -> None:
    before = held(store)
    report = go(years)
    assert not report.acted and report.objects == 1
    assert 20_000 * 27 < report.waste_bytes < report.bytes
    ((row),) = report.versions
    assert row.path == "d" and 40_000 <= row.needed_bytes < 45_000 and row.new_bytes == 0
    assert held(store) == before


def test_it_is_placed_anew_and_the_old_goes_with_time(years: Years, store: MemoryStore, tmp_path: Path) -> None:
    lab = years.lab
    tree = picture(lab.path("d"))
    report = go(years, yes=True)
    assert not report.failures and 40_000 <= report.versions[0].new_bytes < 60_000
    check_remote(held(store), {"d": lab.read("d.ldv.yaml")})
    assert not go(years).versions, "done is done"
    size = sum(len(data) for key, data in held(store).items() if key.startswith("objects/"))
    years.at(years.now + UNDO_S + DAY)
    years.collect()
    years.at(years.now + GRACE_S + DAY)
    assert years.collect().deleted_items
    left = held(store)
    assert sum(len(data) for key, data in left.items() if key.startswith("objects/")) < size / 5
    assert restore(left, lab.read("d.ldv.yaml")) == tree
    other = lab.clone(tmp_path / "other")
    try:
        other.pull()
        assert picture(other.path("d")) == tree
    finally:
        other.close()
    lab.lose_cache()
    lab.use(store)
    lab.pull(force=True)
    lab.push()
    assert not [v for v in lab.push().versions if v.outcome != "up to date"]


def test_what_is_not_here_is_brought(years: Years, store: MemoryStore) -> None:
    years.lab.lose_cache()
    years.lab.use(store)
    assert not go(years, yes=True).failures
    check_remote(held(store), {"d": years.lab.read("d.ldv.yaml")})


def test_a_reader_with_the_old_manifest_goes_on_to_the_next(years: Years, store: MemoryStore, tmp_path: Path) -> None:
    other = years.lab.clone(tmp_path / "other")
    try:
        other.fetch()
        go(years, yes=True)
        years.at(years.now + UNDO_S + DAY)
        years.collect()
        years.at(years.now + GRACE_S + DAY)
        years.collect()
        for path in (other.project.cache.folder / "packs").glob("*"):
            path.unlink()
        other.reopen()
        other.pull()
        assert picture(other.path("d")) == picture(years.lab.path("d"))
    finally:
        other.close()


def test_nothing_is_done_where_nothing_is_wasted(lab: Lab, store: MemoryStore) -> None:
    lab.use(store)
    Years(lab, store)
    lab.version("d", {"a": b"x" * 200_000}, "one")
    lab.push()
    report = repack(lab.project, yes=True, observer=lab.observe)
    assert (report.objects, report.versions) == (0, [])
