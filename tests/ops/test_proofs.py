"""What is taken for a proof of a remote's bytes. If these fail, the last good copy goes because of a bad one."""

from __future__ import annotations

import os
import time

import pytest

from lobsterdv.formats.contents import StoredObject
from lobsterdv.ops.connection import connect
from lobsterdv.ops.proofs import Proofs
from lobsterdv.stores.base import Stat
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.tidying import version

DAYS = 86400.0


class Silent(MemoryStore):
    """It compares the checksums that come along, tells none of them, and notes what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_keys: list[str] = []

    def crc32(self, key: str) -> int | None:
        return None

    def read(self, key: str, *, start: int, length: int) -> bytes:
        self.read_keys.append(key)
        return super().read(key, start=start, length=length)


@pytest.fixture
def store() -> Silent:
    return Silent()


@pytest.fixture
def pushed(lab: Lab, store: Silent) -> Lab:
    lab.use(store)
    version(lab, "one", os.urandom(300_000))
    lab.push()
    return lab


def proofs(lab: Lab) -> Proofs:
    return Proofs(lab.project, connect(lab.project, lab.project.remote(None), jobs=1), lab.observe)


def item_of(store: MemoryStore) -> tuple[StoredObject, Stat]:
    from lobsterdv.digest import parse_digest

    (stat,) = store.list("objects/")
    return StoredObject(parse_digest(f"blake3:{stat.key.split('/')[-1]}", what="a test"), stat.size), stat


def forget_sent(lab: Lab) -> None:
    lab.project.index.write(lambda connection: connection.execute("delete from verified"))


def test_what_is_gone_or_cut_since_is_wrong(pushed: Lab, store: Silent) -> None:
    item, stat = item_of(store)
    assert proofs(pushed).wrong({item}) == set()
    data = store.read_whole(stat.key, limit=1 << 30)
    store.put(stat.key, data[:-1])
    assert proofs(pushed).wrong({item}) == {item}
    store.delete(stat.key)
    assert proofs(pushed).wrong({item}) == {item}
    forget_sent(pushed)
    assert proofs(pushed).wrong({item}) == {item}


def test_what_this_machine_sent_to_a_server_that_verifies_is_not_read(pushed: Lab, store: Silent) -> None:
    item, _ = item_of(store)
    assert proofs(pushed).wrong({item}) == set() and store.read_keys == []
    forget_sent(pushed)
    assert proofs(pushed).wrong({item}) == set() and len(store.read_keys) == 1


def test_what_was_read_counts_for_30_days_and_not_before(pushed: Lab, store: Silent) -> None:
    item, _ = item_of(store)
    began = time.time()
    forget_sent(pushed)
    for days, reads in ((0.0, 1), (29.99, 1), (30.0, 2), (29.0, 3), (59.0, 4)):
        # Days after the first look; one that lies ahead of the clock is read anew.
        pushed.project.now = lambda days=days: began + days * DAYS
        assert proofs(pushed).wrong({item}) == set()
        assert len(store.read_keys) == reads, days


def test_what_was_found_is_not_asked_for_again_in_one_run(pushed: Lab, store: Silent) -> None:
    item, stat = item_of(store)
    run = proofs(pushed)
    store.delete(stat.key)
    assert run.wrong({item}) == {item}
    assert run.wrong({item}) == {item} == run.damaged
