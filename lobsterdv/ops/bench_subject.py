"""What bench writes and reads: two versions of a file, equal every time."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from lobsterdv.errors import UsageError
from lobsterdv.paths import SafeRelPath, safe_path

GENERATED: Final = "bench.bin"
DEFAULT_SIZE: Final = 64_000_000
_BLOCK: Final = 4 << 20
_SEED: Final = 1


class Subject(NamedTuple):
    """What is written and read: a file of the user's, or ``size`` random bytes."""

    source: Path | None
    size: int

    @property
    def name(self) -> SafeRelPath:
        return safe_path(self.source.name if self.source else GENERATED)

    @property
    def changed(self) -> str:
        """How the second version differs."""
        return "one more obs column" if self._is_table else f"{self.size // 100 or 1:,} bytes inserted in the middle"

    @property
    def _is_table(self) -> bool:
        return self.source is not None and self.source.suffix == ".h5ad"

    def place(self, target: Path) -> None:
        """Write the first version; equal every time."""
        if self.source is not None:
            shutil.copyfile(self.source, target)
        else:
            with target.open("wb") as out:
                for block in _random(self.size, _SEED):
                    out.write(block)

    def change(self, path: Path) -> None:
        """Replace the first version by the second."""
        if self._is_table:
            from lobsterdv.anndata_.edit import add_obs_column  # noqa: PLC0415 - start-up time

            add_obs_column(path, path, column="lobsterdv_bench")
            return
        edited = path.with_name(path.name + ".edited")
        with path.open("rb") as source, edited.open("wb") as out:
            left = self.size // 2
            while left and (block := source.read(min(left, _BLOCK))):
                out.write(block)
                left -= len(block)
            for block in _random(self.size // 100 or 1, _SEED + 1):
                out.write(block)
            shutil.copyfileobj(source, out, _BLOCK)
        edited.replace(path)


def subject_of(file: Path | None, size: int | None) -> Subject:
    """The user's file, or a generated one of ``size`` bytes. Raises UsageError."""
    if file is None:
        return Subject(None, DEFAULT_SIZE if size is None else size)
    if size is not None:
        raise UsageError(f"--size is of a generated file; {file.name} has its own")
    if not file.is_file():
        raise UsageError(f"{file} is a folder; name a file" if file.is_dir() else f"there is no file {file}")
    if not file.stat().st_size:
        raise UsageError(f"{file} is empty: there is nothing to measure")
    return Subject(file, file.stat().st_size)


def _random(size: int, seed: int) -> Iterator[bytes]:
    """Bytes that neither compress nor repeat."""
    rng = random.Random(seed)
    for start in range(0, size, _BLOCK):
        yield rng.randbytes(min(_BLOCK, size - start))
