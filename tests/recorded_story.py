"""The story that ``recorder`` records: every command of the program, typed once or more by a lab with a bucket."""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto import mock_aws

from lobsterdv.cli.main import run
from lobsterdv.digest import digest_of
from lobsterdv.ops.gc_remote import collect_remote
from tests.server import Server

if TYPE_CHECKING:
    from tests.recorder import Recorder

PREFIX = "lab"
MIB = 1 << 20
ROLE = "arn:aws:iam::123456789012:role/copies"


@dataclass
class Typist:
    """Types commands in a folder, in this process, and records those that have a label."""

    recorder: Recorder
    folder: Path

    def ldv(self, *args: str, label: str = "", code: int = 0) -> None:
        os.chdir(self.folder)
        if label:
            self.recorder.seen.setdefault(label, Counter())
        self.recorder.label = label
        out, err = StringIO(), StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                got = run(args)
        finally:
            self.recorder.label = ""
        assert got == code, (args, out.getvalue(), err.getvalue())

    def git(self, *args: str) -> None:
        subprocess.run(["git", *args], cwd=self.folder, check=True, capture_output=True)

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1_600_000_000, 1_600_000_000))


def tell(server: Server, folder: Path, recorder: Recorder) -> None:
    ada = Typist(recorder, folder / "ada")
    ada.folder.mkdir()
    large, url = random.Random(1).randbytes(11 * MIB), f"s3://{recorder.bucket}/{PREFIX}"
    ada.ldv("init", "--yes")
    with mock_aws(), patch.dict(os.environ):
        del os.environ["AWS_ENDPOINT_URL"]  # only at AWS does a bucket get all of it
        ada.ldv("remote", "create", "s3://another-bucket/lab", "--tag", "lab=ours", label="remote create")
        ada.ldv("remote", "create", "s3://another-bucket/lab", label="remote create, again")
    ada.ldv("remote", "create", url, "lab")
    config = ada.folder / ".lobsterdv.yaml"
    added = "    multipart_threshold: 5MiB\n    part_size: 5MiB\n    concurrency: 2\n"
    config.write_text(re.sub(r"(    url: .*\n)", rf"\1{added}", config.read_text()))
    ada.ldv("remote", "doctor", "lab", label="remote doctor")
    ada.ldv("selftest", "--remote", "lab", label="selftest --remote")
    ada.write("counts.csv", b"".join(b"%d,%d\n" % (n, n * n) for n in range(20_000)))
    for name in "abc":
        ada.write(f"raw/{name}.txt", name.encode() * 100)
    ada.ldv("add", "counts.csv", "raw")
    ada.git("add", "-A")
    ada.git("commit", "-qm", "data")
    ada.ldv("push", label="push, a file and a folder")
    ada.ldv("push", label="push, nothing new")
    ada.ldv("push", "--check", label="push --check")
    ada.write("large.bin", large)
    ada.ldv("add", "large.bin")
    _begin_upload(server, recorder.bucket, large)
    ada.git("commit", "-qm", "large")
    ada.ldv("push", "large.bin", label="push, 11 MB, 1 of 3 parts there")
    _age(recorder.bucket)
    rows = [b"%d,%d\n" % (n, n * n) for n in range(20_000)]
    rows[7] = b"7,48\n"
    ada.write("counts.csv", b"".join(rows))
    ada.ldv("add", "counts.csv")
    ada.git("commit", "-qam", "a row")
    ada.ldv("push", "counts.csv", label="push, a row changed, the rest 15 days old")
    ada.write("direct.bin", large[: 2 * MIB])
    ada.ldv("add", "--to-remote", "direct.bin", label="add --to-remote")
    ada.git("add", "-A")
    ada.git("commit", "-qm", "direct")
    ada.ldv("push", "--plain", "raw", label="push --plain")
    _bob(ada, folder, url)
    ada.ldv("doctor", label="doctor")
    ada.ldv("bench", "--size", "100kB", "--repeat", "1", label="bench --repeat 1")
    _damage(server, recorder.bucket, large)
    ada.ldv("verify", "large.bin", "--remote", "--repair", label="verify --remote --repair")
    waste = b"nobody names this"
    server.client.put_object(Bucket=recorder.bucket, Key=_key(waste), Body=waste)
    _age(recorder.bucket)
    ada.ldv("remote", "gc", "--yes", label="remote gc --yes, first")
    ada.ldv("remote", "gc", "--undo", label="remote gc --undo")
    ada.ldv("forget", "counts.csv@HEAD~2", "--reason", "consent", "--yes", label="forget --yes")
    ada.ldv("repack", "--yes", label="repack --yes")
    with patch.dict(collect_remote.__kwdefaults__, grace_s=0.0):  # as if 14 days went by
        ada.ldv("remote", "gc", "--yes", label="remote gc --yes, later")
    _tiers(ada, recorder.bucket)
    _copies(ada, server)
    _here(ada)


