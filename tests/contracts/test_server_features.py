"""What each S3 server makes of what lobsterdv asks of a bucket: it works, is refused, or is taken and has no effect.

Beyond the store's contract, which needs none of it. ``--write-servers docs/s3.md`` writes what was found into the
guide. A server that learns or unlearns something fails here, so that the guide is written anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lobsterdv.stores.s3_client import connect
from tests.server import PROGRAMS, Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Probe = Callable[["S3Client", str], bool]
WORKS, REFUSED, NO_EFFECT = "works", "refused", "no effect"
WAIT_S = 1.0


def conditional(client: S3Client, bucket: str) -> bool:
    """An object that is there is not overwritten by a PUT with If-None-Match."""
    client.put_object(Bucket=bucket, Key="k", Body=b"first")
    try:
        client.put_object(Bucket=bucket, Key="k", Body=b"second", IfNoneMatch="*")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
            raise
    return client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"


def conditional_in_versions(client: S3Client, bucket: str) -> bool:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return conditional(client, bucket)


def versions(client: S3Client, bucket: str) -> bool:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        client.put_object(Bucket=bucket, Key="k", Body=body)
    return len(client.list_object_versions(Bucket=bucket).get("Versions", [])) == 2


def crc32_compared(client: S3Client, bucket: str) -> bool:
    """A body that its checksum contradicts is not kept."""
    try:
        client.put_object(Bucket=bucket, Key="k", Body=b"data", ChecksumCRC32="AAAAAA==")
    except ClientError:
        client.put_object(Bucket=bucket, Key="k", Body=b"data", ChecksumCRC32="rfPzYw==")
        return True
    return False


def crc32_told(client: S3Client, bucket: str) -> bool:
    client.put_object(Bucket=bucket, Key="k", Body=b"data", ChecksumCRC32="rfPzYw==")
    return client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED").get("ChecksumCRC32") == "rfPzYw=="


def copies(client: S3Client, bucket: str) -> bool:
    client.put_object(Bucket=bucket, Key="k", Body=b"data")
    source: Any = {"Bucket": bucket, "Key": "k"}
    client.copy_object(Bucket=bucket, Key="copy", CopySource=source, TaggingDirective="REPLACE")
    return client.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"data"


def object_tags(client: S3Client, bucket: str) -> bool:
    client.put_object(Bucket=bucket, Key="k", Body=b"data")
    tags: Any = [{"Key": "lobsterdv-tier", "Value": "GLACIER"}]
    client.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    return client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags


def bucket_tags(client: S3Client, bucket: str) -> bool:
    tags: Any = [{"Key": "lab", "Value": "ours"}]
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    return client.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags


def storage_class(client: S3Client, bucket: str) -> bool:
    client.put_object(Bucket=bucket, Key="k", Body=b"data", StorageClass="STANDARD_IA")
    (row,) = client.list_objects_v2(Bucket=bucket)["Contents"]
    return row.get("StorageClass") == "STANDARD_IA"


def archive(client: S3Client, bucket: str) -> bool:
    """What is in GLACIER cannot be read until it is restored."""
    client.put_object(Bucket=bucket, Key="k", Body=b"data", StorageClass="GLACIER")
    try:
        client.get_object(Bucket=bucket, Key="k")
    except ClientError:
        client.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1})
        return client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"
    return False


def lifecycle(client: S3Client, bucket: str) -> bool:
    """The rules of `remote create` are kept as they were put; what comes of them takes days."""
    where: Any = {"Status": "Enabled", "Filter": {"Prefix": "lab/"}}
    rules: Any = [
        {"ID": "a", **where, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}},
        {"ID": "b", **where, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    kept = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return [{name: rule.get(name) for name in given} for given, rule in zip(rules, kept, strict=True)] == rules


def tier_rule(client: S3Client, bucket: str) -> bool:
    """The rule of `remote tier` is kept as it was put."""
    where = {"And": {"Prefix": "lab/", "Tags": [{"Key": "lobsterdv-tier", "Value": "GLACIER"}]}}
    rule: Any = {
        "ID": "t",
        "Status": "Enabled",
        "Filter": where,
        "Transitions": [{"Days": 0, "StorageClass": "GLACIER"}],
    }
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    (kept,) = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return {name: kept.get(name) for name in rule} == rule


def encryption(client: S3Client, bucket: str) -> bool:
    """What is put after `remote create` is encrypted, and said to be."""
    ours: Any = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": ours})
    client.put_object(Bucket=bucket, Key="k", Body=b"data")
    return client.head_object(Bucket=bucket, Key="k").get("ServerSideEncryption") == "AES256"


def policy(client: S3Client, bucket: str) -> bool:
    """What a bucket's policy denies is denied."""
    client.put_object(Bucket=bucket, Key="k", Body=b"data")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    try:
        client.get_object(Bucket=bucket, Key="k")
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return False


def public_access(client: S3Client, bucket: str) -> bool:
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    blocked: Any = dict.fromkeys(names, True)
    client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocked)
    return client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == blocked


