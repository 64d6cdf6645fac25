"""An HTTP proxy in front of an S3 server: writes down every request, and can let somebody die at the N-th.

It stores and forwards message by message, so it knows which requests the server has answered: what was sent in
the others was in flight. Signatures stay valid: only ``Expect``, which nobody signs, is answered here.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit

from tests.damage import faults

BLOCK = 64 << 10
SETTLE_S = 20.0


@dataclass
class Exchange:
    """One request: body bytes that came from the client, and those of the answer; the server's status once it
    answered, 0 before. ``fault`` is what was done to it (tests/damage/faults.py)."""

    verb: str
    target: str
    sent: int = 0
    received: int = 0
    status: int = 0
    fault: str = ""

    @property
    def is_done(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Proxy:
    """``exchanges`` grows; ``gate`` is called with each request's number, from 1, before it is passed on, and the
    request goes no further when it says False. ``fault`` names what shall be done to it, of tests/damage/faults.py."""

    url: str
    exchanges: list[Exchange] = field(default_factory=list)
    gate: Callable[[int], bool] = lambda number: True
    fault: Callable[[int, Exchange], str] = lambda number, exchange: ""
    _busy: int = 0
    _change: threading.Condition = field(default_factory=threading.Condition)

    def restart(self, gate: Callable[[int], bool] = lambda number: True) -> None:
        """Count from nothing, once everything under way has ended."""
        self.settle()
        self.exchanges.clear()
        self.gate = gate
        self.fault = lambda number, exchange: ""

    def settle(self) -> None:
        """Wait until no request is under way."""
        deadline = time.monotonic() + SETTLE_S
        with self._change:
            while self._busy:
                assert self._change.wait(deadline - time.monotonic()), "a request never ended"

    def begin(self, verb: str, target: str) -> tuple[Exchange, bool, str]:
        with self._change:
            exchange = Exchange(verb, target)
            self.exchanges.append(exchange)
            number = len(self.exchanges)
            self._busy += 1
        return exchange, self.gate(number), self.fault(number, exchange)

    def end(self) -> None:
        with self._change:
            self._busy -= 1
            self._change.notify_all()


@contextmanager
def proxy_to(endpoint_url: str) -> Iterator[Proxy]:
    """A proxy to a server on this machine, on a port of its own."""
    upstream = urlsplit(endpoint_url)
    server = ("127.0.0.1", upstream.port or 80)
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_serve, args=(client, server, proxy), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield proxy
        proxy.settle()
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _serve(client: socket.socket, server: tuple[str, int], proxy: Proxy) -> None:
    """One connection, until either side is gone."""
    upstream = socket.create_connection(server)
    with client, upstream, client.makefile("rb") as source, upstream.makefile("rb") as answers, suppress(OSError):
        while head := _head(source):
            verb, target, _ = head[0].decode().split(" ", 2)
            exchange, passes, fault = proxy.begin(verb, target)
            try:
                if not passes or not _exchange(client, source, upstream, answers, head, exchange, fault):
                    return
            finally:
                proxy.end()


def _exchange(
    client: socket.socket,
    source: BinaryIO,
    upstream: socket.socket,
    answers: BinaryIO,
    head: list[bytes],
    exchange: Exchange,
    fault: str,
) -> bool:
    """Pass one request and its answer on; False when a side is gone."""
    if _field(head, b"expect"):
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = [line for line in head if not line.lower().startswith(b"expect:")]
    if fault in faults.INSTEAD:
        exchange.fault = fault
        for _ in _body(source, head, is_answer=False):
            pass
        faults.answer_instead(fault, client, bodiless=exchange.verb == "HEAD")
        return False
    upstream.sendall(b"".join(head))
    for block in _body(source, head, is_answer=False):
        exchange.sent += len(block)
        upstream.sendall(block)
    answer = _head(answers)
    if not answer:
        return False
    blocks: list[bytes] = []
    bodiless = exchange.verb == "HEAD" or answer[0].split()[1] in (b"204", b"304")
    blocks.extend([] if bodiless else _body(answers, answer, is_answer=True))
    exchange.status = int(answer[0].split()[1])
    if fault and faults.spoil(fault, client, exchange.verb, exchange.target, answer, b"".join(blocks)):
        exchange.fault = fault
        return False
    client.sendall(b"".join(answer))
    for block in blocks:
        client.sendall(block)
        exchange.received += len(block)
    return (_field(answer, b"connection") or b"").lower() != b"close"


def _head(source: BinaryIO) -> list[bytes]:
    """The lines of a head, the blank one too; none when the side is gone."""
    lines: list[bytes] = []
    while line := source.readline():
        lines.append(line)
        if line == b"\r\n":
            return lines
    return []


def _field(head: list[bytes], name: bytes) -> bytes | None:
    for line in head[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return None


def _body(source: BinaryIO, head: list[bytes], *, is_answer: bool) -> Iterator[bytes]:
    if (_field(head, b"transfer-encoding") or b"").lower() == b"chunked":
        while True:
            line = source.readline()
            size = int(line.split(b";")[0], 16)
            yield line
            if not size:
                break
            yield from _exactly(source, size + 2)
        while (line := source.readline()) != b"\r\n":
            yield line
        yield line
        return
    length = _field(head, b"content-length")
    if length is not None:
        yield from _exactly(source, int(length))
    elif is_answer:
        while block := source.read(BLOCK):
            yield block


def _exactly(source: BinaryIO, left: int) -> Iterator[bytes]:
    while left:
        block = source.read(min(left, BLOCK))
        if not block:
            raise ConnectionResetError("gone inside a body")
        left -= len(block)
        yield block
