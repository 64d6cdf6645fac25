"""A remote that takes nothing stops the reading: if this fails, a push over a slow line fills the memory."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.sending import Wanted
from lobsterdv.digest import digest_of
from tests.blobs.places import CountingStore, noise, open_cache, remote_over, upload
from tests.damage.scaled import BLOCK, values

SIZE = 64 * BLOCK
BOUND = 16 * BLOCK
"""The 250 MB of docs/performance.md, in blocks of 16 MiB."""


class ClosedStore(CountingStore):
    """Takes no object before it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()
        self.waiting = threading.Semaphore(0)

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        if key.startswith("objects/"):
            self.waiting.release()
            self.opened.wait(30)
        return super().put(key, data, if_absent=if_absent)


def test_a_remote_that_takes_nothing_stops_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in values():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr("lobsterdv.blobs.cutting.WINDOW_BYTES", 2 * BLOCK)
    store = ClosedStore()
    remote = remote_over(store, open_cache(tmp_path / "here"))
    data = noise(SIZE // 2, 1).hex().encode()  # zstd halves it
    with Intake(remote.cache) as intake:
        intake.keep_plain(digest_of(data), data)
    seen = [0]
    preadv = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        got = preadv(descriptor, buffers, offset)
        seen[0] += got
        return got

    monkeypatch.setattr(os, "preadv", counted)
    pushing = threading.Thread(target=upload, args=(remote, [Wanted(digest_of(data), len(data))]))
    pushing.start()
    try:
        assert store.waiting.acquire(timeout=30)
        before = -1
        while before != seen[0]:  # until nothing is read any more
            before = seen[0]
            time.sleep(0.2)
        assert 2 * BLOCK < before <= BOUND
    finally:
        store.opened.set()
        pushing.join()
    assert seen[0] >= SIZE and len(list(store.list("objects/"))) > 20