def replication(client: S3Client, bucket: str) -> bool:
    """What is written after the rule is in the other bucket a moment later."""
    other = f"{bucket}-copy"
    client.create_bucket(Bucket=other)
    for name in (bucket, other):
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule: Any = {
        "ID": "r", "Priority": 1, "Status": "Enabled", "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"}, "Destination": {"Bucket": f"arn:aws:s3:::{other}"},
    }  # fmt: skip
    role = "arn:aws:iam::123456789012:role/copies"
    client.put_bucket_replication(Bucket=bucket, ReplicationConfiguration={"Role": role, "Rules": [rule]})
    client.put_object(Bucket=bucket, Key="k", Body=b"data")
    return _soon(lambda: bool(client.list_objects_v2(Bucket=other)["KeyCount"]))


def logging(client: S3Client, bucket: str) -> bool:
    """A request is told in the other bucket a moment later."""
    other = f"{bucket}-logs"
    client.create_bucket(Bucket=other)
    allow = {
        "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{other}/*",
    }  # fmt: skip
    client.put_bucket_policy(Bucket=other, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    target: Any = {"LoggingEnabled": {"TargetBucket": other, "TargetPrefix": "logs/"}}
    client.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=target)
    client.put_object(Bucket=bucket, Key="k", Body=b"data")
    return _soon(lambda: bool(client.list_objects_v2(Bucket=other, Prefix="logs/")["KeyCount"]))


def _soon(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_S
    while not (found := is_so()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


FEATURES: dict[str, Probe] = {
    "copies by the server (`remote sync`, refreshing)": copies,
    "PUT only if absent (never relied on)": conditional,
    "PUT only if absent, in a bucket that keeps versions": conditional_in_versions,
    "a wrong CRC-32 is refused": crc32_compared,
    "the CRC-32 is told (`verify --checksums`)": crc32_told,
    "versioning": versions,
    "bucket policy (TLS only, `remote policy --format bucket`)": policy,
    "default encryption": encryption,
    "public access block": public_access,
    "lifecycle rules of `remote create` are kept": lifecycle,
    "tags of the bucket": bucket_tags,
    "tags of objects (`remote tier`)": object_tags,
    "lifecycle rule for a tag (`remote tier`)": tier_rule,
    "storage classes": storage_class,
    "archives and `restore`": archive,
    "replication (`remote replicate`)": replication,
    "access logs (`remote logging`)": logging,
}
_SMALL = {"rclone": REFUSED, "s3rver": REFUSED}
OTHERWISE: dict[str, dict[str, str]] = {
    "PUT only if absent (never relied on)": {"rclone": NO_EFFECT, "s3rver": NO_EFFECT},
    "PUT only if absent, in a bucket that keeps versions": {**_SMALL, "radosgw": NO_EFFECT},
    "a wrong CRC-32 is refused": dict.fromkeys(("moto", "rclone", "s3rver", "radosgw"), NO_EFFECT),
    "the CRC-32 is told (`verify --checksums`)": dict.fromkeys(("moto", "s3rver", "radosgw"), NO_EFFECT),
    "versioning": _SMALL,
    "bucket policy (TLS only, `remote policy --format bucket`)": _SMALL,
    "default encryption": {**_SMALL, "radosgw": REFUSED},
    "public access block": {**_SMALL, "seaweedfs": REFUSED},
    "lifecycle rules of `remote create` are kept": _SMALL,
    "tags of the bucket": _SMALL,
    "lifecycle rule for a tag (`remote tier`)": {**_SMALL, "seaweedfs": REFUSED, "radosgw": NO_EFFECT},
    "storage classes": {"rclone": NO_EFFECT, "s3rver": NO_EFFECT, "radosgw": REFUSED},
    "archives and `restore`": {**dict.fromkeys(("seaweedfs", "rclone", "s3rver"), NO_EFFECT), "radosgw": REFUSED},
    "replication (`remote replicate`)": {"moto": NO_EFFECT, **dict.fromkeys(PROGRAMS, REFUSED)},
    "access logs (`remote logging`)": dict.fromkeys(PROGRAMS, REFUSED),
}
"""Where it does not work."""


@pytest.fixture(params=["moto", *(pytest.param(name, marks=pytest.mark.s3) for name in PROGRAMS)])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(str(request.param))
    return found


@pytest.fixture
def client(server: Server) -> Iterator[S3Client]:
    """One that asks once: what a server refuses it refuses again."""
    made = connect(replace(server.options(""), attempts=1, read_timeout=10), server.credentials).client
    yield made
    made.close()


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature(
    server: Server, client: S3Client, feature: str, record_property: Callable[[str, object], None]
) -> None:
    bucket = server.new_bucket()
    try:
        found = WORKS if FEATURES[feature](client, bucket) else NO_EFFECT
    except (ClientError, BotoCoreError):
        found = REFUSED
    record_property("server", server.name)
    record_property(feature, found)
    assert found == OTHERWISE.get(feature, {}).get(server.name, WORKS)
