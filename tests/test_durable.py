"""If these fail, a crash, a full disk or a second writer leaves torn files under final names."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lobsterdv import durable, temps
from lobsterdv.durable import Publication
from lobsterdv.errors import LocalIOError

_events: list[tuple[str, str]] | None = None


def _watch(event: str, args: tuple[object, ...]) -> None:
    if _events is None:
        return
    if event == "lobsterdv.sync":
        _events.append(("sync", os.readlink(f"/proc/self/fd/{args[0]}")))
    elif event in ("os.rename", "os.link"):
        _events.append(("name", os.fspath(args[1])))  # type: ignore[call-overload]


sys.addaudithook(_watch)


@pytest.fixture
def events() -> Iterator[list[tuple[str, str]]]:
    """What is synced and what gets a final name, in order."""
    global _events
    _events = []
    yield _events
    _events = None


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(temps.PREFIX)]


def make_temp(folder: Path, data: bytes) -> Path:
    fd, temp = durable.create_temp(folder)
    os.write(fd, data)
    os.close(fd)
    return temp


def test_write_is_whole_read_only_and_synced_before_its_name(tmp_path: Path, events: list[tuple[str, str]]) -> None:
    path = tmp_path / "a" / "b"
    durable.write(path, b"x" * 100_000)
    assert path.read_bytes() == b"x" * 100_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert not unfinished(tmp_path)
    named = events.index(("name", str(path)))
    assert any(kind == "sync" and temps.PREFIX in name for kind, name in events[:named])
    assert ("sync", str(tmp_path)) in events[:named], "the new folder is not on disk"
    assert events[named + 1 :] == [("sync", str(path.parent))]


def test_write_replaces_and_a_user_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "pointer"
    before = os.umask(0o027)
    try:
        durable.write(path, b"one", mode=None)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o664)
        durable.write(path, b"two", mode=None)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert path.read_bytes() == b"two"


def test_write_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"kept")
    (tmp_path / "link").symlink_to(target)
    durable.write(tmp_path / "link", b"new", mode=None)
    assert target.read_bytes() == b"kept"
    assert not (tmp_path / "link").is_symlink()


def test_write_new_has_one_winner(tmp_path: Path) -> None:
    path = tmp_path / "key"
    won: list[int] = []
    ready = threading.Barrier(20)

    def race(number: int) -> None:
        ready.wait()
        if durable.write_new(path, b"%02d" % number):
            won.append(number)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert path.read_bytes() == b"%02d" % won[0]
    assert not unfinished(tmp_path)


def test_write_new_works_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert durable.write_new(tmp_path / "key", b"a") is True
    assert durable.write_new(tmp_path / "key", b"b") is False
    assert (tmp_path / "key").read_bytes() == b"a"


@pytest.mark.parametrize("count", [3, 40])
def test_publish_syncs_all_before_the_first_name(
    tmp_path: Path, events: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(durable, "_SYNCFS_FROM", 20)
    batch = [
        Publication(make_temp(tmp_path / f"{n % 4:02x}", b"%d" % n), tmp_path / f"{n % 4:02x}" / f"f{n}", 0o444)
        for n in range(count)
    ]
    events.clear()
    durable.publish(batch)
    kinds = [kind for kind, _ in events]
    first, last = kinds.index("name"), len(kinds) - kinds[::-1].index("name")
    assert "name" not in kinds[:first] and kinds.count("name") == count
    assert first == (count if count < 20 else 1), "each temp is synced, or the file system once"
    assert {name for _, name in events[last:]} == {str(tmp_path), *(str(p.final.parent) for p in batch)}
    for n, publication in enumerate(batch):
        assert publication.final.read_bytes() == b"%d" % n
        assert stat.S_IMODE(publication.final.stat().st_mode) == 0o444
    assert not unfinished(tmp_path)


def test_a_folder_that_is_a_link_to_another_disk_works(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "scratch")
    durable.write(tmp_path / "cache" / "f", b"x")
    durable.publish([Publication(make_temp(tmp_path / "cache", b"y"), tmp_path / "cache" / "g", 0o444)])
    assert sorted(path.name for path in (tmp_path / "scratch").iterdir()) == ["f", "g"]


def test_publish_makes_missing_folders_and_takes_nothing(tmp_path: Path) -> None:
    durable.publish([])
    durable.publish([Publication(make_temp(tmp_path, b"x"), tmp_path / "new" / "folder" / "x", 0o444)])
    assert (tmp_path / "new" / "folder" / "x").read_bytes() == b"x"


def test_a_failed_sync_publishes_nothing_and_leaves_no_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "broken")

    batch = [Publication(make_temp(tmp_path, b"x"), tmp_path / f"f{n}", 0o444) for n in range(5)]
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LocalIOError) as caught:
        durable.publish(batch)
    assert caught.value.errno == errno.EIO
    with pytest.raises(LocalIOError):
        durable.write(tmp_path / "g", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rename_keeps_the_named_and_removes_the_rest(tmp_path: Path) -> None:
    (tmp_path / "f1" / "full").mkdir(parents=True)
    batch = [Publication(make_temp(tmp_path, b"x"), tmp_path / f"f{n}", 0o444) for n in range(3)]
    with pytest.raises(LocalIOError):
        durable.publish(batch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f0", "f1"]


def test_a_full_disk_is_named_and_leaves_no_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "f").write_bytes(b"old")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(LocalIOError, match="the disk is full") as caught:
        durable.write(tmp_path / "f", b"new")
    assert caught.value.path == str(tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert not unfinished(tmp_path)


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    durable.write(tmp_path / "f", bytes(range(100)))
    assert (tmp_path / "f").read_bytes() == bytes(range(100))


def test_a_file_system_without_modes_is_tolerated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(errno.EPERM, "no modes here")

    monkeypatch.setattr(os, "chmod", refuse)
    durable.write(tmp_path / "f", b"x")
    durable.publish([Publication(make_temp(tmp_path, b"y"), tmp_path / "g", 0o444)])
    assert (tmp_path / "f").read_bytes() + (tmp_path / "g").read_bytes() == b"xy"


def test_sync_folder_ignores_einval_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> None:
        def fsync(fd: int) -> None:
            raise OSError(number, "no")

        monkeypatch.setattr(os, "fsync", fsync)

    fail(errno.EINVAL)
    durable.sync_folder(tmp_path)
    fail(errno.EIO)
    with pytest.raises(OSError):
        durable.sync_folder(tmp_path)


def test_create_temp_refuses_to_follow_and_is_private(tmp_path: Path) -> None:
    fd, temp = durable.create_temp(tmp_path / "new")
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
    assert temp.parent == tmp_path / "new" and temp.name.startswith(temps.PREFIX)
    assert os.get_inheritable(fd) is False
    os.close(fd)
    assert temps.temp_path(tmp_path) != temps.temp_path(tmp_path)


def test_sweep_removes_old_temps_of_dead_processes_alone(tmp_path: Path) -> None:
    day = 86400.0
    now = 1_800_000_000.0
    node = temps.temp_path(tmp_path).name.split("-")[1]

    def temp(owner: str, age: float, digits: str) -> Path:
        path = tmp_path / f".tmp-{owner}-{digits * 16}"
        path.write_bytes(b"")
        os.utime(path, (now - age, now - age))
        return path

    dead = 2**22 + 1  # above the largest pid Linux gives
    gone = [temp(f"{node}-{dead}", 2 * day, "0"), temp(f"elsewhere-{dead}", 31 * day, "1")]
    kept = [
        temp(f"{node}-{dead}", 0.5 * day, "2"),
        temp(f"{node}-{os.getpid()}", 90 * day, "3"),
        temp(f"elsewhere-{dead}", 2 * day, "4"),
        tmp_path / ".tmp-mine",
        tmp_path / "data",
    ]
    for path in kept[-2:]:
        path.write_bytes(b"")
        os.utime(path, (0, 0))
    assert temps.sweep(tmp_path, now=now) == 2
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert temps.sweep(tmp_path / "missing", now=now) == 0


def test_a_process_is_gone_only_where_that_can_be_known(tmp_path: Path) -> None:
    """Two machines of one name, or two containers, share a cache: one of them swept the temp that the other was
    writing, and took over what it was fetching."""
    dead, digest = 2**22 + 1, "a" * 64
    host, machine, start, processes = temps.node().rsplit(".", 3)
    if "0" in (machine, start):
        pytest.skip("this system tells nothing of itself")
    another_machine = f"{host}.0123abcd.{start}.{processes}"
    container = f"{host}.{machine}.{start}.0123abcd"
    before = f"{host}.{machine}.0123abcd.{processes}"
    unknown = [another_machine, container, host, f"{host}.{machine}", "elsewhere", f"x{before}"]
    assert [temps.is_gone(owner, dead) for owner in (*unknown, before, temps.node())] == [None] * 6 + [True, True]
    assert temps.is_gone(temps.node(), os.getpid()) is False and temps.is_gone(temps.node(), 9_999_999_999)
    assert temps.is_gone(another_machine, 0), "it was given up"
    for number, owner in enumerate((another_machine, container, before)):
        path = tmp_path / f".tmp-{owner}-{dead}-{number:016x}.{digest}"
        path.write_bytes(b"")
        os.utime(path, (0, 0))
    assert [path.name.split("-")[1] for _, path in temps.partials(tmp_path)] == [before]
    now = 20 * 86400.0
    assert temps.sweep(tmp_path, now=now) == 1
    assert temps.sweep(tmp_path, now=2 * now) == 2


@pytest.mark.parametrize("accent", ["\u00e9", "e\u0301"])
def test_a_temp_with_an_accent_is_swept(accent: str, tmp_path: Path) -> None:
    """What asks the file system for its forms of letters was killed: its file stayed for ever."""
    path = tmp_path / f".tmp-{temps.node()}-{2**22 + 1}-{0:016x}{accent}"
    path.write_bytes(b"")
    os.utime(path, (0, 0))
    assert temps.sweep(tmp_path, now=2 * 86400.0) == 1


def test_an_error_without_a_number_has_the_number_0(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError) as caught, durable.translating(tmp_path):
        raise OSError("no number")
    assert caught.value.errno == 0


def test_what_another_process_left_is_adopted_once_and_never_through_a_link(tmp_path: Path) -> None:
    temp = make_temp(tmp_path, b"half")
    fd, own = durable.adopt_temp(temp, digest="ab" * 32) or (0, tmp_path)
    os.write(fd, b"HALF")
    os.close(fd)
    assert own.read_bytes() == b"HALF" and "ab" * 32 in own.name
    assert durable.adopt_temp(temp, digest="ab" * 32) is None, "somebody else was faster"
    (tmp_path / "canary").write_bytes(b"sing")
    temp.symlink_to(tmp_path / "canary")
    assert durable.adopt_temp(temp, digest="ab" * 32) is None


def test_a_second_name_is_a_temp_in_a_folder_that_is_made(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"data")
    for folder in (tmp_path / "new" / "deep", tmp_path / "new" / "deep"):
        temp = durable.link_temp(tmp_path / "source", folder)
        assert temp.parent == folder and temp.samefile(tmp_path / "source")
    (tmp_path / "link").symlink_to("source")
    assert durable.link_temp(tmp_path / "link", tmp_path).is_symlink()
    assert durable.link_temp(tmp_path / "link", tmp_path / "newer").is_symlink()
    with pytest.raises(LocalIOError):
        durable.link_temp(tmp_path / "gone", tmp_path)


def test_a_file_in_a_folder_s_place_is_an_error_and_a_race_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        durable.make_folder(tmp_path / "file")
    monkeypatch.setattr(durable, "sync_folder", lambda path: (tmp_path / "a" / "b").mkdir(exist_ok=True))
    durable.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_new_file_without_a_mode_follows_the_umask(tmp_path: Path) -> None:
    durable.write(tmp_path / "new", b"data", mode=None)
    umask = os.umask(0o22)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~umask


def test_a_failed_sync_of_a_folder_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(durable, "sync_file", refuse)
    with pytest.raises(OSError, match=r"Input/output error") as caught:
        durable.sync_folder(tmp_path)
    assert caught.value.filename == str(tmp_path)
