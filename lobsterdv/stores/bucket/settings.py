"""What protects a bucket: each setting looked at, and put right. Nothing here takes a protection away.

A look sends one GET; what it finds lacking it can put there, beside what others have set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from lobsterdv.errors import CredentialsError, Denied, LobsterError, NoBucket, Throttled, Unreachable, WrongRegion
from lobsterdv.stores.bucket import documents
from lobsterdv.stores.bucket.asking import Unsupported, ask, ask_set, reason
from lobsterdv.stores.bucket.policies import partition_of
from lobsterdv.stores.s3_calls import S3Calls

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        LifecycleRuleOutputTypeDef,
        ServerSideEncryptionByDefaultTypeDef,
        TagTypeDef,
    )

State = Literal["kept", "lacking", "unsupported", "denied"]
Put: TypeAlias = "Callable[[S3Client], object]"
NAMES: Final = ("public access", "versioning", "encryption", "lifecycle", "TLS only", "tags")
_FATAL: Final = (CredentialsError, NoBucket, Throttled, Unreachable, WrongRegion)
_ALL: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a bucket should be: a KMS key when it is not S3's own, tags, and whether only TLS may reach it."""

    region: str = ""
    kms_key: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    tls_only: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """One setting: ``detail`` is how it is, ``change`` what is lacking and can be put there by ``put``, which needs
    ``permission``. ``why`` is the error of what may not be looked at."""

    name: str
    state: State
    detail: str
    change: str = ""
    permission: str = ""
    put: Put | None = None
    why: LobsterError | None = None


def look_at(calls: S3Calls, wanted: Wanted) -> Iterator[Look]:
    """Every setting, in order. Raises what makes all of them unknown: no bucket, no connection, no credentials."""
    looks: tuple[Callable[[S3Calls, Wanted], Look | None], ...] = (
        _public_access, _versioning, _encryption, _lifecycle, _tls, _tags,
    )  # fmt: skip
    for name, look in zip(NAMES, looks, strict=True):
        try:
            found = look(calls, wanted)
        except _FATAL:
            raise
        except LobsterError as error:
            yield Look(name, "denied" if isinstance(error, Denied) else "unsupported", reason(error), why=error)
        else:
            if found is not None:
                yield found


def put(calls: S3Calls, wanted: Wanted, look: Look) -> None:
    """Put there what ``look`` found lacking. Raises Unsupported when the server cannot, Denied when it may not be.

    Servers other than AWS are asked again afterwards: some take what they do not keep.
    """
    assert look.put is not None
    ask(calls, look.permission, look.put)
    if calls.options.endpoint_url:
        again = next(found for found in look_at(calls, wanted) if found.name == look.name)
        if again.state == "lacking":
            raise Unsupported("the server took it, and does not keep it")


def _public_access(calls: S3Calls, wanted: Wanted) -> Look:
    answer = ask_set(
        calls, "s3:GetBucketPublicAccessBlock", lambda client: client.get_public_access_block(Bucket=calls.bucket)
    )
    found: Mapping[str, Any] = answer["PublicAccessBlockConfiguration"] if answer else {}
    if all(found.get(name) for name in _ALL):
        return Look("public access", "kept", "all of it is blocked")
    open_ = [name for name in _ALL if not found.get(name)]

    def block(client: S3Client) -> object:
        configuration: Any = dict.fromkeys(_ALL, True)
        return client.put_public_access_block(Bucket=calls.bucket, PublicAccessBlockConfiguration=configuration)

    detail = "none of it is blocked" if len(open_) == len(_ALL) else f"not blocked: {', '.join(open_)}"
    return Look("public access", "lacking", detail, "blocked", "s3:PutBucketPublicAccessBlock", block)


def _versioning(calls: S3Calls, wanted: Wanted) -> Look:
    answer = ask(calls, "s3:GetBucketVersioning", lambda client: client.get_bucket_versioning(Bucket=calls.bucket))
    if answer.get("Status") == "Enabled":
        return Look("versioning", "kept", "on")

    def enable(client: S3Client) -> object:
        return client.put_bucket_versioning(Bucket=calls.bucket, VersioningConfiguration={"Status": "Enabled"})

    detail = "suspended" if answer.get("Status") == "Suspended" else "off: what is deleted or overwritten is gone"
    return Look("versioning", "lacking", detail, "turned on", "s3:PutBucketVersioning", enable)


