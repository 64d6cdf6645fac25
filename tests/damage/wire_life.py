"""For children of the nursery that are to be killed or to meet faults: small sizes, short pauses, and death for whoever
would talk to another machine. ``prepare="tests.damage.wire_life:begin"``; LIFE_PID names the file for its id."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.damage.scaled import BLOCK, shrink

STRAYED = 76
"""The exit code of a process that a redirect led elsewhere."""
PAUSE_S = 0.01


def begin() -> None:
    shrink()
    if "LIFE_PARTS" in os.environ:  # a server that takes parts of any size
        _send_in_parts()
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, PAUSE_S))

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] != "127.0.0.1":
            os._exit(STRAYED)

    sys.addaudithook(watch)
    if "LIFE_PID" in os.environ:
        Path(os.environ["LIFE_PID"]).write_text(str(os.getpid()))


def _send_in_parts() -> None:
    """A file of more than BLOCK goes up in parts; the setting has a least value of 5 MiB."""
    from lobsterdv.blobs import sending

    whole = sending.send_whole

    def send_whole(*args: Any, part_threshold: int, **more: Any) -> Any:
        return whole(*args, part_threshold=min(part_threshold, BLOCK), **more)

    sending.send_whole = send_whole
