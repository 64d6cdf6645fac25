"""add --move: the only copy of a terabyte changes hands. It may never be gone, nor be half the cache's."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lobsterdv import durable, temps
from lobsterdv.blobs import handover
from lobsterdv.errors import Busy, ChangedMeanwhile, CorruptContent, LocalIOError, Refused
from lobsterdv.events import silent
from lobsterdv.manager import DataManager
from lobsterdv.ops.unprotect import unprotect
from tests.damage.killing import Nursery
from tests.damage.oracle import check_cache, restore_from_cache
from tests.ops.lab import Lab, checked, error_of, rot_silently, settle
from tests.ops.watching import opened_below, temps_below
from tests.properties.trees import picture

LARGE = 400_000
LINUX = sys.platform == "linux"


def cached(lab: Lab, name: str) -> Path:
    return lab.project.cache.plain_path(lab.pointer(name).digest)


def is_shared(lab: Lab, name: str, path: Path | None = None) -> bool:
    return os.path.samestat((path or lab.path(name)).stat(), cached(lab, name).stat())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def moved(lab: Lab) -> Lab:
    lab.write("f.bin", b"1" * LARGE)
    (row,) = lab.add("f.bin", move=True).added
    assert (row.outcome, row.moved_files, row.read_files, row.read_bytes) == ("added", 1, 1, LARGE)
    lab.commit(tag="v1")
    return lab


def test_the_file_itself_becomes_the_cache_s(moved: Lab) -> None:
    assert is_shared(moved, "f.bin")
    assert moved.path("f.bin").stat().st_nlink == 2
    assert mode(moved.path("f.bin")) == 0o444
    assert moved.read("f.bin") == b"1" * LARGE
    assert moved.path("f.bin").stat().st_mtime == 1_600_000_000
    assert check_cache(moved.project.cache.folder)
    assert temps_below(moved.root) == []


def test_status_and_add_read_nothing_afterwards(moved: Lab) -> None:
    with opened_below(moved.path("f.bin")) as opened, opened_below(moved.project.cache.folder / "files") as inside:
        assert moved.state("f.bin").work == "clean"
        assert moved.add("f.bin").added[0].outcome == "unchanged"
        assert moved.add("f.bin", move=True).added[0].read_files == 0
    assert opened == inside == []


def test_large_files_of_a_directory_and_the_rest_as_usual(lab: Lab) -> None:
    lab.write("d/large", b"l" * LARGE)
    lab.write("d/sub/other", b"o" * LARGE)
    lab.write("d/small", b"s")
    lab.write("d/empty", b"")
    lab.write("d/tool", b"t" * LARGE, mode=0o755)
    before = picture(lab.path("d"))
    (row,) = lab.add("d", move=True).added
    assert row.moved_files == 2
    links = {name: lab.path(f"d/{name}").stat().st_nlink for name in ("large", "sub/other", "small", "empty", "tool")}
    assert links == {"large": 2, "sub/other": 2, "small": 1, "empty": 1, "tool": 1}
    assert mode(lab.path("d/tool")) == 0o755 and mode(lab.path("d/small")) & 0o200
    assert picture(lab.path("d")) == before == restore_from_cache(lab.project.cache.folder, lab.read("d.ldv.yaml"))
    with opened_below(lab.path("d/large")) as opened:
        assert lab.state("d").work == "clean"
    assert opened == []


def test_one_part_of_a_directory(lab: Lab) -> None:
    lab.write("d/a", b"a" * LARGE)
    lab.add("d")
    lab.write("d/b", b"b" * LARGE)
    assert lab.add("d/b", move=True).added[0].moved_files == 1
    assert lab.path("d/a").stat().st_nlink == 1 and lab.path("d/b").stat().st_nlink == 2
    assert lab.state("d").work == "clean"


def test_what_lies_in_the_cache_already_gives_its_second_copy_back(lab: Lab) -> None:
    """Added as a copy before; now the disk is full. The copy that stays was verified."""
    lab.write("f.bin", b"1" * LARGE)
    lab.add("f.bin")
    lab.write("g.bin", b"1" * LARGE)
    (row, other) = lab.add("f.bin", "g.bin", move=True).added
    assert (row.outcome, row.moved_files, other.outcome, other.moved_files) == ("unchanged", 1, "added", 1)
    assert is_shared(lab, "f.bin") and is_shared(lab, "g.bin")
    assert cached(lab, "f.bin").stat().st_nlink == 3
    assert lab.path("f.bin").stat().st_mtime == 1_600_000_000, "a .bam that looks newer than its .bai"
    with opened_below(lab.root / "f.bin") as opened:
        assert [d.work for d in lab.status().datasets] == ["clean", "clean"]
    assert opened == []
    check_cache(lab.project.cache.folder)


def test_a_damaged_copy_in_the_cache_never_replaces_the_user_s(lab: Lab) -> None:
    lab.write("f.bin", b"1" * LARGE)
    lab.add("f.bin")
    bad = cached(lab, "f.bin")
    bad.chmod(0o644)
    bad.write_bytes(b"2" * LARGE)
    assert lab.add("f.bin", move=True).added[0].moved_files == 1
    assert lab.read("f.bin") == b"1" * LARGE and is_shared(lab, "f.bin")
    check_cache(lab.project.cache.folder)


def test_a_copy_that_rotted_unseen_never_replaces_the_user_s(lab: Lab) -> None:
    """Its stat is that of its last verification; the user's file was hashed just now."""
    lab.write("f.bin", b"1" * LARGE)
    lab.add("f.bin")
    rot_silently(lab, "f.bin", b"2" * LARGE)
    assert lab.add("f.bin", move=True).added[0].moved_files == 1
    assert lab.read("f.bin") == b"1" * LARGE and is_shared(lab, "f.bin")
    check_cache(lab.project.cache.folder)


