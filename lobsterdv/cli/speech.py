"""Lines to stdout and stderr: without secrets, and without falling over when nobody listens any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from lobsterdv.redaction import redacted

_CREDENTIALS: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")


def say(lines: Iterable[str]) -> None:
    """Lines on stdout. A reader that went away (``| head``) ends the talking, not the program."""
    _write(sys.stdout, [*lines])


def complain(lines: Iterable[str]) -> None:
    """Lines on stderr, after whatever is still on its way to stdout."""
    _write(sys.stderr, [shown(line) for line in lines])


def shown(text: str) -> str:
    """A message without secrets: by their shape, and those of this process's environment by their value. What was
    asked for (paths, URLs of objects) is data and goes out as it is."""
    return redacted(text, [os.environ.get(name, "") for name in _CREDENTIALS])


def _write(stream: TextIO, lines: Sequence[str]) -> None:
    if not lines:
        return
    try:
        stream.write("\n".join(lines) + "\n")
        stream.flush()
    except (BrokenPipeError, ValueError):
        _let_go(stream)


def _let_go(stream: TextIO) -> None:
    """Send what comes after, and python's own last flush, nowhere."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
