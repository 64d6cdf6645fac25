"""A limit in bytes a second that all threads of a store share, up and down together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

SLICE: Final = 64 << 10
"""Bytes that are read at once from a limited body: at 1 MB a second a wait is 65 ms, far below any timeout."""


class Limiter:
    """A token bucket: ``take`` comes back when so many bytes may pass.

    Bytes are booked in the order of the calls, so none starve. After a pause at most ``burst_seconds`` worth
    of them pass at once. ``now`` and ``sleep`` are in seconds.
    """

    def __init__(
        self,
        rate: int,
        *,
        burst_seconds: float = 0.1,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._burst = burst_seconds
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = now()  # when all that was booked has passed

    def take(self, count: int) -> None:
        """Book ``count`` bytes, and wait until what was booked before them has passed."""
        with self._lock:
            now = self._now()
            start = max(self._free_at, now - self._burst)
            self._free_at = start + count / self._rate
            wait = start - now
        if wait > 0:
            self._sleep(wait)
