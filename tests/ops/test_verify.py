"""verify tells every damage by name, sets nothing good aside, and --repair heals from whichever copy is good."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.digest import digest_of
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.index.rows import SeenFiles
from lobsterdv.index.seen import load_seen, save_seen
from lobsterdv.ops import rounds
from lobsterdv.ops.verify import VerifyReport, verify
from lobsterdv.signature import signature_of
from tests.ops.lab import Lab
from tests.ops.watching import tree

LARGE = secrets.token_bytes(300 << 10)


@pytest.fixture
def data(lab: Lab) -> Lab:
    """A file, and a directory of small files and a large one; two versions, the first tagged v1. Nothing is pushed."""
    lab.write("one.csv", "first")
    for number in range(5):
        lab.write(f"run/{number}", f"file {number}" * 10)
    lab.write("run/large", LARGE)
    lab.add("one.csv", "run")
    lab.commit(tag="v1")
    lab.write("one.csv", "second")
    lab.add("one.csv")
    lab.commit()
    return lab


def check(lab: Lab, *paths: str, **options: Any) -> VerifyReport:
    return verify(lab.project, paths, observer=lab.observe, **options)


def told(report: VerifyReport) -> set[tuple[str, str, str, str]]:
    """Where, which dataset, which file, and how."""
    return {(row.place, row.path, row.file, row.state) for row in report.damages}


def damage(path: Path, how: str) -> None:
    """Change a file's bytes under its old times and mode."""
    stat, bytes_before = path.stat(), path.read_bytes()
    path.chmod(0o644)
    if how == "deleted":
        path.unlink()
        return
    after = {
        "flipped": bytes_before[:-1] + bytes([bytes_before[-1] ^ 1]),
        "cut": bytes_before[: len(bytes_before) // 2],
        "emptied": b"",
    }[how]
    with path.open("r+b") as file:
        file.write(after)
        file.truncate(len(after))
    path.chmod(stat.st_mode & 0o777)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def plain(lab: Lab, name: str) -> Path:
    return lab.project.cache.plain_path(digest_of(lab.read(name)))


def pretend_unchanged(lab: Lab, name: str, below: str) -> None:
    """What rot is: other bytes under the stat that the index knows (a test cannot set back a ctime)."""
    place = lab.path(name)
    memory = load_seen(lab.project.index, str(place))
    assert memory is not None
    path = place / below if below else place
    files = dict(SeenFiles.of(memory.files).items())
    files[below] = files[below]._replace(signature=signature_of(path.lstat()))
    save_seen(
        lab.project.index, str(place), type(memory)(memory.saved_ns + 10**10, memory.digest, files, memory.others)
    )


def rot(lab: Lab, name: str, below: str = "", how: str = "flipped") -> None:
    damage(lab.path(name) / below if below else lab.path(name), how)
    pretend_unchanged(lab, name, below)


def test_all_is_well(data: Lab) -> None:
    report = check(data, everything=True)
    assert report.damages == [] and report.is_complete and report.versions == 3
    cache, work = report.areas
    assert (cache.items, work.items) == (8, 7)
    assert work.bytes == len(LARGE) + 5 * 60 + 6
    assert cache.bytes == work.bytes + 5


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied"])
def test_rot_in_a_plain_file_is_told_and_set_aside(data: Lab, how: str) -> None:
    damage(plain(data, "run/large"), how)
    report = check(data)
    assert told(report) == {("cache", "run", "large", "corrupt")}
    (row,) = report.damages
    assert row.rev == "v1" and row.size == len(LARGE) and row.name == str(digest_of(LARGE))
    assert not plain(data, "run/large").exists()
    quarantine = data.project.cache.folder / "quarantine"
    (kept,) = quarantine.iterdir()
    assert kept.stat().st_size == {"flipped": len(LARGE), "cut": len(LARGE) // 2, "emptied": 0}[how]


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied", "deleted"])
def test_a_damaged_pack_names_every_file_in_it(data: Lab, how: str) -> None:
    (pack,) = (data.project.cache.folder / "packs").glob("*.pack")
    damage(pack, how)
    state = "missing" if how == "deleted" else "corrupt"
    found = told(check(data))
    if how == "flipped":  # the last byte is the pack's own
        assert found == set()
    elif how == "cut":
        assert found < {("cache", "run", str(n), state) for n in range(5)} | {("cache", "one.csv", "", state)}
        assert found
    else:
        assert found >= {("cache", "run", str(n), state) for n in range(5)}


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied"])
def test_a_damaged_pack_index_is_set_aside(data: Lab, how: str) -> None:
    (index,) = (data.project.cache.folder / "packs").glob("*.idx")
    damage(index, how)
    data.reopen()
    report = check(data)
    assert ("cache", "", "", "corrupt") in told(report)
    assert ("cache", "run", "0", "missing") in told(report)
    assert not index.exists()
    check(data, repair=True)
    assert check(data).damages == []


@pytest.mark.parametrize("how", ["flipped", "emptied", "deleted"])
def test_what_lies_nowhere_but_in_a_pack_without_an_index_heals(data: Lab, how: str) -> None:
    """The bytes are whole, only what tells them apart is gone; they are those of a version that was never pushed."""
    was = [data.read(f"run/{number}") for number in range(5)]
    for number in range(1, 5):
        data.write(f"run/{number}", f"new {number}")
    data.add("run")
    data.commit()
    indexes = list((data.project.cache.folder / "packs").glob("*.idx"))
    for index in indexes:
        damage(index, how)
    data.reopen()
    healed = check(data, everything=True, repair=True)
    assert {(row.what, row.name) for row in healed.damages} == {("pack index", index.name) for index in indexes}
    told_of = "files read out of its pack without it: "
    assert sorted(row.healed for row in healed.damages) == [f"{told_of}4", f"{told_of}5"]
    data.reopen()
    assert [data.project.cache.read_small(digest_of(content), name="run") for content in was] == was
    assert check(data, everything=True).damages == []


def test_a_deleted_file_is_missing_not_corrupt(data: Lab) -> None:
    plain(data, "run/large").unlink()
    plain(data, "one.csv").unlink()
    assert told(check(data)) == {("cache", "run", "large", "missing"), ("cache", "one.csv", "", "missing")}


def test_an_old_version_is_looked_at_with_all(data: Lab) -> None:
    damage(data.project.cache.plain_path(digest_of(b"first")), "flipped")
    assert check(data).damages == []
    (row,) = check(data, everything=True).damages
    assert (row.path, row.rev, row.version) == ("one.csv", "v1", digest_of(b"first"))


@pytest.mark.parametrize("how", ["flipped", "emptied", "deleted"])
def test_a_damaged_listing(data: Lab, how: str) -> None:
    (listing,) = [p for p in (data.project.cache.folder / "listings").rglob("*") if p.is_file()]
    damage(listing, how)
    (row,) = check(data, "run").damages
    assert (row.what, row.path, row.state, row.files) == (
        "listing",
        "run",
        "missing" if how == "deleted" else "corrupt",
        6,
    )
    healed = check(data, "run", repair=True)
    assert [r.healed for r in healed.damages] == ["the work tree"]
    assert check(data).damages == []


def test_an_unreadable_file_is_left_where_it_is(data: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cable or a mount may be at fault: what cannot be read now may be good."""
    path = plain(data, "run/large")
    fail_reads_of(monkeypatch, path)
    report = check(data)
    assert told(report) == {("cache", "run", "large", "unreadable")}
    assert path.exists()
    assert told(check(data, repair=True)) == {("cache", "run", "large", "unreadable")}
    assert path.exists()


def fail_reads_of(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    real: Callable[..., int] = os.preadv

    def preadv(descriptor: int, buffers: Any, offset: int) -> int:
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", preadv)


# The work tree


def test_rot_in_the_work_tree_is_not_an_edit(data: Lab) -> None:
    rot(data, "run", "3")
    rot(data, "one.csv")
    data.write("run/4", "an edit")
    report = check(data)
    assert told(report) == {("work tree", "run", "3", "corrupt"), ("work tree", "one.csv", "", "corrupt")}
    assert report.edited == ["run/4"]


def test_an_edit_is_no_damage(data: Lab) -> None:
    data.write("run/3", "other!" * 10)  # of the same size, and long ago
    report = check(data)
    assert (report.damages, report.edited) == ([], ["run/3"])
    data.path("run/2").unlink()
    assert check(data).damages == []


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied"])
def test_rot_in_the_work_tree_heals_from_the_cache(data: Lab, how: str) -> None:
    before = tree(data.path("run"))
    data.write("run/4", "an edit")
    rot(data, "run", "large", how)
    assert data.state("run").modified == ["4"]
    report = check(data, repair=True)
    (row,) = report.damages
    assert row.healed.startswith("the cache; the rotten file is in ")
    assert Path(row.healed.partition(" is in ")[2]).exists()
    assert data.read("run/large") == LARGE and data.read("run/4") == b"an edit"
    data.write("run/4", "file 4" * 10)
    assert tree(data.path("run")) == before
    assert check(data).damages == []


def test_rot_without_a_good_copy_is_told_and_left(data: Lab) -> None:
    rot(data, "run", "large")
    rotten = data.read("run/large")
    data.project.cache.plain_path(digest_of(LARGE)).unlink()
    report = check(data, repair=True)
    assert {(row.place, row.healed) for row in report.damages} == {("cache", ""), ("work tree", "")}
    assert all(row.remedy for row in report.damages)
    assert data.read("run/large") == rotten
    assert ("work tree", "run", "large", "corrupt") in told(check(data))


def test_a_hard_link_to_the_cache_rots_with_it(data: Lab) -> None:
    """Both names are of the same bytes: the work tree must not be taken for a good copy."""
    data.push()
    data.configure(**{"cache.link": ["hardlink", "copy"]})
    data.path("run/large").unlink()
    data.checkout()
    assert data.path("run/large").stat().st_nlink > 1
    damage(data.path("run/large"), "flipped")
    pretend_unchanged(data, "run", "large")
    report = check(data, repair=True)
    assert told(report) == {("cache", "run", "large", "corrupt"), ("work tree", "run", "large", "corrupt")}
    assert report.is_whole
    assert data.read("run/large") == LARGE
    assert check(data).damages == []


# Healing the cache


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied", "deleted"])
def test_the_cache_heals_from_the_work_tree(data: Lab, how: str) -> None:
    for path in [p for p in (data.project.cache.folder / "files").rglob("*") if p.is_file()]:
        damage(path, how)
    for path in (data.project.cache.folder / "packs").glob("*.pack"):
        damage(path, how)
    report = check(data, repair=True)
    assert report.is_whole and {row.healed for row in report.damages} == {"the work tree"}
    assert check(data).damages == []
    for name in ("one.csv", "run"):
        before = tree(data.path(name))
        move_away(data, name)
        data.checkout(name)
        assert tree(data.path(name)) == before


def move_away(lab: Lab, name: str) -> None:
    lab.path(name).rename(lab.root.parent / f"old-{secrets.token_hex(3)}")


def test_the_cache_heals_from_the_remote_what_the_work_tree_has_not(data: Lab) -> None:
    data.push()
    data.write("run/large", "edited")
    for path in [p for p in (data.project.cache.folder / "files").rglob("*") if p.is_file()]:
        damage(path, "flipped")
    report = check(data, everything=True, repair=True)
    assert {row.healed for row in report.damages} == {"the work tree", "remote embedded"}
    assert report.is_whole
    assert check(data, everything=True).damages == []


def test_what_is_nowhere_is_told_so(data: Lab) -> None:
    data.write("run/large", "edited")
    data.project.cache.plain_path(digest_of(LARGE)).unlink()
    report = check(data, repair=True)
    (row,) = report.damages
    assert not row.healed and "push by whoever has this version" in row.remedy
    assert not report.is_whole


def test_a_clone_that_fetched_nothing_of_an_old_version_is_not_damaged(data: Lab) -> None:
    data.push()
    other = data.clone(data.root.parent / "clone")
    other.project.config.remotes["embedded"] = data.project.config.remotes["embedded"]
    other.pull()
    assert check(other).damages == []
    report = check(other, everything=True)
    assert report.damages == []
    assert [(row.path, row.version) for row in report.elsewhere] == [("one.csv", digest_of(b"first"))]
    other.close()


def test_a_part_that_was_fetched_alone_is_not_damaged(data: Lab) -> None:
    data.push()
    other = data.clone(data.root.parent / "clone")
    other.project.config.remotes["embedded"] = data.project.config.remotes["embedded"]
    other.pull("run/3")
    report = check(other, "run")
    assert report.damages == [] and [row.path for row in report.elsewhere] == ["run"]
    other.close()


# Going on


class Watch:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self, start: float) -> None:
        self.time = start

    def __call__(self) -> float:
        self.time += 1
        return self.time


def test_it_stops_in_time_and_goes_on(data: Lab) -> None:
    for number in range(40):
        data.write(f"many/{number}", secrets.token_bytes(257 << 10))
    data.add("many")
    data.project.now = Watch(data.project.now())
    runs = 0
    seen: set[int] = set()
    while True:
        report = check(data, "many", max_seconds=30, jobs=1)
        runs += 1
        cache = report.areas[0]
        seen.add(cache.earlier)
        assert report.damages == []
        if report.is_complete:
            break
        assert runs < 50
    assert runs > 2 and len(seen) > 1
    assert cache.items + cache.earlier == 40 and cache.items < 40
    assert not list((data.project.state / "verify").iterdir()), "the next run begins anew"
    assert check(data, "many", jobs=1).areas[0].earlier == 0


def test_damage_is_told_by_every_run_of_a_round(data: Lab) -> None:
    for number in range(20):
        data.write(f"many/{number}", secrets.token_bytes(257 << 10))
    data.add("many")
    data.project.now = Watch(data.project.now())
    path = plain(data, "many/7")
    path.unlink()
    reports = []
    while not reports or not reports[-1].is_complete:
        reports.append(check(data, "many", max_seconds=20, jobs=1))
    assert len(reports) > 1
    assert all(told(report) == {("cache", "many", "7", "missing")} for report in reports)


def test_ctrl_c_keeps_what_was_proved(data: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = rounds.Round.proved, []

    def proved(self: rounds.Round, name: bytes) -> None:
        real(self, name)
        calls.append(name)
        if len(calls) == 12:
            raise KeyboardInterrupt

    monkeypatch.setattr(rounds.Round, "proved", proved)
    with pytest.raises(KeyboardInterrupt):
        check(data, everything=True)
    monkeypatch.undo()
    report = check(data, everything=True)
    assert sum(area.earlier for area in report.areas) == 12 - 7  # the work tree's round was complete
    assert report.is_complete and report.damages == []


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied"])
def test_a_damaged_round_counts_for_nothing(data: Lab, how: str) -> None:
    with rounds.Round(data.project.state, "cache", now=data.project.now) as round_:
        round_.proved(digest_of(LARGE))
    path = data.project.state / "verify/cache.proved"
    damage(path, how)
    assert check(data).areas[0].earlier == 0


def test_an_old_round_counts_for_nothing(data: Lab) -> None:
    with rounds.Round(data.project.state, "cache", now=lambda: data.project.now() - 31 * 86400) as round_:
        round_.proved(digest_of(LARGE))
    assert check(data).areas[0].earlier == 0


def test_a_path_that_is_no_dataset(data: Lab) -> None:
    report = check(data, "nothing.csv")
    assert [failure.path for failure in report.failures] == ["nothing.csv"]
    assert not data.path("nothing.csv" + SUFFIX).exists()
