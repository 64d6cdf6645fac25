"""Take the body of a GET: exactly what was asked, or an error. It asks for nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from lobsterdv.errors import CorruptContent
from lobsterdv.stores.bandwidth import SLICE, Limiter

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef


_SLICE: Final = 1 << 20
"""What is handed on at once: it stays in the processor's cache, and the memory for it is used again."""


class ShortBody(ConnectionError):
    """The connection ended before the body did. Never leaves the store: the read is tried again."""


def take_range(
    answer: GetObjectOutputTypeDef, *, key: str, url: str, start: int, length: int, limiter: Limiter | None
) -> bytes:
    """The ``length`` bytes from ``start`` that ``answer`` was asked for.

    A server may answer 200 with the whole value when the whole was asked. Raises CorruptContent when the
    value ends early, or begins elsewhere or is longer than asked; ShortBody when the body broke off.
    """
    _check_range(answer, key=key, url=url, start=start, length=length)
    return _take(answer, length, key=key, url=url, expected=f"{length} bytes from {start}", limiter=limiter)


class Slices:
    """The ``length`` bytes from ``start`` on their way to ``sink``, as ReadsInSlices promises. After an answer that
    broke off ``span`` asks for the rest."""

    def __init__(
        self,
        sink: Callable[[int, memoryview], None],
        *,
        key: str,
        url: str,
        start: int,
        length: int,
        limiter: Limiter | None = None,
    ) -> None:
        self._sink = sink
        self._key = key
        self._url = url
        self._start = start
        self._length = length
        self._limiter = limiter
        self._done = 0

    def span(self) -> str:
        """What is left, for a Range header."""
        return f"bytes={self._start + self._done}-{self._start + self._length - 1}"

    def take(self, answer: GetObjectOutputTypeDef) -> None:
        """Hand on the body of an answer to ``span``. Raises as ``take_range``, and what ``sink`` does."""
        start, left = self._start + self._done, self._length - self._done
        expected = f"{left} bytes from {start}"
        _check_range(answer, key=self._key, url=self._url, start=start, length=left)
        while self._done < self._length:
            size = min(_SLICE, self._length - self._done)
            data = _read(answer, size, self._limiter)
            if self._done + len(data) == self._length:
                _check_end(answer, key=self._key, url=self._url, expected=expected)
            elif not data:
                raise ShortBody(f"{self._done} of {self._length} bytes arrived")
            self._sink(self._done, memoryview(data))
            self._done += len(data)


def _check_range(answer: GetObjectOutputTypeDef, *, key: str, url: str, start: int, length: int) -> None:
    """By its headers. Raises CorruptContent."""
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
    _check_end(answer, key=key, url=url, expected=expected)
    return data


def _check_end(answer: GetObjectOutputTypeDef, *, key: str, url: str, expected: str) -> None:
    """Without a length in the headers only one byte more tells. With one, the connection is free by now."""
    if answer.get("ContentLength") is None and answer["Body"].read(1):
        raise CorruptContent(key, url, expected, "more")


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
