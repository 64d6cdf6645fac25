"""An HTTP proxy in front of an S3 server: writes down every request, can let somebody die at the N-th, and can do to it
what networks and servers do (``FAULTS``).

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
from itertools import chain
from typing import BinaryIO
from urllib.parse import urlsplit

BLOCK = 64 << 10
ENDLESS = 64 << 20
BEFORE = {
    "500": (500, "InternalError"), "503": (503, "SlowDown"), "429": (429, "TooManyRequests"),
    "expired": (400, "ExpiredToken"), "forbidden": (403, "AccessDenied"), "redirect": (307, "TemporaryRedirect"),
    "reset before": (0, ""), "hang": (0, ""),
}  # fmt: skip
"""What happens instead of the request: an answer of our own, or none; the server never hears of it."""
AFTER = ("reset after", "truncated", "flipped", "short", "longer", "endless", "error in 200", "entry lost")
"""What happens to the answer of a server that did what was asked."""
FAULTS = (*BEFORE, *AFTER)
HANG_S = 30.0
SETTLE_S = 20.0


@dataclass
class Exchange:
    """One request: body bytes that came from the client, and those of the answer; the server's status once it
    answered, 0 before."""

    verb: str
    target: str
    sent: int = 0
    received: int = 0
    status: int = 0

    @property
    def is_done(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Proxy:
    """``exchanges`` grows; ``gate`` is called with each request's number, from 1, before it is passed on, and the
    request goes no further when it says False; ``fault`` is asked for each request's number what happens to it, one
    of FAULTS or nothing. ``faulted`` are those to which it could be done."""

    url: str
    exchanges: list[Exchange] = field(default_factory=list)
    gate: Callable[[int], bool] = lambda number: True
    fault: Callable[[int], str] = lambda number: ""
    faulted: list[Exchange] = field(default_factory=list)
    _busy: int = 0
    _change: threading.Condition = field(default_factory=threading.Condition)

    def restart(
        self, gate: Callable[[int], bool] = lambda number: True, fault: Callable[[int], str] = lambda number: ""
    ) -> None:
        """Count from nothing, once everything under way has ended."""
        self.settle()
        self.exchanges.clear()
        self.faulted.clear()
        self.gate = gate
        self.fault = fault

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
        return exchange, self.gate(number), self.fault(number)

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
                if fault in BEFORE:
                    proxy.faulted.append(exchange)
                    _instead(client, source, head, fault)
                    return
                if not passes or not _exchange(client, source, upstream, answers, head, exchange, fault, proxy):
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
    proxy: Proxy,
) -> bool:
    """Pass one request and its answer on, ``fault`` done to it; False when a side is gone."""
    if _field(head, b"expect"):
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = [line for line in head if not line.lower().startswith(b"expect:")]
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
    if fault:
        damaged = _damaged(answer, b"".join(blocks), fault, exchange)
        if damaged is not None:
            proxy.faulted.append(exchange)
            with suppress(OSError):
                for part in damaged:
                    client.sendall(part)
            return False
    client.sendall(b"".join(answer))
    for block in blocks:
        client.sendall(block)
        exchange.received += len(block)
    return (_field(answer, b"connection") or b"").lower() != b"close"


def _instead(client: socket.socket, source: BinaryIO, head: list[bytes], fault: str) -> None:
    """Answer in the server's place, or not at all."""
    if fault == "reset before":
        return
    if fault == "hang":
        client.settimeout(HANG_S)
        with suppress(OSError):
            while client.recv(BLOCK):
                pass
        return
    if _field(head, b"expect"):
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    for _ in _body(source, head, is_answer=False):
        pass
    status, code = BEFORE[fault]
    said = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>a fault</Message></Error>".encode()
    body = b"" if head[0].startswith(b"HEAD") else said
    where = b"Location: http://169.254.169.254/latest/meta-data/\r\n" if fault == "redirect" else b""
    client.sendall(
        b"HTTP/1.1 %d %s\r\n%sContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
        % (status, code.encode(), where, len(body), body)
    )


def _damaged(answer: list[bytes], body: bytes, fault: str, exchange: Exchange) -> Iterator[bytes] | None:
    """The answer with ``fault`` done to it, in parts; None where that cannot be done to it."""
    is_list = exchange.verb == "GET" and b"<ListBucketResult" in body
    if fault == "reset after":
        return iter(())
    if fault == "error in 200":
        if exchange.verb != "POST" or b"<CompleteMultipartUploadResult" not in body:
            return None
        return iter([_with_length(answer, len(_ERROR)), _ERROR])
    if fault == "entry lost":
        start, end = body.rfind(b"<Contents>"), body.rfind(b"</Contents>")
        if not is_list or start < 0:
            return None
        left = body[:start] + body[end + len(b"</Contents>") :]
        return iter([_with_length(answer, len(left)), left])
    if exchange.verb != "GET" or not body or exchange.status not in (200, 206):
        return None
    whole = b"".join(answer)
    if fault == "truncated":
        return iter([whole, body[: len(body) // 2]])
    if fault == "flipped":
        middle = len(body) // 2
        return iter([whole, body[:middle], bytes([body[middle] ^ 1]), body[middle + 1 :]])
    if fault == "short":
        return iter([_with_length(answer, len(body) // 2), body[: len(body) // 2]])
    if fault == "longer":
        return iter([_with_length(answer, len(body) + 1000), body, bytes(1000)])
    assert fault == "endless", fault
    blocks = (bytes(BLOCK) for _ in range(ENDLESS // BLOCK))
    return chain([_with_length(answer, None), body], blocks)


_ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>a fault</Message></Error>"


def _with_length(answer: list[bytes], length: int | None) -> bytes:
    """The head with another length, or none: then the body lasts until the connection ends."""
    fields = [line for line in answer[:-1] if not line.lower().startswith((b"content-length:", b"connection:"))]
    told = [] if length is None else [b"Content-Length: %d\r\n" % length]
    return b"".join([*fields, *told, b"Connection: close\r\n\r\n"])


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
