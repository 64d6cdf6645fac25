"""Benchmark data from a seeded generator, and a plain walker that compares trees byte by byte.

Random bytes: incompressible and without repeats, so no tool can win by compressing or deduplicating.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 4 << 20
FILES_PER_FOLDER = 100


@dataclass(frozen=True)
class Shape:
    """One dataset: a folder `name` of many small files, or one file `name`."""

    name: str
    files: int
    file_bytes: int
    compressible: bool = False

    @property
    def is_folder(self) -> bool:
        return self.files > 1

    @property
    def total_bytes(self) -> int:
        return self.files * self.file_bytes

    @property
    def text(self) -> str:
        size = _size(self.file_bytes)
        return f"{self.files:,} x {size}" if self.is_folder else f"{size} file"


def shapes(scale: str) -> dict[str, Shape]:
    """The datasets by key; those for the slow line are smaller."""
    small = scale == "small"
    return {
        "many": Shape("data", 200 if small else 10_000, 4 << 10),
        "big": Shape("big.bin", 1, 8 << 20 if small else 1 << 30),
        "slow-many": Shape("data", 100 if small else 2_000, 4 << 10),
        "slow-big": Shape("big.bin", 1, 4 << 20 if small else 64 << 20),
    }


def write(shape: Shape, root: Path, seed: int) -> None:
    """Write the dataset under `root`; equal seeds give equal bytes."""
    rng = random.Random(seed)
    if shape.is_folder:
        for number in range(shape.files):
            path = root / shape.name / f"part-{number // FILES_PER_FOLDER:04d}" / f"{number:06d}.bin"
            if number % FILES_PER_FOLDER == 0:
                path.parent.mkdir(parents=True)
            path.write_bytes(rng.randbytes(shape.file_bytes))
        return
    left = shape.file_bytes
    with (root / shape.name).open("wb") as out:
        while left:
            out.write(rng.randbytes(min(BLOCK, left)))
            left -= min(BLOCK, left)


def change_one_byte(shape: Shape, root: Path) -> None:
    """Edit one file under `root` as a user's program would: a new file of the same size in its place."""
    path = root / shape.name
    if shape.is_folder:
        path = path / "part-0000" / f"{shape.files // 2 % FILES_PER_FOLDER:06d}.bin"
    edited = path.with_name(path.name + ".edited")
    with path.open("rb") as source, edited.open("wb") as out:
        while block := source.read(BLOCK):
            out.write(block if source.tell() < path.stat().st_size else block[:-1] + bytes([block[-1] ^ 1]))
    edited.replace(path)


def differences(expected: Path, actual: Path) -> list[str]:
    """Where two files or folders differ, in names or bytes; links to files count as their content."""
    if expected.is_file() and actual.is_file():
        return [] if _same_bytes(expected, actual) else ["other bytes"]
    left, right = dict(_walk(expected)), dict(_walk(actual))
    wrong = [f"missing: {name}" for name in sorted(left.keys() - right.keys())]
    wrong += [f"not expected: {name}" for name in sorted(right.keys() - left.keys())]
    common = sorted(left.keys() & right.keys())
    return wrong + [f"other bytes: {name}" for name in common if not _same_bytes(left[name], right[name])]


def stored_bytes(folder: Path) -> int:
    """The sizes of all files under `folder`, added up."""
    return sum(path.stat().st_size for _, path in _walk(folder))


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            yield str(path.relative_to(folder)), path


def _same_bytes(first: Path, second: Path) -> bool:
    if first.stat().st_size != second.stat().st_size:
        return False
    with first.open("rb") as a, second.open("rb") as b:
        while True:
            block = a.read(BLOCK)
            if block != b.read(BLOCK):
                return False
            if not block:
                return True


def _size(count: int) -> str:
    for unit, bytes_each in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= bytes_each:
            return f"{count / bytes_each:.4g} {unit}"
    return f"{count} B"
