"""Every permission, taken away by itself: what lacks must be told by its name, and nothing else go wrong with it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import botocore.client
import pytest
from botocore.exceptions import ClientError

from lobsterdv.errors import Denied, Refused
from lobsterdv.ops.remote_create import create_remote
from lobsterdv.ops.remote_doctor import remote_doctor
from lobsterdv.stores.bucket import making, probing, replication
from lobsterdv.stores.bucket.asking import calls_of
from lobsterdv.stores.bucket.logging import LogTarget, enable, log_target
from lobsterdv.stores.bucket.permissions import permissions
from lobsterdv.stores.bucket.settings import Wanted
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.tiered import TierRule
from tests.server import Server

NOW = 1.8e9


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LARGE_BYTES", 1 << 10)


@contextmanager
def denying(*operations: str) -> Iterator[None]:
    """A server that answers 403 to these requests."""
    real = botocore.client.BaseClient._make_api_call

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        if operation_name in operations:
            told = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(told, operation_name)  # type: ignore[arg-type]
        return real(self, operation_name, api_params)

    with patch.object(botocore.client.BaseClient, "_make_api_call", call):
        yield


def told(store: S3Store) -> dict[str, Any]:
    report = remote_doctor(store, Wanted(), name="lab", fix=False, now=lambda: NOW, tell=lambda step: None)
    return {finding.name: finding for finding in report.findings}


@pytest.mark.parametrize(
    ("operation", "action", "finding", "state"),
    [
        ("ListObjectsV2", "s3:ListBucket", "bucket", "failed"),
        ("GetObject", "s3:GetObject", "read", "failed"),
        ("PutObject", "s3:PutObject", "write", "warning"),
        ("ListMultipartUploads", "s3:ListBucketMultipartUploads", "multipart", "failed"),
        ("ListParts", "s3:ListMultipartUploadParts", "multipart", "failed"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload", "multipart", "failed"),
        ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", "public access", "unknown"),
        ("GetBucketVersioning", "s3:GetBucketVersioning", "versioning", "unknown"),
        ("GetBucketEncryption", "s3:GetEncryptionConfiguration", "encryption", "unknown"),
        ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", "lifecycle", "unknown"),
        ("GetBucketPolicy", "s3:GetBucketPolicy", "TLS only", "unknown"),
    ],
)
def test_the_doctor_names_what_lacks(moto: Server, operation: str, action: str, finding: str, state: str) -> None:
    store = moto.store(moto.new_bucket(), "atlas")
    with denying(operation):
        found = told(store)
    assert (found[finding].state, action in found[finding].detail) == (state, True), found[finding]
    least = next(role for role in ("reader", "writer", "admin") if action in {p.action for p in permissions(role)})
    assert f"lobsterdv remote policy lab --role {least}" in found[finding].fix
    healthy = {"DNS", "TLS", "credentials", "identity", "clock"}
    others = {name for name, other in found.items() if action in other.detail} - {finding}
    assert not others & healthy


def test_delete_may_be_denied(moto: Server) -> None:
    store = moto.store(moto.new_bucket(), "atlas")
    with denying("DeleteObject"):
        assert told(store)["delete"].state == "ok"
    left = [stat.key for stat in store.list("")]
    assert sorted(left) == sorted(probing.KEYS), "the same three keys, however often"


@pytest.mark.parametrize(
    ("operation", "action", "step"),
    [
        ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "public access"),
        ("PutBucketVersioning", "s3:PutBucketVersioning", "versioning"),
        ("PutBucketEncryption", "s3:PutEncryptionConfiguration", "encryption"),
        ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", "lifecycle"),
        ("PutBucketPolicy", "s3:PutBucketPolicy", "TLS only"),
        ("PutBucketTagging", "s3:PutBucketTagging", "tags"),
        ("GetBucketTagging", "s3:GetBucketTagging", "tags"),
    ],
)
def test_what_may_not_be_set_is_named_and_the_rest_is_done(
    moto: Server, operation: str, action: str, step: str
) -> None:
    bucket = moto.new_bucket()
    moto.client.delete_bucket_encryption(Bucket=bucket)
    with denying(operation):
        report = create_remote(moto.store(bucket), Wanted(tags={"lab": "ours"}), dry_run=False)
    outcomes = {row.name: row.outcome for row in report.steps}
    assert outcomes.pop(step) == "denied"
    assert set(outcomes.values()) <= {"done", "already"}, outcomes
    (failure,) = report.failures
    assert isinstance(failure.error, Denied) and failure.error.action == action
    moto.client.delete_bucket_policy(Bucket=bucket)


def test_a_bucket_that_may_not_be_made_or_whose_it_is_cannot_be_told(moto: Server) -> None:
    new = moto.store(f"new-{secrets.token_hex(6)}")
    with denying("CreateBucket"), pytest.raises(Denied) as caught:
        create_remote(new, Wanted(), dry_run=False)
    assert caught.value.action == making.CREATE
    there = moto.store(moto.new_bucket())
    for operation in ("ListBuckets", "HeadBucket"):
        with denying(operation), pytest.raises(Refused):
            create_remote(there, Wanted(), dry_run=False)


def test_a_server_that_knows_none_of_it_still_gets_its_bucket(moto: Server) -> None:
    real = botocore.client.BaseClient._make_api_call
    known = {"HeadBucket", "CreateBucket", "ListBuckets"}

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        if operation_name not in known:
            told = {"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": 501}}
            raise ClientError(told, operation_name)  # type: ignore[arg-type]
        return real(self, operation_name, api_params)

    with patch.object(botocore.client.BaseClient, "_make_api_call", call):
        report = create_remote(moto.store(f"new-{secrets.token_hex(6)}"), Wanted(tags={"a": "b"}), dry_run=False)
    assert [row.outcome for row in report.steps] == ["done"] + ["not possible"] * 6
    assert report.failures == [] and all("NotImplemented" in row.detail for row in report.steps[1:])


def test_what_a_server_takes_and_does_not_keep_is_told(moto: Server) -> None:
    real = botocore.client.BaseClient._make_api_call

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        return {} if operation_name == "PutBucketVersioning" else real(self, operation_name, api_params)

    store = S3Store(moto.options(moto.new_bucket()), credentials=moto.credentials)
    with patch.object(botocore.client.BaseClient, "_make_api_call", call):
        report = create_remote(store, Wanted(tls_only=False), dry_run=False)
    store.close()
    (row,) = [row for row in report.steps if row.name == "versioning"]
    assert (row.outcome, row.detail) == ("not possible", "the server took it, and does not keep it")


def test_probes_and_capabilities(moto: Server) -> None:
    calls = calls_of(moto.store(moto.new_bucket(), "atlas"))
    assert calls is not None
    probing.write(calls)
    assert probing.read(calls) and probing.read_range(calls) and probing.keeps_existing(calls)
    assert probing.checksum(calls, "CRC32") == "taken", "moto compares nothing"
    assert calls_of(None) is None  # type: ignore[arg-type]


TARGET = LogTarget("logs", "lab/")
CONFIGURATION = replication.merged(None, "arn:aws:iam::123456789012:role/copies", "lab/", "copy")
CALLS: dict[str, tuple[str, Callable[[S3Store], object]]] = {
    "RestoreObject": ("s3:RestoreObject", lambda store: store.tiers.restore("k", tier="Bulk", days=1)),
    "GetObjectTagging": ("s3:GetObjectTagging", lambda store: store.tiers.tags("k")),
    "PutObjectTagging": ("s3:PutObjectTagging", lambda store: store.tiers.set_tags("k", {"a": "b"})),
    "DeleteObjectTagging": ("s3:DeleteObjectTagging", lambda store: store.tiers.set_tags("k", {})),
    "ListObjectVersions": ("s3:ListBucketVersions", lambda store: list(store.tiers.noncurrent(""))),
    "GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration", lambda store: store.tiers.tier_rules()),
    "PutBucketLifecycleConfiguration": (
        "s3:PutLifecycleConfiguration",
        lambda store: store.tiers.install([TierRule("objects/", ("a", "b"), "GLACIER", 0)], abort_days=7),
    ),
    "GetBucketLogging": ("s3:GetBucketLogging", log_target),
    "PutBucketLogging": ("s3:PutBucketLogging", lambda store: enable(store, TARGET)),
    "GetBucketReplication": ("s3:GetReplicationConfiguration", replication.replication_of),
    "PutBucketReplication": (
        "s3:PutReplicationConfiguration",
        lambda store: CONFIGURATION and replication.configure(store, CONFIGURATION),
    ),
    "DeleteObject": ("s3:DeleteObject", lambda store: store.delete("k")),
}


@pytest.mark.parametrize("operation", CALLS)
def test_what_tiers_copies_and_logs_may_not_do_is_named(moto: Server, operation: str) -> None:
    store = moto.store(moto.new_bucket(), "atlas")
    store.put("k", b"data")
    action, call = CALLS[operation]
    with denying(operation), pytest.raises(Denied) as caught:
        call(store)
    assert caught.value.action == action


def test_no_permission_is_left_out() -> None:
    tables: tuple[Any, ...] = (
        test_the_doctor_names_what_lacks,
        test_what_may_not_be_set_is_named_and_the_rest_is_done,
    )
    named = {row[1] for test in tables for mark in test.pytestmark for row in mark.args[1]}
    named |= {action for action, _ in CALLS.values()}
    elsewhere = {making.CREATE, "s3:ListAllMyBuckets"}  # test_a_bucket_that_may_not_be_made_…
    assert {p.action for p in permissions("admin")} - named - elsewhere == {"s3:DeleteObjectVersion"}, (
        "no request has this name: it is DeleteObject's, with a version"
    )
