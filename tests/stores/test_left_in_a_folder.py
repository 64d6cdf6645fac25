"""What a killed process leaves in a remote that is a folder: what it sent of a large file is gone on with, the rest
goes after a day, and what it was about to delete is there. If these fail, hours of copying are lost, or disks fill."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lobsterdv.digest import digest_of
from lobsterdv.formats.layout import object_key
from lobsterdv.stores import directory_upload
from lobsterdv.stores.base import Stat
from lobsterdv.stores.directory import DirectoryStore

PART = 1 << 20
DATA = os.urandom(3 * PART + 5)
KEY = object_key(digest_of(DATA))
DAY = 86400


def opened(root: Path) -> DirectoryStore:
    return DirectoryStore(root, create=True, part_size=PART)


@contextmanager
def killed(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is written meanwhile is of a process that is gone."""
    with patch.context() as inner:
        inner.setattr(os, "getpid", lambda: 2**31 - 7)
        yield


def part(number: int, data: bytes = DATA) -> bytes:
    return data[number * PART : (number + 1) * PART]


def temps_in(root: Path) -> list[Path]:
    return sorted(root.rglob(".tmp-*"))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that uploads write from now on, call by call."""
    sizes: list[int] = []
    pwrite = os.pwrite

    def watched(fd: int, data: memoryview, offset: int) -> int:
        sizes.append(len(data))
        return pwrite(fd, data, offset)

    monkeypatch.setattr(directory_upload.os, "pwrite", watched)
    return sizes


@pytest.mark.parametrize("end", ["killed", "suspended"])
def test_an_interrupted_upload_goes_on(
    tmp_path: Path, end: str, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed(monkeypatch):
        upload = opened(tmp_path / "r").upload(KEY, len(DATA))
        upload.send(0, part(0))
        upload.send(2, part(2))
        if end == "suspended":
            upload.suspend()
    assert len(temps_in(tmp_path)) == 1 and sum(written) == 2 * PART
    written.clear()
    store = opened(tmp_path / "r")
    again = store.upload(KEY, len(DATA))
    for number in range(again.part_count):
        again.send(number, part(number))
    again.complete()
    assert sum(written) == PART + 5, "what lies there is read and not written"
    assert store.read_whole(KEY, limit=len(DATA)) == DATA and temps_in(tmp_path) == []


def test_a_part_that_is_not_what_it_should_be_is_written_anew(
    tmp_path: Path, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a temp has any bytes."""
    with killed(monkeypatch):
        upload = opened(tmp_path / "r").upload(KEY, len(DATA))
        for number in range(4):
            upload.send(number, part(number))
    (left,) = temps_in(tmp_path)
    with left.open("r+b") as file:
        file.seek(PART + 7)
        file.write(bytes([DATA[PART + 7] ^ 1]))
    written.clear()
    store = opened(tmp_path / "r")
    again = store.upload(KEY, len(DATA))
    for number in range(4):
        again.send(number, part(number))
    again.complete()
    assert written == [PART] and store.read_whole(KEY, limit=len(DATA)) == DATA


def test_what_is_not_ones_own_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second name of somebody's file, a link, another size, a live process's: none is taken over."""
    folder = (tmp_path / "r" / KEY).parent
    folder.mkdir(parents=True)
    other = tmp_path / "other"
    other.write_bytes(bytes(len(DATA)))
    name = f"{'.tmp-' + os.uname().nodename}-0-{'0' * 15}%d.{digest_of(DATA).hex()}"
    os.link(other, folder / (name % 1))
    (folder / (name % 2)).symlink_to(other)
    (folder / (name % 3)).write_bytes(DATA[:-1])
    store = opened(tmp_path / "r")
    live = store.upload(KEY, len(DATA))
    upload = store.upload(KEY, len(DATA))
    for number in range(4):
        upload.send(number, part(number))
        live.send(number, bytes(len(part(number))))
    upload.complete()
    assert store.read_whole(KEY, limit=len(DATA)) == DATA
    assert other.read_bytes() == bytes(len(DATA)) and (folder / (name % 3)).read_bytes() == DATA[:-1]
    live.abort()


@pytest.mark.parametrize("verb", ["put", "upload"])
def test_temps_of_killed_processes_go_after_a_day(tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = (tmp_path / "r" / KEY).parent
    folder.mkdir(parents=True)
    with killed(monkeypatch):
        old, young, partial = (
            directory_upload.durable.create_temp(folder, digest=digest)[1] for digest in ("", "", "a" * 64)
        )
    live = directory_upload.durable.create_temp(folder)[1]
    for path, days in ((old, 2), (partial, 2), (live, 2)):
        at = path.stat().st_mtime - days * DAY
        os.utime(path, (at, at))
    store = opened(tmp_path / "r")
    if verb == "put":
        store.put(KEY, b"x")
    else:
        store.upload(KEY, 5).abort()
    assert temps_in(tmp_path) == sorted([young, partial, live])
    os.utime(young, (0, 0))
    store.put(KEY, b"x")
    assert young.exists(), "a folder is looked at once"


class _Killed(Exception):
    pass


@pytest.mark.parametrize("at", ["refreshed", "as it was", "sent anew"])
def test_what_a_killed_deletion_left_has_its_name_again(
    tmp_path: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two names: whoever refreshed the object was told that it stays."""
    store = opened(tmp_path / "r")
    store.put(KEY, DATA)
    path = tmp_path / "r" / KEY
    os.utime(path, (1000, 1000))
    seen = store.head(KEY)
    lstat = Path.lstat

    def dying(self: Path) -> os.stat_result:
        if self.name.startswith(".tmp-"):
            raise _Killed
        return lstat(self)

    with killed(monkeypatch), monkeypatch.context() as patch:
        patch.setattr(Path, "lstat", dying)
        with pytest.raises(_Killed):
            store.delete_exact(seen)
    (grave,) = temps_in(tmp_path)
    assert not path.exists() and list(opened(tmp_path / "r").list("")) == []
    if at == "refreshed":
        os.utime(grave)
    if at == "sent anew":
        path.write_bytes(DATA)
    again = opened(tmp_path / "r")
    neighbour = KEY[:-1] + ("0" if KEY[-1] != "0" else "1")
    again.put(neighbour, b"x")
    assert temps_in(tmp_path) == [] and again.read_whole(KEY, limit=len(DATA)) == DATA
    assert again.delete_exact(again.head(KEY)) is True and temps_in(tmp_path) == []


def test_a_live_deletion_is_left_alone(tmp_path: Path) -> None:
    from lobsterdv.stores import graves

    store = opened(tmp_path / "r")
    store.put(KEY, DATA)
    grave = graves.bury(tmp_path / "r" / KEY)
    opened(tmp_path / "r").put(KEY[:-1] + "x", b"x")
    assert grave.exists() and not (tmp_path / "r" / KEY).exists()


def test_what_was_refreshed_during_its_deletion_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path / "r")
    store.put(KEY, DATA)
    seen: Stat = store.head(KEY)
    rename = Path.rename

    def meanwhile(self: Path, target: Path) -> Path:
        os.utime(self, (5, 5))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", meanwhile)
    assert store.delete_exact(seen) is False
    assert store.read_whole(KEY, limit=len(DATA)) == DATA and temps_in(tmp_path) == []
