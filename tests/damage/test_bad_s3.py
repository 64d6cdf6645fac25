"""S3 that says no: wrong keys, no rights, no bucket, another region, nobody there. Nothing is lost or half done."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.stores.s3_client import connect
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from tests.damage.killing import Nursery, Said
from tests.ops.lab import Lab
from tests.server import Server, free_ports

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:%s","Resource":"*"}]}'


@dataclass(frozen=True)
class Guarded:
    """moto that checks keys and rights: ``owner`` may do everything, ``reader`` may read, ``nobody`` has no rights."""

    server: Server
    keys: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    port = free_ports(0)
    requests = 1 + 3 * 2 + 2  # a bucket; three users with keys; two policies
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(requests)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        server = Server("moto", f"http://127.0.0.1:{port}", "any", "any")
        await_port(port)
        server.client.create_bucket(Bucket="shared")
        iam = iam_client(server)
        keys = {}
        for name, action in (("owner", "*"), ("reader", "Get*"), ("nobody", "")):
            iam.create_user(UserName=name)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            keys[name] = key["AccessKeyId"], key["SecretAccessKey"]
            if action:
                iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=POLICY % action)
        server.client.close()
        iam.close()
        yield Guarded(server, keys)
    finally:
        process.terminate()
        process.wait()


def iam_client(server: Server) -> Any:
    import boto3

    return boto3.client(
        "iam",
        endpoint_url=server.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


def await_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    raise RuntimeError("moto did not start")


def use(lab: Lab, url: str, endpoint: str, **settings: str) -> None:
    """Make ``url`` the default remote, with few and short attempts."""
    fields = {"url": url, "endpoint_url": endpoint, "region": "us-east-1", "attempts": "1", **settings}
    lines = "".join(f'    {key}: "{value}"\n' for key, value in fields.items())
    config = lab.read(".lobsterdv.yaml").decode().split("remote:")[0]
    lab.write(".lobsterdv.yaml", f"{config}remote: r\nremotes:\n  r:\n{lines}")


def keys(lab: Lab, access: str, secret: str) -> dict[str, str]:
    return {**lab.env, "AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}


def refused(said: Said, error: str) -> Said:
    assert said.code == 4 and set(said.errors) == {error}, said
    assert "Traceback" not in said.err + said.out, said
    return said


@pytest.fixture
def stocked(lab: Lab) -> Lab:
    lab.version("d", {"x": "1", "y": "2"}, "one")
    return lab


@pytest.mark.parametrize("key", ["unknown", "wrong secret"])
def test_wrong_keys(key: str, stocked: Lab, guarded: Guarded, nursery: Nursery) -> None:
    use(stocked, "s3://shared/wrong", guarded.server.endpoint_url)
    access = "AKIAIOSFODNN7EXAMPLE" if key == "unknown" else guarded.keys["owner"][0]
    error = "UnknownAccessKey" if key == "unknown" else "BadSignature"
    for command in (["push"], ["push"]):
        said = refused(nursery.command(command, stocked.root, keys(stocked, access, "S3cr3tS3cr3t")), error)
        assert "S3cr3t" not in said.out + said.err and access not in said.out + said.err
    shutil.rmtree(stocked.project.cache.folder)
    refused(nursery.command(["pull"], stocked.root, keys(stocked, access, "S3cr3tS3cr3t")), error)
    assert stocked.read("d/x") == b"1"


def test_no_rights(stocked: Lab, guarded: Guarded, nursery: Nursery) -> None:
    """Who may only read pulls, and is refused to push; who may nothing is refused both."""
    use(stocked, "s3://shared/rights", guarded.server.endpoint_url)
    owner, reader, nobody = (keys(stocked, *guarded.keys[name]) for name in ("owner", "reader", "nobody"))
    refused(nursery.command(["push"], stocked.root, nobody), "Denied")
    assert nursery.command(["push"], stocked.root, owner).code == 0
    stocked.version("d", {"x": "3"}, "two")
    refused(nursery.command(["push"], stocked.root, reader), "Denied")
    assert nursery.command(["push"], stocked.root, owner).code == 0
    stocked.lose_cache()
    refused(nursery.command(["fetch"], stocked.root, nobody), "Denied")


def test_no_credentials_at_all(stocked: Lab, guarded: Guarded, nursery: Nursery) -> None:
    use(stocked, "s3://shared/none", guarded.server.endpoint_url)
    refused(nursery.command(["push"], stocked.root, stocked.env), "NoCredentials")


def test_no_bucket(stocked: Lab, moto: Server, nursery: Nursery) -> None:
    use(stocked, "s3://there-is-no-such-bucket/x", moto.endpoint_url)
    env = keys(stocked, moto.access_key, moto.secret_key)
    refused(nursery.command(["push"], stocked.root, env), "NoBucket")
    stocked.lose_cache()
    refused(nursery.command(["fetch"], stocked.root, env), "NoBucket")


def test_another_region(stocked: Lab, moto: Server, nursery: Nursery) -> None:
    """moto serves a bucket from anywhere, so what counts is that a wrong region does no harm there."""
    client = connect(S3Options("", endpoint_url=moto.endpoint_url, region="eu-west-1"), S3Credentials("a", "b")).client
    client.create_bucket(Bucket="in-ireland", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.close()
    use(stocked, "s3://in-ireland/x", moto.endpoint_url, region="us-east-1")
    said = nursery.command(["push"], stocked.root, keys(stocked, moto.access_key, moto.secret_key))
    assert said.code == 0 or (said.code, said.errors) == (4, ["WrongRegion"]), said


def test_a_closed_port(stocked: Lab, nursery: Nursery) -> None:
    use(stocked, "s3://shared/x", f"http://127.0.0.1:{free_ports(0)}", connect_timeout="1")
    env = keys(stocked, "a", "b")
    refused(nursery.command(["push"], stocked.root, env), "Unreachable")
    assert nursery.command(["status"], stocked.root, env).code == 0
    shutil.rmtree(stocked.project.cache.folder)
    refused(nursery.command(["pull"], stocked.root, env), "Unreachable")
    assert stocked.read("d/x") == b"1"


def test_a_port_that_speaks_something_else(stocked: Lab, nursery: Nursery, tmp_path: Path) -> None:
    """A web page where S3 should be: no success, and not an empty remote either."""
    port = free_ports(0)
    (tmp_path / "web").mkdir()
    web = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(tmp_path / "web")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_port(port)
        use(stocked, "s3://shared/x", f"http://127.0.0.1:{port}")
        for command in (["push"], ["fetch"]):
            if command == ["fetch"]:
                stocked.lose_cache()
            said = nursery.command(command, stocked.root, keys(stocked, "a", "b"))
            assert said.code in (3, 4) and "Traceback" not in said.err and "InternalError" not in said.out, said
            assert said.code == 4, said
    finally:
        web.terminate()
        web.wait()
