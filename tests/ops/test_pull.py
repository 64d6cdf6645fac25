"""fetch and pull: all of it, parts of it, other versions of it; and what stays when something goes wrong."""

from __future__ import annotations

import itertools
import os
import shutil

import pytest

from lobsterdv.errors import CorruptContent, MissingContent, NotTracked, Unreachable, WouldOverwrite
from lobsterdv.formats.layout import FORGOTTEN, MARKER, object_key
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, error_of
from tests.ops.test_push import flip
from tests.ops.watching import Call, WatchedStore, meet, tree


@pytest.fixture
def store(lab: Lab) -> WatchedStore:
    """A remote with two versions, tagged v1 and v2, of a directory and a file; ``lab`` has no data and no cache."""
    watched = WatchedStore(MemoryStore())
    lab.use(watched)
    for number in (1, 2):
        lab.write("run/a", f"a{number}")
        lab.write("run/deep/b", "b")
        lab.write("run/deep/large", b"%d" % number + b"x" * (9 << 20))
        lab.write("one", f"one {number}")
        lab.add("run", "one")
        lab.commit(tag=f"v{number}")
    lab.push()
    shutil.rmtree(lab.path("run"))
    lab.path("one").unlink()
    lab.lose_cache()
    watched.forget()
    return watched


def test_pull_brings_the_current_versions(lab: Lab, store: WatchedStore) -> None:
    report = lab.pull()
    assert sorted(row.path for row in report.fetch.fetched) == ["one", "run"]
    assert (lab.read("one"), lab.read("run/a")) == (b"one 2", b"a2")
    assert all(row.pushed for row in lab.status().datasets), "it came from there"


def test_what_a_pull_must_know_of_a_remote_takes_one_round_trip(lab: Lab, store: WatchedStore) -> None:
    """Of 30 ms, on many lines; and the number of requests is what it was."""
    clone = lab.clone(lab.root.parent / "b")
    store.forget()
    store.before = meet(("read_whole", MARKER), ("head", MARKER), ("list", FORGOTTEN))
    clone.pull("one")
    assert store.count() == {"head": 1, "list": 2, "read": 1, "read_whole": 2}
    store.forget()
    store.before = meet(("head", MARKER), ("list", FORGOTTEN))
    clone.pull("run/a")
    assert store.count() == {"head": 1, "list": 2, "read": 1, "read_whole": 1}
    clone.close()


def test_what_only_a_colleague_pushed_is_not_called_lost(lab: Lab, store: WatchedStore) -> None:
    """A pointer that came by git names a version that this machine knows nothing of: that is no alarm."""
    lab.pull("one")
    states = {row.path: (row.pushed, row.is_lost) for row in lab.status().datasets}
    assert states == {"one": (True, False), "run": (None, False)}
    assert not lab.status().has_changes


def test_fetch_leaves_the_work_tree_alone(lab: Lab, store: WatchedStore) -> None:
    lab.fetch()
    assert not lab.path("run").exists()
    store.forget()
    lab.checkout()
    assert store.calls == []
    assert lab.state("run").work == "clean"


def test_pull_by_tag_brings_pointers_too(lab: Lab, store: WatchedStore) -> None:
    before = lab.pointer("one")
    lab.pull(rev="v1")
    assert (lab.read("one"), lab.read("run/a")) == (b"one 1", b"a1")
    assert lab.pointer("one") != before
    assert all(row.work == "clean" for row in lab.status().datasets)


def test_a_path_inside_a_directory_alone(lab: Lab, store: WatchedStore) -> None:
    """One table of a 2 TB run, without the run."""
    lab.pull("run/deep/b")
    assert tree(lab.path("run")) == {"deep/b": ("file", b"b")}
    assert sum(call.size for call in store.calls) < 1000
    lab.pull("run/deep")
    assert set(tree(lab.path("run"))) == {"deep/b", "deep/large"}
    lab.pull("run")
    assert lab.state("run").work == "clean"


def test_a_part_of_another_version_leaves_the_pointer(lab: Lab, store: WatchedStore) -> None:
    before = lab.pointer("run")
    lab.pull("run/a", rev="v1")
    assert lab.read("run/a") == b"a1"
    assert lab.pointer("run") == before
    assert lab.state("run").work == "unknown"
    lab.fetch("run")
    assert lab.state("run").modified == ["a"]


def test_a_path_that_the_version_does_not_have(lab: Lab, store: WatchedStore) -> None:
    report = lab.try_pull("run/nothing", "one")
    assert isinstance(error_of(report), NotTracked)
    assert lab.read("one") == b"one 2"


