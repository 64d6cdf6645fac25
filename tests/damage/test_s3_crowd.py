"""Many processes push to one S3 remote at once: everybody succeeds, every record is there, everything is kept once."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.damage.counting import Counters
from tests.damage.killing import Nursery, Said
from tests.damage.oracle import check_remote, restore
from tests.damage.proxy import Exchange, Proxy, proxy_to
from tests.ops.lab import Lab
from tests.properties.trees import picture
from tests.servers import Server

ROUGH = ["500", "503", "reset before", "reset after", "truncated"]
MANY = [pytest.param(20, percent, marks=pytest.mark.faults) for percent in (0, 10)]
crowds = pytest.mark.parametrize(("people", "percent"), [(6, 0), *MANY])


@pytest.fixture
def proxy(moto: Server) -> Iterator[Proxy]:
    with proxy_to(moto.endpoint_url) as made:
        yield made


def use(lab: Lab, proxy: Proxy, bucket: str) -> None:
    config = lab.read(".lobsterdv.yaml").decode().split("remote:")[0]
    remote = (
        f'    url: "s3://{bucket}/shared"\n    endpoint_url: "{proxy.url}"\n    region: us-east-1\n    attempts: "9"\n'
    )
    lab.write(".lobsterdv.yaml", f"{config}remote: r\nremotes:\n  r:\n{remote}")
    lab.git("commit", "-qam", "remote")


def copies(lab: Lab, count: int) -> list[Path]:
    """Clones with caches, as a shared machine has them."""
    lab.project.close()
    made = [lab.root.parent / f"clone{number}" for number in range(count)]
    for path in made:
        subprocess.run(["cp", "-a", str(lab.root), str(path)], check=True)
    return made


def rough(proxy: Proxy, percent: int) -> None:
    chance = random.Random(percent)
    proxy.restart()

    def fault(number: int, exchange: Exchange) -> str:
        return chance.choice(ROUGH) if chance.random() * 100 < percent else ""

    proxy.fault = fault


def stored(server: Server, bucket: str) -> dict[str, bytes]:
    found = {}
    for page in server.client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            key = entry["Key"].removeprefix("shared/")
            found[key] = server.client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
    assert not server.client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    return found


def all_well(said: list[Said]) -> None:
    for one in said:
        assert one.code == 0 and "Traceback" not in one.err, one


@crowds
def test_the_same_content(
    people: int, percent: int, lab: Lab, moto: Server, proxy: Proxy, nursery: Nursery, counters: Counters
) -> None:
    bucket = moto.new_bucket()
    use(lab, proxy, bucket)
    lab.write("f.bin", random.Random(1).randbytes(300_000))
    lab.version("d", {str(n): f"{n}" * 99 for n in range(20)}, "one")
    lab.add("f.bin")
    lab.commit()
    roots = copies(lab, people)
    env = {**lab.env, **Server("proxied", proxy.url, moto.access_key, moto.secret_key).environment}
    rough(proxy, percent)
    with counters.trying("processes that pushed the same content at once", people):
        said = nursery.crowd([["-C", str(root), "push"] for root in roots], lab.root, env)
        all_well(said)
        remote = stored(moto, bucket)
        pointers = {name: lab.read(f"{name}.ldv.yaml") for name in ("d", "f.bin")}
        check_remote(remote, pointers)
        assert sum(key.startswith("objects/") for key in remote) == 2, sorted(remote)


@crowds
def test_different_content(
    people: int, percent: int, lab: Lab, moto: Server, proxy: Proxy, nursery: Nursery, counters: Counters
) -> None:
    """Each pushes a dataset of their own; all of them are there in the end, each with its catalog record."""
    bucket = moto.new_bucket()
    use(lab, proxy, bucket)
    env = {**lab.env, **Server("proxied", proxy.url, moto.access_key, moto.secret_key).environment}
    roots = copies(lab, people)
    for number, root in enumerate(roots):
        (root / f"own{number}").write_bytes(random.Random(number).randbytes(100_000))
    all_well(nursery.crowd([["-C", str(root), "add", f"own{n}"] for n, root in enumerate(roots)], lab.root, env))
    rough(proxy, percent)
    status = [["-C", str(root), "status"] for root in roots[:3]]
    with counters.trying("processes that pushed different content at once", people):
        said = nursery.crowd([*[["-C", str(root), "push"] for root in roots], *status], lab.root, env)
        all_well(said)
        remote = stored(moto, bucket)
        pointers = {f"own{n}": (root / f"own{n}.ldv.yaml").read_bytes() for n, root in enumerate(roots)}
        check_remote(remote, pointers)
        for number, root in enumerate(roots):
            assert restore(remote, pointers[f"own{number}"]) == picture(root / f"own{number}")
        assert sum(key.startswith("catalog/") for key in remote) == people
