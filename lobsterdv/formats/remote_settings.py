"""Every setting of a remote (docs/s3.md, "Settings of a remote").

What could send requests, or what they are signed for, elsewhere, or cost money, counts from a cloned
repository only after `remote trust` (``asks``). What names a file or a person is private to a machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lobsterdv.formats.values import GiB, Key, MiB

_ACLS: Final = (
    "private", "bucket-owner-full-control", "bucket-owner-read", "authenticated-read", "aws-exec-read",
    "public-read", "public-read-write",
)  # fmt: skip

REMOTE_KEYS: Final[Mapping[str, Key]] = {
    "url": Key("text", None, True, "s3://bucket/prefix or a directory"),
    "endpoint_url": Key("text", None, True, "of an S3 server other than AWS", asks=True),
    "region": Key("text", None, True, "of the bucket"),
    "priority": Key(
        "count", 100, True, "fetch asks remotes with lower numbers first; of equals the project's remote", most=1000
    ),
    "profile": Key("text", None, True, "in the AWS configuration files"),
    "role_arn": Key("text", None, True, "the role that is assumed with these credentials", asks=True),
    "external_id": Key("text", None, True, "what the role's owner asks for, beside the name", asks=True),
    "role_session_name": Key("text", None, False, "how the role's owner sees you; default: lobsterdv"),
    "mfa_serial": Key("text", None, False, "your MFA device, where the role asks for a code"),
    "anonymous": Key("switch", False, True, "requests are not signed, for public data", asks=True),
    "addressing": Key("choice", "auto", True, "how requests name the bucket", choices=("auto", "path", "virtual")),
    "accelerate": Key("switch", False, True, "through S3 Transfer Acceleration"),
    "dualstack": Key("switch", False, True, "to the endpoints that have IPv6 too"),
    "fips": Key("switch", False, True, "to the FIPS endpoints"),
    "proxies": Key("text", None, True, "a proxy's URL; none: not even the environment's", asks=True),
    "ca_bundle": Key("text", None, True, "certificates to believe instead of the system's", asks=True),
    "requester_pays": Key("switch", False, True, "you pay for the requests and the traffic", asks=True),
    "sse": Key("choice", None, True, "encryption at rest", choices=("AES256", "aws:kms", "aws:kms:dsse")),
    "kms_key_id": Key("text", None, True, "the KMS key's id, ARN or alias"),
    "sse_c_key_file": Key("text", None, False, "a file with the 256-bit key that encrypts every object"),
    "acl": Key("choice", None, True, "the canned ACL of what is written", choices=_ACLS, asks=True),
    "storage_class": Key("storage class", None, True, "of objects that are pushed: STANDARD_IA, GLACIER_IR, ..."),
    "tags": Key("tags", None, True, "of every object that is written: KEY=VALUE,..."),
    "concurrency": Key("count", 10, True, "requests at once", least=1, most=256),
    "max_bandwidth": Key("rate", 0, True, "bytes a second, up and down together; 0: no limit"),
    "multipart_threshold": Key("size", 100 * 1000**2, True, "larger files go up in parts", least=5 * MiB, most=5 * GiB),
    "part_size": Key("size", 10 * 1000**2, True, "of these parts; grows with the file", least=5 * MiB, most=5 * GiB),
    "connect_timeout": Key("count", 10, True, "seconds to wait for a connection", least=1, most=3600),
    "read_timeout": Key("count", 60, True, "seconds to wait for an answer", least=1, most=3600),
    "attempts": Key("count", 5, True, "tries of a request, in all", least=1, most=100),
    "retry_mode": Key(
        "choice", "adaptive", True, "how botocore tries again", choices=("adaptive", "standard", "legacy")
    ),
    "payload_signing": Key("switch", False, True, "the signature covers the body too (SHA-256, costs CPU)"),
    "checksum": Key(
        "choice",
        "auto",
        True,
        "checksum sent for the server to verify; auto: crc32, unless the server refuses it",
        choices=("auto", "crc32", "crc64nvme", "xxhash128", "none"),
    ),
    "compression": Key(
        "choice",
        "auto",
        True,
        "zstd where a sample shows that it pays: auto, none, or a level from 1 to 19",
        choices=("auto", "none", *map(str, range(1, 20))),
    ),
}
