"""Probes of one remote: what may be done there, and what its server does. They write only below ``probe/``, always
the same few keys, and remove them where that is allowed.
"""

from __future__ import annotations

import base64
import socket
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from lobsterdv.errors import KeyMissing, LobsterError
from lobsterdv.stores.bucket.asking import Unsupported, ask
from lobsterdv.stores.bucket.crc64 import crc64nvme
from lobsterdv.stores.capabilities import Checking
from lobsterdv.stores.s3_calls import DELETE, LIST, READ, WRITE, S3Calls
from lobsterdv.stores.s3_errors import code_of, foreign_errors, is_exists, status_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "probe/"
SMALL: Final = f"{PREFIX}small"
PARTS: Final = f"{PREFIX}parts"
LARGE: Final = f"{PREFIX}large"
KEYS: Final = (SMALL, PARTS, LARGE)
BODY: Final = b"lobsterdv looks whether this can be written, read and listed\n"
LARGE_BYTES: Final = 4 << 20
_PATIENT: Final = 5  # HEADs whose median is the latency

Algorithm = Literal["CRC32", "CRC64NVME", "XXHASH128"]


@dataclass(frozen=True, slots=True)
class Speed:
    """``latency`` is of one request, in seconds; the others are bytes a second."""

    latency: float
    up: float
    down: float


def addresses(endpoint: str) -> list[str]:
    """The addresses of an endpoint's host here; none where it has none. Asks the DNS."""
    parts = urlsplit(endpoint)
    try:
        found = socket.getaddrinfo(parts.hostname or "", parts.port or 443, proto=socket.IPPROTO_TCP)
    except OSError:
        return []
    return sorted({str(entry[4][0]) for entry in found})


def first_answer(calls: S3Calls) -> str:
    """One list below the probes: proves the connection. The region that the server says the bucket is in, or nothing.
    Raises RemoteError."""
    answer = calls.ask(
        LIST,
        PREFIX,
        lambda client: client.list_objects_v2(Bucket=calls.bucket, Prefix=calls.prefix + PREFIX, MaxKeys=1),
    )
    if "IsTruncated" not in answer and "KeyCount" not in answer:
        raise calls.not_s3(LIST)
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    if headers.get("x-amz-bucket-region"):
        return headers["x-amz-bucket-region"]
    with suppress(LobsterError):
        seen = ask(calls, LIST, lambda client: client.head_bucket(Bucket=calls.bucket))
        return str(seen.get("BucketRegion", ""))
    return ""


def write(calls: S3Calls) -> None:
    """Write the small probe. Raises Denied, RemoteError."""
    _ask(calls, WRITE, SMALL, lambda client: client.put_object(**_small(calls)))


def read(calls: S3Calls) -> bool:
    """Whether the small probe comes back as it was written. Raises Denied, KeyMissing, RemoteError."""
    answer = _ask(calls, READ, SMALL, lambda client: client.get_object(Bucket=calls.bucket, Key=calls.key(SMALL)))
    return bool(answer["Body"].read() == BODY)


def read_range(calls: S3Calls) -> bool:
    """Whether a range of the small probe is just that. Raises as ``read``."""
    request: Any = {"Bucket": calls.bucket, "Key": calls.key(SMALL), "Range": "bytes=10-19"}
    answer = _ask(calls, READ, SMALL, lambda client: client.get_object(**request))
    return bool(answer["Body"].read() == BODY[10:20])


def keeps_existing(calls: S3Calls) -> bool:
    """Whether the small probe, which is there, survives two writes on the condition that it is not."""
    for _ in range(2):
        try:
            calls.attempt(lambda client: client.put_object(**_small(calls), IfNoneMatch="*"))
        except foreign_errors() as error:
            if is_exists(error):
                continue
            if status_of(error) in (400, 501):
                return False
            raise calls.translated(error, WRITE, SMALL) from error
        return False
    return True


def checksum(calls: S3Calls, algorithm: Algorithm) -> Checking:
    """What the server does with a checksum that is sent along: first a wrong one, then the right one. "" where this
    SDK has none of that kind."""
    name = f"Checksum{algorithm}"
    members = calls.attempt(lambda client: client.meta.service_model.operation_model("PutObject").input_shape)
    if members is None or name not in getattr(members, "members", {}):
        return ""
    right = _sums()[algorithm]
    refuses_wrong = bool(_refusal(calls, name, bytes(len(right))))
    if _refusal(calls, name, right):
        return "refused"
    return "verified" if refuses_wrong else "taken"