def _bob(ada: Typist, folder: Path, url: str) -> None:
    subprocess.run(["git", "clone", "-q", str(ada.folder), str(folder / "bob")], check=True)
    bob = Typist(ada.recorder, folder / "bob")
    bob.ldv("list", "--remote", "lab", label="list --remote")
    bob.ldv("list", url, label="list s3://…")
    bob.ldv("fetch", "raw", label="fetch, a folder")
    bob.ldv("pull", label="pull, the rest, 11 MB in it")
    bob.ldv("path", "counts.csv@HEAD~2", label="path, an old version")
    bob.ldv("url", "raw/a.txt", label="url")
    bob.ldv("stats", label="stats")
    bob.ldv("verify", "--remote", label="verify --remote")
    bob.ldv("verify", "counts.csv", "--remote", "lab", "--checksums", label="verify --remote --checksums")
    bob.ldv("verify", "--remote", "lab", "--read-data", label="verify --remote --read-data")


def _key(data: bytes) -> str:
    name = digest_of(data).hex()
    return f"{PREFIX}/objects/{name[:2]}/{name}"


def _begin_upload(server: Server, bucket: str, data: bytes) -> None:
    """As an interrupted push leaves it: one part is there."""
    place: Any = {"Bucket": bucket, "Key": _key(data)}
    begun = server.client.create_multipart_upload(**place, ChecksumAlgorithm="CRC32")["UploadId"]
    server.client.upload_part(**place, UploadId=begun, PartNumber=1, Body=data[: 5 * MIB], ChecksumAlgorithm="CRC32")


def _damage(server: Server, bucket: str, data: bytes) -> None:
    server.client.delete_object(Bucket=bucket, Key=_key(data))


def _age(bucket: str) -> None:
    """Let everything in the bucket be 15 days older."""
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    for _, versions in backend.buckets[bucket].keys.lists():
        for key in versions:
            key.last_modified -= timedelta(days=15)


def _archive(bucket: str, key: str) -> None:
    from moto.s3.models import s3_backends

    s3_backends["123456789012"]["aws"].buckets[bucket].keys[key]._storage_class = "GLACIER"


def _tiers(ada: Typist, bucket: str) -> None:
    """Two versions of a file; the older one is tagged, untagged, archived and asked for."""
    for seed in (2, 3):
        ada.write("old.bin", random.Random(seed).randbytes(MIB))
        ada.ldv("add", "old.bin")
        ada.git("commit", "-qm", f"old {seed}")
        ada.ldv("push", "old.bin")
    old = digest_of(random.Random(2).randbytes(MIB)).hex()
    _age(bucket)
    ada.ldv("remote", "cost", "lab", label="remote cost")
    options = ("lab", "--keep-days", "0", "--class", "GLACIER")
    ada.ldv("remote", "tier", "plan", *options, label="remote tier plan")
    ada.ldv("remote", "tier", "apply", *options, "--yes", label="remote tier apply --yes")
    ada.git("branch", "keep", "HEAD~1")
    ada.ldv("remote", "tier", "apply", *options, "--yes", label="remote tier apply --yes, in use again")
    _archive(bucket, f"{PREFIX}/objects/{old[:2]}/{old}")
    ada.ldv("restore", "old.bin@HEAD~1", label="restore")