def _encryption(calls: S3Calls, wanted: Wanted) -> Look:
    answer = ask_set(
        calls, "s3:GetEncryptionConfiguration", lambda client: client.get_bucket_encryption(Bucket=calls.bucket)
    )
    # Ceph answers a configuration without rules where none was ever set.
    rules: list[Any] = list(answer["ServerSideEncryptionConfiguration"].get("Rules", [])) if answer else []
    default: Mapping[str, Any] = rules[0].get("ApplyServerSideEncryptionByDefault", {}) if rules else {}
    method, key = default.get("SSEAlgorithm", ""), default.get("KMSMasterKeyID", "")
    if method and (not wanted.kms_key or (method.startswith("aws:kms") and _same_key(key, wanted.kms_key))):
        return Look("encryption", "kept", f"{method} with {key}" if key else method)
    chosen: ServerSideEncryptionByDefaultTypeDef = {"SSEAlgorithm": "AES256"}
    if wanted.kms_key:
        chosen = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": wanted.kms_key}

    def encrypt(client: S3Client) -> object:
        ours: Any = [{"ApplyServerSideEncryptionByDefault": chosen, "BucketKeyEnabled": bool(wanted.kms_key)}]
        return client.put_bucket_encryption(Bucket=calls.bucket, ServerSideEncryptionConfiguration={"Rules": ours})

    change = f"aws:kms with {wanted.kms_key} and a bucket key" if wanted.kms_key else "AES256"
    return Look("encryption", "lacking", method or "none by default", change, "s3:PutEncryptionConfiguration", encrypt)


def _lifecycle(calls: S3Calls, wanted: Wanted) -> Look:
    prefix = calls.options.prefix
    answer = ask_set(
        calls,
        "s3:GetLifecycleConfiguration",
        lambda client: client.get_bucket_lifecycle_configuration(Bucket=calls.bucket),
    )
    rules: list[LifecycleRuleOutputTypeDef] = answer["Rules"] if answer else []
    aborts, expires = documents.abort_days(rules, prefix), documents.noncurrent_days(rules, prefix)
    detail = "; ".join(
        [
            f"unfinished uploads are removed after {aborts} days" if aborts else "unfinished uploads are kept",
            f"old versions after {expires} days" if expires else "old versions are kept for ever",
        ]
    )
    if aborts and expires:
        return Look("lifecycle", "kept", detail)
    changed = documents.with_rules(rules, prefix)
    minimum = answer.get("TransitionDefaultMinimumObjectSize") if answer else None

    def install(client: S3Client) -> object:
        more: Any = {"TransitionDefaultMinimumObjectSize": minimum} if minimum else {}
        return client.put_bucket_lifecycle_configuration(
            Bucket=calls.bucket, LifecycleConfiguration={"Rules": changed}, **more
        )

    added = [f"removes unfinished uploads after {documents.ABORT_DAYS} days"] if not aborts else []
    added += [f"removes old versions after {documents.NONCURRENT_DAYS} days"] if not expires else []
    return Look("lifecycle", "lacking", detail, " and ".join(added), "s3:PutLifecycleConfiguration", install)


def _tls(calls: S3Calls, wanted: Wanted) -> Look:
    answer = ask_set(calls, "s3:GetBucketPolicy", lambda client: client.get_bucket_policy(Bucket=calls.bucket))
    policy = answer["Policy"] if answer else None
    if documents.requires_tls(policy, calls.bucket):
        return Look("TLS only", "kept", "requests that are not encrypted are denied")
    detail = "requests that are not encrypted are answered"
    if not wanted.tls_only:
        return Look("TLS only", "unsupported", f"{detail}; the endpoint has no TLS, so nobody could use the bucket")
    changed = documents.with_tls(policy, calls.bucket, partition=partition_of(wanted.region))

    def require(client: S3Client) -> object:
        return client.put_bucket_policy(Bucket=calls.bucket, Policy=changed)

    count = len(json.loads(changed)["Statement"]) - 1
    change = "denied by the bucket's policy" + (f", beside {count} statements of others" if count else "")
    return Look("TLS only", "lacking", detail, change, "s3:PutBucketPolicy", require)


def _tags(calls: S3Calls, wanted: Wanted) -> Look | None:
    if not wanted.tags:
        return None
    answer = ask_set(calls, "s3:GetBucketTagging", lambda client: client.get_bucket_tagging(Bucket=calls.bucket))
    tags: list[TagTypeDef] = answer["TagSet"] if answer else []
    there = {tag["Key"]: tag["Value"] for tag in tags}
    if dict(wanted.tags).items() <= there.items():
        return Look("tags", "kept", _shown(wanted.tags))
    merged = documents.with_tags(tags, wanted.tags)
    return Look(
        "tags",
        "lacking",
        _shown(there) or "none",
        _shown(wanted.tags),
        "s3:PutBucketTagging",
        partial(_tag, calls.bucket, merged),
    )


def _tag(bucket: str, tags: list[TagTypeDef], client: S3Client) -> object:
    return client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def _same_key(there: str, wanted: str) -> bool:
    """An ARN ends with the id or alias that it is of."""
    return there == wanted or there.endswith((f":key/{wanted}", f":{wanted}"))


def _shown(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items())
