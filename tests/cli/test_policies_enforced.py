"""The printed policies at servers that enforce them (SeaweedFS, Ceph): too little, and a colleague cannot work; each
permission that lacks must be told by its name. moto enforces none."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lobsterdv.stores.bucket.permissions import permissions
from tests.cli.conftest import Desk
from tests.server import Server

pytestmark = pytest.mark.s3

LARGE = bytes(range(256)) * (6 << 12)  # 6 MiB: two parts of 5 MiB at most
Become = Callable[[str], None]
SERVERS = {"seaweedfs": "/atlas", "radosgw": ""}
"""And where in its bucket a remote is: below a prefix Ceph 16 answers 403, not 404, for what is missing."""
READER = [p.action for p in permissions("reader")]
WRITER = {
    # It counts ListParts and AbortMultipartUpload to PutObject.
    "seaweedfs": ["s3:PutObject", "s3:ListBucketMultipartUploads"],
    # It lets whoever began an upload list its parts.
    "radosgw": ["s3:PutObject", "s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload"],
}
"""What is taken away in turn. Neither server has archives that could be restored: tests/stores/bucket/test_denied.py
takes that away on moto."""


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bucket(server: Server) -> str:
    return server.new_bucket()


@pytest.fixture
def become(server: Server, lab: Desk, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Become]:
    """Be the owner, or somebody whom only the bucket's policy allows anything. The owner has pushed a dataset."""
    assert server.guest is not None
    keys = {"owner": server.credentials, "guest": server.guest}

    def be(who: str) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[who].access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[who].secret_key)

    be("owner")
    at = ("--endpoint-url", server.endpoint_url, "--region", "us-east-1")
    lab.ldv("remote", "add", "lab", f"s3://{bucket}{SERVERS[server.name]}", *at)
    config = lab.here / ".lobsterdv.yaml"
    more = "    multipart_threshold: 5MiB\n    part_size: 5MiB\n    attempts: 2\n"
    config.write_text(re.sub(r"(    url: .*\n)", rf"\1{more}", config.read_text()))
    lab.write("counts.csv", "1,2\n" * 1000)
    lab.write("raw/a.txt", "a")
    lab.ldv("add", "counts.csv", "raw")
    lab.commit("data")
    lab.ldv("push")
    yield be
    server.client.delete_bucket_policy(Bucket=bucket)


def allow(server: Server, desk: Desk, bucket: str, role: str, *, without: str = "", at: str = "lab") -> None:
    """Put the policy of a remote as it is printed, or with one action less."""
    printed = desk.ldv(
        "-q", "remote", "policy", at, "--role", role, "--format", "bucket", "--principal", server.guest_arn
    )
    policy: Any = json.loads(printed.out)
    for statement in policy["Statement"]:
        statement["Action"] = [action for action in statement["Action"] if action != without]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    assert without == "" or without not in json.dumps(policy)
    server.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def forget_all(desk: Desk) -> None:
    """Nothing is here but pointers, as in a fresh clone."""
    shutil.rmtree(desk.here / ".git/lobsterdv/cache")
    for path in [*(desk.here / ".git/lobsterdv").glob("index.db*"), desk.here / "counts.csv", desk.here / "raw/a.txt"]:
        path.unlink(missing_ok=True)


def test_readers_read(lab: Desk, server: Server, bucket: str, become: Become) -> None:
    allow(server, lab, bucket, "reader")
    become("guest")
    forget_all(lab)
    lab.ldv("pull")
    assert (lab.here / "counts.csv").read_text() == "1,2\n" * 1000
    lab.ldv("path", "counts.csv")
    lab.ldv("list", "--remote", "lab")
    lab.ldv("stats")
    lab.ldv("push", "--check")
    lab.ldv("verify", "--remote", "lab", "--read-data")
    lab.write("more.csv", "3,4\n")
    lab.ldv("add", "more.csv")
    (error,) = lab.json("push", "more.csv", code=4)["errors"]
    assert (error["type"], error["facts"]["action"]) == ("Denied", "s3:PutObject")
    assert "lobsterdv remote policy lab --role writer" in lab.ldv("push", "more.csv", code=4).err
    found = {f["name"]: f for f in lab.json("remote", "doctor")["report"]["findings"]}
    assert found["write"]["state"] == "warning" and found["versioning"]["state"] == "unknown"


def test_writers_write_and_delete_nothing(lab: Desk, server: Server, bucket: str, become: Become) -> None:
    allow(server, lab, bucket, "writer")
    become("guest")
    lab.write("counts.csv", "1,2\n" * 999 + "1,3\n")
    lab.write("large.bin", LARGE)
    lab.ldv("add", "counts.csv", "large.bin")
    lab.commit("more")
    lab.ldv("push", "--plain", "large.bin")
    lab.ldv("push")
    forget_all(lab)
    lab.ldv("pull")
    lab.ldv("verify", "--remote", "lab", "--read-data")
    found = {f["name"]: f for f in lab.json("remote", "doctor")["report"]["findings"]}
    for name in ("write", "read", "ranged reads", "multipart"):
        assert found[name]["state"] == "ok", found[name]
    assert "denied, as it should be" in found["delete"]["detail"]


def test_elsewhere_in_the_bucket_is_nothing_of_theirs(lab: Desk, server: Server, bucket: str, become: Become) -> None:
    server.client.put_object(Bucket=bucket, Key="patients/list.csv", Body=b"x")
    allow(server, lab, bucket, "writer", at=f"s3://{bucket}/atlas")
    become("guest")
    url = f"s3://{bucket}/patients"
    lab.ldv("remote", "add", "other", url, "--endpoint-url", server.endpoint_url, "--region", "us-east-1")
    for command in (("list", "--remote", "other"), ("push", "--remote", "other")):
        assert {error["type"] for error in lab.json(*command, code=4)["errors"]} == {"Denied"}


@pytest.mark.parametrize("action", READER)
def test_each_permission_of_a_reader_that_lacks_is_named(
    lab: Desk, server: Server, bucket: str, become: Become, action: str
) -> None:
    allow(server, lab, bucket, "reader", without=action)
    become("guest")
    forget_all(lab)
    errors = lab.json("pull", code=4)["errors"]
    assert {(error["type"], error["facts"]["action"]) for error in errors} == {("Denied", action)}


@pytest.mark.parametrize(
    ("server", "action"), [(name, action) for name in SERVERS for action in WRITER[name]], indirect=["server"]
)
def test_each_permission_of_a_writer_that_lacks_is_named(
    lab: Desk, server: Server, bucket: str, become: Become, action: str
) -> None:
    allow(server, lab, bucket, "writer", without=action)
    become("guest")
    lab.write("large.bin", LARGE)
    lab.ldv("add", "large.bin")
    needs = action == "s3:PutObject"  # the other is about resuming: a push does without, and the doctor tells
    errors = lab.json("push", "--plain", "large.bin", code=4 if needs else 0)["errors"]
    assert [error["facts"]["action"] for error in errors] == ([action] if needs else [])
    found = lab.json("remote", "doctor", code=0 if needs else 1)["report"]["findings"]
    told = [finding for finding in found if action in finding["detail"]]
    assert told and "--role writer" in told[0]["fix"], told
