"""A body that drips: a byte now and then keeps every timeout from passing, for ever. Such a body is given up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from botocore.response import StreamingBody

FLOOR: Final = 128
"""Bytes a second, of one connection. Ten at once over a modem of 64 kbit/s get 800 each."""
TIMEOUTS: Final = 2.0
"""So many read timeouts are looked at together."""


class Dripping(ConnectionError):
    """The body comes so slowly that it is none. Never leaves the store: the read is tried again."""


@contextmanager
def paced(body: StreamingBody, read_timeout: float, *, now: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Reading ``body`` meanwhile raises Dripping (perhaps as botocore's ResponseStreamingError) once so much time was
    spent waiting for it, and less than FLOOR came. Pauses between reads do not count.

    Every receive passes by here: a read returns only when all it asked for has come, so to look between reads is too
    late. The way to the socket is botocore's and urllib3's own: where it is another one, nothing is looked at.
    """
    raw = _socket_of(body)
    if raw is None:
        yield
        return
    raw.readinto = _Pace(raw.readinto, read_timeout * TIMEOUTS, now)
    try:
        yield
    finally:
        del raw.readinto  # the class's own again


class _Pace:
    def __init__(self, readinto: Callable[[memoryview], int | None], window_s: float, now: Callable[[], float]) -> None:
        self._readinto = readinto
        self._window_s = window_s
        self._now = now
        self._waited_s = 0.0
        self._bytes = 0

    def __call__(self, buffer: memoryview) -> int | None:
        begun = self._now()
        count = self._readinto(buffer)
        self._waited_s += self._now() - begun
        self._bytes += count or 0
        if self._waited_s >= self._window_s:
            if count and self._bytes < FLOOR * self._waited_s:
                raise Dripping(f"{self._bytes} bytes came in {self._waited_s:.0f} s")
            self._waited_s, self._bytes = 0.0, 0
        return count


def _socket_of(body: StreamingBody) -> Any:
    """The unbuffered file below a body that was not read yet, None when it cannot be seen."""
    found: Any = body
    for name in ("_raw_stream", "_fp", "fp", "raw"):
        found = getattr(found, name, None)
    return found if hasattr(found, "readinto") and hasattr(found, "__dict__") else None