def send_parts(calls: S3Calls) -> None:
    """An upload in parts, begun, listed and made whole, and one that is given up. Raises Unsupported, Denied."""
    place: Any = {"Bucket": calls.bucket, "Key": calls.key(PARTS)}
    upload = _begin(calls, PARTS)
    try:
        part: Any = {**place, "UploadId": upload, "PartNumber": 1, "Body": BODY}
        etag = _ask(calls, WRITE, PARTS, lambda client: client.upload_part(**part))["ETag"]
        _ask(calls, "s3:ListMultipartUploadParts", PARTS, lambda client: client.list_parts(**place, UploadId=upload))
        _ask(
            calls,
            "s3:ListBucketMultipartUploads",
            PARTS,
            lambda client: client.list_multipart_uploads(Bucket=calls.bucket, Prefix=calls.key(PARTS)),
        )
        whole: Any = {**place, "UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
        _ask(calls, WRITE, PARTS, lambda client: client.complete_multipart_upload(**whole))
    except LobsterError:
        with suppress(LobsterError):
            _abort(calls, PARTS, upload)
        raise
    _abort(calls, PARTS, _begin(calls, PARTS))


def remove(calls: S3Calls) -> None:
    """Delete the probes. Raises Denied."""
    for key in KEYS:
        request: Any = {"Bucket": calls.bucket, "Key": calls.key(key)}
        with suppress(KeyMissing):
            _ask(calls, DELETE, key, partial(_delete, request))


def keeps_versions(calls: S3Calls) -> bool:
    """Whether the bucket keeps what is overwritten or deleted. Raises Unsupported, Denied."""
    answer = ask(calls, "s3:GetBucketVersioning", lambda client: client.get_bucket_versioning(Bucket=calls.bucket))
    return answer.get("Status") == "Enabled"


def measure(calls: S3Calls, now: Callable[[], float]) -> Speed:
    """Latency of a HEAD; throughput of one part that is given up, and of reading the large probe. Raises Denied."""
    small: Any = {"Bucket": calls.bucket, "Key": calls.key(SMALL)}
    waits = sorted(
        _timed(now, lambda: _ask(calls, READ, SMALL, lambda client: client.head_object(**small)))
        for _ in range(_PATIENT)
    )
    body = bytes(range(256)) * (LARGE_BYTES // 256)
    upload = _begin(calls, LARGE)
    large: Any = {"Bucket": calls.bucket, "Key": calls.key(LARGE)}
    part = {**large, "UploadId": upload, "PartNumber": 1, "Body": body}
    try:
        up = _timed(now, lambda: _ask(calls, WRITE, LARGE, lambda client: client.upload_part(**part)))
    finally:
        _abort(calls, LARGE, upload)
    try:
        there = ask(calls, READ, lambda client: client.head_object(**large), key=LARGE)["ContentLength"] == len(body)
    except KeyMissing:
        there = False
    if not there:
        _ask(calls, WRITE, LARGE, lambda client: client.put_object(**large, Body=body))
    down = _timed(now, lambda: _read(calls, large))
    return Speed(waits[len(waits) // 2], len(body) / max(up, 1e-6), len(body) / max(down, 1e-6))


def _delete(request: Any, client: S3Client) -> object:
    return client.delete_object(**request)


def _refusal(calls: S3Calls, name: str, value: bytes) -> str:
    """The code by which a write with this checksum is refused; nothing when it is taken."""
    request: Any = _small(calls) | {name: base64.b64encode(value).decode("ascii")}

    def send(client: S3Client) -> str:
        try:
            client.put_object(**request)
        except foreign_errors() as error:  # here, because a damaged body is worth another attempt elsewhere
            if status_of(error) in (400, 501) and code_of(error) not in ("ExpiredToken", "RequestTimeTooSkewed"):
                return code_of(error) or "400"
            raise
        return ""

    return calls.ask(WRITE, SMALL, send)


def _read(calls: S3Calls, large: Any) -> None:
    answer = _ask(calls, READ, LARGE, lambda client: client.get_object(**large))
    answer["Body"].read()


def _timed(now: Callable[[], float], work: Callable[[], object]) -> float:
    began = now()
    work()
    return now() - began


def _small(calls: S3Calls) -> Any:
    request: Any = {"Bucket": calls.bucket, "Key": calls.key(SMALL), "Body": BODY}
    calls.options.add_storage(request, SMALL)
    return request


def _begin(calls: S3Calls, key: str) -> str:
    request: Any = {"Bucket": calls.bucket, "Key": calls.key(key)}
    calls.options.add_storage(request, key)
    answer = _ask(calls, WRITE, key, lambda client: client.create_multipart_upload(**request))
    if "UploadId" not in answer:
        raise Unsupported("the server begins no upload")
    return str(answer["UploadId"])


def _abort(calls: S3Calls, key: str, upload: str) -> None:
    request: Any = {"Bucket": calls.bucket, "Key": calls.key(key), "UploadId": upload}
    _ask(calls, "s3:AbortMultipartUpload", key, lambda client: client.abort_multipart_upload(**request))


def _ask(calls: S3Calls, action: str, key: str, call: Callable[[S3Client], Any]) -> Any:
    return ask(calls, action, call, key=key)


def _sums() -> dict[Algorithm, bytes]:
    from xxhash import xxh128_digest  # noqa: PLC0415 - start-up time

    crc32, crc64 = zlib.crc32(BODY).to_bytes(4, "big"), crc64nvme(BODY).to_bytes(8, "big")
    return {"CRC32": crc32, "CRC64NVME": crc64, "XXHASH128": xxh128_digest(BODY)}
