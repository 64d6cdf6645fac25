"""docs/s3.md says what each command asks of S3, and the policies allow just that: recorded, and held against both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lobsterdv.cli.main import cli
from lobsterdv.stores.bucket.permissions import ROLES, Role, needed, permissions
from tests.recorder import Recorder, record, replaced
from tests.server import Server

DOCUMENT = Path(__file__).parents[2] / "docs/s3.md"
READERS = (
    "list", "fetch", "pull", "path", "url", "stats", "verify --remote", "push --check", "doctor", "reindex --remote",
    "remote list --latency", "remote replicate --verify",
)  # fmt: skip
WRITERS = ("push", "add --to-remote", "verify --remote --repair", "remote sync", "restore", "drop")
NOT_RECORDED = {"demo": "it makes its own project and remote, in a folder of its own"}


@pytest.fixture(scope="module")
def recorded(moto: Server, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    return record(moto, tmp_path_factory.mktemp("recorded"))


def commands(command: click.Command, context: click.Context, name: str = "") -> Iterator[str]:
    """The full names of all commands."""
    if not isinstance(command, click.Group):
        yield name
        return
    for word in command.list_commands(context):
        below = command.get_command(context, word)
        assert below is not None
        yield from commands(below, context, f"{name} {word}".strip())


def test_no_command_is_left_out(recorded: Recorder) -> None:
    with click.Context(cli) as context:
        every = set(commands(cli, context))
    typed = {name for name in every for label in recorded.seen if f"{label},".replace(",", " ").startswith(f"{name} ")}
    assert sorted(every - typed) == sorted(NOT_RECORDED), "which requests does it send?"


def role_of(label: str) -> Role:
    name = label.partition(",")[0]
    if name.startswith(WRITERS) and name != "push --check":
        return "writer"
    return "reader" if name.startswith(READERS) else "admin"


def test_the_document_tells_what_was_asked(recorded: Recorder) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert replaced(text, recorded) == text, "python -m tests.recorder --write docs/s3.md"


def test_every_request_is_allowed_to_its_role(recorded: Recorder) -> None:
    for label, seen in recorded.seen.items():
        allowed = {permission.action for permission in permissions(role_of(label))}
        for request in seen:
            actions = needed(request.operation, has_version=request.has_version)
            assert allowed & set(actions), (label, request, role_of(label))
            if request.operation == "CopyObject":
                assert allowed >= set(actions), "it reads and writes"


def test_every_permission_is_used(recorded: Recorder) -> None:
    for role in ROLES:
        labels = [label for label in recorded.seen if ROLES.index(role_of(label)) <= ROLES.index(role)]
        asked = {request for label in labels for request in recorded.seen[label]}
        used = {a for r in asked for a in needed(r.operation, has_version=r.has_version)}
        operations = {request.operation for request in asked}
        for permission in permissions(role):
            tidying = permission.action == "s3:AbortMultipartUpload"  # of an upload that failed: see the test below
            assert permission.action in used or tidying, (role, permission)
            if role == "admin":
                assert set(permission.operations) <= operations, permission


def test_a_failed_upload_is_given_up(moto: Server) -> None:
    store = moto.store(moto.new_bucket(), part_size=5 << 20)
    recorder = Recorder("")
    from tests.recorder import recording

    with recording(recorder):
        upload = store.upload("k", 6 << 20)
        recorder.label, recorder.seen["abort"] = "abort", __import__("collections").Counter()
        upload.abort()
    assert [request.operation for request in recorder.seen["abort"]] == ["AbortMultipartUpload"]
    assert needed("AbortMultipartUpload") == ("s3:AbortMultipartUpload",)


def test_only_admins_delete(recorded: Recorder) -> None:
    for label, seen in recorded.seen.items():
        if any(request.operation == "DeleteObject" for request in seen):
            assert role_of(label) == "admin", label


def test_the_kinds_of_keys_are_those_of_the_format(recorded: Recorder) -> None:
    kinds = {request.where for seen in recorded.seen.values() for request in seen}
    known = {
        "lobsterdv.json",
        "objects",
        "manifests",
        "segments",
        "catalog",
        "runs",
        "forgotten",
        "locks",
        "marks",
        "probe",
        "bench",
    }
    others = {"the bucket", "selftest-…", "logs: files", "logs: the bucket", "backup: the bucket"}
    assert kinds - known - {f"backup: {kind}" for kind in known} == others
