"""Room is asked for before the first byte: half a terabyte copied onto a disk that cannot take it is a lost night."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lobsterdv import copying
from lobsterdv.blobs.intake import Intake
from lobsterdv.errors import LocalIOError, NoSpace
from lobsterdv.events import silent
from lobsterdv.ops.unprotect import unprotect
from lobsterdv.space import Demand, check_space, existing, free_bytes
from tests.ops.lab import Lab, settle
from tests.ops.watching import temps_below, tree

LARGE = 400_000
"""Of a size that is kept as a plain file, not in a pack."""
CLONE = copying.clone


@pytest.fixture(autouse=True)
def copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that shares no blocks, whatever the tests run on; ``cloning`` is the other kind."""
    monkeypatch.setattr(copying, "clone", lambda source, target: False)


@dataclass
class Disk:
    """A file system that says how many bytes are free, and notes who asked."""

    free: int | None
    asked: list[Path] = field(default_factory=list)

    def __call__(self, folder: Path) -> int | None:
        assert folder.exists()
        self.asked.append(folder)
        return self.free


def on_disk(lab: Lab, free: int | None) -> Disk:
    disk = Disk(free)
    lab.project.free_bytes = disk
    return disk


def refused(act: Callable[[], object]) -> NoSpace:
    with pytest.raises(NoSpace) as caught:
        act()
    return caught.value


def content(lab: Lab) -> list[Path]:
    """What the cache keeps of datasets, and what was begun."""
    folders = (lab.project.cache.folder / name for name in ("files", "packs", "tmp"))
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


@contextmanager
def cloning() -> Iterator[list[int]]:
    """A file system that shares blocks, played by a copy; gives the sizes of what was cloned."""
    sizes: list[int] = []

    def clone(source: int, target: int) -> bool:
        data = os.pread(source, 1 << 30, 0)
        os.pwrite(target, data, 0)
        sizes.append(len(data))
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "clone", clone)
        yield sizes


def write_data(lab: Lab) -> int:
    """A file and a directory, some of it twice; returns the bytes of all files."""
    lab.write("f.bin", b"f" * LARGE)
    lab.write("d/large", b"l" * LARGE)
    lab.write("d/again", b"l" * LARGE)
    lab.write("d/small", b"s" * 1000)
    return 3 * LARGE + 1000


def shared(lab: Lab) -> tuple[int, int]:
    """Both datasets pushed, and gone from this machine; returns their bytes in the work tree and in the cache."""
    size = write_data(lab)
    lab.add("f.bin", "d")
    lab.commit(tag="v1")
    lab.push()
    lab.path("f.bin").unlink()
    shutil.rmtree(lab.path("d"))
    lab.lose_cache()
    return size, size - LARGE


def test_add_is_refused_before_the_first_byte(lab: Lab) -> None:
    size = write_data(lab)
    before = tree(lab.path("d"))
    disk = on_disk(lab, size - 1)
    error = refused(lambda: lab.try_add("f.bin", "d"))
    assert isinstance(error, LocalIOError) and error.exit_code == 1
    assert error.path == str(lab.project.cache.folder)
    assert (error.needed, error.free) == (size, size - 1)
    assert str(error).endswith("not enough room: 1.2 MB are needed, 1.2 MB are free")
    assert content(lab) == [] and not lab.path("d.ldv.yaml").exists() and tree(lab.path("d")) == before
    disk.free = size
    disk.asked.clear()
    lab.add("f.bin", "d")
    assert len(disk.asked) == 1, "one question a run"


def test_what_is_kept_already_needs_no_room(lab: Lab) -> None:
    """Times change without the bytes; a full disk must not refuse what writes nothing."""
    write_data(lab)
    lab.add("f.bin", "d")
    disk = on_disk(lab, 0)
    lab.add("f.bin", "d")
    assert disk.asked == []
    for name in ("f.bin", "d/large", "d/again", "d/small"):
        os.utime(lab.path(name), (1_500_000_000, 1_500_000_000))
    refused(lambda: lab.try_add("f.bin", "d"))
    disk.free = LARGE  # the copy that is hashed, one at a time
    assert [row.outcome for row in lab.add("f.bin", "d").added] == ["unchanged", "unchanged"]


def test_a_clone_needs_no_room_but_a_pack_does(lab: Lab) -> None:
    write_data(lab)
    disk = on_disk(lab, 999)
    with cloning():
        assert refused(lambda: lab.try_add("f.bin", "d")).needed == 1000
        disk.free = 1000
        lab.add("f.bin", "d")
    assert temps_below(lab.root) == []


