"""SIGKILL after each request of a push and of a pull over S3: what the server has answered is not sent again, what
has arrived is not fetched again. Counted by a proxy, not by us."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.damage.counting import Counters
from tests.damage.killing import Ended, Nursery
from tests.damage.oracle import check_cache
from tests.damage.proxy import Exchange, Proxy, proxy_to
from tests.ops.lab import Lab
from tests.properties.trees import picture
from tests.servers import Server

SHRUNK = "tests.damage.scaled:shrink"
SIZE = 6 << 20
POINTS = 3
"""Kill points of each shape in the default suite; all of them, over 25 each, in ``make test-faults``."""


@pytest.fixture
def proxy(moto: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    from moto.s3 import models

    monkeypatch.setattr(models, "S3_UPLOAD_PART_MIN_SIZE", 1)
    with proxy_to(moto.endpoint_url) as made:
        yield made


@dataclass
class Wire:
    """A laboratory whose remotes lie behind the proxy, one prefix each, and verbs that run in the nursery."""

    lab: Lab
    proxy: Proxy
    nursery: Nursery
    server: Server
    bucket: str
    env: dict[str, str]

    def use(self, prefix: str, lab: Lab | None = None) -> None:
        lab = lab or self.lab
        config = lab.read(".lobsterdv.yaml").decode().split("remote:")[0]
        fields = {
            "url": f"s3://{self.bucket}/{prefix}", "endpoint_url": self.proxy.url, "region": "us-east-1",
            "addressing": "path", "multipart_threshold": "5MiB", "concurrency": "3",
        }  # fmt: skip
        lines = "".join(f'    {key}: "{value}"\n' for key, value in fields.items())
        lab.write(".lobsterdv.yaml", f"{config}remote: r\nremotes:\n  r:\n{lines}")

    def run(self, verb: str, *, lab: Lab | None = None, kill_after: int = 0) -> tuple[Ended, list[Exchange]]:
        """Do a verb; kill it when it asks for one more than ``kill_after``. Returns what crossed the proxy."""
        root = (lab or self.lab).root
        pid_file = root.parent / "pid"

        def gate(number: int) -> bool:
            if not kill_after or number <= kill_after:
                return True
            if number == kill_after + 1:
                os.kill(int(pid_file.read_text()), signal.SIGKILL)
            return False

        self.proxy.restart(gate)
        ended = self.nursery.run(root, self.env, verb, prepare=SHRUNK, pid_file=pid_file)
        self.proxy.settle()
        return ended, list(self.proxy.exchanges)


@pytest.fixture
def wire(lab: Lab, moto: Server, proxy: Proxy, nursery: Nursery) -> Wire:
    server = Server("proxied", proxy.url, moto.access_key, moto.secret_key)
    env = {**lab.env, **server.environment}
    return Wire(lab, proxy, nursery, moto, moto.new_bucket(), env)


def noise(size: int, seed: str) -> bytes:
    return random.Random(seed).randbytes(size)


def write_shape(lab: Lab, shape: str) -> None:
    """What takes more than 20 requests, each way of storing."""
    if shape == "multipart":
        lab.write("data", noise(SIZE, shape))
    elif shape == "compressed":  # to about a half
        lab.write("data", noise(SIZE, shape).hex().encode())
    else:
        for number in range(600):
            lab.write(f"data/{number:03}", noise(10_000, f"{number}"))
    lab.add("data")
    lab.commit()


def is_content(exchange: Exchange) -> bool:
    return "/objects/" in exchange.target and exchange.verb == "PUT"


def points(count: int, slow: bool) -> list[int]:
    wanted = list(range(1, count))
    return wanted if slow else wanted[len(wanted) % POINTS :: len(wanted) // POINTS]


@pytest.mark.parametrize("slow", [False, pytest.param(True, marks=pytest.mark.faults)])
@pytest.mark.parametrize("shape", ["multipart", "compressed", "packed"])
def test_a_killed_push_goes_on(wire: Wire, shape: str, slow: bool, counters: Counters) -> None:
    write_shape(wire.lab, shape)
    wire.use("whole")
    whole, exchanges = wire.run("push")
    assert not whole.failures
    payload = sum(e.sent for e in exchanges if is_content(e))
    largest = max(e.sent for e in exchanges if is_content(e))
    assert sum(map(is_content, exchanges)) >= 20 and largest < 300 << 10
    again_in_all = 0
    tried = points(len(exchanges), slow)
    for point in tried:
        with counters.trying("kill -9 after an S3 request of push"):
            wire.use(f"cut-{point}")
            cut, before = wire.run("push", kill_after=point)
            assert cut.killed and len(before) > point
            answered = sum(e.sent for e in before if is_content(e) and e.is_done)
            ended, after = wire.run("push")
            case = f"{shape}, killed after {point} requests of {len(exchanges)}"
            assert not ended.failures and not ended.killed, f"{case}: {ended}"
            again = sum(e.sent for e in after if is_content(e))
            assert again <= payload - answered, f"{case}: {answered} bytes were there, {again} of {payload} were sent"
        again_in_all += again
    assert len(tried) >= (25 if slow else POINTS)
    assert again_in_all < 0.75 * len(tried) * payload, "nothing of note was ever kept"
    other = wire.lab.clone(wire.lab.root.parent / "other")
    wire.use(f"cut-{point}", other)
    ended, _ = wire.run("pull", lab=other)
    assert not ended.failures
    assert picture(other.path("data")) == picture(wire.lab.path("data"))
    other.close()


@pytest.mark.parametrize("slow", [False, pytest.param(True, marks=pytest.mark.faults)])
def test_a_killed_pull_goes_on(wire: Wire, slow: bool, counters: Counters) -> None:
    """Files that arrived are in the cache; the next pull fetches the others, and little besides."""
    lab = wire.lab
    for number in range(24):
        lab.write(f"data/{number:02}", noise(300_000, f"pull {number}"))
    lab.add("data")
    wire.use("whole")
    lab.commit()
    lab.git("commit", "-qam", "remote")
    assert not wire.run("push")[0].failures
    clone = lab.clone(lab.root.parent / "clone")
    clone.close()
    cache = clone.root / ".git/lobsterdv/cache"
    _, exchanges = wire.run("pull", lab=clone)
    count, total = len(exchanges), sum(e.received for e in exchanges if "/objects/" in e.target)
    assert count > 24 and total >= 24 * 300_000
    kept = []
    for point in points(count, slow):
        with counters.trying("kill -9 after an S3 request of pull"):
            shutil.rmtree(clone.root / ".git/lobsterdv")
            shutil.rmtree(clone.path("data"), ignore_errors=True)
            cut, before = wire.run("pull", lab=clone, kill_after=point)
            assert cut.killed
            arrived = sum(e.received for e in before if "/objects/" in e.target)
            here = sum(len(data) for data in check_cache(cache).values())
            ended, after = wire.run("pull", lab=clone)
            case = f"killed after {point} requests of {count}"
            assert not ended.failures, f"{case}: {ended}"
            fetched = sum(e.received for e in after if "/objects/" in e.target)
            assert fetched <= total - here, f"{case}: {here} bytes were in the cache, {fetched} of {total} were fetched"
            # Lost are what waits to be published (two blocks), a file and a range for each of three connections.
            assert here >= arrived - (2 + 1 + 3 * 2) * 300_000, f"{case}: {arrived} bytes came, {here} were kept"
            assert picture(clone.path("data")) == picture(lab.path("data"))
        kept.append(here)
    assert len(kept) >= (25 if slow else POINTS) and max(kept) > total / 2
