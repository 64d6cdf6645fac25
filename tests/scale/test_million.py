"""The long form: 100,000 and 1,000,000 files, and one sparse file of 60 GB, by `benchmarks/scale.py`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import scale

pytestmark = pytest.mark.slow

GIB = 1 << 30
RATIO = 12
"""A million files may take so many times what 100,000 take: CPU seconds, which other processes disturb least."""
JUDGED = ("add", "status", "add, nothing new", "push", "push, nothing new", "status, one changed", "add, one changed",
          "push, one changed")  # fmt: skip


def need_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        pytest.skip(f"{free >> 30} GiB are free, {size >> 30} are needed")


def test_a_million_files(tmp_path: Path) -> None:
    need_room(tmp_path, 20 * GIB)
    few = {step.name: step for step in scale.many_files(tmp_path / "few", 100_000, pull_all=False)}
    shutil.rmtree(tmp_path / "few")
    many = {step.name: step for step in scale.many_files(tmp_path / "many", 1_000_000)}
    shutil.rmtree(tmp_path / "many")
    ratios = {name: many[name].cpu_seconds / few[name].cpu_seconds for name in JUDGED}
    assert {name: ratio for name, ratio in ratios.items() if ratio > RATIO} == {}
    assert {name: step.peak_bytes for name, step in many.items() if step.peak_bytes > GIB} == {}
    assert many["push, one changed"].documents < 1_000_000
    assert many["add, one changed"].read_files == 1
    assert many["pull of one file"].peak_bytes < 100 << 20


def test_a_sparse_file_of_sixty_gigabytes(tmp_path: Path) -> None:
    """It is kept and sent in bounded memory, and takes no more room than its data. Bringing it back asks for room for
    all of it first: nobody knows that it is hollow."""
    need_room(tmp_path, 4 * GIB)
    size = 60 * GIB
    pulls = shutil.disk_usage(tmp_path).free > 2 * size + GIB
    steps = {step.name: step for step in scale.large_file(tmp_path / "sparse", size, pulls=pulls)}
    assert {name: step.peak_bytes for name, step in steps.items() if step.peak_bytes > 400 << 20} == {}
    taken = sum(path.stat().st_blocks * 512 for path in (tmp_path / "sparse").rglob("*") if path.is_file())
    assert taken < GIB
    shutil.rmtree(tmp_path / "sparse")
