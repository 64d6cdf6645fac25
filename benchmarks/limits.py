"""What this machine can do: each piece of the work alone, by the plainest code, and how near lobsterdv comes."""

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import data
import peers
from blake3 import blake3
from data import Shape
from lives import Bench
from report import Medians, table
from xxhash import xxh3_128

STEP = 1 << 20
MEANING = """No tool can be faster than the pieces it cannot do without: bytes must be hashed, written and brought to
disk, and cross the network. Each was done alone, in the same run. `s5cmd` stands for server and network together."""


@dataclass(frozen=True)
class Floor:
    """A row stands on `pieces`: each must be done, and at best all of them at once."""

    row: str
    pieces: tuple[str, ...]

    @property
    def shape(self) -> str:
        return self.row.rpartition("-")[2]


HASH = "hash once (BLAKE3 and XXH3)"
WRITE = "write once, synced"
WRITE_TWICE = "write twice, synced"
PUT = "s5cmd cp up"
GET = "s5cmd cat to nowhere"
FILES = "write the files, synced once"
READ_FILES = "open, read and hash the files"
FLOORS = (
    Floor("add-many", (READ_FILES,)),
    Floor("pull-many", (FILES,)),
    Floor("add-big", (HASH, WRITE)),
    Floor("push-big", (HASH, PUT)),
    Floor("pull-big", (HASH, WRITE_TWICE, GET)),
)


def measure(bench: Bench, shape: Shape, repetition: int) -> Iterator[tuple[str, float]]:
    """Each piece and its wall seconds, for one dataset; what it writes is gone afterwards."""
    folder = bench.work / f"limits-{repetition}-{shape.name}"
    folder.mkdir()
    try:
        data.write(shape, folder, seed=repetition)
        source = folder / shape.name
        if shape.is_folder:
            yield READ_FILES, _timed(lambda: _read_files(source))
            yield FILES, _timed(lambda: _write_files(source, folder / "copy"))
            return
        yield HASH, _timed(lambda: _hash(source))
        yield WRITE, _timed(lambda: _write(source, folder / "once"))
        yield WRITE_TWICE, _timed(lambda: [_write(source, folder / name) for name in ("twice", "again")])
        if bench.peers.s5cmd:
            url = f"s3://limits-{repetition}/{shape.name}"
            peers.make_bucket(bench.peers, bench.endpoint, f"limits-{repetition}")
            yield PUT, _timed(lambda: _s5cmd(bench, "cp", str(source), url))
            yield GET, _timed(lambda: _s5cmd(bench, "cat", url))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def limit_table(found: Medians, taken: dict[tuple[str, str], list[float]]) -> str:
    """Of each row every piece, and which share of lobsterdv's time it explains."""
    lines = [["row", "piece", "at best", "lobsterdv", "share"]]
    for floor in FLOORS:
        ours = found.get(floor.row, {}).get("lobsterdv")
        for piece in floor.pieces:
            seconds = taken.get((floor.shape, piece))
            if ours and seconds:
                best = statistics.median(seconds)
                share = f"{best / ours.wall_seconds:.0%}"
                lines.append([floor.row, piece, f"{best:.3f} s", f"{ours.wall_seconds:.3f} s", share])
    return table(lines)


def _timed(work: Callable[[], object]) -> float:
    """Wall seconds, from a disk that has nothing else to write."""
    os.sync()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _hash(source: Path) -> None:
    name, checksum = blake3(max_threads=blake3.AUTO), xxh3_128()
    with source.open("rb", buffering=0) as file:
        while block := file.read(STEP):
            name.update(block)
            checksum.update(block)


def _write(source: Path, target: Path) -> None:
    with source.open("rb", buffering=0) as file, target.open("wb", buffering=0) as copy:
        while block := file.read(STEP):
            copy.write(block)
        os.fsync(copy.fileno())


def _read_files(source: Path) -> None:
    for parent, _, names in os.walk(source):
        for name in names:
            with open(f"{parent}/{name}", "rb", buffering=0) as file:
                blake3(file.read()).digest()


def _write_files(source: Path, target: Path) -> None:
    block = b"x" * (4 << 10)
    for parent, _, names in os.walk(source):
        folder = f"{target}/{os.path.relpath(parent, source)}"
        os.makedirs(folder)
        for name in names:
            with open(f"{folder}/{name}", "xb", buffering=0) as file:
                file.write(block)
    os.sync()


def _s5cmd(bench: Bench, *words: str) -> None:
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", **peers.client_environment()}
    argv = [bench.peers.s5cmd, "--endpoint-url", bench.endpoint, *words]
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
