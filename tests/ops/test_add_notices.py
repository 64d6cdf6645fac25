"""add and status notice every change, and read nothing where there is none."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lobsterdv.errors import ChangedMeanwhile
from tests.ops.lab import LONG_AGO_S, Lab, settle
from tests.ops.watching import opened_below, tree


@pytest.fixture(params=["one.bin", "run"])
def name(request: pytest.FixtureRequest, lab: Lab) -> str:
    """A dataset that is a file, and one that is a directory; the file to change is at ``inside``."""
    lab.write("one.bin", b"a" * 5000)
    lab.write("run/sub/file.bin", b"a" * 5000)
    lab.write("run/large.bin", b"b" * 300_000)
    lab.add("one.bin", "run")
    return str(request.param)


def inside(lab: Lab, name: str) -> Path:
    return lab.path("one.bin" if name == "one.bin" else "run/sub/file.bin")


def test_unchanged_data_is_not_opened(lab: Lab, name: str) -> None:
    with opened_below(lab.path(name)) as opened:
        (row,) = lab.add(name).added
        assert lab.state(name).work == "clean"
    assert (row.outcome, row.read_files, row.read_bytes) == ("unchanged", 0, 0)
    assert [path for path in opened if not Path(path).is_dir()] == []


def edit_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"X")


def edit_and_restore_the_time(path: Path) -> None:
    edit_in_place(path)
    settle(path)


def replace_by_a_copy_with_the_same_time(path: Path) -> None:
    """cp -p, rsync -t: same size, same mtime, another file."""
    new = path.with_name("new")
    new.write_bytes(b"c" * 5000)
    settle(new)
    new.replace(path)


def edit_through_a_map(path: Path) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[7] = 99
        view.flush()


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def truncate(path: Path) -> None:
    os.truncate(path, 10)


EDITS = [edit_in_place, edit_and_restore_the_time, replace_by_a_copy_with_the_same_time, edit_through_a_map,
         append, truncate]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=[e.__name__ for e in EDITS])
def test_every_edit_is_noticed(lab: Lab, name: str, edit: object) -> None:
    """Else `add` says unchanged and the next checkout throws the user's work away."""
    path = inside(lab, name)
    time.sleep(0.02)  # the kernel's clock ticks every 4 or 10 ms: within one tick only the racy rule helps
    edit(path)  # type: ignore[operator]
    state = lab.state(name)
    assert (state.work, state.modified) == ("modified", ["sub/file.bin" if name == "run" else ""])
    (row,) = lab.add(name).added
    assert (row.outcome, row.read_files) == ("changed", 1)
    path.unlink()
    lab.checkout(name)
    assert lab.state(name).work == "clean"


def test_an_edit_right_after_add_of_a_fresh_file(lab: Lab) -> None:
    """git's racy rule: within the same tick of the clock no stat tells."""
    for number in range(20):
        path = lab.path(f"fresh{number}")
        path.write_bytes(b"1" * 100)
        lab.add(path.name)
        stat = path.stat()
        path.write_bytes(b"2" * 100)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert lab.state(path.name).work == "modified"
        assert lab.add(path.name).added[0].outcome == "changed"


def test_touched_but_equal_is_clean_and_read_once(lab: Lab, name: str) -> None:
    path = inside(lab, name)
    os.utime(path, (LONG_AGO_S + 5, LONG_AGO_S + 5))
    assert lab.state(name).work == "clean"
    with opened_below(path) as opened:
        assert lab.state(name).work == "clean"
    assert opened == []


def test_a_new_a_deleted_and_a_renamed_file(lab: Lab) -> None:
    lab.write("run/a", "1")
    lab.write("run/b", "2")
    lab.add("run")
    lab.path("run/a").rename(lab.path("run/c"))
    lab.path("run/b").unlink()
    state = lab.state("run")
    assert (state.work, state.modified, state.new, state.deleted) == ("modified", [], ["c"], ["a", "b"])
    lab.add("run")
    assert tree(lab.path("run")) == {"c": ("file", b"1")}
    assert lab.state("run").work == "clean"
    assert lab.pointer("run").files == 1


