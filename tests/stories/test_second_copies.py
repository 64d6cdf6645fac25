"""A lab's second copy, and who reads the first, as they are typed: on moto, in this process. If these fail, a lab
believes in a copy that is none, or learns from its provider who reads its data."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.cli.conftest import Desk, desk, lab
from tests.server import Server
from tests.stories.amazon import Log, copy_by_rule, keys, logging

__all__ = ["desk", "lab"]
ROLE = "arn:aws:iam::123456789012:role/copies"
ADA, BOB = (f"arn:aws:iam::123456789012:user/{name}" for name in ("ada", "bob"))


@pytest.fixture
def buckets(moto: Server, lab: Desk, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The buckets of the remotes ``lab``, which has a dataset of two versions, and ``backup``, in which nothing is."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    one, other = moto.new_bucket(), moto.new_bucket()
    lab.ldv("remote", "add", "lab", f"s3://{one}/atlas")
    lab.ldv("remote", "add", "backup", f"s3://{other}/atlas")
    for message in ("first", "second"):
        lab.write("counts.bin", os.urandom(50_000))
        lab.ldv("add", "counts.bin", "-m", message)
        lab.commit(message)
    lab.ldv("push")
    return one, other


def report(desk: Desk, *args: str, code: int = 0) -> Any:
    return desk.json(*args, code=code)["report"]


def fresh_clone(desk: Desk, name: str) -> None:
    """Whoever clones it has pointers and no content."""
    desk.git("clone", "-q", str(desk.here), str(desk.here.parent / name))
    desk.cd(desk.here.parent / name)


def test_a_lab_loses_its_bucket_and_goes_on(lab: Desk, moto: Server, buckets: tuple[str, str]) -> None:
    one, other = buckets
    planned = report(lab, "remote", "sync", "lab", "backup", "--dry-run")
    assert planned["dry_run"] and len(planned["versions"]) == 2 and not keys(moto, other)
    done = report(lab, "remote", "sync", "lab", "backup")
    assert (done["sent_bytes"], done["copied_bytes"]) == (0, planned["copied_bytes"]), "the server copied it itself"
    assert done["copied_bytes"] == 100_000
    again = lab.ldv("remote", "sync", "lab", "backup")
    assert "2 versions there already" in again.out and "lacks nothing of lab" in again.out
    fresh_clone(lab, "bob")
    for key in keys(moto, one):
        moto.client.delete_object(Bucket=one, Key=key)
    pulled = lab.ldv("pull")
    assert "backup" in pulled.out + pulled.err, "it is told from where"
    assert (lab.here / "counts.bin").read_bytes() == (lab.here.parent / "lab/counts.bin").read_bytes()
    lab.ldv("verify", "--remote", "backup", "--read-data")
    back = report(lab, "remote", "sync", "backup", "lab")
    assert len(back["versions"]) == 2 and keys(moto, one) == keys(moto, other)


def test_a_damaged_original_is_named_and_the_rest_goes_on(lab: Desk, moto: Server, buckets: tuple[str, str]) -> None:
    one, _ = buckets
    lost = sorted(key for key in keys(moto, one) if "/objects/" in key)[0]
    moto.client.delete_object(Bucket=one, Key=lost)
    printed = lab.json("remote", "sync", "lab", "backup", code=3)
    assert [error["type"] for error in printed["errors"]] == ["MissingContent"]
    assert len(printed["report"]["versions"]) == 1
    assert "fix: " in lab.ldv("remote", "sync", "lab", "backup", code=3).err


def test_S3_copies_by_itself_what_is_pushed_from_then_on(lab: Desk, moto: Server, buckets: tuple[str, str]) -> None:
    one, other = buckets
    to = ("--to", f"s3://{other}")
    told = lab.ldv("remote", "replicate", "lab", *to)
    assert "sts:AssumeRole" in told.out and f"arn:aws:s3:::{other}/atlas/*" in told.out
    assert "Nothing was changed" in told.out + told.err
    dry = lab.ldv("remote", "replicate", "lab", *to, "--role", ROLE, "--dry-run")
    assert dry.out.count("would set") == 3
    assert "Status" not in moto.client.get_bucket_versioning(Bucket=one)
    before = keys(moto, one)
    done = lab.ldv("remote", "replicate", "lab", *to, "--role", ROLE)
    assert done.out.count("set ") == 3 and "--verify" in done.out + done.err
    lacks = lab.ldv("remote", "replicate", "lab", *to, "--verify", code=3)
    assert "(missing)" in lacks.out and f"lacks {len(before)} of {len(before)} keys" in lacks.out
    lab.ldv("remote", "sync", "lab", "backup")
    assert "lacks 0 of" in lab.ldv("remote", "replicate", "lab", *to, "--verify").out
    lab.write("counts.bin", os.urandom(50_000))
    lab.ldv("add", "counts.bin", "-m", "third")
    lab.commit("third")
    lab.ldv("push", "--remote", "lab")
    late = report(lab, "remote", "replicate", "lab", *to, "--verify", code=3)
    assert late["lack"] == 3, "an object, a manifest and a record, which S3 has not copied yet"
    assert len(copy_by_rule(moto, one, since=before)) == 3
    assert "lacks 0 of" in lab.ldv("remote", "replicate", "lab", *to, "--verify").out
    fresh_clone(lab, "bob")
    lab.ldv("pull", "--remote", "backup")
    victim = next(key for key in sorted(keys(moto, other)) if "/objects/" in key)
    size = moto.client.head_object(Bucket=other, Key=victim)["ContentLength"]
    moto.client.put_object(Bucket=other, Key=victim, Body=bytes(size))
    (row,) = report(lab, "remote", "replicate", "lab", *to, "--verify", code=3)["lacking"]
    assert (f"atlas/{row['key']}", row["why"]) == (victim, "different etag")


def test_who_reads_what(lab: Desk, moto: Server, buckets: tuple[str, str]) -> None:
    one, _ = buckets
    silent = lab.ldv("remote", "logs", "lab", code=1)
    assert "writes no access logs" in silent.err and "lobsterdv remote logging enable lab" in silent.err
    missing = lab.json("remote", "logging", "enable", "lab", "--target", "s3://there-is-no-such-bucket/lab", code=4)
    assert missing["errors"][0]["type"] == "NoBucket"
    moto.client.create_bucket(Bucket=f"{one}-logs")
    enabled = lab.ldv("remote", "logging", "enable", "lab")
    assert f"s3://{one}-logs/{one}/" in enabled.out and "its policy now lets logging.s3.amazonaws.com" in enabled.out
    assert "already let" in lab.ldv("remote", "logging", "enable", "lab").out
    lab.write("cold.bin", os.urandom(9_000))
    lab.ldv("add", "cold.bin")
    lab.commit("cold")
    lab.ldv("push")
    log = Log(one, BOB)
    fresh_clone(lab, "bob")
    with logging(log):
        lab.ldv("pull", "counts.bin")
        lab.ldv("list", "--remote", "lab")
        log.user = ADA
        lab.ldv("push", "--check")
    log.lines.append("this is no line of a log\n")
    reads = sum("REST.GET.OBJECT" in line and "/objects/" in line for line in log.lines)
    assert reads >= 1
    text = log.deliver(moto)
    found = report(lab, "remote", "logs", "lab", "--since", "2d")
    rows = {row["name"]: row for row in found["datasets"]}
    assert rows["counts.bin"]["sent_bytes"] > 50_000 and rows["counts.bin"]["reads"] >= reads
    assert {row["name"] for row in found["users"]} >= {ADA, BOB}
    assert {row["name"] for row in found["operations"]} >= {"REST.GET.OBJECT", "REST.HEAD.OBJECT"}
    assert found["unreadable_lines"] >= 1
    shown = lab.ldv("remote", "logs", "lab")
    assert "Datasets, most read first:" in shown.out and "could not be read" in shown.out
    lab.write("log", text)
    from_file = report(lab, "remote", "logs", "lab", "--file", "log")
    assert from_file["datasets"][0]["name"] == "counts.bin"
    lab.write("empty", "")
    nothing = lab.ldv("remote", "logs", "lab", "--file", "empty")
    assert "Not read since" in nothing.out and "cold.bin" in nothing.out and "counts.bin" in nothing.out
    for since in ("30", "d", "1y", "-1d"):
        assert "no span such as" in lab.ldv("remote", "logs", f"--since={since}", code=2).err
    assert lab.json("remote", "logs", "lab", "--file", "none.log", code=1)["errors"][0]["type"] == "LocalIOError"


def test_what_cannot_be_a_second_copy_or_a_log_is_refused_with_what_helps(
    lab: Desk, moto: Server, buckets: tuple[str, str]
) -> None:
    one, other = buckets
    lab.ldv("remote", "add", "disk", str(lab.here.parent / "disk"))
    lab.ldv("remote", "add", "twin", f"s3://{one}/atlas")
    refused = {
        ("remote", "sync", "lab", "twin"): 1,
        ("remote", "sync", "lab", "nobody"): 1,
        ("remote", "replicate", "lab", "--to", f"s3://{one}"): 1,
        ("remote", "replicate", "lab", "--to", f"s3://{other}/below"): 1,
        ("remote", "replicate", "disk", "--to", f"s3://{other}"): 4,
        ("remote", "logging", "enable", "lab", "--target", f"s3://{one}/logs"): 1,
        ("remote", "logging", "enable", "disk"): 4,
        ("remote", "logs", "disk", "--since", "1d"): 4,
    }
    codes = {}
    for words in refused:
        printed = lab.ldv(*words, code=None)
        assert "fix: " in printed.err, (words, printed.err)
        codes[words] = printed.code
    assert codes == refused
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    moto.client.put_bucket_encryption(Bucket=one, ServerSideEncryptionConfiguration={"Rules": [rule]})
    kms = lab.ldv("remote", "replicate", "lab", "--to", f"s3://{other}", "--role", ROLE, code=1)
    assert "lobsterdv remote sync lab" in kms.err
