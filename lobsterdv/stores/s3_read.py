"""Take the body of a GET: exactly what was asked, or an error. It asks for nothing itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from lobsterdv.errors import CorruptContent
from lobsterdv.stores.bandwidth import SLICE, Limiter

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef


class ShortBody(ConnectionError):
    """The connection ended before the body did. Never leaves the store: the read is tried again."""


def take_range(
    answer: GetObjectOutputTypeDef, *, key: str, url: str, start: int, length: int, limiter: Limiter | None
) -> bytes:
    """The ``length`` bytes from ``start`` that ``answer`` was asked for.

    A server may answer 200 with the whole value when the whole was asked. Raises CorruptContent when the
    value ends early, or begins elsewhere or is longer than asked; ShortBody when the body broke off.
    """
    expected = f"{length} bytes from {start}"
    offered = answer.get("ContentLength")
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    span = answer.get("ContentRange", "")
    if span and not span.startswith(f"bytes {start}-"):
        raise CorruptContent(key, url, expected, f"the range {span[:60]}")
    if status == HTTPStatus.OK and start > 0 and not span:
        raise CorruptContent(key, url, expected, "the whole value: the server ignores ranges")
    if offered is not None and offered != length:
        raise CorruptContent(key, url, expected, f"{offered} bytes")
    return _take(answer, length, key=key, url=url, expected=expected, limiter=limiter)


def take_whole(answer: GetObjectOutputTypeDef, *, key: str, url: str, limit: int, limiter: Limiter | None) -> bytes:
    """The whole value. Raises CorruptContent, without reading it, when it is longer than ``limit``."""
    expected = f"at most {limit} bytes"
    offered = answer.get("ContentLength")
    if offered is None:
        data = _read(answer, limit + 1, limiter)
        if len(data) > limit:
            raise CorruptContent(key, url, expected, "more")
        return data
    if offered > limit:
        raise CorruptContent(key, url, expected, f"{offered} bytes")
    return _take(answer, offered, key=key, url=url, expected=f"{offered} bytes", limiter=limiter)


def _take(
    answer: GetObjectOutputTypeDef, length: int, *, key: str, url: str, expected: str, limiter: Limiter | None
) -> bytes:
    data = _read(answer, length, limiter)
    if len(data) < length:
        raise ShortBody(f"{len(data)} of {length} bytes arrived")
    # Without a length in the headers only one byte more tells. With one, the connection is free by now.
    if answer.get("ContentLength") is None and answer["Body"].read(1):
        raise CorruptContent(key, url, expected, "more")
    return data


def _read(answer: GetObjectOutputTypeDef, length: int, limiter: Limiter | None) -> bytes:
    """Up to ``length`` bytes in one piece; fewer only at the end of the body."""
    body = answer["Body"]
    if limiter is not None:
        return _read_slowly(body, length, limiter)
    data = body.read(length)
    if len(data) == length or not data:
        return data
    pieces = [data]
    left = length - len(data)
    while left and data:
        data = body.read(left)
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)


def _read_slowly(body: StreamingBody, length: int, limiter: Limiter) -> bytes:
    """The same, in slices that the limiter counts as they arrive."""
    pieces: list[bytes] = []
    left = length
    while left:
        data = body.read(min(left, SLICE))
        if not data:
            break
        limiter.take(len(data))
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)