def test_everything(lab: Lab, store: WatchedStore) -> None:
    """Before a flight: all versions, once."""
    lab.fetch(everything=True)
    store.forget()
    lab.checkout(rev="v1")
    lab.checkout(rev="v2")
    assert store.calls == []


def test_an_unchanged_file_does_not_travel_for_a_second_version(lab: Lab, store: WatchedStore) -> None:
    lab.pull("run", rev="v1")
    store.forget()
    lab.fetch("run")
    assert sum(c.size for c in store.calls if c.verb == "read") < (9 << 20) + 10_000


def test_unsaved_changes_are_refused_before_anything_is_touched(lab: Lab, store: WatchedStore) -> None:
    lab.write("one", "mine, unsaved")
    report = lab.try_pull()
    assert isinstance(error_of(report), WouldOverwrite)
    assert lab.read("one") == b"mine, unsaved"
    assert lab.read("run/a") == b"a2"


def test_a_version_that_was_never_pushed(lab: Lab, store: WatchedStore) -> None:
    other = lab.clone(lab.root.parent / "b")
    other.pull("one")
    other.write("one", "three")
    other.add("one")
    other.commit()
    lab.git("pull", "--quiet", str(other.root), "main")
    other.close()
    report = lab.try_pull()
    error = error_of(report)
    assert isinstance(error, MissingContent)
    assert (error.exit_code, error.name) == (3, "one")
    assert lab.read("run/a") == b"a2"
    assert lab.try_pull(ignore_missing=True).failures == []


@pytest.mark.parametrize("position", range(4))
def test_interrupted_keeps_what_arrived(lab: Lab, store: WatchedStore, position: int) -> None:
    """A night of downloading is not thrown away for one lost connection."""
    for number in range(4):
        lab.write(f"d{number}", os.urandom(9 << 20))
        lab.add(f"d{number}")
    lab.push(*(f"d{n}" for n in range(4)))
    lab.commit()
    other = lab.clone(lab.root.parent / "b")
    other.configure(remotes={"embedded": {"concurrency": 1}})
    reads = itertools.count()

    def before(call: Call) -> None:
        if call.verb == "read" and next(reads) == position:
            raise Unreachable(store.url, "get", "connection lost")

    store.before = before
    with pytest.raises(Unreachable):
        other.pull("d0", "d1", "d2", "d3")
    store.before = lambda call: None
    store.forget()
    other.pull("d0", "d1", "d2", "d3")
    assert sum(c.size for c in store.calls if c.verb == "read") == (4 - position) * (9 << 20)
    assert all(other.read(f"d{n}") == lab.read(f"d{n}") for n in range(4))
    other.close()


@pytest.mark.parametrize("name", ["one", "run/a", "run/deep/large"])
def test_a_corrupt_cache_file_heals_from_a_good_remote(lab: Lab, store: WatchedStore, name: str) -> None:
    """Bit rot in the cache: never into the work tree, set aside, and one pull puts it right."""
    lab.pull()
    expected = {n: lab.read(n) for n in ("one", "run/a", "run/deep/large")}
    cache = lab.project.cache.folder
    for path in [p for p in [*(cache / "files").rglob("*"), *(cache / "packs").glob("*.pack")] if p.is_file()]:
        flip(path)
    lab.path(name).unlink()
    lab.reopen()
    lab.pull()
    assert {n: lab.read(n) for n in expected} == expected
    assert os.listdir(cache / "quarantine")
    assert any("set aside and fetched again" in warning for warning in lab.warnings)


def test_a_corrupt_cache_file_without_a_remote(lab: Lab, store: WatchedStore) -> None:
    lab.pull()
    flip(lab.project.cache.plain_path(lab.pointer("one").digest))
    lab.path("one").unlink()
    report = lab.try_checkout("one")
    assert isinstance(error_of(report), CorruptContent)
    assert not lab.path("one").exists()
    assert lab.state("one").missing_files == 1, "set aside, it counts as missing"


def test_a_truncated_object_is_corrupt_and_a_deleted_one_missing(lab: Lab, store: WatchedStore) -> None:
    key = object_key(lab.pointer("one").digest)
    data = store.read_whole(key, limit=100)
    store.inner.put(key, data[:2])
    assert isinstance(error_of(lab.try_pull("one")), CorruptContent)
    store.delete(key)
    assert isinstance(error_of(lab.try_pull("one")), MissingContent)
    assert not lab.path("one").exists()
