"""If these fail, a cache of many packs ends in "too many open files", or a read meets another file's bytes."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from lobsterdv.blobs.open_files import OpenFiles


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def folder_of(tmp_path: Path, count: int) -> list[Path]:
    paths = [tmp_path / str(number) for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 100)
    return paths


def test_many_files_few_descriptors(tmp_path: Path) -> None:
    paths, files, before = folder_of(tmp_path, 50), OpenFiles(8), open_descriptors()
    for number in [*range(50), *range(50)]:
        assert files.read(number, paths[number], 10, 95) == bytes([number]) * 5
    assert open_descriptors() - before == 8
    files.close()
    assert open_descriptors() == before


def test_the_least_recently_read_is_closed(tmp_path: Path) -> None:
    paths, files = folder_of(tmp_path, 3), OpenFiles(2)
    for number in (0, 1, 0, 2):
        files.read(number, paths[number], 1, 0)
    for path in paths:
        path.unlink()
    assert files.read(0, paths[0], 1, 0) == b"\0"
    with pytest.raises(FileNotFoundError):
        files.read(1, paths[1], 1, 0)
    files.close()


def test_a_replaced_file_is_opened_anew(tmp_path: Path) -> None:
    path, files = tmp_path / "pack", OpenFiles()
    path.write_bytes(b"old")
    assert files.read("pack", path, 3, 0) == b"old"
    path.unlink()
    path.write_bytes(b"new")
    assert files.read("pack", path, 3, 0) == b"old"
    files.forget("pack")
    assert files.read("pack", path, 3, 0) == b"new"
    files.close()


def test_readers_race_with_eviction_and_forgetting(tmp_path: Path) -> None:
    """A descriptor that is closed while it is read would be another file's by then."""
    paths, files, before, wrong = folder_of(tmp_path, 20), OpenFiles(3), open_descriptors(), []

    def read(seed: int) -> None:
        chosen = random.Random(seed)
        for _ in range(2000):
            number = chosen.randrange(20)
            try:
                if files.read(number, paths[number], 100, 0) != bytes([number]) * 100:
                    wrong.append(number)
            except OSError as error:
                wrong.append(error)
            if chosen.random() < 0.1:
                files.forget(number)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    files.close()
    assert open_descriptors() == before
