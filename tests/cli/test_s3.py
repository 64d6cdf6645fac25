"""Sharing through S3 from the command line: what goes wrong there must say what to type, and what goes right, work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.server import Server


@pytest.fixture
def bucket(moto: Server, lab: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh bucket, credentials for it, and one dataset to share."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret_key)
    lab.write("counts.csv", "1,2\n" * 5000)
    lab.ldv("add", "counts.csv")
    return moto.new_bucket()


def remote(desk: Desk, server: Server, url: str) -> None:
    desk.ldv("remote", "add", "lab", url, "--endpoint-url", server.endpoint_url, "--region", "us-east-1")
    desk.commit("data and remote")


def test_push_clone_pull(lab: Desk, moto: Server, bucket: str, tmp_path: Path) -> None:
    remote(lab, moto, f"s3://{bucket}/lab")
    printed = lab.ldv("push")
    assert f"To lab (s3://{bucket}/lab): " in printed.out
    assert "Next: git push" in printed.out
    assert len(lab.json("list", f"s3://{bucket}/lab")["report"]["catalog"]) == 1
    lab.git("clone", "-q", str(lab.here), str(tmp_path / "clone"))
    lab.cd(tmp_path / "clone")
    lab.ldv("pull")  # the endpoint is of this machine, so it needs no trust
    assert (lab.here / "counts.csv").read_text() == "1,2\n" * 5000


def test_url(lab: Desk, moto: Server, bucket: str) -> None:
    remote(lab, moto, f"s3://{bucket}/lab/")
    lab.ldv("push", "--plain")
    digest = lab.json("list")["report"]["datasets"][0]["digest"].removeprefix("blake3:")
    assert lab.ldv("url", "counts.csv").out == f"s3://{bucket}/lab/objects/{digest[:2]}/{digest}\n"


def test_add_to_remote(lab: Desk, moto: Server, bucket: str) -> None:
    remote(lab, moto, f"s3://{bucket}/lab")
    config = lab.here / ".lobsterdv.yaml"
    config.write_text(
        config.read_text().replace("region:", "multipart_threshold: 5MiB\n    part_size: 5MiB\n    region:")
    )
    files = {"parts.bin": os.urandom(11 << 20), "one.bin": os.urandom(300_000), "d/x": b"x" * 5000}
    for name, data in files.items():
        lab.write(name, data)
    lab.ldv("add", "--to-remote", "parts.bin", "one.bin", "d")
    kept = [p for p in (lab.here / ".git/lobsterdv/cache/files").rglob("*") if p.is_file()]
    assert len(kept) == 1, "counts.csv, which was added as usual"
    for name, data in files.items():
        (lab.here / name).unlink()
        lab.ldv("pull", name)
        assert (lab.here / name).read_bytes() == data


def test_a_bucket_that_is_not_there(lab: Desk, moto: Server, bucket: str) -> None:
    remote(lab, moto, "s3://no-such-bucket-here/lab")
    printed = lab.ldv("push", code=4)
    assert (
        f"fix: lobsterdv remote create s3://no-such-bucket-here/lab --endpoint-url {moto.endpoint_url}" in printed.err
    )
    assert lab.json("push", code=4)["errors"][0]["type"] == "NoBucket"


def test_without_credentials(lab: Desk, moto: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remote(lab, moto, f"s3://{bucket}/lab")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    printed = lab.ldv("push", code=4)
    assert "fix: aws configure" in printed.err
    assert "or: export AWS_PROFILE=NAME" in printed.err


def test_a_server_that_does_not_answer(lab: Desk, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.ldv("remote", "add", "lab", f"s3://{bucket}/lab", "--endpoint-url", "http://127.0.0.1:9", "--region", "x")
    config = lab.here / ".lobsterdv.yaml"
    config.write_text(config.read_text().replace("region: x", "region: x\n    attempts: 1\n    connect_timeout: 1"))
    printed = lab.ldv("push", code=4)
    assert "cannot be reached" in printed.err
    assert "fix: lobsterdv doctor" in printed.err
    doctor = lab.json("doctor", code=1)["report"]["findings"]
    assert {row["state"] for row in doctor if row["name"] == "remote lab"} == {"failed"}


def test_the_error_of_one_remote_names_that_remote(lab: Desk, moto: Server, bucket: str) -> None:
    remote(lab, moto, f"s3://{bucket}/lab")
    printed = lab.ldv("list", "--remote", "lab", code=4)
    assert "nothing was pushed there yet" in printed.err
    assert "fix: lobsterdv push --remote lab" in printed.err


def test_settings_are_shown_and_changed(lab: Desk) -> None:
    lab.ldv("remote", "add", "lab", "s3://lab-data/x")
    printed = lab.ldv("remote", "configure", "lab", "--set", "region=eu-west-1", "--set", "requester_pays=yes")
    assert "lab: requester_pays is true now (tracked)" in printed.out
    assert "Next: git commit -m 'Configure remote lab'" in printed.out
    lab.ldv("remote", "configure", "lab", "--private", "--set", "max_bandwidth=2MB/s")
    shown = [line.split()[:3] for line in lab.ldv("remote", "configure", "lab").lines]
    assert shown == [
        ["url", "s3://lab-data/x", "tracked"],
        ["region", "eu-west-1", "tracked"],
        ["requester_pays", "true", "tracked"],
        ["max_bandwidth", "2000000", "private"],
    ]
    assert len(lab.ldv("remote", "configure", "lab", "-v").lines) > 30, "with the defaults too"
    rows = lab.json("remote", "configure", "lab", "--unset", "region")["report"]["settings"]
    assert [(row["key"], row["value"], row["said"]) for row in rows] == [("region", None, "default")]


def test_a_setting_without_a_value_and_one_that_is_private(lab: Desk) -> None:
    lab.ldv("remote", "add", "lab", "s3://lab-data/x")
    assert "--unset region" in lab.ldv("remote", "configure", "lab", "--set", "region", code=2).err
    printed = lab.ldv("remote", "configure", "lab", "--set", "mfa_serial=x", code=1)
    assert "fix: lobsterdv remote configure lab --set mfa_serial=x --private" in printed.err


def test_a_slow_push_says_what_may_help(lab: Desk, moto: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remote(lab, moto, f"s3://{bucket}/lab")
    monkeypatch.setattr("lobsterdv.cli.slow.ENOUGH", 1000)
    monkeypatch.setattr("lobsterdv.cli.session.Session.seconds", property(lambda session: 3600.0))
    lab.write("noise.bin", os.urandom(50_000))
    lab.ldv("add", "noise.bin")
    printed = lab.ldv("push")
    assert "/s is slow. What may help:" in printed.out
    assert "  lobsterdv remote configure lab --private --set concurrency=32" in printed.out
    assert "accelerate" not in printed.out, "which is AWS's"
    lab.ldv("remote", "configure", "lab", "--private", "--set", "max_bandwidth=1GB")
    lab.write("more.bin", os.urandom(50_000))
    lab.ldv("add", "more.bin")
    assert "is slow" not in lab.ldv("push").out, "it was asked to be"
