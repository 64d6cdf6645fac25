"""What each command asks of S3: every request, counted by kind, in one story told to a moto server.

``python -m tests.recorder --write docs/s3.md`` writes the table; ``--check`` compares it.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import botocore.client
from moto import mock_aws

from lobsterdv.cli.main import run
from lobsterdv.digest import digest_of
from lobsterdv.ops.gc_remote import collect_remote
from tests.server import Server, moto_server

BEGIN, END = "<!-- requests: begin (made by tests/recorder.py) -->", "<!-- requests: end -->"
PREFIX = "lab"
MIB = 1 << 20


@dataclass(frozen=True, order=True)
class Request:
    """``where`` is the kind of key: the first part below the remote's prefix, or the bucket."""

    operation: str
    where: str
    has_version: bool = False


@dataclass
class Recorder:
    """The requests of each command, by its label, in the order in which they were first typed."""

    bucket: str
    seen: dict[str, Counter[Request]] = field(default_factory=dict)
    outside: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    label: str = ""

    def note(self, operation: str, parameters: Mapping[str, Any]) -> None:
        if not self.label:
            return
        key = str(parameters.get("Key", parameters.get("Prefix", "")))
        if operation == "GetCallerIdentity":
            return  # of another service, and allowed to everybody
        if "Key" in parameters and not key.startswith(f"{PREFIX}/"):
            self.outside.append((operation, parameters))
        where = key.removeprefix(f"{PREFIX}/").split("/")[0] if "/" in key else ""
        if where.startswith("selftest-"):
            where = "selftest-…"
        self.seen[self.label][Request(operation, where or "the bucket", "VersionId" in parameters)] += 1


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Hear of every request of every client in this process, as it is asked for: retries count once."""
    real = botocore.client.BaseClient._make_api_call

    def heard(self: Any, operation_name: str, api_params: Any) -> Any:
        recorder.note(operation_name, api_params)
        return real(self, operation_name, api_params)

    with patch.object(botocore.client.BaseClient, "_make_api_call", heard):
        yield


@dataclass
class Typist:
    """Types commands in a folder, in this process, and records those that have a label."""

    recorder: Recorder
    folder: Path

    def ldv(self, *args: str, label: str = "") -> None:
        os.chdir(self.folder)
        if label:
            self.recorder.seen.setdefault(label, Counter())
        self.recorder.label = label
        out, err = StringIO(), StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = run(args)
        finally:
            self.recorder.label = ""
        assert code == 0, (args, out.getvalue(), err.getvalue())

    def git(self, *args: str) -> None:
        subprocess.run(["git", *args], cwd=self.folder, check=True, capture_output=True)

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1_600_000_000, 1_600_000_000))


def record(server: Server, folder: Path) -> Recorder:
    """The story. ``server`` is a moto server of this process."""
    with ExitStack() as stack:
        environment = server.environment | {
            "HOME": str(folder), "PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@lab",
            "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@lab", "LOBSTERDV_JOBS": "2",
        }  # fmt: skip
        stack.callback(os.chdir, os.getcwd())
        stack.enter_context(patch.dict(os.environ, environment, clear=True))
        recorder = Recorder("requests-of-each-command")
        stack.enter_context(recording(recorder))
        _story(server, folder, recorder)
        assert not recorder.outside, recorder.outside
        return recorder


def _story(server: Server, folder: Path, recorder: Recorder) -> None:
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


def table(recorder: Recorder) -> str:
    """Markdown: a row a command."""
    lines = ["| command | requests | which |", "|---|---|---|"]
    for label, seen in recorder.seen.items():
        kinds: dict[str, dict[str, int]] = {}
        for request, times in sorted(seen.items()):
            kinds.setdefault(request.operation + (" (a version)" if request.has_version else ""), {})[request.where] = (
                times
            )
        told = "; ".join(
            f"{operation} {', '.join(f'{where} {times}' for where, times in places.items())}"
            for operation, places in kinds.items()
        )
        lines.append(f"| `{label}` | {sum(seen.values())} | {told or 'none'} |")
    return "\n".join(lines)


def replaced(document: str, recorder: Recorder) -> str:
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin and end, "the document has no place for the table"
    return f"{head}{BEGIN}\n{table(recorder)}\n{END}{tail}"


def main(args: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder, moto_server() as server:
        recorder = record(server, Path(folder))
    match args:
        case []:
            sys.stdout.write(table(recorder) + "\n")
            return 0
        case ["--write", name]:
            Path(name).write_text(replaced(Path(name).read_text(), recorder))
            return 0
        case ["--check", name]:
            return int(replaced(Path(name).read_text(), recorder) != Path(name).read_text())
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
