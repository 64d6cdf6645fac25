"""The slow line: what crosses it arrives as it was sent, signatures hold, and bytes take the time that they should."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import math
import os
import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import pytest

from lobsterdv.errors import LobsterError
from lobsterdv.stores.line import READ_SIZE, Proxy, counting
from lobsterdv.stores.link import Lane, Link
from lobsterdv.stores.s3 import S3Store
from tests.servers import Server


def test_bytes_leave_one_after_another_and_arrive_half_a_round_trip_later() -> None:
    async def sent() -> tuple[list[float], float]:
        link = Link(1000, 0.004, on=True)
        began = asyncio.get_running_loop().time()
        due = await asyncio.gather(*(link.leave(link.up, 125_000) for _ in range(3)))
        await link.leave(link.down, 125_000)
        return due, began

    due, began = asyncio.run(sent())
    assert due[0] >= began + 0.001 + 0.002
    assert [later - earlier for earlier, later in itertools.pairwise(due)] == pytest.approx([0.001, 0.001])


class _PlayedTime(asyncio.SelectorEventLoop):
    """A loop that never waits: its clock goes on by what it would wait, and a timer rings up to 2 ms late."""

    def __init__(self) -> None:
        super().__init__(_PlayedSelector(self))
        self.played = 0.0

    def time(self) -> float:
        return self.played


class _PlayedSelector(selectors.DefaultSelector):
    def __init__(self, loop: _PlayedTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.played += math.ceil((timeout or 0) * 1000 + 1) / 1000 if timeout else 0.0
        return super().select(0)


class _Out:
    """What arrives at the far end of a lane."""

    size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)

    async def drain(self) -> None:
        pass


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("megabits", [20, 100])
def test_connections_fill_the_line_and_no_more(connections: int, megabits: int) -> None:
    link = Link(megabits, 0.03, on=True)
    out = _Out()
    seconds = 2.0

    async def sending() -> None:
        lane = Lane(link, link.up, cast("asyncio.StreamWriter", out))
        running = asyncio.create_task(lane.run())
        await lane.send(b"request")
        await asyncio.sleep(0.5)  # a pause saves nothing up
        while True:
            await lane.send(bytes(READ_SIZE))
            assert not running.done()

    async def sent() -> None:
        tasks = [asyncio.create_task(sending()) for _ in range(connections)]
        await asyncio.sleep(0.5 + seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with asyncio.Runner(loop_factory=_PlayedTime) as runner:
        runner.run(sent())
    assert 0.95 <= out.size * 8 / 1e6 / seconds / megabits <= 1.02


def test_a_pause_is_not_made_up() -> None:
    """Bytes that come after a pause longer than timers are late take as long as the first ones."""
    link = Link(100, 0, on=True)

    async def arrived() -> float:
        lane = Lane(link, link.up, cast("asyncio.StreamWriter", _Out()))
        running = asyncio.create_task(lane.run())
        await lane.send(bytes(125_000))
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        await lane.send(bytes(125_000))
        running.cancel()
        return asyncio.get_running_loop().time() - began

    with asyncio.Runner(loop_factory=_PlayedTime) as runner:
        assert 0.01 <= runner.run(arrived()) <= 0.014


def test_a_line_that_is_off_or_without_limits_costs_nothing() -> None:
    async def left(link: Link) -> float:
        return await link.leave(link.up, 10**9) - asyncio.get_running_loop().time()

    assert asyncio.run(left(Link(1, 5))) <= 0
    assert asyncio.run(left(Link(math.inf, 0.0, on=True))) <= 0


@pytest.mark.parametrize(
    ("link", "text"),
    [
        (Link(100, 0.03), "100 Mbit/s, 30 ms round trip"),
        (Link(math.inf, 0.03), "30 ms round trip"),
        (Link(2.5, 0), "2.5 Mbit/s"),
        (Link(math.inf, 0), "not limited"),
    ],
)
def test_a_line_in_words(link: Link, text: str) -> None:
    assert link.text == text


@contextmanager
def through(moto: Server, proxy: Proxy) -> Iterator[S3Store]:
    options = replace(moto.options(moto.new_bucket(), "lab"), proxies=proxy.url, attempts=1)
    store = S3Store(options, credentials=moto.credentials)
    yield store
    store.close()


def test_a_forward_proxy_changes_no_byte_and_counts(moto: Server) -> None:
    data = os.urandom(300_000)
    with counting(None, Link(8000, 0.0002, on=True)) as proxy, through(moto, proxy) as store:
        store.put("k", data)
        assert store.read_whole("k", limit=len(data)) == data
        assert [stat.key for stat in store.list("k")] == ["k"]
        traffic = proxy.traffic
        assert {verb: n for verb, n in traffic.requests.items() if verb != "HEAD"} == {"PUT": 1, "GET": 1, "LIST": 1}
        assert traffic.sent_bytes > len(data)
        assert traffic.received_bytes > len(data)


def test_a_server_is_asked_as_if_directly() -> None:
    """The path alone in the first line, and the Host of the server that is meant: what a signature is made of."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with counting(None, Link(1000, 0, on=True)) as proxy:
        client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
        client.request("PUT", f"http://127.0.0.1:{port}/b/k?x=http://y/z", body=b"abc", headers={"Host": "lab.example"})
        server, _ = listener.accept()
        got = server.recv(4096)
        while not got.endswith(b"abc"):
            got += server.recv(4096)
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert client.getresponse().status == 200
        server.close()
        client.close()
    listener.close()
    head = got.split(b"\r\n")
    assert head[0] == b"PUT /b/k?x=http://y/z HTTP/1.1"
    assert b"Host: lab.example" in head


def test_a_tunnel_passes_everything_on() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with counting(None, Link(1000, 0, on=True)) as proxy:
        client = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
        client.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x\r\n\r\n" % listener.getsockname()[1])
        answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n")
        server, _ = listener.accept()
        client.sendall(b"\x16\x03\x01 as TLS begins")
        assert server.recv(100) == b"\x16\x03\x01 as TLS begins"
        server.sendall(b"back")
        assert client.recv(100) == b"back"
        server.close()
        client.close()
        assert dict(proxy.traffic.requests) == {"CONNECT": 1}
        assert (proxy.traffic.sent_bytes, proxy.traffic.received_bytes) == (17, 4)
    listener.close()


def test_a_server_that_is_not_there_is_an_error_of_ours(moto: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with counting(None, Link(1000, 0)) as proxy:
        options = replace(
            moto.options("bucket"), endpoint_url=f"http://127.0.0.1:{port}", proxies=proxy.url, attempts=1
        )
        store = S3Store(options, credentials=moto.credentials)
        with pytest.raises(LobsterError):
            store.head("k")
        store.close()
