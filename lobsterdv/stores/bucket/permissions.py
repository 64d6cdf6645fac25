"""Which permission each S3 request of ours needs, and which role has it. Pure; tests hold it to what the commands ask.

The names are those of IAM: docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Role = Literal["reader", "writer", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
Level = Literal["listing", "bucket", "objects", "account"]
"""What a permission is for: listing below the prefix, the bucket, objects below the prefix, or the whole account."""


@dataclass(frozen=True, slots=True)
class Permission:
    """``operations`` are the requests that need ``action``, as boto3 names them; ``implied`` says why it is needed
    although no request is named like it."""

    action: str
    level: Level
    operations: tuple[str, ...]
    implied: str = ""


_READER: Final = (
    Permission("s3:ListBucket", "listing", ("ListObjectsV2", "HeadBucket"), "without it a missing key answers 403"),
    Permission("s3:GetObject", "objects", ("GetObject", "HeadObject", "CopyObject")),
)
_WRITER: Final = (
    Permission(
        "s3:PutObject",
        "objects",
        ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "CopyObject"),
    ),
    Permission("s3:ListBucketMultipartUploads", "bucket", ("ListMultipartUploads",)),
    Permission("s3:ListMultipartUploadParts", "objects", ("ListParts",)),
    Permission("s3:AbortMultipartUpload", "objects", ("AbortMultipartUpload",)),
    Permission("s3:RestoreObject", "objects", ("RestoreObject",)),  # it costs the owner money, as a push does
)
_ADMIN: Final = (
    Permission("s3:DeleteObject", "objects", ("DeleteObject",)),
    Permission(
        "s3:DeleteObjectVersion",
        "objects",
        (),
        "`DeleteObject` with a version's id, by which `remote gc` deletes in a bucket that keeps versions",
    ),
    Permission("s3:GetObjectTagging", "objects", ("GetObjectTagging",)),
    Permission("s3:PutObjectTagging", "objects", ("PutObjectTagging",)),
    Permission("s3:DeleteObjectTagging", "objects", ("DeleteObjectTagging",)),
    Permission("s3:ListBucketVersions", "listing", ("ListObjectVersions",)),
    Permission("s3:ListAllMyBuckets", "account", ("ListBuckets",)),
    Permission("s3:CreateBucket", "bucket", ("CreateBucket",)),
    Permission("s3:GetBucketPublicAccessBlock", "bucket", ("GetPublicAccessBlock",)),
    Permission("s3:PutBucketPublicAccessBlock", "bucket", ("PutPublicAccessBlock",)),
    Permission("s3:GetBucketVersioning", "bucket", ("GetBucketVersioning",)),
    Permission("s3:PutBucketVersioning", "bucket", ("PutBucketVersioning",)),
    Permission("s3:GetEncryptionConfiguration", "bucket", ("GetBucketEncryption",)),
    Permission("s3:PutEncryptionConfiguration", "bucket", ("PutBucketEncryption",)),
    Permission("s3:GetLifecycleConfiguration", "bucket", ("GetBucketLifecycleConfiguration",)),
    Permission("s3:PutLifecycleConfiguration", "bucket", ("PutBucketLifecycleConfiguration",)),
    Permission("s3:GetBucketPolicy", "bucket", ("GetBucketPolicy",)),
    Permission("s3:PutBucketPolicy", "bucket", ("PutBucketPolicy",)),
    Permission("s3:GetBucketTagging", "bucket", ("GetBucketTagging",)),
    Permission("s3:PutBucketTagging", "bucket", ("PutBucketTagging",)),
    Permission("s3:GetBucketLogging", "bucket", ("GetBucketLogging",)),
    Permission("s3:PutBucketLogging", "bucket", ("PutBucketLogging",)),
    Permission("s3:GetReplicationConfiguration", "bucket", ("GetBucketReplication",)),
    Permission("s3:PutReplicationConfiguration", "bucket", ("PutBucketReplication",)),
)
_OF: Final[dict[Role, tuple[Permission, ...]]] = {
    "reader": _READER,
    "writer": _READER + _WRITER,
    "admin": _READER + _WRITER + _ADMIN,
}
KMS_ACTIONS: Final[dict[Role, tuple[str, ...]]] = {
    "reader": ("kms:Decrypt",),
    "writer": ("kms:Decrypt", "kms:GenerateDataKey"),  # Decrypt: S3 reads the parts of an upload to join them
    "admin": ("kms:Decrypt", "kms:GenerateDataKey"),
}


def permissions(role: Role) -> tuple[Permission, ...]:
    """What a role may do, from the plainest on."""
    return _OF[role]


def needed(operation: str, *, has_version: bool = False) -> tuple[str, ...]:
    """The actions that one request needs. Raises KeyError for a request that no role may make."""
    if operation == "DeleteObject" and has_version:
        return ("s3:DeleteObjectVersion",)
    found = tuple(p.action for p in _OF["admin"] if operation in p.operations)
    if not found:
        raise KeyError(operation)
    return found
