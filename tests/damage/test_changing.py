"""Files that change while they are added: an error that says so, or a version of bytes that are kept; never a pointer
to other bytes, never a wait for a pipe, never what lies behind a link that was put there meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from lobsterdv import copying
from lobsterdv.errors import ChangedMeanwhile, Refused, UnsafePath
from tests.damage.conftest import Once
from tests.damage.counting import Counters
from tests.damage.oracle import check_cache, restore_from_cache
from tests.damage.striking import (
    BLOWS,
    SECRET,
    Strike,
    append,
    clear,
    folder,
    link_outside,
    overwrite,
    pipe,
    replace,
    truncate,
    unlink,
)
from tests.ops.lab import Lab, settle
from tests.properties.trees import picture

LARGE = 300_000
"""Two reads of one copy, which are shortened for that."""
WATCHED = {"a small file": "set/sub/5", "a large file": "set/sub/large", "a file alone": "place/alone.bin"}
Blow = Callable[[Path], object]


class Bench:
    """A project with a folder of twelve files, and one file more; ``again`` puts all back, and nothing is added."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab.create(folder / "lab", home=folder / "home")

    def again(self) -> None:
        for name in ("set", "place"):
            shutil.rmtree(self.lab.path(name), ignore_errors=True)
        random = Random(5)
        for number in range(11):
            self.lab.write(f"set/sub/{number}" if number % 2 else f"set/{number}", random.randbytes(3000 + number))
        self.lab.write("set/sub/large", random.randbytes(LARGE))
        self.lab.write("place/alone.bin", random.randbytes(LARGE))
        self.lab.lose_cache()
        for dataset in ("set", "place/alone.bin"):
            self.lab.path(f"{dataset}.ldv.yaml").unlink(missing_ok=True)


@pytest.fixture
def bench(once: Once[Bench]) -> Bench:
    return once("bench", Bench)


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Who waits for a pipe waits for ever."""

    def give_up(number: int, frame: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def struck(bench: Bench, name: str, blow: Blow, at: int) -> tuple[list[str], str]:
    """Add the dataset that the file is of, struck there; returns the calls that concerned it, and how it ended."""
    bench.again()
    lab = bench.lab
    dataset = name if name.startswith("place") else "set"
    path = lab.path(name)
    before = picture(lab.path(dataset))
    with pytest.MonkeyPatch.context() as patch, no_longer_than(30):
        patch.setattr(copying, "_STEP_BYTES", LARGE // 2)
        strike = Strike(path, blow, at).into(patch)
        report = lab.try_add(dataset, staging=False)
    calls = list(strike.calls)
    after = None if path.parent.is_symlink() or path.is_fifo() else picture(lab.path(dataset))
    kept = check_cache(lab.project.cache.folder)
    assert not any(SECRET[:50] in data for data in kept.values()), "it read through a link"
    for failure in report.failures:
        assert isinstance(failure.error, ChangedMeanwhile | Refused), repr(failure.error)
        told = str(Path(name).parent) if path.parent.is_symlink() else name
        assert told in str(failure.error), "it does not say which file"
        assert not lab.path(f"{dataset}.ldv.yaml").exists()
    if not report.failures:
        tree = restore_from_cache(lab.project.cache.folder, lab.read(f"{dataset}.ldv.yaml"))
        assert tree in (before, after), "a version of what never was"
    assert not list(lab.project.cache.temps.glob("*"))
    clear(path)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"quiet now")
    settle(path)
    lab.add(dataset, staging=False)
    assert restore_from_cache(lab.project.cache.folder, lab.read(f"{dataset}.ldv.yaml")) == picture(lab.path(dataset))
    return calls, "refused" if report.failures else "kept"


@pytest.mark.parametrize("kind", list(WATCHED))
def test_changed_at_a_call(kind: str, bench: Bench, counters: Counters) -> None:
    """In every way, each at another call. A pipe was kept as an empty file, the bytes of a file outside were kept when
    a folder became a link to its folder, and a link in the place of a file was an internal error."""
    calls, end = struck(bench, WATCHED[kind], BLOWS[0], 0)
    assert end == "kept" and {"open", "fstat", "close"} <= set(calls), "nothing is watched"
    ends = set()
    for turn, blow in enumerate(BLOWS):
        with counters.trying("a file that changes while it is added"):
            ends.add(struck(bench, WATCHED[kind], blow, 1 + turn % len(calls))[1])
    assert "refused" in ends


@pytest.mark.faults
@pytest.mark.parametrize("blow", BLOWS, ids=lambda blow: blow.__name__)
@pytest.mark.parametrize("kind", list(WATCHED))
def test_changed_at_every_call(kind: str, blow: Blow, bench: Bench, counters: Counters) -> None:
    calls, _ = struck(bench, WATCHED[kind], blow, 0)
    ends = set()
    for at in range(1, len(calls) + 1):
        with counters.trying("a file that changes while it is added, at every call"):
            ends.add(struck(bench, WATCHED[kind], blow, at)[1])
    if blow not in (overwrite, truncate, append, replace):
        assert "refused" in ends


@pytest.mark.faults
@pytest.mark.parametrize("blow", [overwrite, truncate, append, replace, unlink, link_outside, folder, pipe])
def test_somebody_is_at_work(blow: Blow, bench: Bench, counters: Counters) -> None:
    """Another process strikes all of the files again and again, while 50 times all is added."""
    lab = bench.lab
    random = Random(blow.__name__)
    for _ in range(50):
        bench.again()
        worker = os.fork()
        if not worker:
            strike_for_ever(lab.path("set"), lab.path("place/alone.bin"), blow, random.random())
        try:
            with counters.trying("a file that changes while it is added, by another process"):
                with no_longer_than(60):
                    report = lab.try_add("set", "place/alone.bin", staging=False)
                kept = check_cache(lab.project.cache.folder)
                assert not any(SECRET[:50] in data for data in kept.values()), "it read through a link"
                for failure in report.failures:
                    assert isinstance(failure.error, ChangedMeanwhile | Refused | UnsafePath), repr(failure.error)
                for row in report.added:
                    restore_from_cache(lab.project.cache.folder, lab.read(f"{row.path}.ldv.yaml"))
        finally:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)


def strike_for_ever(tree: Path, alone: Path, blow: Blow, seed: float) -> None:
    """Never returns."""
    random = Random(seed)
    files = [*sorted(path for path in tree.rglob("*") if path.is_file()), alone]
    while True:
        path = random.choice(files)
        with suppress(OSError, ValueError):
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else bytes(4000)
            blow(path)
            if not path.is_file() or path.is_symlink():
                clear(path)
            path.write_bytes(data[:LARGE])
