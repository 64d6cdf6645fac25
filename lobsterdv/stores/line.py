"""A small HTTP proxy on this machine that is a slow line (``link.py``), and counts requests by verb and bytes each way.

Before one server it passes every byte on unchanged (signatures stay valid, ``Host`` included). Without one it is a
forward proxy, as ``proxies`` names one: it opens tunnels (CONNECT, for https), and of a plain request it changes the
address in the first line alone, so that Host and signature are those of the server that is meant. It reads only the
framing of requests: a head up to the blank line, then Content-Length or chunked. Answers are not parsed. HTTP/1.1.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from lobsterdv.stores.link import Lane, Link

READ_SIZE: Final = 256 << 10
_LIST_QUERY: Final = re.compile(rb"[?&](list-type|uploads|versions|location|prefix)\b")
_GONE: Final = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)
"""What ends a connection: a side that closed, or that speaks something else."""


@dataclass
class Traffic:
    """What crossed the proxy: requests by verb (LIST is a GET that lists), bytes to and from the server. Of a tunnel
    only its opening and its bytes are known."""

    requests: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    received_bytes: int = 0

    def since(self, earlier: Traffic) -> Traffic:
        return Traffic(
            self.requests - earlier.requests,
            self.sent_bytes - earlier.sent_bytes,
            self.received_bytes - earlier.received_bytes,
        )

    def copy(self) -> Traffic:
        return Traffic(self.requests.copy(), self.sent_bytes, self.received_bytes)


@dataclass(frozen=True)
class Proxy:
    """A running proxy. ``traffic`` grows for as long as it runs; ``link`` may be switched on and off."""

    port: int
    traffic: Traffic
    link: Link

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def counting(server_port: int | None, link: Link) -> Iterator[Proxy]:
    """Run a proxy over ``link``, on a thread of its own: to 127.0.0.1:``server_port``, or to whoever is asked for."""
    traffic = Traffic()
    loop = asyncio.new_event_loop()
    place = None if server_port is None else ("127.0.0.1", server_port)

    async def handle(client: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        try:
            await _Connection(client, client_out, link, traffic).serve(place)
        except (*_GONE, asyncio.CancelledError):  # the last: the proxy itself goes
            pass
        finally:
            client_out.close()

    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0, limit=READ_SIZE))
    thread = threading.Thread(target=loop.run_forever, name="slow-line", daemon=True)
    thread.start()
    try:
        yield Proxy(server.sockets[0].getsockname()[1], traffic, link)
    finally:
        asyncio.run_coroutine_threadsafe(_shut_down(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _shut_down(server: asyncio.Server) -> None:
    server.close()
    mine = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not mine]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Connection:
    """One connection of a client: requests one way, answers the other, until either side closes."""

    def __init__(
        self, client: asyncio.StreamReader, client_out: asyncio.StreamWriter, link: Link, traffic: Traffic
    ) -> None:
        self._client = client
        self._client_out = client_out
        self._link = link
        self._traffic = traffic

    async def serve(self, place: tuple[str, int] | None) -> None:
        """With a ``place`` all goes there; else where the first request says."""
        first, tunnel = b"", False
        if place is None:
            first = await self._client.readuntil(b"\r\n\r\n")
            tunnel = first.startswith(b"CONNECT ")
            place = _place(first)
        await self._link.open()
        try:
            server, server_out = await asyncio.open_connection(*place, limit=READ_SIZE)
        except OSError as error:
            self._client_out.write(
                f"HTTP/1.1 502 {error.strerror or 'no answer'}\r\nContent-Length: 0\r\n\r\n".encode()
            )
            await self._client_out.drain()
            return
        up = Lane(self._link, self._link.up, server_out)
        down = Lane(self._link, self._link.down, self._client_out)
        if tunnel:
            self._traffic.requests["CONNECT"] += 1
            self._client_out.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        asking = self._tunnel(up) if tunnel else self._requests(up, first, None if not first else place)
        ways = [
            asyncio.create_task(asking),
            asyncio.create_task(self._answers(server, down)),
            asyncio.create_task(up.run()),
            asyncio.create_task(down.run()),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server_out.close()

    async def _tunnel(self, out: Lane) -> None:
        while block := await self._client.read(READ_SIZE):
            await self._pass_on(block, out)
        await out.arrived()

    async def _requests(self, out: Lane, head: bytes, place: tuple[str, int] | None) -> None:
        """``head`` is what was read already. With a ``place`` requests name their server, and it must be that one."""
        while True:
            head = head or await self._client.readuntil(b"\r\n\r\n")
            if place is not None:
                if _place(head) != place:
                    return  # the client asks again over another connection
                head = _without_place(head)
            self._traffic.requests[_verb(head)] += 1
            await self._pass_on(head, out)
            length = _header(head, b"content-length")
            if length is not None:
                await self._body(int(length), out)
            elif b"chunked" in (_header(head, b"transfer-encoding") or b""):
                await self._chunks(out)
            head = b""

    async def _chunks(self, out: Lane) -> None:
        while True:
            line = await self._client.readuntil(b"\r\n")
            await self._pass_on(line, out)
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            await self._body(size + 2, out)
        while True:  # trailers, up to an empty line
            line = await self._client.readuntil(b"\r\n")
            await self._pass_on(line, out)
            if line == b"\r\n":
                return

    async def _body(self, left: int, out: Lane) -> None:
        while left:
            block = await self._client.read(min(left, READ_SIZE))
            if not block:
                raise ConnectionResetError("the client closed inside a body")
            left -= len(block)
            await self._pass_on(block, out)

    async def _answers(self, server: asyncio.StreamReader, out: Lane) -> None:
        while block := await server.read(READ_SIZE):
            self._traffic.received_bytes += len(block)
            await out.send(block)
        await out.arrived()

    async def _pass_on(self, block: bytes, out: Lane) -> None:
        self._traffic.sent_bytes += len(block)
        await out.send(block)


def _place(head: bytes) -> tuple[str, int]:
    """Host and port that a request to a forward proxy names. Raises ValueError."""
    verb, target, _ = head.split(b" ", 2)
    url = urlsplit("//" + target.decode("ascii") if verb == b"CONNECT" else target.decode("ascii"))
    if not url.hostname:
        raise ValueError("the request names no server")
    return url.hostname, url.port or (443 if verb == b"CONNECT" else 80)


def _without_place(head: bytes) -> bytes:
    """The head as a server itself is asked: a path in its first line; every header as it is."""
    verb, target, rest = head.split(b" ", 2)
    path = target.partition(b"://")[2].partition(b"/")[2]
    return b"%s /%s %s" % (verb, path, rest)


def _verb(head: bytes) -> str:
    verb, target, _ = head.split(b" ", 2)
    if verb == b"GET" and _LIST_QUERY.search(target):
        return "LIST"
    return verb.decode("ascii")


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().lower()
    return None
