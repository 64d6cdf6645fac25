"""Whatever a network or a server does to any request of a push, fetch or verification: it goes well all the same, or
ends with an error that says so; what is named is there; nothing wrong is kept; and once more finishes it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.damage import scaled
from tests.damage.counting import Counters
from tests.damage.killing import Ended, Nursery
from tests.damage.oracle import Tree, check_cache, check_remote, restore
from tests.damage.proxy import FAULTS, Exchange, Proxy, proxy_to
from tests.ops.lab import Lab
from tests.properties.trees import picture
from tests.servers import Server

IMPATIENT = "tests.damage.test_faults_s3:shrink"
VERBS = ("push", "fetch", "verify")
IN_A_ROW = 5


def shrink() -> None:
    """For children of the nursery: small sizes, and no long waits before trying again."""
    from botocore.retries import standard

    from lobsterdv.blobs import download
    from lobsterdv.stores import s3_upload

    scaled.shrink()
    download.RANGE_BYTES = 1 << 20  # type: ignore[misc]
    s3_upload.part_size_for = lambda size, *, chosen: 1 << 20
    standard.ExponentialBackoff.delay_amount = lambda self, context: 0.02


@pytest.fixture
def proxy(moto: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    from moto.s3 import models

    monkeypatch.setattr(models, "S3_UPLOAD_PART_MIN_SIZE", 1)
    with proxy_to(moto.endpoint_url) as made:
        yield made


@dataclass
class Stage:
    """A laboratory behind the proxy; every trial has a prefix, or a cache, of its own."""

    lab: Lab
    proxy: Proxy
    nursery: Nursery
    server: Server
    bucket: str
    env: dict[str, str]
    tree: Tree
    number: int = 0

    def use(self, prefix: str) -> None:
        config = self.lab.read(".lobsterdv.yaml").decode().split("remote:")[0]
        fields = {
            "url": f"s3://{self.bucket}/{prefix}", "endpoint_url": self.proxy.url, "region": "us-east-1",
            "addressing": "path", "multipart_threshold": "5MiB", "concurrency": "2", "compression": "none",
            "read_timeout": "2",
        }  # fmt: skip
        lines = "".join(f'    {key}: "{value}"\n' for key, value in fields.items())
        self.lab.write(".lobsterdv.yaml", f"{config}remote: r\nremotes:\n  r:\n{lines}")

    def run(self, verb: str, fault: Callable[[int], str] = lambda number: "") -> tuple[Ended, list[Exchange]]:
        env = dict(self.env)
        if verb == "fetch":
            env["LOBSTERDV_CACHE_DIR"] = str(self.cache)
        self.proxy.restart(fault=fault)
        if verb == "verify":
            words = ["verify", "--remote", "r", "--read-data"]
            (said,) = self.nursery.crowd([words], self.lab.root, env, prepare=IMPATIENT)
            ended = Ended(0, [f"{said.code}: {said.out} {said.err}"] if said.code else [], False)
        else:
            ended = self.nursery.run(self.lab.root, env, verb, prepare=IMPATIENT)
        self.proxy.settle()
        return ended, list(self.proxy.exchanges)

    @property
    def cache(self) -> Path:
        return self.lab.root.parent / f"cache-{self.number}"

    def held(self, prefix: str) -> dict[str, bytes]:
        found = {}
        pages = self.server.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{prefix}/")
        for row in (row for page in pages for row in page.get("Contents", [])):
            body = self.server.client.get_object(Bucket=self.bucket, Key=row["Key"])["Body"].read()
            found[row["Key"].removeprefix(f"{prefix}/")] = body
        return found

    def open_uploads(self) -> int:
        return len(self.server.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []))


@pytest.fixture
def stage(lab: Lab, moto: Server, proxy: Proxy, nursery: Nursery) -> Stage:
    """A file of several parts, text that compresses, small files."""
    server = Server("proxied", proxy.url, moto.access_key, moto.secret_key)
    lab.write("data/large", random.Random(1).randbytes(5_300_000))
    lab.write("data/middling", random.Random(2).randbytes(400_000))
    for number in range(12):
        lab.write(f"data/{number}", random.Random(number).randbytes(3000))
    lab.add("data")
    lab.commit()
    tree = picture(lab.path("data")) or {}
    return Stage(lab, proxy, nursery, moto, moto.new_bucket(), {**lab.env, **server.environment}, tree)


def prepare(stage: Stage, verb: str) -> list[Exchange]:
    """What the verb asks for when nothing goes wrong."""
    stage.use("whole")
    ended, exchanges = stage.run("push")
    assert not ended.failures, ended
    if verb != "push":
        stage.number += 1
        ended, exchanges = stage.run(verb)
        assert not ended.failures, ended
    return exchanges


def trial(stage: Stage, verb: str, fault: Callable[[int], str], case: str) -> bool:
    """One run with a fault, judged; then one without, which must go well. False when the fault found nothing that it
    could be done to."""
    stage.number += 1
    prefix = f"p{stage.number}" if verb == "push" else "whole"
    stage.use(prefix)
    ended, _ = stage.run(verb, fault)
    happened = bool(stage.proxy.faulted)
    assert not ended.killed and not any("Traceback" in text for text in ended.failures), f"{case}: {ended}"
    judge(stage, verb, prefix, case, done=not ended.failures)
    again, _ = stage.run(verb)
    assert not again.failures, f"{case}, then {again}"
    judge(stage, verb, prefix, case, done=True)
    return happened


def judge(stage: Stage, verb: str, prefix: str, case: str, *, done: bool) -> None:
    pointer = stage.lab.read("data.ldv.yaml")
    if verb == "push":
        held = stage.held(prefix)
        check_remote(held, {"data": pointer} if done else {})
        if done:
            assert restore(held, pointer) == stage.tree, case
            assert stage.open_uploads() == 0, f"{case}: a multipart upload is left open"
    if verb == "fetch" and stage.cache.exists():
        contents = check_cache(stage.cache)
        if done:
            assert {node[1] for node in stage.tree.values() if node[0] == "file"} <= set(contents.values()), case


@pytest.mark.parametrize("verb", VERBS)
def test_one_fault_here_and_there(verb: str, stage: Stage, counters: Counters) -> None:
    """Every third kind for each verb, at one of its requests; ``make test-faults`` has all of all."""
    exchanges = prepare(stage, verb)
    for number, kind in list(enumerate(FAULTS))[VERBS.index(verb) :: len(VERBS)]:
        point = 1 + number * 7 % len(exchanges)
        case = f"{kind} at request {point} of {verb}"
        if trial(stage, verb, lambda number, p=point, k=kind: k if number == p else "", case):
            counters.both("S3 faults at a request")


@pytest.mark.faults
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("verb", VERBS)
def test_one_fault_at_every_request(verb: str, kind: str, stage: Stage, counters: Counters) -> None:
    exchanges = prepare(stage, verb)
    happened = 0
    for point in range(1, len(exchanges) + 1):
        case = f"{kind} at request {point} of {verb}"
        happened += trial(stage, verb, lambda number, p=point: kind if number == p else "", case)
    counters.both(f"S3: {kind}, at every request", happened)


@pytest.mark.parametrize("verb", [pytest.param(verb, marks=pytest.mark.faults) for verb in VERBS])
def test_five_in_a_row_are_absorbed(verb: str, stage: Stage, counters: Counters) -> None:
    """A server that is too busy for a while fails nobody."""
    exchanges = prepare(stage, verb)
    for kind in ("503", "reset before"):
        middle = len(exchanges) // 2
        stage.number += 1
        stage.use(f"p{stage.number}" if verb == "push" else "whole")
        ended, _ = stage.run(verb, lambda number, m=middle, k=kind: k if m <= number < m + IN_A_ROW else "")
        assert not ended.failures, f"{kind} from request {middle} of {verb}: {ended}"
        counters.both("S3: five faults in a row, absorbed")


@pytest.mark.parametrize("verb", VERBS)
def test_credentials_that_expire(verb: str, stage: Stage, counters: Counters) -> None:
    """From one request on nothing is allowed any more: an error that says so; new credentials finish it."""
    exchanges = prepare(stage, verb)
    for point in range(1, len(exchanges) + 1, max(1, len(exchanges) // 2)):
        stage.number += 1
        prefix = f"p{stage.number}" if verb == "push" else "whole"
        stage.use(prefix)
        ended, _ = stage.run(verb, lambda number, p=point: "expired" if number >= p else "")
        assert ended.failures and not any("Traceback" in text for text in ended.failures), ended
        assert any("expired" in text.lower() or "credential" in text.lower() for text in ended.failures), ended
        judge(stage, verb, prefix, f"expired from {point}", done=False)
        assert not stage.run(verb)[0].failures
        counters.both("S3: credentials expired from a request on")
