"""For children of the nursery that are to be killed or to meet faults: small sizes, short pauses, and death for whoever
would talk to another machine. ``prepare="tests.damage.wire_life:begin"``; LIFE_PID names the file for its id."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.damage.ageing import nothing_is_young
from tests.damage.scaled import BLOCK, shrink

STRAYED = 76
"""The exit code of a process that a redirect led elsewhere."""
PAUSE_S = 0.01
PAGE = 3
"""Keys that a list has at most, instead of 1,000; LIFE_PAGE is another number of them."""


def begin() -> None:
    shrink()
    _list_few()
    if "LIFE_PARTS" in os.environ:  # a server that takes parts of any size
        _send_in_parts()
    if "LIFE_AGED" in os.environ:  # what was kept just now may go
        nothing_is_young()
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, PAUSE_S))

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] != "127.0.0.1":
            os._exit(STRAYED)

    sys.addaudithook(watch)
    if "LIFE_PID" in os.environ:
        Path(os.environ["LIFE_PID"]).write_text(str(os.getpid()))


class _Few:
    """A client that asks for short pages."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def list_objects_v2(self, **request: Any) -> Any:
        return self._client.list_objects_v2(MaxKeys=int(os.environ.get("LIFE_PAGE", PAGE)), **request)


def _list_few() -> None:
    """Lists come in several pages, which can lie about each other."""
    from lobsterdv.stores.s3_calls import LIST, S3Calls

    ask = S3Calls.ask

    def asked(calls: S3Calls, action: str, key: str, call: Any) -> Any:
        return ask(calls, action, key, (lambda client: call(_Few(client))) if action == LIST else call)

    S3Calls.ask = asked  # type: ignore[method-assign]


def _send_in_parts() -> None:
    """A file of more than BLOCK goes up in parts; the setting has a least value of 5 MiB."""
    from lobsterdv.blobs import sending

    whole = sending.send_whole

    def send_whole(*args: Any, part_threshold: int, **more: Any) -> Any:
        return whole(*args, part_threshold=min(part_threshold, BLOCK), **more)

    sending.send_whole = send_whole