def test_on_the_file_system_that_there_is(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not played: what is asked for is what it takes, where blocks are shared and where they are not."""
    monkeypatch.setattr(copying, "clone", CLONE)
    size = write_data(lab)
    with lab.path("f.bin").open("rb") as source, (tmp_path / "clone").open("w+b") as target:
        needed = 1000 if CLONE(source.fileno(), target.fileno()) else size
    disk = on_disk(lab, needed - 1)
    assert refused(lambda: lab.try_add("f.bin", "d")).needed == needed
    disk.free = needed
    lab.add("f.bin", "d")
    lab.commit()
    lab.path("f.bin").unlink()
    shutil.rmtree(lab.path("d"))
    disk.free = needed - 1
    assert refused(lambda: lab.try_checkout()).needed == needed
    disk.free = needed
    lab.checkout()
    assert lab.state("d").work == lab.state("f.bin").work == "clean"


def test_where_nothing_is_known_of_free_space_nothing_is_refused(lab: Lab) -> None:
    shared(lab)
    on_disk(lab, None)
    lab.pull()
    lab.write("new", b"n" * LARGE)
    lab.add("new")


@pytest.mark.parametrize("listing", [True, False])
def test_fetch_is_refused_before_the_first_byte(lab: Lab, listing: bool) -> None:
    """What is twice in a version comes once; whether the listing is here or only at the remote."""
    _, size = shared(lab)
    if listing:
        lab.fetch()
        shutil.rmtree(lab.project.cache.folder / "files")
        shutil.rmtree(lab.project.cache.folder / "packs")
        lab.reopen()
    disk = on_disk(lab, size - 1)
    assert refused(lambda: lab.fetch()).needed == size
    assert content(lab) == []
    disk.free = size
    lab.fetch()
    disk.asked.clear()
    lab.fetch()
    assert disk.asked == []


def test_fetch_of_a_part_needs_room_for_that_part(lab: Lab) -> None:
    shared(lab)
    disk = on_disk(lab, 999)
    assert refused(lambda: lab.fetch("d/small")).needed == 1000
    disk.free = 1000
    assert lab.fetch("d/small").fetched[0].new_bytes == 1000


def test_what_an_interrupted_fetch_left_needs_no_room_again(lab: Lab) -> None:
    lab.write("f.bin", b"f" * (3 << 20))
    lab.add("f.bin")
    lab.push()
    lab.lose_cache()
    with Intake(lab.project.cache) as intake:
        incoming = intake.receive(lab.pointer("f.bin").digest, 3 << 20, name="f.bin")
        incoming.write_at(1 << 20, b"f" * (2 << 20))
        incoming.suspend()
    disk = on_disk(lab, (1 << 20) - 1)
    assert refused(lambda: lab.fetch()).needed == 1 << 20
    disk.free = 1 << 20
    lab.fetch()
    assert temps_below(lab.project.cache.folder) == []


def test_pull_needs_room_for_both_copies(lab: Lab) -> None:
    in_tree, in_cache = shared(lab)
    disk = on_disk(lab, in_tree + in_cache - 1)
    error = refused(lambda: lab.try_pull())
    assert error.needed == in_tree + in_cache
    assert "801.0 kB for the cache and 1.2 MB for the work tree" in str(error)
    assert content(lab) == [] and not lab.path("d").exists() and not lab.path("f.bin").exists()
    disk.free = in_tree + in_cache
    lab.pull()
    disk.asked.clear()
    disk.free = 1 << 40
    lab.path("f.bin").unlink()
    lab.lose_cache()
    disk = on_disk(lab, 1 << 40)
    lab.pull()
    assert len(disk.asked) == 1, "one question a run"


@pytest.mark.parametrize(("link", "extra"), [("hardlink,copy", 1000), ("symlink", 1000), ("copy", None)])
def test_links_save_the_second_copy(lab: Lab, link: str, extra: int | None) -> None:
    """Small files of directories lie in packs: they are copied, whatever the links are."""
    in_tree, in_cache = shared(lab)
    lab.reopen(LOBSTERDV_CACHE_LINK=link)
    need = in_cache + (in_tree if extra is None else extra)
    disk = on_disk(lab, need - 1)
    assert refused(lambda: lab.try_pull()).needed == need
    disk.free = need
    lab.pull()
    assert lab.state("d").work == lab.state("f.bin").work == "clean"


def test_a_clone_saves_the_second_copy(lab: Lab) -> None:
    _, in_cache = shared(lab)
    disk = on_disk(lab, in_cache + 999)
    with cloning():
        assert refused(lambda: lab.try_pull()).needed == in_cache + 1000
        disk.free = in_cache + 1000
        lab.pull()
    assert temps_below(lab.root) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_cache_on_another_disk_is_counted_apart(lab: Lab, tmp_path: Path) -> None:
    import subprocess

    in_tree, in_cache = shared(lab)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(disk)], check=True)
    try:
        lab.reopen(LOBSTERDV_CACHE_DIR=str(disk / "cache"))
        free = {disk: in_cache, lab.root: in_tree - 1}
        lab.project.free_bytes = lambda folder: free[disk if disk in (folder, *folder.parents) else lab.root]
        error = refused(lambda: lab.try_pull())
        assert (error.path, error.needed) == (str(lab.path("d")), in_tree)  # the larger one tells where
        free[lab.root] += 1
        lab.pull()
        lab.close()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_checkout_is_refused_before_the_first_byte(lab: Lab) -> None:
    size, _ = shared(lab)
    lab.fetch()
    disk = on_disk(lab, size - 1)
    error = refused(lambda: lab.try_checkout())
    assert (error.path, error.needed) == (str(lab.path("d")), size)
    assert not lab.path("d").exists() and not lab.path("f.bin").exists()
    disk.free = size
    disk.asked.clear()
    lab.checkout()
    assert len(disk.asked) == 1


def test_checkout_counts_only_what_it_writes(lab: Lab) -> None:
    """A project that fills its disk is checked out again and again: files that are right need no room."""
    write_data(lab)
    lab.add("f.bin", "d")
    lab.commit(tag="v1")
    lab.write("d/small", b"t" * 1500)
    lab.add("d")
    lab.commit(tag="v2")
    disk = on_disk(lab, 0)
    lab.checkout()
    lab.pull()
    disk.free = 999
    assert refused(lambda: lab.try_checkout(rev="v1")).needed == 1000
    assert lab.read("d/small") == b"t" * 1500
    disk.free = 1000
    lab.checkout(rev="v1")
    assert lab.read("d/small") == b"s" * 1000
    assert temps_below(lab.root) == []


def test_files_that_the_index_does_not_know_are_looked_at(lab: Lab) -> None:
    """The index is lost, the right files are there: nothing is written, so nothing is refused; a file that was deleted
    behind its back is missed before anything is written."""
    write_data(lab)
    lab.add("f.bin", "d")
    lab.commit()
    lab.project.close()
    for path in lab.project.state.glob("index.db*"):
        path.unlink()
    lab.reopen()
    disk = on_disk(lab, 0)
    lab.checkout()
    lab.path("d/large").unlink()
    disk.free = LARGE - 1
    report = lab.try_checkout()
    assert [(f.path, type(f.error)) for f in report.failures] == [("d", NoSpace)]
    assert not lab.path("d/large").exists() and temps_below(lab.root) == []
    disk.free = LARGE
    lab.checkout()
    assert lab.read("d/large") == b"l" * LARGE


def test_a_file_that_was_put_right_by_hand_is_not_refused(lab: Lab) -> None:
    """The index remembers another version; the bytes decide."""
    lab.write("f.bin", b"1" * LARGE)
    lab.add("f.bin")
    lab.commit(tag="v1")
    lab.write("f.bin", b"2" * LARGE)
    lab.add("f.bin")
    lab.commit(tag="v2")
    lab.path("f.bin").write_bytes(b"1" * LARGE)
    settle(lab.path("f.bin"))
    on_disk(lab, 0)
    lab.checkout(rev="v1")
    assert lab.state("f.bin").work == "clean"


def test_unprotect_needs_room_for_the_copies(lab: Lab) -> None:
    lab.write("d/a", b"a" * LARGE)
    lab.write("d/b", b"b" * LARGE)
    lab.add("d", move=True)
    disk = on_disk(lab, 2 * LARGE - 1)
    (failure,) = unprotect(lab.project, ["d"], observer=silent).failures
    assert isinstance(failure.error, NoSpace) and failure.error.needed == 2 * LARGE
    assert lab.path("d/a").stat().st_nlink == 2
    with cloning() as sizes:
        assert unprotect(lab.project, ["d/a"], observer=silent).files == {"d": 1}
        disk.free = 0
        assert unprotect(lab.project, ["d"], observer=silent).files == {"d": 1}
    assert sizes[-1] == LARGE and lab.state("d").work == "clean"
    assert temps_below(lab.root) == []


def test_moving_needs_no_room(lab: Lab) -> None:
    write_data(lab)
    disk = on_disk(lab, 999)
    assert refused(lambda: lab.try_add("f.bin", "d", move=True)).needed == 1000
    disk.free = 1000
    lab.add("f.bin", "d", move=True)


def test_one_question_a_file_system(tmp_path: Path) -> None:
    disk = Disk(10)
    demands = [Demand(tmp_path / "a/b", 4, "x"), Demand(tmp_path / "c", 6, "y"), Demand(tmp_path, 0, "z")]
    assert check_space(demands, free=disk) is None
    assert disk.asked == [tmp_path]
    problem = check_space([*demands, Demand(tmp_path, 1, "x")], free=disk)
    assert problem is not None and (problem.needed, problem.free) == (11, 10)
    assert problem.detail == "5 B for x and 6 B for y"


def test_free_space_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = free_bytes(tmp_path)
    assert found is not None and abs(found - shutil.disk_usage(tmp_path).free) < 1 << 30
    assert free_bytes(tmp_path / "missing") is None
    assert existing(tmp_path / "a/b/c") == tmp_path
    nothing = os.statvfs_result((0,) * 10 + (0,))
    monkeypatch.setattr(os, "statvfs", lambda folder: nothing)
    assert free_bytes(tmp_path) is None, "a file system that tells of no blocks is not a full one"
