"""bench: it measures what it says, cleans up whatever happens, and never touches what is the user's."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest

from lobsterdv import bench as face
from lobsterdv.errors import Denied
from lobsterdv.ops import bench as verbs
from lobsterdv.ops.bench import Timing
from lobsterdv.stores.s3 import S3Store
from tests.cli.conftest import Desk
from tests.servers import Server

OPERATIONS = [
    "write", "read", "list", "metadata", "read cached", "write again", "write changed", "read changed"
]  # fmt: skip
SIZE = 300_000


@pytest.fixture
def bucket(moto: Server, lab: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret_key)
    name = moto.new_bucket()
    lab.ldv("remote", "add", "lab", f"s3://{name}/x", "--endpoint-url", moto.endpoint_url, "--region", "us-east-1")
    return name


def left(server: Server, bucket: str) -> list[str]:
    found = server.client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [entry["Key"] for entry in found]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(report: dict[str, Any], size: int) -> None:
    rows = {row["operation"]: row for row in report["rows"]}
    assert list(rows) == OPERATIONS
    for operation, row in rows.items():
        assert row["remote_seconds"] > 0
        assert len(row["remote_runs"]) == report["repeats"]
        assert (row["local_seconds"] is None) == (operation == "read cached")
    assert rows["write"]["moved_bytes"] == rows["read"]["moved_bytes"] == size
    assert rows["read cached"]["moved_bytes"] == rows["write again"]["moved_bytes"] == 0
    assert 0 < rows["write changed"]["moved_bytes"] < size / 2
    assert 0 < rows["read changed"]["moved_bytes"] < size / 2
    assert rows["write"]["remote_mb_per_second"] == pytest.approx(size / rows["write"]["remote_seconds"] / 1e6, abs=0.1)
    assert rows["list"]["size"] == 0 and rows["list"]["remote_mb_per_second"] is None


def test_a_folder(shared: Desk, tmp_path: Path) -> None:
    before, status = files_of(tmp_path / "store"), shared.ldv("status").out
    report = shared.json("bench", "--size", f"{SIZE}B", "--repeat", "2")["report"]
    check(report, SIZE)
    assert (report["place"], report["generated"], report["bits_per_second"]) == ("folder", True, None)
    assert report["environment"]["cores"] >= 1 and report["environment"]["botocore"] == ""
    assert files_of(tmp_path / "store") == before, "the remote is as it was"
    assert not (tmp_path / "store/bench").exists()
    assert not (shared.here / ".git/lobsterdv/bench").exists()
    assert shared.ldv("status").out == status


def test_s3_over_a_line(moto: Server, lab: Desk, bucket: str) -> None:
    report = lab.json("bench", "--size", f"{SIZE}B", "--repeat", "1", "--bandwidth", "1Gbps", "--latency", "1ms")[
        "report"
    ]
    check(report, SIZE)
    assert (report["place"], report["bits_per_second"], report["latency_seconds"]) == ("S3", 1e9, 0.001)
    rows = {row["operation"]: row["remote_seconds"] for row in report["rows"]}
    assert rows["list"] > 0.002, "several round trips"
    assert report["environment"]["server"]
    assert left(moto, bucket) == []


def test_what_people_read(shared: Desk) -> None:
    shared.write("mine.bin", os.urandom(SIZE))
    printed = shared.ldv("bench", "mine.bin", "--repeat", "1")
    head = printed.lines[0].split()
    assert head[:5] == ["local", "MB/s", "folder", "MB/s", "folder"]
    assert [line.split("  ")[0] for line in printed.lines[1:5]] == ["Write", "Read", "List", "Metadata"]
    assert "mine.bin, 300,000 bytes, yours; second version: 3,000 bytes inserted in the middle" in printed.out
    assert "mine.bin" not in shared.ldv("list").out, "it is not a dataset for that"


def test_a_table_changes_by_a_column(shared: Desk) -> None:
    table = anndata.AnnData(np.random.default_rng(0).random((400, 200), dtype="float32"))
    table.write_h5ad(shared.here / "t.h5ad")
    report = shared.json("bench", "t.h5ad", "--repeat", "1")["report"]
    assert report["changed"] == "one more obs column"
    rows = {row["operation"]: row for row in report["rows"]}
    assert rows["write"]["size"] == (shared.here / "t.h5ad").stat().st_size
    assert 0 < rows["write changed"]["moved_bytes"] < rows["write"]["moved_bytes"] / 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(
    shared: Desk, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        assert any((tmp_path / "store/bench").rglob("objects/*/*")), "something is there by now"
        os.kill(os.getpid(), number)

    before = files_of(tmp_path / "store")
    monkeypatch.setattr(verbs, "pull", interrupted)
    printed = shared.ldv("bench", "--size", "5kB", code=128 + number)
    assert "lobsterdv: interrupted; what was written for the measurement is removed" in printed.err
    assert files_of(tmp_path / "store") == before
    assert not (shared.here / ".git/lobsterdv/bench").exists()


def test_it_needs_a_remote(lab: Desk) -> None:
    printed = lab.ldv("bench", code=1)
    assert "nothing to compare" in printed.err
    assert "fix: lobsterdv remote add lab s3://BUCKET/PREFIX" in printed.err


def test_it_asks_for_the_right_to_remove_before_it_writes(
    moto: Server, lab: Desk, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: S3Store, key: str) -> None:
        raise Denied(self.url, "s3:DeleteObject", key)

    monkeypatch.setattr(S3Store, "delete", refuse)
    printed = lab.ldv("bench", code=4)
    assert "s3:DeleteObject" in printed.err
    assert "lobsterdv remote policy lab --role admin" in printed.err
    assert left(moto, bucket) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bandwidth", "fast"], "'fast' is no bandwidth: say 100Mbps"),
        (["--latency", "30"], "'30' is no latency of a round trip: say 30ms"),
        (["--size", "much"], "--size: 'much' is not a size"),
        (["--size", "0"], "nothing to measure"),
        (["nowhere.bin"], "there is no file"),
        (["."], "is a folder"),
        (["counts.csv", "--size", "5MB"], "counts.csv has its own"),
        (["--bandwidth", "1Mbps"], "remote store is a folder"),
    ],
)
def test_what_cannot_be_measured(shared: Desk, options: list[str], said: str) -> None:
    printed = shared.ldv("bench", *options, code=2)
    assert said in printed.err
    assert "fix: lobsterdv bench --help" in printed.err


def test_a_line_needs_a_direct_connection(lab: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.ldv("remote", "add", "aws", "s3://lab-data/x", "--region", "us-east-1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert "through a proxy (HTTPS_PROXY)" in lab.ldv("bench", "--latency", "1ms", code=2).err
    monkeypatch.delenv("HTTPS_PROXY")
    lab.ldv("remote", "configure", "aws", "--private", "--set", "proxies=http://127.0.0.1:9")
    assert "through a proxy (its setting `proxies`)" in lab.ldv("bench", "--latency", "1ms", code=2).err


def test_medians() -> None:
    taken = [Timing("write", here, there, 10) for here, there in ((1.0, 9.0), (3.0, 2.0), (2.0, 4.0))]
    others = [Timing(operation, 1.0, 1.0) for operation in face._OPERATIONS if operation != "write"]
    row = face.rows(taken + others, 8_000_000)[0]
    assert (row.local_seconds, row.remote_seconds, row.moved_bytes) == (2.0, 4.0, 10)
    assert (row.local_mb_per_second, row.remote_mb_per_second) == (4.0, 2.0)
    assert not math.isnan(row.local_runs[0])
