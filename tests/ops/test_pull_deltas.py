"""A pull of a newer version. If these fail, what a machine has already travels to it again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.watching import WatchedStore

SIZE = 2 << 20
TABLE = random.Random(7).randbytes(SIZE)
EDITED = TABLE[: SIZE // 2] + b"an obs column" * 300 + TABLE[SIZE // 2 :]


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore(MemoryStore())


@pytest.fixture
def colleague(lab: Lab, store: WatchedStore, tmp_path: Path) -> Lab:
    """A clone that has the first version of a file and of a folder; the second ones are pushed, and git has them."""
    lab.use(store)
    for table in (TABLE, EDITED):
        lab.write("counts.h5ad", table)
        lab.write("run/table", table[1:])
        lab.write("run/notes", f"{len(table)} bytes")
        lab.add("counts.h5ad", "run")
        lab.commit()
        lab.push()
        if table is TABLE:
            colleague = lab.clone(tmp_path / "colleague").use(store)
            colleague.pull()
    colleague.git("pull", "-q")
    store.forget()
    return colleague


def read_bytes(store: WatchedStore) -> int:
    return sum(call.size for call in store.calls if call.verb == "read" and call.key.startswith("objects/"))


def test_a_newer_version_brings_its_new_bytes_alone(colleague: Lab, store: WatchedStore) -> None:
    report = colleague.pull()
    assert (colleague.read("counts.h5ad"), colleague.read("run/table")) == (EDITED, EDITED[1:])
    assert read_bytes(store) < SIZE // 8
    (served,) = report.fetch.served
    assert served.new_bytes == sum(len(d) for d in (EDITED, EDITED[1:], f"{len(EDITED)} bytes"))
    assert served.reused_bytes > 2 * SIZE - SIZE // 8
    assert not colleague.status().has_changes


def test_an_older_version_too(colleague: Lab, store: WatchedStore) -> None:
    colleague.pull()
    colleague.path("counts.h5ad").unlink()
    colleague.lose_cache()
    colleague.pull("counts.h5ad")
    store.forget()
    colleague.fetch("counts.h5ad", rev="HEAD~1")
    assert read_bytes(store) < SIZE // 8


def test_without_the_older_files_all_of_it_comes(colleague: Lab, store: WatchedStore) -> None:
    colleague.lose_cache()
    report = colleague.fetch("counts.h5ad")
    assert report.served[0].reused_bytes == 0 and read_bytes(store) >= len(EDITED)
