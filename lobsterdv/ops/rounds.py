"""A verification that is stopped goes on where it stopped: what was proved so far is kept in
``<git common dir>/lobsterdv/verify/<name>.proved``, one file for each place and way of looking.

A file holds the time at which its round began and a 32-byte name for each item that proved right; it is removed when
the round is complete, and counts for nothing when it is damaged or 30 days old. What was found damaged is never in
it, so every run finds that again. Losing a file costs time, nothing else.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lobsterdv import durable
from lobsterdv.digest import DIGEST_BYTES, Digests, digest_of
from lobsterdv.errors import LocalIOError

_OLDEST_S: Final = 30 * 86400
_SAVE_EVERY_S: Final = 60.0
_HEAD: Final = struct.Struct(">d")


class OutOfTime(Exception):
    """``--max-time`` is over. Never leaves the verb."""


class Clock:
    """How long a verification may take. ``now`` is in seconds; without ``seconds`` there is no end."""

    def __init__(self, now: Callable[[], float], seconds: float | None) -> None:
        self.now = now
        self._end = None if seconds is None else now() + seconds

    @property
    def is_over(self) -> bool:
        return self._end is not None and self.now() >= self._end

    def check(self) -> None:
        """Raises OutOfTime."""
        if self.is_over:
            raise OutOfTime


class Round:
    """The items of one round that proved right. Threads share it. Use it as a context manager: leaving it keeps what
    was proved, by an exception too, unless ``complete`` was called. Another process's round at the same time is
    overwritten, which costs it time, not truth."""

    def __init__(self, folder: Path, name: str, *, now: Callable[[], float], keep: bool = True) -> None:
        self._path = folder / "verify" / f"{name}.proved"
        self._now = now
        self._keep = keep
        self._began, self._earlier = self._load() if keep else (now(), frozenset())
        self._proved: set[bytes] = set()
        self._saved = now()
        self._lock = threading.Lock()

    def __enter__(self) -> Round:
        return self

    def __exit__(self, *_: object) -> None:
        self._save()

    def was_proved(self, name: bytes) -> bool:
        """True when an earlier run of this round proved it."""
        return name in self._earlier

    def proved(self, name: bytes) -> None:
        """Note an item that is right."""
        with self._lock:
            self._proved.add(name)
        if self._now() - self._saved > _SAVE_EVERY_S:
            self._saved = self._now()
            self._save()

    def complete(self) -> None:
        """All was looked at: the next run begins anew."""
        self._keep = False
        with durable.translating(self._path):
            self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        with self._lock:
            if not self._keep or not self._proved:
                return
            names = b"".join([*self._earlier, *self._proved])
            body = _HEAD.pack(self._began) + names
            try:
                durable.write(self._path, digest_of(body) + body, mode=0o600)
            except LocalIOError:
                pass  # a full disk: the next run begins anew

    def _load(self) -> tuple[float, frozenset[bytes]]:
        try:
            data = self._path.read_bytes()
        except OSError:
            return self._now(), frozenset()
        body = data[DIGEST_BYTES:]
        if len(body) < _HEAD.size or digest_of(body) != data[:DIGEST_BYTES]:
            return self._now(), frozenset()
        (began,) = _HEAD.unpack(body[: _HEAD.size])
        if not 0 <= self._now() - began < _OLDEST_S or (len(body) - _HEAD.size) % DIGEST_BYTES:
            return self._now(), frozenset()
        return began, frozenset(Digests(body[_HEAD.size :]).plain())
