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
    which seldom have a name in the DNS for every bucket. ``storage_class`` is that of keys below ``class_prefix``; all
    others stay in the server's own.
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
    checksum: Literal["auto", "crc32", "none"] = "auto"
    storage_class: str = ""
    class_prefix: str = ""
    sse: str = ""
    kms_key_id: str = ""
    accelerate: bool = False

    def __post_init__(self) -> None:
        if "@" in self.endpoint_url:
            raise ConfigError("endpoint_url", "it must not hold a user name or password")
        if self.endpoint_url and not self.endpoint_url.startswith(("http://", "https://")):
            raise ConfigError("endpoint_url", "it must begin with https:// or http://")
        if min(self.part_size, self.concurrency, self.attempts) < 1:
            raise ConfigError("S3 options", "part_size, concurrency and attempts are at least 1")

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
            request["SSEKMSKeyId"] = self.kms_key_id
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
