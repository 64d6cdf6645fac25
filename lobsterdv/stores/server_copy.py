"""A value from one bucket into another without it passing here: CopyObject, above 5 GiB UploadPartCopy.

The server is believed only as far as it can be checked: the copy's size, and its CRC-32 or ETag, must be those of the
original. Everything else is for the caller to send through, and verify on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobsterdv.errors import Archived, LobsterError
from lobsterdv.stores.base import Store
from lobsterdv.stores.parts import GIB, count_parts
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_calls import WRITE
from lobsterdv.stores.s3_errors import foreign_errors
from lobsterdv.stores.s3_options import S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        CopyObjectRequestTypeDef,
        CopySourceTypeDef,
        CreateMultipartUploadRequestTypeDef,
    )

MAX_COPY = 5 * GIB  # of one CopyObject, and of one part


def share_server(one: Store, other: Store) -> bool:
    """Whether a server may copy between two stores: both buckets of one endpoint, reached as the same identity."""
    if not isinstance(one, S3Store) or not isinstance(other, S3Store):
        return False
    if one.options.sse_c_key_file or other.options.sse_c_key_file:
        return False  # keys of our own would have to go along
    return _identity(one.options) == _identity(other.options)


def copy_on_server(source: Store, target: Store, key: str, *, largest: int = MAX_COPY) -> bool:
    """Have the server copy ``key``; False when it cannot, may not, or what it made cannot be compared or is another.

    What cannot be compared stays there, to be written over. Copies above ``largest`` bytes go in parts of that size.
    Raises KeyMissing, Archived for an original that is not to be had; LobsterError when the target fails a HEAD.
    """
    if not isinstance(source, S3Store) or not isinstance(target, S3Store) or not share_server(source, target):
        return False
    stat = source.head(key)
    if stat.archived:
        raise Archived(source.url, key)
    try:
        if stat.size <= largest:
            _copy(source, target, key)
        else:
            _copy_parts(source, target, key, stat.size, largest)
    except foreign_errors():
        return False
    made = target.head(key)
    if made.size != stat.size:
        return False
    if made.etag and made.etag == stat.etag and "-" not in made.etag:
        return True
    sums = source.crc32(key), target.crc32(key)
    return sums[0] is not None and sums[0] == sums[1]


def _copy(source: S3Store, target: S3Store, key: str) -> None:
    request: CopyObjectRequestTypeDef = {
        "Bucket": target.calls.bucket,
        "Key": target.calls.key(key),
        "CopySource": _source(source, key),
        "TaggingDirective": "REPLACE",  # a tag that sends the original to an archive is no property of the copy
    }
    target.options.add_storage(request, key)
    if target.calls.sends_checksums:
        request["ChecksumAlgorithm"] = "CRC32"  # `verify --checksums` goes on comparing it
    answer = target.calls.attempt(lambda client: client.copy_object(**request))
    target.calls.note_version(answer.get("VersionId", ""))


def _copy_parts(source: S3Store, target: S3Store, key: str, size: int, part_size: int) -> None:
    calls, full = target.calls, target.calls.key(key)
    request: CreateMultipartUploadRequestTypeDef = {"Bucket": calls.bucket, "Key": full}
    target.options.add_storage(request, key)
    if calls.sends_checksums:
        request["ChecksumAlgorithm"] = "CRC32"
        request["ChecksumType"] = "FULL_OBJECT"  # so that it can be compared with the original's
    upload = calls.attempt(lambda client: client.create_multipart_upload(**request))["UploadId"]
    try:
        parts: list[CompletedPartTypeDef] = []
        for number in range(count_parts(size, part_size=part_size)):
            start = number * part_size
            span = f"bytes={start}-{min(size, start + part_size) - 1}"
            parts.append(_copy_part(source, target, key, upload, number + 1, span))
        answer = calls.attempt(
            lambda client: client.complete_multipart_upload(
                Bucket=calls.bucket, Key=full, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        )
        calls.note_version(answer.get("VersionId", ""))
    except BaseException:
        try:
            calls.ask(
                WRITE, key, lambda client: client.abort_multipart_upload(Bucket=calls.bucket, Key=full, UploadId=upload)
            )
        except LobsterError:
            pass  # the bucket's lifecycle rule removes the parts
        raise


def _copy_part(source: S3Store, target: S3Store, key: str, upload: str, number: int, span: str) -> CompletedPartTypeDef:
    answer = target.calls.attempt(
        lambda client: client.upload_part_copy(
            Bucket=target.calls.bucket,
            Key=target.calls.key(key),
            CopySource=_source(source, key),
            CopySourceRange=span,
            UploadId=upload,
            PartNumber=number,
        )
    )
    part = answer["CopyPartResult"]
    made: CompletedPartTypeDef = {"PartNumber": number, "ETag": part["ETag"]}
    if "ChecksumCRC32" in part:
        made["ChecksumCRC32"] = part["ChecksumCRC32"]
    return made


def _identity(options: S3Options) -> tuple[str | bool, ...]:
    return options.endpoint_url, options.profile, options.role_arn, options.anonymous, options.requester_pays


def _source(source: S3Store, key: str) -> CopySourceTypeDef:
    return {"Bucket": source.calls.bucket, "Key": source.calls.key(key)}
