"""An S3 server that tests run against, and how each kind of it is started and ended."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_client import connect
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from tests.radosgw import radosgw_processes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

START_TIMEOUT_S = 60
NPM_BIN = Path(__file__).parent.parent / ".servers" / "node_modules" / ".bin"
CEPH = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
PROGRAMS = {"seaweedfs": ("weed",), "rclone": ("rclone",), "s3rver": ("s3rver",), "radosgw": CEPH}
"""What each server that is a process of its own needs."""


@dataclass(frozen=True)
class Server:
    """A running S3 server."""

    name: str
    endpoint_url: str
    access_key: str
    secret_key: str
    guest: S3Credentials | None = None
    """Of somebody who may do nothing but what a bucket's policy allows to ``guest_arn``, where the server has such."""
    guest_arn: str = "arn:aws:iam::000000000000:user/guest"

    @property
    def credentials(self) -> S3Credentials:
        return S3Credentials(self.access_key, self.secret_key)

    def options(self, bucket: str, prefix: str = "") -> S3Options:
        return S3Options(bucket, prefix, self.endpoint_url, region="us-east-1")

    @cached_property
    def client(self) -> S3Client:
        """One client for all tests: to make one costs 50 ms, and its first request 100 ms."""
        return connect(self.options(""), self.credentials).client

    def new_bucket(self) -> str:
        """The name of a fresh, empty bucket."""
        name = f"test-{secrets.token_hex(8)}"
        self.client.create_bucket(Bucket=name)
        return name

    def store(self, bucket: str, prefix: str = "", *, part_size: int = 10 << 20) -> S3Store:
        """A store in ``bucket`` that uses ``client``; nothing of it needs to be closed."""
        return S3Store(replace(self.options(bucket, prefix), part_size=part_size), client=self.client)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this server and no one's real account."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def moto_server() -> Iterator[Server]:
    """moto in a thread of this process, on a free port, with nothing in it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        made = Server("moto", f"http://{host}:{port}", "testing", "testing-secret")
        yield made
        made.client.close()
    finally:
        server.stop()


@contextmanager
def seaweedfs_server(folder: Path) -> Iterator[Server]:
    """One ``weed server`` process with its data in ``folder``."""
    weed = program("weed")
    port = free_ports(0, 1, 2, 3, 10, 11, 12, 13)
    access, secret = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    identity = {
        "name": "test",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    guest = S3Credentials(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20))
    other = {
        "name": "guest",
        "credentials": [{"accessKey": guest.access_key, "secretKey": guest.secret_key}],
        "actions": [],
    }
    kms = {"default_provider": "local", "providers": {"local": {"type": "local", "enableOnDemandCreate": True}}}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity, other], "kms": kms}))
    (folder / "volumes").mkdir()
    command = [weed, "-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=volumes"]
    command += [f"-master.port={port + 1}", f"-master.port.grpc={port + 11}", "-master.telemetry=false"]
    command += ["-master.volumeSizeLimitMB=1024", f"-volume.port={port + 2}", f"-volume.port.grpc={port + 12}"]
    command += ["-volume.max=5000", "-filer", f"-filer.port={port + 3}", f"-filer.port.grpc={port + 13}"]
    command += ["-s3", f"-s3.port={port}", f"-s3.port.grpc={port + 10}", "-s3.config=s3.json"]
    # Not in our range and on fixed ports otherwise, which a second server on this machine would need too.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"]
    settings = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1", "WEED_S3_SSE_KEY": "any"}
    server = Server("seaweedfs", f"http://127.0.0.1:{port}", access, secret, guest)
    with running(command, folder, server, environment=settings):
        yield server


@contextmanager
def rclone_server(folder: Path) -> Iterator[Server]:
    """``rclone serve s3`` over ``folder``; a subfolder is a bucket."""
    port = free_ports(0)
    (folder / "data").mkdir()
    server = Server("rclone", f"http://127.0.0.1:{port}", "testkey", secrets.token_hex(20))
    keys = f"{server.access_key},{server.secret_key}"
    command = [program("rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys, "data"]
    with running(command, folder, server, environment={"RCLONE_CONFIG": os.devnull}):
        yield server


@contextmanager
def s3rver_server(folder: Path) -> Iterator[Server]:
    """s3rver, where npm installed it. Its keys are fixed."""
    port = free_ports(0)
    server = Server("s3rver", f"http://127.0.0.1:{port}", "S3RVER", "S3RVER")
    command = [program("s3rver"), "-d", str(folder), "-a", "127.0.0.1", "-p", str(port), "--no-vhost-buckets", "-s"]
    with running(command, folder, server):
        yield server


@contextmanager
def radosgw_server(folder: Path) -> Iterator[Server]:
    """Ceph's gateway over a cluster of this test's own, in memory."""
    port = free_ports(0, 1)
    owner, guest = (S3Credentials(secrets.token_hex(10).upper(), secrets.token_hex(20)) for _ in range(2))
    url, arn = f"http://127.0.0.1:{port}", "arn:aws:iam:::user/guest"
    server = Server("radosgw", url, owner.access_key, owner.secret_key, guest, arn)
    users = {"test": (owner.access_key, owner.secret_key), "guest": (guest.access_key, guest.secret_key)}
    programs = {name: program(name) for name in CEPH}
    with radosgw_processes(folder, port=port, programs=programs, users=users):
        wait_until_ready(None, server, folder / "radosgw.out")
        yield server
        server.client.close()


@contextmanager
def running(
    command: list[str], folder: Path, server: Server, *, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Start ``command`` in ``folder``, wait until the server takes a bucket, and end it by its id."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
        )
    try:
        wait_until_ready(process, server, folder / "server.log")
        yield
        server.client.close()
    finally:
        process.terminate()
        try:
            process.wait(timeout=2)  # SeaweedFS takes over 10 s to say goodbye
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(process: subprocess.Popen[bytes] | None, server: Server, log: Path) -> None:
    """Until a value written can be read back. Raises RuntimeError with the end of the log."""
    deadline = time.monotonic() + START_TIMEOUT_S
    problem = ""
    options = replace(server.options(""), attempts=1, connect_timeout=1, read_timeout=5)
    client = connect(options, server.credentials).client
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        bucket = f"ready-{secrets.token_hex(8)}"
        try:
            client.create_bucket(Bucket=bucket)
            client.put_object(Bucket=bucket, Key="ready", Body=b"yes")
            if client.get_object(Bucket=bucket, Key="ready")["Body"].read() == b"yes":
                client.close()
                return
        except Exception as error:
            problem = str(error)
        time.sleep(0.2)
    tail = log.read_text(errors="replace")[-1000:]
    raise RuntimeError(f"{server.name} did not start: {problem}\n{tail}")


def program(name: str) -> str:
    """The path of a server's binary. Raises RuntimeError where it is not installed."""
    found = find_program(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed: make servers")
    return found


def find_program(name: str) -> str | None:
    """Beside python, where npm put it for ``make servers``, or on the PATH."""
    for beside in (Path(sys.executable).parent / name, NPM_BIN / name):
        if beside.exists():
            return str(beside)
    return shutil.which(name)


def free_ports(*offsets: int) -> int:
    """A port P below the ephemeral range such that P + each offset is free now."""
    while True:
        port = random.randrange(12_000, 30_000)
        try:
            for offset in offsets:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port
