"""Many people at once on one S3 remote, and many scripts in one project: nothing is lost, nothing is there twice.

The long form has twenty of them, on a line that loses one request in ten.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.damage.counting import Counters
from tests.damage.killing import Nursery, Said
from tests.damage.oracle import check_cache, check_remote, restore, restore_from_cache
from tests.damage.proxy import Proxy, proxy_to
from tests.ops.lab import Lab
from tests.properties.trees import picture
from tests.servers import Server

MANY = [4, pytest.param(20, marks=pytest.mark.faults)]
KINDS = ("503", "500", "reset before", "reset after", "truncated", "flipped")
LOSS = 0.1


@pytest.fixture
def proxy(moto: Server) -> Iterator[Proxy]:
    with proxy_to(moto.endpoint_url) as made:
        yield made


def connect(lab: Lab, proxy: Proxy, moto: Server) -> tuple[str, dict[str, str]]:
    """A bucket behind the proxy as the lab's remote; its name, and the environment that reaches it."""
    bucket = moto.new_bucket()
    fields = {"url": f"s3://{bucket}/x", "endpoint_url": proxy.url, "region": "us-east-1", "addressing": "path"}
    lines = "".join(f'    {key}: "{value}"\n' for key, value in fields.items())
    lab.write(".lobsterdv.yaml", f"{lab.read('.lobsterdv.yaml').decode()}remote: r\nremotes:\n  r:\n{lines}")
    lab.git("commit", "-qam", "remote")
    server = Server("proxied", proxy.url, moto.access_key, moto.secret_key)
    return bucket, {**lab.env, **server.environment, "LOBSTERDV_JOBS": "2"}


def lossy(proxy: Proxy, seed: int) -> None:
    chance = random.Random(seed)
    proxy.restart(fault=lambda number: chance.choice(KINDS) if chance.random() < LOSS else "")


def held(moto: Server, bucket: str) -> dict[str, bytes]:
    pages = moto.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [row["Key"] for page in pages for row in page.get("Contents", [])]
    return {key.removeprefix("x/"): moto.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def copies(lab: Lab, folder: Path, many: int) -> list[Path]:
    """The project so many times, cache and all."""
    found = []
    for number in range(many):
        subprocess.run(["cp", "-a", str(lab.root), str(folder / f"copy{number}")], check=True)
        found.append(folder / f"copy{number}")
    return found


def until_well(nursery: Nursery, verbs: list[list[str]], lab: Lab, env: dict[str, str]) -> list[Said]:
    """All at once; those that a bad line failed, with an error that says so, once more on a good one."""
    said = nursery.crowd(verbs, lab.root, env)
    assert not any("Traceback" in one.err or "internal error" in one.out for one in said), said
    return said


@pytest.mark.parametrize("many", MANY)
def test_pushing_the_same_content(
    many: int, lab: Lab, moto: Server, proxy: Proxy, nursery: Nursery, tmp_path: Path, counters: Counters
) -> None:
    lab.write("f.bin", random.Random(1).randbytes(300_000))
    lab.version("d", {str(n): f"{n}" * 99 for n in range(20)}, "one")
    lab.add("f.bin")
    lab.commit()
    bucket, env = connect(lab, proxy, moto)
    lab.close()
    places = copies(lab, tmp_path, many)
    verbs = [["-C", str(place), "push"] for place in places]
    lossy(proxy, many)
    until_well(nursery, verbs, lab, env)
    proxy.restart()
    said = nursery.crowd(verbs, lab.root, env)
    assert [one.code for one in said] == [0] * many, said
    remote = held(moto, bucket)
    check_remote(remote, {name: lab.read(f"{name}.ldv.yaml") for name in ("d", "f.bin")})
    for name in ("d", "f.bin"):
        assert restore(remote, lab.read(f"{name}.ldv.yaml")) == picture(lab.path(name))
    contents = [data for key, data in remote.items() if key.startswith("objects/")]
    assert sum(data.count(picture(lab.path("f.bin"))[""][1]) for data in contents) == 1  # type: ignore[index]
    assert not moto.client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    counters.both("processes that pushed the same content at once", many)


@pytest.mark.parametrize("many", MANY)
def test_pushing_different_content(
    many: int, lab: Lab, moto: Server, proxy: Proxy, nursery: Nursery, tmp_path: Path, counters: Counters
) -> None:
    """Each has a record in the catalog in the end, and each can be restored."""
    bucket, env = connect(lab, proxy, moto)
    lab.close()
    pointers = {}
    for number, place in enumerate(copies(lab, tmp_path, many)):
        own = Lab(place, lab.env, lab.project).reopen()
        own.write(f"own{number}.bin", random.Random(number).randbytes(50_000))
        own.add(f"own{number}.bin")
        own.commit()
        own.close()
        pointers[f"own{number}.bin"] = own.read(f"own{number}.bin.ldv.yaml")
    verbs = [["-C", str(tmp_path / f"copy{n}"), "push"] for n in range(many)]
    lossy(proxy, many)
    until_well(nursery, verbs, lab, env)
    proxy.restart()
    assert {one.code for one in nursery.crowd(verbs, lab.root, env)} == {0}
    remote = held(moto, bucket)
    check_remote(remote, pointers)
    named = b"".join(data for key, data in remote.items() if key.startswith("catalog/"))
    assert all(f"path: {name}\n".encode() in named for name in pointers)
    for name, pointer in pointers.items():
        assert restore(remote, pointer)[""][1] == (tmp_path / f"copy{name[3:-4]}" / name).read_bytes()
    counters.both("processes that pushed different content at once", many)


@pytest.mark.parametrize("many", [4, pytest.param(10, marks=pytest.mark.faults)])
def test_adding_beside_readers(many: int, lab: Lab, nursery: Nursery, counters: Counters) -> None:
    """Scripts that add, each its own, while others look and resolve: nobody fails, and nobody waits for long."""
    lab.write("old", "old")
    lab.add("old")
    lab.commit()
    for number in range(many):
        lab.write(f"d{number}/own", f"{number}" * 100_000)
        lab.write(f"d{number}/same", "same")
    adding = [["add", f"d{number}"] for number in range(many)]
    reading = [["status", "old"], ["path", "old"], ["list"], ["log", "old"], ["lineage", "old"]] * (many // 4)
    said = nursery.crowd([*adding, *reading], lab.root, lab.env)
    assert [one.code for one in said] == [0] * len(said), said
    slowest = sorted(one.seconds for one in said)[-1]
    assert slowest < 30, f"somebody waited {slowest:.1f} s"
    for number in range(many):
        kept = restore_from_cache(lab.project.cache.folder, lab.read(f"d{number}.ldv.yaml"))
        assert kept == picture(lab.path(f"d{number}"))
    check_cache(lab.project.cache.folder)
    assert {f"d{number}.ldv.yaml" for number in range(many)} <= set(lab.staged())
    counters.both("processes that added to one project at once", many)
