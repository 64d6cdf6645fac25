"""A bucket's own replication into another: versioning, the role that copies, the rule. And comparing the two.

S3 copies what is written after the rule is there; what was there before stays (``remote sync`` brings it).
Delete markers do not travel: a copy that follows every deletion is no second copy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from lobsterdv.errors import Denied
from lobsterdv.stores.base import Stat
from lobsterdv.stores.bucket.asking import Unsupported, ask_set
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_errors import code_of, foreign_errors

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        ReplicationConfigurationOutputTypeDef,
        ReplicationConfigurationTypeDef,
        ReplicationRuleTypeDef,
    )

RULE_PREFIX = "lobsterdv-"
MISSING = "missing"


def is_versioned(store: S3Store) -> bool:
    calls = store.calls
    action = "s3:GetBucketVersioning"
    answer = calls.ask(action, "", lambda client: client.get_bucket_versioning(Bucket=calls.bucket))
    return answer.get("Status") == "Enabled"


def keep_versions(store: S3Store) -> bool:
    """Switch versioning on; returns whether it was off. Raises RemoteError."""
    if is_versioned(store):
        return False
    calls = store.calls
    calls.ask(
        "s3:PutBucketVersioning",
        "",
        lambda client: client.put_bucket_versioning(Bucket=calls.bucket, VersioningConfiguration={"Status": "Enabled"}),
    )
    return True


def has_kms_key(store: S3Store) -> bool:
    """Whether what is written there is encrypted with a KMS key, which a rule like ours passes over. False where the
    server does not say, or does not tell us. Raises RemoteError."""
    if store.options.sse.startswith("aws:kms"):
        return True
    calls = store.calls
    action = "s3:GetEncryptionConfiguration"
    try:
        answer = ask_set(calls, action, lambda client: client.get_bucket_encryption(Bucket=calls.bucket))
    except (Denied, Unsupported):
        return False
    rules = answer["ServerSideEncryptionConfiguration"].get("Rules", []) if answer else []
    methods = (rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "") for rule in rules)
    return any(method.startswith("aws:kms") for method in methods)


def replication_of(store: S3Store) -> ReplicationConfigurationOutputTypeDef | None:
    """What the bucket replicates; None when nothing. Raises RemoteError."""
    calls = store.calls
    try:
        answer = calls.attempt(lambda client: client.get_bucket_replication(Bucket=calls.bucket))
    except foreign_errors() as error:
        if code_of(error) == "ReplicationConfigurationNotFoundError":
            return None
        raise calls.translated(error, "s3:GetReplicationConfiguration", "") from error
    return answer["ReplicationConfiguration"]


def rule_for(prefix: str, bucket: str, *, priority: int) -> ReplicationRuleTypeDef:
    """Everything below ``prefix`` (empty: all of the bucket) into ``bucket``, under the same keys."""
    return {
        "ID": f"{RULE_PREFIX}{prefix.strip('/').replace('/', '-') or 'all'}-to-{bucket}"[:255],
        "Priority": priority,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{bucket}"},
    }


def merged(
    before: ReplicationConfigurationTypeDef | ReplicationConfigurationOutputTypeDef | None,
    role: str,
    prefix: str,
    bucket: str,
) -> ReplicationConfigurationTypeDef | None:
    """A configuration with our rule among the others, each as it was; None when it stands there already. Pure.

    A bucket has one role for all its rules: the last one given wins. Our rule keeps its priority, and a new one gets
    the next free one, because two rules for one destination must differ in it.
    """
    rules = cast("list[ReplicationRuleTypeDef]", [*before["Rules"]] if before else [])
    wanted_id = rule_for(prefix, bucket, priority=0)["ID"]
    ours = next((rule for rule in rules if rule.get("ID") == wanted_id), None)
    priority = ours.get("Priority", 0) if ours else max((rule.get("Priority", 0) for rule in rules), default=0) + 1
    wanted = rule_for(prefix, bucket, priority=priority)
    if before and before["Role"] == role and ours == wanted:
        return None
    return {"Role": role, "Rules": [*(rule for rule in rules if rule.get("ID") != wanted_id), wanted]}


def configure(store: S3Store, configuration: ReplicationConfigurationTypeDef) -> None:
    calls = store.calls
    calls.ask(
        "s3:PutReplicationConfiguration",
        "",
        lambda client: client.put_bucket_replication(Bucket=calls.bucket, ReplicationConfiguration=configuration),
    )


def trust_policy() -> str:
    """Who may take the role: S3 itself."""
    return _document([{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}])


def role_policy(source: str, prefix: str, target: str) -> str:
    """What the role needs, and no more (docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview
    .html)."""
    read = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    write = ["s3:ReplicateObject", "s3:ReplicateTags"]
    bucket = f"arn:aws:s3:::{source}"
    return _document(
        [
            {"Effect": "Allow", "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": bucket},
            {"Effect": "Allow", "Action": read, "Resource": f"{bucket}/{prefix}*"},
            {"Effect": "Allow", "Action": write, "Resource": f"arn:aws:s3:::{target}/{prefix}*"},
        ]
    )


def differences(source: Iterator[Stat], target: Iterator[Stat]) -> Iterator[tuple[str, str]]:
    """What ``target`` lacks of ``source``: key, and ``missing`` or ``different size`` or ``different etag``. ETags are
    compared where both are of one part and not encrypted in a way of their own: then they hash the content.

    Holds the target's listing: servers differ in the order of theirs.
    """
    there = {stat.key: (stat.size, stat.etag) for stat in target}
    for stat in source:
        found = there.get(stat.key)
        if found is None:
            yield stat.key, MISSING
        elif found[0] != stat.size:
            yield stat.key, "different size"
        elif len(stat.etag) == len(found[1]) == 32 and stat.etag != found[1]:
            yield stat.key, "different etag"


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