def test_only_the_executable_bit(lab: Lab, name: str) -> None:
    inside(lab, name).chmod(0o755)
    assert lab.state(name).work == "modified"
    assert lab.add(name).added[0].outcome == "changed"
    assert lab.state(name).work == "clean"


def test_lost_cache_add_stores_again(lab: Lab, name: str) -> None:
    """The pointer says unchanged; the bytes are gone from the cache: `add` must bring them back."""
    before = tree(lab.path(name))
    for file in [p for p in lab.project.cache.folder.rglob("*") if p.is_file()]:
        file.unlink()
    lab.reopen()
    assert lab.state(name).missing_files != 0
    (row,) = lab.add(name).added
    assert (row.outcome, row.read_bytes > 0) == ("unchanged", True)
    assert lab.state(name).missing_files == 0
    for path in [p for p in lab.path(name).rglob("*") if p.is_file()] or [lab.path(name)]:
        path.unlink()
    lab.checkout(name)
    assert tree(lab.path(name)) == before


@pytest.mark.parametrize("size", [1000, 8 << 20], ids=["small", "large"])
@pytest.mark.parametrize("in_directory", [False, True], ids=["file", "directory"])
def test_a_file_that_changes_meanwhile(lab: Lab, size: int, in_directory: bool) -> None:
    """Either an error, or a version whose bytes are one consistent reading: never a pointer to other bytes."""
    name = "run" if in_directory else "busy"
    path = lab.write("run/busy" if in_directory else "busy", b"\0" * size)
    stop = threading.Event()

    def mutate() -> None:
        with path.open("r+b") as file:
            number = 0
            while not stop.is_set():
                number += 1
                os.pwrite(file.fileno(), number.to_bytes(8), (number * 4096) % (size - 8))

    mutator = threading.Thread(target=mutate)
    mutator.start()
    refused = 0
    try:
        for _ in range(5):
            report = lab.try_add(name)
            refused += len(report.failures)
            assert all(isinstance(f.error, ChangedMeanwhile) for f in report.failures)
    finally:
        stop.set()
        mutator.join()
    if size > 1000:
        assert refused  # a copy takes far longer than one write
    if lab.path(name + ".ldv.yaml").exists():
        lab.checkout(name, force=True)
    lab.add(name)
    assert lab.state(name).work == "clean"


def test_a_file_that_disappears_meanwhile_fails_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from lobsterdv.ops import preparing

    lab.write("gone/a", "1")
    lab.write("stays/a", "1")
    real = preparing.scan

    def scan(root: Path, **options: object) -> object:
        found = real(root, **options)  # type: ignore[arg-type]
        if root.name == "gone":
            (root / "a").unlink()
        return found

    monkeypatch.setattr(preparing, "scan", scan)
    report = lab.try_add("gone", "stays")
    assert [row.path for row in report.added] == ["stays"]
    assert [(f.path, type(f.error)) for f in report.failures] == [("gone", ChangedMeanwhile)]


MEASURE = """
import json, sys
from pathlib import Path
from lobsterdv.events import silent
from lobsterdv.ops.add import add
from lobsterdv.project import open_project

def io():
    return {k: int(v) for k, v in (row.split(": ") for row in open("/proc/self/io").read().splitlines())}

project = open_project(Path(sys.argv[1]))
before = io()
report = add(project, ["big.bin"], observer=silent)
after = io()
assert not report.failures, report
print(json.dumps({kind: after[field] - before[field] for kind, field in (("read", "rchar"), ("written", "wchar"))}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/io is Linux")
def test_add_reads_twice_and_writes_once(lab: Lab) -> None:
    """The budget of DESIGN 9 for a large file: one copy, one hash of that copy, and nothing more."""
    size = 64 << 20
    lab.write("big.bin", os.urandom(1 << 20) * 64)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(lab.root)],
        env={**lab.env, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
    )
    cost = json.loads(done.stdout)
    assert cost["written"] <= size * 1.02
    assert cost["read"] <= size * 2.02
