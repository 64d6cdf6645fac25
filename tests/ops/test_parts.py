"""Parts of a version: each comes whole, whatever stands beside it, and many come together."""

from __future__ import annotations

import os

import pytest

from lobsterdv.errors import CorruptContent, MissingContent, NotTracked
from lobsterdv.formats import manifest as manifest_format
from lobsterdv.formats.layout import object_key
from lobsterdv.ops import resolve
from lobsterdv.ops.fetch import FetchReport, fetch
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.watching import WatchedStore

NEIGHBOURS = ["run/a/x", "run/a/y/z", "run/a-b", "run/a.txt", "run/a!", "run/a0", "run/ab", "run/b/a", "run/b.c/d"]
"""``a-b`` and ``a.txt`` sort between ``a`` and what lies below it."""


@pytest.fixture(params=["a!", "a-b a.txt", "a.txt a/x", "a! a-b a.txt a/x a/y/z a0 ab b.c/d b/a"])
def store(lab: Lab, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> WatchedStore:
    """A remote with NEIGHBOURS, in segments that end where the parameter says; ``lab`` has no cache."""
    ends = [path.encode() for path in request.param.split()]
    monkeypatch.setattr(manifest_format, "INLINE_ROWS", 1)
    monkeypatch.setattr(manifest_format, "checksum_of", lambda path: bytes(4) if path in ends else b"\xff" * 4)
    watched = WatchedStore(MemoryStore())
    lab.use(watched)
    for name in NEIGHBOURS:
        lab.write(name, f"{name} " * 10)
    lab.add("run")
    lab.commit()
    lab.push()
    assert len(watched.keys("segments/")) == min(len(ends) + 1, len(NEIGHBOURS))
    lab.lose_cache()
    watched.forget()
    return watched


def fetch_some(lab: Lab, *paths: str) -> FetchReport:
    return fetch(lab.project, paths, observer=lab.observe)


@pytest.mark.parametrize("part", ["run/a", "run/a/y", "run/b", "run/b.c", "run/a.txt", "run/ab"])
def test_a_part_is_found_among_its_neighbours(lab: Lab, store: WatchedStore, part: str) -> None:
    (row,) = lab.fetch(part).fetched
    below = [name for name in NEIGHBOURS if name == part or name.startswith(part + "/")]
    assert row.new_files == len(below)
    (entries,) = lab.fetch(part).entries.values()
    assert [f"run/{entry.path}" for entry in entries] == sorted(below)


def test_parts_of_one_version_come_together(lab: Lab, store: WatchedStore) -> None:
    report = lab.fetch("run/a", "run/a.txt", "run/a/x")
    assert [(row.path, row.new_files) for row in report.fetched] == [("run/a", 2), ("run/a.txt", 1), ("run/a/x", 1)]
    read = [call.key for call in store.calls if call.verb in ("read", "read_whole")]
    assert len(read) == len(set(read)), "every segment and object once"


def test_a_part_that_is_not_there_fails_alone(lab: Lab, store: WatchedStore) -> None:
    report = fetch_some(lab, "run/a", "run/nothing", "run/b")
    (failure,) = report.failures
    assert isinstance(failure.error, NotTracked) and failure.error.path == "run/nothing"
    assert {row.path for row in report.fetched} == {"run/a", "run/b"}


def test_a_part_whose_bytes_are_lost_fails_alone(lab: Lab) -> None:
    watched = WatchedStore(MemoryStore())
    lab.use(watched)
    for name in ("large", "other"):
        lab.write(f"run/{name}/file", os.urandom(9 << 20))
    lab.add("run")
    lab.commit()
    lab.push()
    digest = next(e.digest for e in lab.fetch("run/large").entries.popitem()[1])
    lab.lose_cache()
    assert digest is not None
    watched.delete(object_key(digest))
    report = fetch_some(lab, "run/large", "run/other")
    (failure,) = report.failures
    assert isinstance(failure.error, MissingContent | CorruptContent)
    assert [(row.path, row.new_bytes) for row in report.fetched] == [("run/other", 9 << 20)]


@pytest.mark.parametrize("count", [1, 100])
def test_many_parts_read_the_version_once(lab: Lab, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once a part: 100 files of 10,000 took 11 seconds."""
    for number in range(200):
        lab.write(f"run/{number}", str(number))
    lab.add("run")
    read: list[object] = []
    real = resolve.entries_of

    def counting(*args: object, **options: object) -> object:
        read.append(args)
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(resolve, "entries_of", counting)
    lab.fetch(*(f"run/{number}" for number in range(count)))
    assert len(read) == 1
