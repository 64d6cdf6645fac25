"""list: what there is and where, without fetching any of it."""

from __future__ import annotations

import shutil

import pytest

from lobsterdv.errors import NotARemote, NotTracked
from lobsterdv.events import silent
from lobsterdv.ops.listing import ListReport, list_project, list_remote
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, error_of
from tests.ops.watching import WatchedStore


@pytest.fixture
def run(lab: Lab) -> Lab:
    lab.use(WatchedStore(MemoryStore()))
    lab.write("run/a", "a1")
    lab.write("run/sub/tool", "b1", mode=0o755)
    lab.path("run/link").symlink_to("a")
    lab.path("run/hollow").mkdir()
    lab.write("one", "1")
    lab.add("run", "one", message="first")
    lab.commit(tag="v1")
    return lab


def listed(lab: Lab, *paths: str, **options: str) -> ListReport:
    return list_project(lab.project, paths, observer=silent, **options)  # type: ignore[arg-type]


def where(lab: Lab) -> dict[str, str]:
    return {row.path: row.where for row in listed(lab).datasets}


def test_where_a_version_is(run: Lab) -> None:
    assert where(run) == {"one": "here", "run": "here"}
    run.push("one")
    assert where(run) == {"one": "both", "run": "here"}
    run.push()
    run.lose_cache()
    assert where(run) == {"one": "unknown", "run": "unknown"}, "never asked on this machine"
    run.pull("one")
    assert where(run) == {"one": "both", "run": "unknown"}
    run.push()
    assert where(run) == {"one": "both", "run": "remote"}
    run.pull("run/a")
    assert where(run) == {"one": "both", "run": "partly here"}


def test_facts_of_datasets(run: Lab) -> None:
    rows = {row.path: row for row in listed(run).datasets}
    assert (rows["run"].files, rows["run"].size, rows["run"].kind, rows["run"].message) == (2, 4, "directory", "first")
    assert (rows["one"].files, rows["one"].size) == (None, 1)


def test_at_a_revision(run: Lab) -> None:
    run.write("one", "22")
    run.write("two", "2")
    run.add("one", "two")
    run.commit()
    assert {r.path: r.size for r in listed(run, rev="v1").datasets} == {"one": 1, "run": 4}
    assert {r.path: r.size for r in listed(run).datasets} == {"one": 2, "run": 4, "two": 1}


def test_files_of_a_directory(run: Lab) -> None:
    files = listed(run, "run").files
    assert [(f.path, f.type, f.target, f.here) for f in files] == [
        ("a", "file", None, True),
        ("hollow", "dir", None, None),
        ("link", "link", "a", None),
        ("sub/tool", "exec", None, True),
    ]
    assert [f.path for f in listed(run, "run/sub").files] == ["sub/tool"]
    assert isinstance(error_of(listed(run, "run/nothing")), NotTracked)


def test_files_of_a_directory_that_is_not_here(run: Lab) -> None:
    """Look before you pull two terabytes: the manifest is read, no content."""
    run.push()
    run.lose_cache()
    shutil.rmtree(run.path("run"))
    store = run.stores
    assert isinstance(store, WatchedStore)
    store.forget()
    assert [(f.path, f.here) for f in listed(run, "run").files if f.here is not None] == [
        ("a", False), ("sub/tool", False),
    ]  # fmt: skip
    assert "read" not in store.count()


def test_the_catalog_of_a_remote(run: Lab, tmp_path: object) -> None:
    run.push()
    run.project.now = lambda: 4e9
    run.write("one", "22")
    run.add("one")
    run.commit()
    run.push()
    rows = list_remote(run.project.store(run.project.remote()), jobs=4).catalog
    assert [(r.path, r.size, r.versions, r.by, r.project) for r in rows] == [
        ("one", 2, 2, "Ada <ada@lab>", run.project.project_id),
        ("run", 4, 1, "Ada <ada@lab>", run.project.project_id),
    ]


def test_a_damaged_record_hides_only_itself(run: Lab) -> None:
    run.push()
    store = run.stores
    assert isinstance(store, WatchedStore)
    store.inner.put(store.keys("catalog/")[0], b"lobsterdv: 1\nevent: push\n")
    store.inner.put(f"catalog/{run.project.project_id}/notes.txt", b"hello")
    assert len(list_remote(store, jobs=2).catalog) == 1


def test_an_empty_place(run: Lab) -> None:
    with pytest.raises(NotARemote):
        list_remote(MemoryStore(), jobs=1)
