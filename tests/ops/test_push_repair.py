"""A remote that lost something is made whole by a plain push; nothing remembered here is taken for proof."""

from __future__ import annotations

import os

import pytest

from lobsterdv.errors import ContentError
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.watching import WatchedStore, tree


@pytest.fixture
def store(lab: Lab) -> WatchedStore:
    """A remote with one version of a directory and of a file; the manifest copies that the cache keeps are there."""
    watched = WatchedStore(MemoryStore())
    lab.use(watched)
    lab.write("run/small", b"s" * 100)
    lab.write("run/large", os.urandom(9 << 20))
    lab.write("one", b"1")
    lab.add("run", "one")
    lab.commit()
    lab.push()
    return watched


def check_whole(lab: Lab) -> None:
    """A colleague gets everything."""
    other = lab.clone(lab.root.parent / "colleague")
    other.pull()
    for name in ("run", "one"):
        assert tree(other.path(name)) == tree(lab.path(name))
    other.close()


@pytest.mark.parametrize("kind", ["objects/", "manifests/"])
@pytest.mark.parametrize("loss", ["deleted", "truncated", "emptied"])
def test_what_was_lost_comes_back(lab: Lab, store: WatchedStore, kind: str, loss: str) -> None:
    """DVC says "up to date" for ever (its #4343)."""
    for key in store.keys(kind):
        if loss == "deleted":
            store.delete(key)
        else:
            data = store.read_whole(key, limit=1 << 30)
            store.inner.put(key, data[: len(data) // 2] if loss == "truncated" else b"")
    report = lab.push()
    assert {v.outcome for v in report.versions} == {"repaired"}
    check_whole(lab)


def test_a_lost_record_is_written_again_by_a_machine_that_does_not_know_it(lab: Lab, store: WatchedStore) -> None:
    """The record is what keeps gc away from the bytes."""
    for key in store.keys("catalog/"):
        store.delete(key)
    lab.push()
    assert len(store.keys("catalog/")) == 2
    check_whole(lab)


def test_all_at_once(lab: Lab, store: WatchedStore) -> None:
    """Somebody emptied the bucket."""
    for key in store.keys(""):
        store.delete(key)
    lab.push()
    check_whole(lab)


def test_a_bucket_that_was_made_anew(lab: Lab, store: WatchedStore) -> None:
    """Another remote under the same URL: what was known of the old one counts for nothing."""
    lab.use(WatchedStore(MemoryStore()))
    lab.reopen()
    lab.push()
    check_whole(lab)


@pytest.mark.parametrize("kind", ["objects/", "manifests/"])
def test_nothing_is_claimed_that_cannot_be_repaired(lab: Lab, store: WatchedStore, kind: str) -> None:
    """The bytes are gone there and here: exit 3, not "up to date"."""
    lab.lose_cache()
    lab.use(store)
    for key in store.keys(kind):
        store.delete(key)
    report = lab.try_push()
    if kind == "objects/":
        assert {f.path for f in report.failures} == {"one", "run"}
        assert all(isinstance(f.error, ContentError) for f in report.failures)
    else:
        assert {f.path for f in report.failures} == {"one", "run"}


def test_a_colleague_repairs_what_they_have(lab: Lab, store: WatchedStore) -> None:
    """Any clone with the bytes in its cache will do."""
    other = lab.clone(lab.root.parent / "b")
    other.pull()
    for key in store.keys("objects/"):
        store.delete(key)
    assert {v.outcome for v in other.push().versions} == {"repaired"}
    other.close()
    check_whole(lab)
