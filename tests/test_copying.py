"""If these fail, a sparse file of 60 GB fills the disk, or a copy differs from what was copied."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random

import pytest

from lobsterdv import copying, linux_sync
from lobsterdv.digest import Hasher, digest_of

MIB = 1 << 20


def copied(path: Path, size: int) -> tuple[bytes, int, list[int]]:
    """The copy's bytes, the blocks it takes, and what progress was told."""
    told: list[int] = []
    hasher = Hasher()
    target = path.with_name("target")
    source, copy = os.open(path, os.O_RDONLY), os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        whole = copying.copy(source, copy, size, seen=hasher.update, progress=told.append)
        assert whole == min(size, path.stat().st_size)
    finally:
        os.close(source)
        os.close(copy)
    assert hasher.digest() == digest_of(target.read_bytes()), "holes count as the zeros that they are"
    return target.read_bytes(), copying.allocated_bytes(target.stat()), told


@pytest.mark.parametrize("runs", [[], [0], [3], [0, 5], [7], [2, 3, 6]], ids=str)
def test_holes_stay_holes(tmp_path: Path, runs: list[int]) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(8 * MIB)
        for run in runs:
            file.seek(run * MIB)
            file.write(Random(run).randbytes(MIB))
    for size in (8 * MIB, 9 * MIB, 5 * MIB + 1):
        data, allocated, told = copied(path, size)
        assert data == path.read_bytes()[:size]
        assert allocated <= len([run for run in runs if run * MIB < size]) * MIB
        assert sum(told) == len(data)


def test_where_nobody_tells_of_holes_all_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "SEEK_DATA", raising=False)
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(MIB)
    assert copied(path, MIB)[0] == bytes(MIB)


def test_the_disk_begins_before_the_copy_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[int, int]] = []

    def begin(fd: int, offset: int, length: int) -> None:
        begun.append((offset, length))
        linux_sync.begin_sync(fd, offset, length)

    monkeypatch.setattr(copying, "begin_sync", begin)
    path = tmp_path / "large"
    path.write_bytes(Random(1).randbytes(40 * MIB))
    assert copied(path, 40 * MIB)[0] == path.read_bytes()
    assert begun == [(0, 16 * MIB), (16 * MIB, 16 * MIB)], "the rest is what the sync at the end waits for"


def test_where_the_disk_cannot_begin_early_nothing_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_sync, "_sync_file_range", linux_sync._sync_file_range.__wrapped__)
    monkeypatch.setattr(sys, "platform", "freebsd")
    path = tmp_path / "large"
    path.write_bytes(Random(2).randbytes(17 * MIB))
    assert copied(path, 17 * MIB)[0] == path.read_bytes()