def test_equal_files_in_one_add(lab: Lab) -> None:
    for name in "abcd":
        lab.write(f"d/{name}", b"same" * LARGE)
    assert lab.add("d", move=True).added[0].moved_files == 4
    assert {lab.path(f"d/{name}").stat().st_nlink for name in "abcd"} == {5}
    assert lab.state("d").work == "clean"
    check_cache(lab.project.cache.folder)


def test_where_the_cached_file_takes_no_more_names_both_stay(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write("f.bin", b"1" * LARGE, mode=0o640)
    lab.add("f.bin")
    real = os.link

    def link(source: object, *args: object, **options: object) -> None:
        if ".git" in str(source):
            raise OSError(31, "Too many links")
        real(source, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", link)
    assert lab.add("f.bin", move=True).added[0].moved_files == 0
    assert not is_shared(lab, "f.bin") and mode(lab.path("f.bin")) == 0o640
    with opened_below(lab.root / "f.bin") as opened:
        assert lab.state("f.bin").work == "clean"
    assert opened == [] and temps_below(lab.root) == []


def test_another_version_leaves_the_cache_s_file_alone(moved: Lab) -> None:
    moved.path("f.bin").unlink()
    moved.write("f.bin", b"2" * LARGE)
    moved.add("f.bin", move=True)
    moved.commit(tag="v2")
    for rev, byte in (("v1", b"1"), ("v2", b"2"), ("v1", b"1")):
        moved.checkout(rev=rev)
        assert moved.read("f.bin") == byte * LARGE
        check_cache(moved.project.cache.folder)
        assert moved.state("f.bin").work == "clean"
    with moved.path("f.bin").open("r+b") as file:  # checkout made it a file of the user's own again
        file.write(b"edit")
    check_cache(moved.project.cache.folder)


def test_a_version_that_differs_in_its_executable_bit_alone(moved: Lab) -> None:
    """The bit is the inode's: changing it in place would change the cache's file."""
    moved.path("f.bin").unlink()
    moved.write("f.bin", b"1" * LARGE, mode=0o755)
    moved.add("f.bin")
    moved.commit(tag="x")
    moved.checkout(rev="v1")
    moved.path("f.bin").unlink()
    moved.reopen(LOBSTERDV_CACHE_LINK="hardlink,copy")
    moved.checkout()
    assert is_shared(moved, "f.bin")
    moved.checkout(rev="x")
    assert mode(moved.path("f.bin")) & 0o100
    assert mode(cached(moved, "f.bin")) == 0o444 and not is_shared(moved, "f.bin")
    assert moved.read("f.bin") == b"1" * LARGE and moved.state("f.bin").work == "clean"


def test_unprotect_gives_a_file_to_edit(moved: Lab) -> None:
    assert checked(unprotect(moved.project, ["f.bin"], observer=silent)).files == {"f.bin": 1}
    assert not is_shared(moved, "f.bin") and mode(moved.path("f.bin")) & 0o200
    with moved.path("f.bin").open("r+b") as file:
        file.write(b"edit")
    check_cache(moved.project.cache.folder)
    assert moved.state("f.bin").work == "modified"


def test_a_write_through_the_shared_file_is_found_out(moved: Lab) -> None:
    """Modes do not stop root. What was written must never be pushed, nor be checked out as good."""
    moved.path("f.bin").chmod(0o644)
    with moved.path("f.bin").open("r+b") as file:
        file.write(b"edit")
    assert moved.state("f.bin").work == "modified"
    assert isinstance(error_of(moved.try_push()), CorruptContent)


def test_push_and_pull_as_usual(moved: Lab) -> None:
    moved.push()
    moved.path("f.bin").unlink()
    moved.lose_cache()
    moved.pull()
    assert moved.read("f.bin") == b"1" * LARGE


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_another_file_system_is_refused(lab: Lab, tmp_path: Path) -> None:
    lab.write("f.bin", b"1" * LARGE)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=9m", "none", str(disk)], check=True)
    try:
        lab.reopen(LOBSTERDV_CACHE_DIR=str(disk / "cache"))
        error = error_of(lab.try_add("f.bin", move=True))
        assert isinstance(error, Refused) and error.code == "other-file-system"
        assert "another file system than the cache" in str(error)
        assert mode(lab.path("f.bin")) & 0o200 and not lab.path("f.bin.ldv.yaml").exists()
        lab.add("f.bin")
        lab.close()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_file_with_further_names_is_refused(lab: Lab) -> None:
    """A snapshot made by `cp -l` would be able to write into the cache."""
    lab.write("d/a", b"a" * LARGE)
    path = lab.write("d/f.bin", b"1" * LARGE)
    os.link(path, lab.root / "snapshot")
    for permission in (0o644, 0o444):
        path.chmod(permission)
        settle(path)
        error = error_of(lab.try_add("d", move=True))
        assert isinstance(error, Refused) and (error.code, error.path) == ("hard-links", "d/f.bin")
        assert mode(path) == permission and not lab.path("d.ldv.yaml").exists()
    assert lab.path("d/a").stat().st_nlink in (1, 2)
    lab.path("snapshot").unlink()
    assert lab.add("d", move=True).added[0].moved_files == 2


@pytest.mark.skipif(not LINUX, reason="only Linux tells who writes")
def test_a_file_that_is_open_for_writing_is_refused(lab: Lab) -> None:
    """Its writer would go on writing into the cache."""
    path = lab.write("f.bin", b"1" * LARGE)
    with path.open("r+b"):
        error = error_of(lab.try_add("f.bin", move=True))
    assert isinstance(error, Busy) and error.exit_code == 6
    assert mode(path) == 0o644 and path.stat().st_nlink == 1
    lab.add("f.bin", move=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lab.write("f.bin", b"1" * LARGE)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    error = error_of(lab.try_add("f.bin", move=True))
    assert isinstance(error, Refused) and error.code == "foreign"
    assert path.stat().st_nlink == 1


@pytest.mark.parametrize("what", ["edit", "cut off", "replace", "delete"])
def test_a_change_while_it_is_read(lab: Lab, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Twice in a row: nothing is recorded, nothing unverified is kept, and the file is as its user left it."""
    path = lab.write("f.bin", b"1" * LARGE)
    real = os.pread
    new = iter(range(9))

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        data = real(descriptor, size, offset)
        if offset == 0 and size == 8 << 20 and path.exists():
            if what == "edit":
                with open(path, "r+b") as file:
                    file.write(b"%d" % next(new))
            elif what == "cut off":
                os.truncate(path, LARGE - 1 - next(new))
            elif what == "replace":
                (lab.root / "other").write_bytes(b"%d" % next(new) * LARGE)
                (lab.root / "other").replace(path)
            else:
                path.unlink()
        return data

    monkeypatch.setattr(os, "pread", pread)
    error = error_of(lab.try_add("f.bin", move=True))
    assert isinstance(error, ChangedMeanwhile if what != "delete" else LocalIOError)
    assert not lab.path("f.bin.ldv.yaml").exists()
    assert check_cache(lab.project.cache.folder) == {} and temps_below(lab.root) == []
    if what != "delete":
        assert mode(path) & 0o200 and path.stat().st_nlink == 1
        monkeypatch.undo()
        settle(path)
        lab.add("f.bin", move=True)
        assert is_shared(lab, "f.bin")


def test_when_the_batch_fails_files_are_writable_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write("f.bin", b"1" * LARGE)
    lab.write("d/x", b"2" * LARGE, mode=0o600)

    def sync_all(*args: object, **options: object) -> None:
        raise LocalIOError("disk", "the disk reports an input/output error", 5)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "sync_all", sync_all)
        with pytest.raises(LocalIOError):
            lab.try_add("f.bin", "d", move=True)
    assert (mode(lab.path("f.bin")), mode(lab.path("d/x"))) == (0o644, 0o600)
    assert temps_below(lab.root) == []
    lab.add("f.bin", "d", move=True)


def test_python(lab: Lab) -> None:
    lab.write("f.bin", b"1" * LARGE)
    with DataManager(lab.root) as dm:
        assert dm.add("f.bin", move=True).added[0].moved_files == 1
    assert is_shared(lab, "f.bin")


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


@pytest.mark.parametrize("points", [12, pytest.param(1000, marks=pytest.mark.faults)])
def test_killed_here_and_there(lab: Lab, nursery: Nursery, tmp_path: Path, points: int) -> None:
    """The file is in its place with its bytes, whatever was reached; the same command, once more, finishes."""
    lab.write("d/a", b"a" * LARGE)
    lab.write("d/small", b"s")
    lab.write("f.bin", b"1" * LARGE)
    lab.write("twice.bin", b"kept already" * LARGE)
    lab.add("twice.bin")
    names = ("d", "f.bin", "twice.bin")
    whole = {name: picture(lab.path(name)) for name in names}
    lab.close()
    template = tmp_path / "template"
    subprocess.run(["cp", "-a", str(lab.root), str(template)], check=True)
    env = {**lab.env, "LOBSTERDV_JOBS": "1"}

    def again() -> None:
        shutil.rmtree(lab.root)
        subprocess.run(["cp", "-a", str(template), str(lab.root)], check=True)

    again()
    steps = nursery.run(lab.root, env, "add", names, move=True).steps
    assert steps > 20
    for point in [*range(steps, 1, -max(1, steps // points)), 1]:
        again()
        ended = nursery.run(lab.root, env, "add", names, kill_at=point, move=True)
        assert ended.killed, point
        assert {name: picture(lab.path(name)) for name in names} == whole, point
        check_cache(lab.root / ".git/lobsterdv/cache")
        for name in names:
            if lab.path(f"{name}.ldv.yaml").exists():
                kept = restore_from_cache(lab.root / ".git/lobsterdv/cache", lab.read(f"{name}.ldv.yaml"))
                assert kept == whole[name], point
        ended = nursery.run(lab.root, env, "add", names, move=True)
        assert not ended.failures, (point, ended.failures)
        assert {name: picture(lab.path(name)) for name in names} == whole, point
        assert lab.path("d/a").stat().st_nlink == lab.path("f.bin").stat().st_nlink == 2, point
        assert lab.path("twice.bin").stat().st_nlink == 2, point
        check_cache(lab.root / ".git/lobsterdv/cache")


MEASURE = """
import json, sys
from pathlib import Path
from lobsterdv import digest
from lobsterdv.blobs import intake
from lobsterdv.events import silent
from lobsterdv.ops.add import add
from lobsterdv.project import open_project

def again(descriptor):
    raise AssertionError("hashed a second time")
intake.hash_descriptor = again

def io():
    return {k: int(v) for k, v in (row.split(": ") for row in open("/proc/self/io").read().splitlines())}

project = open_project(Path(sys.argv[1]))
before = io()
report = add(project, ["big.bin"], move=True, observer=silent)
after = io()
assert not report.failures, report
print(json.dumps({k: after[k] - before[k] for k in after}))
"""


@pytest.mark.skipif(not LINUX, reason="/proc/self/io is Linux")
def test_it_reads_once_and_writes_nothing(lab: Lab) -> None:
    size = 64 << 20
    path = lab.write("big.bin", os.urandom(1 << 20) * 64)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(lab.root)],
        env={**lab.env, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
    )
    cost = json.loads(done.stdout)
    assert cost["wchar"] < 1 << 18 and cost["write_bytes"] < 4 << 20
    assert size <= cost["rchar"] < size + (1 << 20)


def test_temps_that_are_second_names(tmp_path: Path) -> None:
    """They have their file's time, which may be years old: a sweep must not take them from who is at work."""
    path = tmp_path / "f"
    path.write_bytes(b"1")
    settle(path)
    folder = tmp_path / "tmp"
    mine = durable.link_temp(path, folder)
    foreign = mine.rename(folder / ".tmp-elsewhere-1-0123456789abcdef")
    assert temps.sweep(folder, now=path.stat().st_ctime + 60) == 0 and foreign.exists()
    assert temps.drop_links(folder, path.stat()), "another machine may be at work"
    dead = foreign.rename(folder / f".tmp-{temps.node()}-4194999-0123456789abcdef")
    other = durable.link_temp(tmp_path / "f", tmp_path)
    assert not temps.drop_links(folder, path.stat())
    assert not dead.exists() and other.exists()
    assert not temps.drop_links(tmp_path / "missing", path.stat())
    assert temps.drop_links(tmp_path, path.stat()), "this process lives"


def test_where_nobody_tells_who_writes(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    """Network file systems have no leases."""
    import fcntl

    def no_leases(*args: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fcntl, "fcntl", no_leases)
    path = lab.write("f.bin", b"1" * LARGE)
    with path.open("r+b") as file:
        assert not handover._has_writers(file.fileno())
    lab.add("f.bin", move=True)
    assert is_shared(lab, "f.bin")


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o400), (0o640, 0o440), (0o664, 0o444), (0o200, 0o400)])
def test_nobody_reads_more_than_before(lab: Lab, before: int, after: int) -> None:
    """A private file became one that everybody may read, under the user's own name."""
    lab.write("f.bin", b"1" * LARGE, mode=before)
    lab.add("f.bin", move=True)
    assert mode(lab.path("f.bin")) == mode(cached(lab, "f.bin")) == after and is_shared(lab, "f.bin")
    lab.path("f.bin").unlink()
    lab.checkout()
    assert lab.read("f.bin") == b"1" * LARGE
    check_cache(lab.project.cache.folder)


@pytest.mark.parametrize(("first", "second"), [(0o644, 0o600), (0o600, 0o644)])
def test_a_file_with_other_readers_is_not_taken_for_the_same(lab: Lab, first: int, second: int) -> None:
    """The cache has these bytes, in a file with other readers: both files stay."""
    lab.write("one", b"1" * LARGE, mode=first)
    lab.add("one", move=True)
    lab.write("two", b"1" * LARGE, mode=second)
    lab.add("two", move=True)
    assert mode(lab.path("two")) == second and not is_shared(lab, "two")
    assert lab.state("two").work == "clean"
