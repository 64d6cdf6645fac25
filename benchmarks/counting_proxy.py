"""A small HTTP proxy in front of one server that counts requests by verb and bytes each way.

It passes every byte on unchanged (signatures stay valid, `Host` included) and reads only the framing of requests:
a head up to the blank line, then Content-Length or chunked. Answers are not parsed. HTTP/1.1, plain text.
With a `Link` it also is a slow line.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from link import Lane, Link

READ_SIZE = 256 << 10
LIST_QUERY = re.compile(rb"[?&](list-type|uploads|versions|location|prefix)\b")


@dataclass
class Traffic:
    """What crossed the proxy: requests by verb (LIST is a GET that lists), bytes to and from the server."""

    requests: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    received_bytes: int = 0

    def since(self, earlier: "Traffic") -> "Traffic":
        return Traffic(
            self.requests - earlier.requests,
            self.sent_bytes - earlier.sent_bytes,
            self.received_bytes - earlier.received_bytes,
        )

    def copy(self) -> "Traffic":
        return Traffic(self.requests.copy(), self.sent_bytes, self.received_bytes)


@dataclass(frozen=True)
class Proxy:
    """A running proxy. `traffic` grows for as long as it runs; `link` may be switched on and off."""

    port: int
    traffic: Traffic
    link: Link

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def counting(server_port: int, link: Link) -> Iterator[Proxy]:
    """Run a proxy to 127.0.0.1:`server_port` over `link`, on a thread of its own."""
    traffic = Traffic()
    loop = asyncio.new_event_loop()

    async def handle(client: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        try:
            await _relay(client, client_out, server_port, traffic, link)
        finally:
            client_out.close()

    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0, limit=READ_SIZE))
    thread = threading.Thread(target=loop.run_forever, name="counting-proxy", daemon=True)
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


async def _relay(
    client: asyncio.StreamReader, client_out: asyncio.StreamWriter, server_port: int, traffic: Traffic, link: Link
) -> None:
    """One connection: requests one way, answers the other, until either side closes."""
    await link.open()
    server, server_out = await asyncio.open_connection("127.0.0.1", server_port, limit=READ_SIZE)
    up, down = Lane(link, link.up, server_out), Lane(link, link.down, client_out)
    ways = [
        asyncio.create_task(_requests(client, up, traffic)),
        asyncio.create_task(_answers(server, down, traffic)),
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


async def _requests(client: asyncio.StreamReader, out: Lane, traffic: Traffic) -> None:
    while True:
        head = await client.readuntil(b"\r\n\r\n")
        traffic.requests[_verb(head)] += 1
        await _pass_on(head, out, traffic)
        length = _header(head, b"content-length")
        if length is not None:
            await _body(client, int(length), out, traffic)
        elif b"chunked" in (_header(head, b"transfer-encoding") or b""):
            await _chunks(client, out, traffic)


async def _chunks(client: asyncio.StreamReader, out: Lane, traffic: Traffic) -> None:
    while True:
        line = await client.readuntil(b"\r\n")
        await _pass_on(line, out, traffic)
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        await _body(client, size + 2, out, traffic)
    while True:  # trailers, up to an empty line
        line = await client.readuntil(b"\r\n")
        await _pass_on(line, out, traffic)
        if line == b"\r\n":
            return


async def _body(client: asyncio.StreamReader, left: int, out: Lane, traffic: Traffic) -> None:
    while left:
        block = await client.read(min(left, READ_SIZE))
        if not block:
            raise ConnectionResetError("the client closed inside a body")
        left -= len(block)
        await _pass_on(block, out, traffic)


async def _answers(server: asyncio.StreamReader, out: Lane, traffic: Traffic) -> None:
    while block := await server.read(READ_SIZE):
        traffic.received_bytes += len(block)
        await out.send(block)
    await out.arrived()


async def _pass_on(block: bytes, out: Lane, traffic: Traffic) -> None:
    traffic.sent_bytes += len(block)
    await out.send(block)


def _verb(head: bytes) -> str:
    verb, target, _ = head.split(b" ", 2)
    if verb == b"GET" and LIST_QUERY.search(target):
        return "LIST"
    return verb.decode()


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().lower()
    return None
