"""Signals that ask a command to end: SIGTERM (``kill``, a batch system) and SIGHUP (the terminal is gone) end it as
Ctrl-C does, with 128 and their number as its exit code."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
INTERRUPTED_CODES: Final = frozenset({INTERRUPTED, *(128 + number for number in _ENDING)})


class Terminated(KeyboardInterrupt):
    """What Ctrl-C raises, for a signal of another number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def ends_when_told() -> Iterator[None]:
    """The first such signal raises Terminated in the main thread; what comes after is ignored, while temps are being
    removed. A signal that the parent has this process ignore (``nohup``) stays ignored. In other threads: nothing."""
    before = {}
    try:
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _raise)
    except ValueError:
        pass  # not the main thread
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise Terminated(number)
