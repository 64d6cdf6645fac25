"""remote logs and logging enable, on moto."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from lobsterdv.errors import Refused
from lobsterdv.events import silent
from lobsterdv.ops import access_logs
from lobsterdv.ops.access_logs import enable_logging, logs
from lobsterdv.stores.bucket.logging import LogTarget, log_statement, log_target
from lobsterdv.stores.s3 import S3Store
from tests.ops.lab import Lab
from tests.server import Server

LINE = (
    "owner bucket [{at}] 192.0.2.3 {user} ID {operation} {key} "
    '"GET /{key} HTTP/1.1" {status} {error} {sent} 100 7 4 "-" "client" - host SigV4 C AuthHeader h TLSv1.2 - -\n'
)
NOW = 1_700_000_000.0


@pytest.fixture
def logged(lab: Lab, moto: Server) -> Lab:
    """``hot`` and ``cold`` in a bucket, and an empty bucket for its logs."""
    bucket = moto.new_bucket()
    moto.client.create_bucket(Bucket=f"{bucket}-logs")
    lab.configure(remotes={"s3": {"url": f"s3://{bucket}/lab"}}, remote="s3")
    lab.use({"s3": moto.store(bucket, "lab")})
    for number, name in enumerate(("hot", "cold")):
        lab.write(name, random.Random(number).randbytes(9000))
        lab.add(name)
    lab.push()
    lab.project.now = lambda: NOW
    return lab


def store(lab: Lab) -> S3Store:
    found = lab.project.store(lab.project.remote())
    assert isinstance(found, S3Store)
    return found


def line(
    key: str, sent: int = 9000, *, at: str = "14/Nov/2023:00:00:00 +0000", user: str = "ada", status: int = 200
) -> str:
    error = "-" if status < 400 else "AccessDenied"
    operation = "REST.GET.OBJECT"
    return LINE.format(at=at, user=user, operation=operation, key=key, status=status, error=error, sent=sent)


def object_of(lab: Lab, name: str) -> str:
    digest = lab.pointer(name).digest.hex()
    return f"lab/objects/{digest[:2]}/{digest}"


def test_enable_lets_the_log_service_write_and_keeps_other_statements(logged: Lab, moto: Server) -> None:
    bucket = store(logged).options.bucket
    mine = {"Sid": "Mine", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "*"}
    moto.client.put_bucket_policy(
        Bucket=f"{bucket}-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": mine})
    )
    report = enable_logging(logged.project, None, target=None)
    target = LogTarget(f"{bucket}-logs", f"{bucket}/")
    assert report.policy_changed and report.target == f"s3://{bucket}-logs/{bucket}/"
    assert log_target(store(logged)) == target
    policy = json.loads(moto.client.get_bucket_policy(Bucket=f"{bucket}-logs")["Policy"])
    assert policy["Statement"] == [mine, log_statement(bucket, target)]
    assert policy["Statement"][1]["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert not enable_logging(logged.project, None, target=None).policy_changed
    with pytest.raises(Refused):
        enable_logging(logged.project, None, target=f"s3://{bucket}/logs")


def test_logs_from_the_bucket(logged: Lab, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="no access logs"):
        logs(logged.project, None, days=30, observer=silent)
    monkeypatch.setattr(access_logs, "_PIECE", 700)  # a line is cut between two reads
    logs_bucket = f"{store(logged).options.bucket}-logs"
    monkeypatch.setattr(access_logs, "log_target", lambda store: LogTarget(logs_bucket, "given/"))
    hot = object_of(logged, "hot")
    text = line(hot) + line(hot, user="-") + line(hot, 0, status=403) + "what is this\n" + line("other/prefix", 7)
    text += line(object_of(logged, "cold"), at="14/Nov/2013:00:00:00 +0000")
    moto.client.put_object(Bucket=logs_bucket, Key="given/2023-11-14-00-00-00-A", Body=text.encode())
    report = logs(logged.project, None, days=30, observer=silent)
    assert [(use.name, use.requests, use.sent_bytes, use.errors) for use in report.datasets] == [("hot", 3, 18000, 1)]
    assert report.unused == ["cold"], "what was read ten years ago is not in use"
    assert {use.name for use in report.users} == {"ada", "anonymous"}
    assert [use.name for use in report.operations] == ["REST.GET.OBJECT"]
    assert [use.name for use in report.errors] == ["403 AccessDenied"]
    assert (report.lines, report.unreadable_lines, report.total.requests) == (6, 1, 3)


def test_logs_from_files_with_a_line_that_never_ends(
    logged: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_logs, "_PIECE", 1000)
    file = tmp_path / "log"
    file.write_text("x" * 300_000 + "\n" + line(object_of(logged, "hot")))
    report = logs(logged.project, None, days=30, files=[file], observer=silent)
    assert [use.name for use in report.datasets] == ["hot"]
    assert report.unreadable_lines == 1
