"""What a push relies on must stay: old objects and documents are made young before anything names them."""

from __future__ import annotations

import os

import pytest

from lobsterdv.errors import MissingContent
from lobsterdv.stores.base import Stat
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.remote_life import Years, dangling
from tests.ops.watching import Call, WatchedStore


@pytest.fixture
def store(lab: Lab) -> WatchedStore:
    made = WatchedStore(MemoryStore())
    lab.use(made)
    return made


@pytest.fixture
def years(lab: Lab, store: WatchedStore) -> Years:
    assert isinstance(store.inner, MemoryStore)
    return Years(store.inner, [lab])


def again(lab: Lab, name: str) -> None:
    """A second dataset with the bytes of the first, which a push finds at the remote."""
    lab.write(name, lab.read("data"))
    lab.add(name)
    lab.commit()


@pytest.fixture
def pushed(lab: Lab, store: WatchedStore, years: Years) -> Lab:
    lab.write("data", os.urandom(9 << 20))
    lab.add("data")
    lab.commit()
    lab.push()
    again(lab, "second")
    store.forget()
    return lab


def test_young_objects_cost_no_request_more(pushed: Lab, store: WatchedStore, years: Years) -> None:
    years.pass_days(6.9)
    pushed.push("second")
    counts = store.count()
    assert "refresh" not in counts and counts["list"] == 2
    assert [call.key for call in store.calls if call.key.startswith("objects/")] == store.keys("objects/"), "one HEAD"


def test_an_old_object_is_refreshed_before_the_manifest(pushed: Lab, store: WatchedStore, years: Years) -> None:
    years.pass_days(7.1)
    pushed.push("second")
    verbs = [(call.verb, call.key.partition("/")[0]) for call in store.calls]
    assert verbs.count(("refresh", "objects")) == 1
    assert verbs.index(("refresh", "objects")) < verbs.index(("put", "manifests"))
    (key,) = store.keys("objects/")
    assert store.head(key).modified == years.store.now
    (manifest,) = store.keys("manifests/")
    assert store.head(manifest).modified == years.store.now, "the same manifest, written anew"


class NoCopies(WatchedStore):
    """A server that refuses to copy."""

    def refresh(self, key: str) -> bool:
        self._note("refresh", key, 0)
        return False


def test_where_the_server_cannot_copy_the_bytes_are_sent(pushed: Lab, store: WatchedStore, years: Years) -> None:
    poor = NoCopies(store.inner)
    pushed.use(poor).reopen()
    years.join(pushed)
    years.pass_days(8)
    pushed.push("second")
    (key,) = store.keys("objects/")
    assert [call.verb for call in poor.calls if call.key == key].count("put") == 1
    assert store.head(key).modified == years.store.now


def test_a_damaged_object_is_not_written_back(pushed: Lab, store: WatchedStore, years: Years) -> None:
    """Read, found not to be what its name says, and sent from here."""
    (key,) = store.keys("objects/")
    data = bytearray(store.read_whole(key, limit=1 << 30))
    data[5] ^= 1
    store.inner.put(key, bytes(data))
    pushed.use(NoCopies(store.inner)).reopen()
    years.join(pushed)
    years.pass_days(8)
    pushed.push("second")
    other = pushed.clone(pushed.root.parent / "colleague")
    years.join(other)
    other.pull("second")
    assert other.read("second") == pushed.read("data")
    other.close()


def test_a_push_that_takes_days_looks_again(pushed: Lab, store: WatchedStore, years: Years) -> None:
    """A laptop whose lid was closed between the object and the record, and a collection meanwhile."""
    (key,) = store.keys("objects/")

    def close_the_lid(call: Call) -> None:
        if call.verb == "put" and call.key.startswith("catalog/"):
            store.before = lambda call: None
            years.pass_days(4)
            store.inner.delete(key)

    store.before = close_the_lid
    pushed.push("second")
    assert store.keys("objects/") == [key] and not dangling(pushed, years.store)


def test_what_was_sent_in_parts_over_weeks_is_made_young(lab: Lab, store: WatchedStore, years: Years) -> None:
    """AWS gives a value that was sent in parts the time at which its upload began."""

    class Late(WatchedStore):
        old = True

        def head(self, key: str) -> Stat:
            stat = super().head(key)
            if key.startswith("objects/") and self.old:
                stat = Stat(stat.key, stat.size, stat.modified - 10 * 86400, stat.etag)
            return stat

        def refresh(self, key: str) -> bool:
            self.old = False
            return super().refresh(key)

    late = Late(store.inner)
    lab.use(late)
    lab.write("data", b"1" * 999)
    lab.add("data")
    lab.push()
    assert late.count()["refresh"] == 1


def test_a_push_does_not_claim_what_vanishes_each_time(pushed: Lab, store: WatchedStore, years: Years) -> None:
    (key,) = store.keys("objects/")

    def vanish(call: Call) -> None:
        if call.verb == "head" and call.key == key:
            store.inner.delete(key)

    store.before = vanish
    with pytest.raises(MissingContent):
        pushed.push("second")
    assert len(store.keys("catalog/")) == 1