def _copies(ada: Typist, server: Server) -> None:
    """A second bucket, and a third for logs, of which one lies there as S3 writes it."""
    bucket = ada.recorder.bucket
    for name in ("backup", "logs"):
        server.client.create_bucket(Bucket=f"{bucket}-{name}")
        ada.recorder.others[f"{bucket}-{name}"] = name
    ada.ldv("remote", "add", "backup", f"s3://{bucket}-backup/{PREFIX}", label="remote add")
    ada.ldv("remote", "list", "--latency", label="remote list --latency")
    ada.ldv("remote", "sync", "lab", "backup", "--dry-run", label="remote sync --dry-run")
    ada.ldv("remote", "sync", "lab", "backup", label="remote sync, all of it")
    ada.ldv("remote", "sync", "lab", "backup", label="remote sync, nothing new")
    to = ("--to", f"s3://{bucket}-backup")
    ada.ldv("remote", "replicate", "lab", *to, label="remote replicate, without a role")
    ada.ldv("remote", "replicate", "lab", *to, "--role", ROLE, label="remote replicate")
    # No sync brings what was retired.
    ada.ldv("remote", "replicate", "lab", *to, "--verify", label="remote replicate --verify", code=3)
    with patch("moto.s3.models.S3Backend.log_incoming_request", lambda *ignored: None):  # no log of S3's
        ada.ldv("remote", "logging", "enable", "lab", "--target", f"s3://{bucket}-logs/{PREFIX}",
                label="remote logging enable")  # fmt: skip
        server.client.put_object(Bucket=f"{bucket}-logs", Key=f"{PREFIX}/2026-01-01-00-00-00-A", Body=b"no line\n")
        ada.ldv("remote", "logs", "lab", label="remote logs")
    server.client.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})


def _here(ada: Typist) -> None:
    """What is about git, this machine or the configuration, for the most part."""
    for name, *words in (
        ("init", "--yes"), ("version",), ("status",), ("list",), ("log", "old.bin"), ("show", "old.bin"),
        ("search", "old"), ("tag", "old.bin", "first"), ("lineage", "old.bin"), ("impact", "old.bin"), ("report",),
        ("hooks install",), ("hooks list",), ("hooks uninstall",), ("unprotect", "old.bin"), ("checkout",),
        ("remote configure", "lab"), ("remote list",), ("remote policy", "lab", "--role", "reader"),
        ("remote trust", "lab"), ("remote default", "lab"), ("undelete",), ("remote remove", "backup"), ("selftest",),
        ("run", "--in", "old.bin", "--out", "new.txt", "--", "wc -c old.bin > new.txt"), ("stale",), ("reproduce",),
    ):  # fmt: skip
        ada.ldv(*name.split(), *words, label=name)
    ada.git("add", "-A")
    ada.git("commit", "-qm", "new")
    ada.ldv("push", label="push, a run record")
    ada.ldv("reindex", "--remote", "lab", label="reindex --remote")
    ada.ldv("gc", label="gc")
    ada.ldv("drop", "--yes", "--data", "old.bin", label="drop --yes")
    ada.ldv("revert", "--to", "HEAD~2", "old.bin", label="revert, to what is not here")
    _conflict(ada)
    ada.ldv("merge", "new.txt", "--ours", label="merge")
    ada.ldv("move", "new.txt", "newer.txt", label="move")
    ada.ldv("remove", "newer.txt", label="remove")


def _conflict(ada: Typist) -> None:
    """Two branches have different versions of ``new.txt``, and git cannot merge its pointer."""
    ada.git("commit", "-qm", "the older one again")
    ada.git("branch", "-M", "main")
    ada.git("branch", "side")
    for branch in ("side", "main"):
        ada.git("checkout", "-q", branch)
        ada.write("new.txt", branch.encode())
        ada.ldv("add", "new.txt", label="add")
        ada.git("commit", "-qam", branch)
    subprocess.run(["git", "merge", "side"], cwd=ada.folder, check=False, capture_output=True)
