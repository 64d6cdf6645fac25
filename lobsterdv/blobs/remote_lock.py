"""One collection a remote at a time, by unique keys alone: works where nothing can be written conditionally.

``locks/<id>.wanted`` says that somebody asks, ``locks/<id>.held`` that somebody has it. Between the two, and after, the
keys are listed: whoever has it keeps it, and of those who ask the lowest id goes on. Of two that ask at once both may
have to go; never do both go on. What was not renewed for an hour, by the store's clock, counts for nothing. Who may not
delete is told before anything is written: the keys of a lock that cannot be given back would be in everybody's way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, NoReturn

from lobsterdv.blobs.grace import LOCK_S, SKEW_S
from lobsterdv.errors import Busy, KeyMissing, LobsterError, Refused
from lobsterdv.formats.layout import LOCKS, is_held
from lobsterdv.stores.base import Stat, Store

_RENEW_S: Final = LOCK_S / 4
_ASK_S: Final = 60
"""After so much time without a deletion the store is asked for its clock, which else is that of its last answer."""
_Yields = Callable[[str, str], bool]


def _steady() -> float:
    """Seconds that never jump; those of a machine that sleeps count where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class RemoteLock:
    """Use it as a context manager. ``began`` is when it was asked for, by the store's clock, which is exact here: the
    time of a value that was just written. ``left`` are keys that could not be removed at its end, with the reasons.
    Raises Denied, Busy, and Refused when ``now``, this machine's clock, is far off."""

    def __init__(
        self, store: Store, *, holder: str, now: float, name: str = "", steady: Callable[[], float] = _steady
    ) -> None:
        self._store = store
        self._steady = steady
        self._id = name or f"{int(now * 1000):015d}-{os.urandom(8).hex()}"
        self._holder = holder.encode()
        self._written: list[str] = []
        self._now = now
        self.began = 0.0
        self._renewed = 0.0
        self._asked = steady()
        self.left: dict[str, LobsterError] = {}

    def __enter__(self) -> RemoteLock:
        self._store.delete(f"{LOCKS}{self._id}.wanted")  # is not there: this asks whether it may be deleted
        try:
            self.began = self._renewed = self._write("wanted").modified
            check_skew(self._store, self.began, self._now)
            self._look(lambda key, other: is_held(key) or other < self._id)
            self._write("held")
            self._look(lambda key, other: other < self._id)
        except BaseException:
            self.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def renew(self) -> None:
        """To be called before each deletion. Raises Busy when so much time passed that somebody else may have it."""
        asked, self._asked = self._asked, self._steady()
        if self._asked - asked >= _ASK_S:
            try:
                self._store.head(f"{LOCKS}{self._id}.held")
            except KeyMissing:
                self._lost("this collection's lock was taken away")
        now = self._store.clock()
        if now - self._renewed < _RENEW_S:
            return
        if now - self._renewed > LOCK_S / 2:
            self._lost("this collection was halted for too long")
        self._write("wanted")
        self._renewed = self._write("held").modified
        self._look(lambda key, other: is_held(key) and other < self._id)

    def release(self) -> None:
        """Give it back. What cannot be removed counts for nothing in an hour."""
        for key in reversed(self._written):
            try:
                self._store.delete(key)
            except LobsterError as error:
                self.left[key] = error
        self._written.clear()

    def _write(self, state: str) -> Stat:
        key = f"{LOCKS}{self._id}.{state}"
        if key not in self._written:
            self._written.append(key)
        self._store.put(key, self._holder)
        return self._store.head(key)

    def _look(self, yields: _Yields) -> None:
        now = self._store.clock()
        for stat in self._store.list(LOCKS):
            other, _, state = stat.key.removeprefix(LOCKS).rpartition(".")
            if other == self._id or state not in ("wanted", "held") or now - stat.modified > LOCK_S:
                continue
            if yields(stat.key, other):
                try:
                    holder = self._store.read_whole(stat.key, limit=1000).decode(errors="replace")
                except LobsterError:
                    holder = other
                raise Busy(self._store.url, f"another garbage collection ({holder})")

    def _lost(self, why: str) -> NoReturn:
        raise Busy(self._store.url, why)


def check_skew(store: Store, theirs: float, ours: float) -> None:
    """Raises Refused when this machine's clock is over five minutes from the store's: one of them is wrong."""
    if abs(theirs - ours) > SKEW_S:
        seconds = round(abs(theirs - ours))
        raise Refused(store.url, f"its clock and this machine's are {seconds:,} s apart, and ages decide here", "clock")
