"""What can be said about an S3 place, and how large its parts are. No network, no boto3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, cast

from lobsterdv.errors import ConfigError, UsageError
from lobsterdv.stores.parts import GIB, MIB, TIB

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import ServerSideEncryptionType, StorageClassType
    from mypy_boto3_s3.type_defs import (
        CopyObjectRequestTypeDef,
        CreateMultipartUploadRequestTypeDef,
        PutObjectRequestTypeDef,
    )

MIN_PART: Final = 5 * MIB  # S3's limits: docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_PART: Final = 5 * GIB
MAX_PUT: Final = 5 * GIB
MAX_OBJECT: Final = 5 * TIB
MAX_PARTS: Final = 9_000  # S3 takes 10,000; the rest is margin


@dataclass(frozen=True, slots=True)
class S3Options:
    """How to reach and use a bucket. Sizes are in bytes, timeouts in seconds; empty means "not said".

    ``attempts`` counts the first one. ``checksum`` "auto" sends a CRC32 the server verifies until it says
    that it cannot. ``addressing`` "auto" is virtual-hosted on AWS and path style at custom endpoints,
    which seldom have a name in the DNS for every bucket. ``max_bandwidth`` is in bytes a second, 0 for no
    limit. ``proxies`` is a URL, or "none" to pass by even those of the environment. ``storage_class`` is that of keys
    below ``class_prefix``; all others stay in the server's own.
    """

    bucket: str = ""
    prefix: str = ""
    endpoint_url: str = ""
    region: str = ""
    profile: str = ""
    addressing: Literal["auto", "path", "virtual"] = "auto"
    part_size: int = 10 * MIB
    multipart_threshold: int = 100 * MIB
    concurrency: int = 10
    connect_timeout: float = 10
    read_timeout: float = 60
    attempts: int = 5
    checksum: Literal["auto", "crc32", "crc64nvme", "xxhash128", "none"] = "auto"
    storage_class: str = ""
    class_prefix: str = ""
    sse: str = ""
    kms_key_id: str = ""
    sse_c_key_file: str = ""
    acl: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    requester_pays: bool = False
    accelerate: bool = False
    dualstack: bool = False
    fips: bool = False
    retry_mode: Literal["adaptive", "standard", "legacy"] = "adaptive"
    payload_signing: bool = False
    max_bandwidth: int = 0
    proxies: str = ""
    ca_bundle: str = ""
    anonymous: bool = False
    role_arn: str = ""
    external_id: str = ""
    role_session_name: str = ""
    mfa_serial: str = ""

    def __post_init__(self) -> None:
        if "@" in self.endpoint_url:
            raise ConfigError("endpoint_url", "it must not hold a user name or password")
        if self.endpoint_url and not self.endpoint_url.startswith(("http://", "https://")):
            raise ConfigError("endpoint_url", "it must begin with https:// or http://")
        if min(self.part_size, self.concurrency, self.attempts) < 1:
            raise ConfigError("S3 options", "part_size, concurrency and attempts are at least 1")
        for problem, is_so in self._contradictions().items():
            if is_so:
                raise ConfigError("S3 options", problem)

    def _contradictions(self) -> dict[str, bool]:
        """What S3 or botocore would refuse, or do without saying so, by what is wrong with it."""
        own = bool(self.endpoint_url)
        return {
            "accelerate is of AWS's own endpoints; unset endpoint_url": self.accelerate and own,
            "accelerate does not take bucket names with dots": self.accelerate and "." in self.bucket,
            "accelerate has no FIPS endpoints": self.accelerate and self.fips,
            "dualstack and fips are of AWS's own endpoints; unset endpoint_url": own and (self.dualstack or self.fips),
            "anonymous requests have no role": self.anonymous and bool(self.role_arn),
            "anonymous requests cannot be requester_pays: nobody would pay": self.anonymous and self.requester_pays,
            "kms_key_id needs sse: aws:kms or aws:kms:dsse": bool(self.kms_key_id) and self.sse == "AES256",
            "sse and sse_c_key_file exclude each other": bool(self.sse) and bool(self.sse_c_key_file),
            "kms_key_id and sse_c_key_file exclude each other": bool(self.kms_key_id) and bool(self.sse_c_key_file),
            "external_id and mfa_serial need role_arn": bool(self.external_id or self.mfa_serial) and not self.role_arn,
        }

    def add_storage(
        self,
        request: PutObjectRequestTypeDef | CreateMultipartUploadRequestTypeDef | CopyObjectRequestTypeDef,
        key: str,
    ) -> None:
        """Add to a boto3 request how the bytes of a key (without the prefix) shall be kept."""
        if self.storage_class and key.startswith(self.class_prefix):
            request["StorageClass"] = cast("StorageClassType", self.storage_class)
        if self.sse:
            request["ServerSideEncryption"] = cast("ServerSideEncryptionType", self.sse)
        if self.kms_key_id:
            request["ServerSideEncryption"] = cast("ServerSideEncryptionType", self.sse or "aws:kms")
            request["SSEKMSKeyId"] = self.kms_key_id
        if (self.kms_key_id or self.sse == "aws:kms") and self.sse != "aws:kms:dsse":  # which knows no bucket keys
            request["BucketKeyEnabled"] = True


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """Keys given by the caller in place of the AWS chain. Never shown: not in ``repr``, not in errors."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


def part_size_for(size: int, *, chosen: int) -> int:
    """The part size for a value of ``size`` bytes: ``chosen`` or more, whole MiB when it had to grow.

    Raises UsageError above 5 TiB, before anything is sent.
    """
    if size > MAX_OBJECT:
        raise UsageError(f"{size} bytes are more than S3 takes in one object ({MAX_OBJECT})")
    grown = -(-size // (MAX_PARTS * MIB)) * MIB if size > chosen * MAX_PARTS else chosen
    return min(max(grown, MIN_PART), MAX_PART)
