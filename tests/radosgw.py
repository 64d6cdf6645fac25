"""Ceph radosgw as universities run it, made by hand: one monitor, one OSD that keeps its data in memory, one gateway.
All on 127.0.0.1, unauthenticated among themselves; about 25 seconds. From Debian's ``ceph-mon ceph-osd radosgw``."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 180
KMS_KEY = "lab-key"
_BYTES = 4 << 30  # of memory that the OSD may fill


@contextmanager
def radosgw_processes(
    folder: Path, *, port: int, programs: dict[str, str], users: dict[str, tuple[str, str]]
) -> Iterator[None]:
    """A gateway on ``port`` whose ``users`` have these keys; the monitor takes the port after it.

    ``programs`` are the paths of ``ceph ceph-mon ceph-osd monmaptool radosgw radosgw-admin``. Ends what it began.
    """
    fsid, conf = str(uuid.uuid4()), folder / "ceph.conf"
    conf.write_text(_configuration(folder, fsid, port))
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    begun: list[subprocess.Popen[bytes]] = []

    def do(program: str, *args: str, timeout: float = 120) -> str:
        done = subprocess.run(
            [programs[program], "-c", str(conf), *args], cwd=folder, capture_output=True, text=True, timeout=timeout
        )
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(args)}: {done.stderr[-1000:]}")
        return done.stdout

    def begin(program: str, *args: str) -> None:
        with (folder / f"{program}.out").open("wb") as log:
            command = [programs[program], "-c", str(conf), "-f", *args]
            begun.append(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))

    try:
        do("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{port + 1}]", "monmap")
        do("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap")
        begin("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        assert do("ceph", "osd", "new", osd).strip() == "0"
        do("ceph", "osd", "crush", "add", "osd.0", "1", "host=one", "root=default")
        do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        begin("ceph-osd", "-i", "0")
        _until_up(do)
        for name, (access_key, secret_key) in users.items():
            do("radosgw-admin", "user", "create", f"--uid={name}", f"--display-name={name}",
               f"--access-key={access_key}", f"--secret-key={secret_key}")  # fmt: skip
        begin("radosgw", "-n", "client.rgw")
        yield
    finally:
        for process in reversed(begun):
            process.kill()  # its data is in memory: nothing to say goodbye to
            process.wait()


def _until_up(do: object) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        told = json.loads(do("ceph", "osd", "stat", "--format=json"))  # type: ignore[operator]
        if told.get("num_up_osds", 0) >= 1:
            return
        time.sleep(0.3)
    raise RuntimeError("the OSD did not come up")


def _configuration(folder: Path, fsid: str, port: int) -> str:
    kms = f"{KMS_KEY}={base64.b64encode(secrets.token_bytes(32)).decode()}"
    return f"""\
[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{port + 1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
ms bind msgr2 = false
run dir = {folder}
admin socket = {folder}/$name.$pid.asok
log file = {folder}/$name.log
log to stderr = false
mon cluster log file = {folder}/cluster.log
pid file =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 2

[mon.a]
mon data = {folder}/mon

[osd.0]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {_BYTES}
osd memory target = 939524096
# What an OSD says of itself at its start it says before it knows the cluster's id, and is refused for that.
osd crush update on start = false
osd class update on start = false

[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = {kms}
rgw lc debug interval = 10
rgw thread pool size = 64
"""
