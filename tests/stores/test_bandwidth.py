"""A limit that does not hold takes the whole lab's line; one that counts twice halves it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from lobsterdv.stores.bandwidth import SLICE, Limiter
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_client import body_of
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from tests.stores.canned import WRITTEN, Answer, canned

MB = 1_000_000


class Clock:
    """Time passes only by sleeping, for all threads."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.lock = threading.Lock()

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.seconds += seconds


def test_bytes_pass_at_the_rate() -> None:
    clock = Clock()
    limiter = Limiter(MB, now=clock.now, sleep=clock.sleep)
    for _ in range(100):
        limiter.take(MB // 10)
    assert clock.seconds - 100 == pytest.approx(10, abs=0.25)


def test_a_pause_saves_up_no_more_than_the_burst() -> None:
    clock = Clock()
    limiter = Limiter(MB, burst_seconds=0.1, now=clock.now, sleep=clock.sleep)
    clock.seconds += 3600
    for _ in range(20):
        limiter.take(MB // 10)
    assert clock.seconds - 3700 == pytest.approx(1.8, abs=0.11)


def test_threads_share_it() -> None:
    clock = Clock()
    slept: list[float] = []
    limiter = Limiter(MB, now=lambda: 100.0, sleep=slept.append)
    threads = [threading.Thread(target=lambda: [limiter.take(1000) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(slept) == pytest.approx(0.4 - 0.001, abs=0.101), "400,000 bytes were booked one after the other"
    assert len(slept) >= 299 and clock.seconds == 100


class Counting(Limiter):
    """Waits never, and knows what was taken."""

    def __init__(self) -> None:
        super().__init__(1, now=lambda: 0.0, sleep=lambda seconds: None)
        self.taken: list[int] = []

    def take(self, count: int) -> None:
        self.taken.append(count)


def test_what_goes_up_and_what_comes_down_is_counted_once() -> None:
    for signing in (False, True):
        options = S3Options("lab", region="x", attempts=1, max_bandwidth=MB, payload_signing=signing, checksum="none")
        answers = (Answer(headers=WRITTEN), Answer(200, b"y" * 300_000), Answer(206, b"z" * 1000))
        with canned(*answers) as server:
            store = S3Store(replace(options, endpoint_url=server.url), credentials=S3Credentials("AKIA", "s"))
            counting = Counting()
            store._calls.limiter = counting
            store.put("k", b"x" * 200_000)
            assert sum(counting.taken) == 200_000
            assert store.read_whole("k", limit=MB) == b"y" * 300_000
            assert store.read("k", start=0, length=1000) == b"z" * 1000
            store.close()
        assert sum(counting.taken) == 501_000
        assert max(counting.taken) <= SLICE
        assert server.seen[0].body == b"x" * 200_000


def test_a_repeat_counts_again() -> None:
    counting = Counting()
    body = body_of(b"x" * 1000, counting)
    assert body.read() == b"x" * 1000
    body.seek(0)
    assert body.read() == b"x" * 1000
    assert sum(counting.taken) == 2000


def test_without_a_limit_nothing_is_counted() -> None:
    store = S3Store(S3Options("lab"))
    assert store._calls.limiter is None
    assert S3Store(S3Options("lab", max_bandwidth=MB))._calls.limiter is not None
