"""A store in an S3 bucket, of AWS or of anyone who speaks S3. It holds at most one value or part a call.

botocore repeats a request whose connection or server failed, ``attempts`` times in all; bodies that break
half-way are asked for again here. What a server does not know (checksums, conditional writes) is noticed
at its first refusal and left out from then on.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from lobsterdv.errors import CorruptContent, Denied, KeyMissing, LobsterError, NotARemote, Unreachable, UsageError
from lobsterdv.stores.base import RESTORING, Stat
from lobsterdv.stores.capabilities import Capabilities
from lobsterdv.stores.keys import check_prefix
from lobsterdv.stores.s3_calls import DELETE, READ, WRITE, S3Calls
from lobsterdv.stores.s3_errors import broken_body_errors, code_of, foreign_errors, is_exists, is_unsupported, scrubbed
from lobsterdv.stores.s3_list import listed
from lobsterdv.stores.s3_options import MAX_PUT, S3Credentials, S3Options
from lobsterdv.stores.s3_pace import paced
from lobsterdv.stores.s3_read import Slices, take_range, take_whole
from lobsterdv.stores.s3_tiers import S3Tiers, class_of, restored_until
from lobsterdv.stores.s3_upload import S3Upload
from lobsterdv.stores.tiered import ARCHIVES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import ChecksumAlgorithmType
    from mypy_boto3_s3.type_defs import (
        CopyObjectRequestTypeDef,
        GetObjectOutputTypeDef,
        GetObjectRequestTypeDef,
        PutObjectRequestTypeDef,
    )

T = TypeVar("T")


class S3Store:
    """Bytes in a bucket, under a prefix. It connects at the first use; ``client`` replaces its own."""

    def __init__(
        self, options: S3Options, *, client: S3Client | None = None, credentials: S3Credentials | None = None
    ) -> None:
        self._calls = S3Calls(options, client=client, credentials=credentials)
        self.options = options
        self.url = self._calls.url

    def beside(self, bucket: str, *, region: str = "") -> S3Store:
        """All of another bucket of the same endpoint, as the same identity. To be closed by itself."""
        there = replace(self.options, bucket=bucket, prefix="", region=region or self.options.region)
        return S3Store(there, client=self._calls.lent_client, credentials=self._calls.credentials)

    def head(self, key: str) -> Stat:
        calls = self._calls
        full = calls.key(key)
        try:
            found = calls.ask(READ, key, lambda client: client.head_object(Bucket=calls.bucket, Key=full))
        except (Denied, NotARemote) as error:
            # A HEAD's answer has no body; a GET's says whether it is the key, its expiry or the clock.
            raise self._reason(key, error) from error
        if "LastModified" not in found or "ContentLength" not in found:
            raise calls.not_s3(READ)
        kind, restored = class_of(found), restored_until(found.get("Restore", ""))
        away = (kind in ARCHIVES or bool(found.get("ArchiveStatus"))) and restored in ("", RESTORING)
        modified = found["LastModified"].timestamp()
        etag, version = found.get("ETag", "").strip('"'), found.get("VersionId", "")
        return Stat(key, found["ContentLength"], modified, etag, away, version, kind, restored)

    def crc32(self, key: str) -> int | None:
        """Of a value of one part that was sent with a CRC32, which the server verified and kept."""
        calls = self._calls
        full = calls.key(key)
        found = calls.ask(
            READ, key, lambda client: client.head_object(Bucket=calls.bucket, Key=full, ChecksumMode="ENABLED")
        )
        text = found.get("ChecksumCRC32", "")
        if "-" in text or found.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
            return None  # a checksum of the parts' checksums
        try:
            value = base64.b64decode(text, validate=True)
        except ValueError:
            return None
        return int.from_bytes(value, "big") if len(value) == 4 else None

    def read(self, key: str, *, start: int, length: int) -> bytes:
        if length == 0:
            self.head(key)
            return b""
        span = f"bytes={start}-{start + length - 1}"
        take = partial(take_range, key=key, url=self.url, start=start, length=length, limiter=self._calls.limiter)
        try:
            return self._download(key, lambda: span, take)
        except _BeyondEnd as error:
            raise CorruptContent(key, self.url, f"{length} bytes from {start}", "its end before that") from error

    def read_in_slices(self, key: str, *, start: int, length: int, sink: Callable[[int, memoryview], None]) -> None:
        """As ReadsInSlices promises: a body that breaks off goes on where it did."""
        if length == 0:
            self.head(key)
            return
        slices = Slices(sink, key=key, url=self.url, start=start, length=length, limiter=self._calls.limiter)
        try:
            self._download(key, slices.span, slices.take)
        except _BeyondEnd as error:
            raise CorruptContent(key, self.url, f"{length} bytes from {start}", "its end before that") from error

    def read_whole(self, key: str, *, limit: int) -> bytes:
        take = partial(take_whole, key=key, url=self.url, limit=limit, limiter=self._calls.limiter)
        return self._download(key, lambda: "", take)

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        if len(data) > MAX_PUT:
            raise UsageError(f"{len(data)} bytes are more than one PUT takes ({MAX_PUT}); upload them in parts")
        ways = self._ways(if_absent)
        checksum = self._calls.checksum.of(data) if ways[0][1] else ""
        for conditional, checked in ways:
            try:
                self._calls.attempt(partial(self._put, key, data, checksum if checked else "", conditional))
            except foreign_errors() as error:
                if conditional and is_exists(error):
                    return False
                if is_unsupported(error) and (conditional, checked) != ways[-1]:
                    continue
                raise self._calls.translated(error, WRITE, key) from error
            self._calls.sends_conditions &= conditional or not if_absent
            self._calls.sends_checksums &= checked
            break
        return True

    def upload(self, key: str, size: int) -> S3Upload:
        return S3Upload(self._calls, key, size)

    def list(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        """As Store promises. What a server gives although it was not asked for is left out."""
        check_prefix(prefix)
        return listed(self._calls, prefix, after=after)

    def delete(self, key: str) -> None:
        calls = self._calls
        full = calls.key(key)
        try:
            calls.attempt(lambda client: client.delete_object(Bucket=calls.bucket, Key=full))
        except foreign_errors() as error:
            if code_of(error) != "NoSuchKey":
                raise calls.translated(error, DELETE, key) from error

    def clock(self) -> float:
        """From the Date of the latest answer; a server that gives none is asked through a value of its own."""
        if self._calls.date is None:
            key = f"locks/clock-{os.urandom(8).hex()}"
            self.put(key, b"")
            try:
                return self._calls.date or self.head(key).modified
            finally:
                self.delete(key)
        return self._calls.date

    def refresh(self, key: str) -> bool:
        """By a copy onto itself, which not every server takes, nor of more than 5 GiB."""
        calls = self._calls
        full = calls.key(key)
        request: CopyObjectRequestTypeDef = {
            "Bucket": calls.bucket,
            "Key": full,
            "CopySource": {"Bucket": calls.bucket, "Key": full},
            "MetadataDirective": "REPLACE",
            "TaggingDirective": "REPLACE",  # what is refreshed is in use: nothing tagged for an archive stays so
        }
        self.options.add_storage(request, key)
        if calls.sends_checksums:
            # As it was written: `verify --checksums` goes on comparing it.
            request["ChecksumAlgorithm"] = cast("ChecksumAlgorithmType", calls.checksum.name)
        try:
            answer = calls.attempt(lambda client: client.copy_object(**request))
        except foreign_errors() as error:
            found = calls.translated(error, WRITE, key)
            if isinstance(found, KeyMissing):
                raise found from error
            return False
        calls.note_version(answer.get("VersionId", ""))
        return "CopyObjectResult" in answer

    def delete_exact(self, stat: Stat) -> bool:
        """By its version's id in a bucket that keeps versions; elsewhere as exactly as a HEAD before it makes it."""
        calls = self._calls
        full = calls.key(stat.key)
        try:
            if self.head(stat.key) != stat:
                return False
            if stat.version:
                calls.attempt(
                    lambda client: client.delete_object(Bucket=calls.bucket, Key=full, VersionId=stat.version)
                )
            else:
                calls.attempt(lambda client: client.delete_object(Bucket=calls.bucket, Key=full))
        except KeyMissing:
            return False
        except foreign_errors() as error:
            if code_of(error) not in ("NoSuchKey", "NoSuchVersion"):
                raise calls.translated(error, DELETE, stat.key) from error
            return False
        return True

    @property
    def is_exact(self) -> bool:
        return self._calls.keeps_versions

    @property
    def tiers(self) -> S3Tiers:
        return S3Tiers(self._calls)

    def close(self) -> None:
        self._calls.close()

    @property
    def calls(self) -> S3Calls:
        """Its connection, for what is about the bucket and not about keys."""
        return self._calls

    def adapt(self, capabilities: Capabilities) -> None:
        """As Adapts promises."""
        self._calls.sends_conditions &= capabilities.conditional_put is not False
        if self.options.checksum == "auto":
            self._calls.sends_checksums &= capabilities.crc32 != "refused"

    def _put(self, key: str, data: bytes | memoryview, checksum: str, conditional: bool, client: S3Client) -> None:
        request: PutObjectRequestTypeDef = {
            "Bucket": self._calls.bucket,
            "Key": self._calls.key(key),
            "Body": self._calls.body(data),
        }
        self.options.add_storage(request, key)
        if checksum:
            request[self._calls.checksum.field] = checksum  # type: ignore[literal-required]
        if conditional:
            request["IfNoneMatch"] = "*"
        answer = client.put_object(**request)
        if "ETag" not in answer:
            raise self._calls.not_s3(WRITE)
        self._calls.note_version(answer.get("VersionId", ""))
        self._calls.note_date(answer)

    def _ways(self, if_absent: bool) -> Sequence[tuple[bool, bool]]:
        """(conditional, checked), best first: the ways to write that this server may still take."""
        conditional = if_absent and self._calls.sends_conditions
        checked = self._calls.sends_checksums
        sums = [True, False] if checked and self.options.checksum == "auto" else [checked]
        return [(condition, sum_) for sum_ in sums for condition in ([True, False] if conditional else [False])]

    def _download(self, key: str, span: Callable[[], str], take: Callable[[GetObjectOutputTypeDef], T]) -> T:
        """GET and ``take`` the body, again from a new connection when it breaks; ``span`` is what to ask for then."""
        request: GetObjectRequestTypeDef = {"Bucket": self._calls.bucket, "Key": self._calls.key(key)}
        broken = ""
        for number in range(1, self.options.attempts + 1):
            if broken:
                self._calls.pause(number - 1)
            if wanted := span():
                request["Range"] = wanted
            try:
                answer = self._calls.attempt(lambda client: client.get_object(**request))
            except foreign_errors() as error:
                if code_of(error) in ("InvalidRange", "416"):
                    raise _BeyondEnd from error
                raise self._calls.translated(error, READ, key) from error
            try:
                with paced(answer["Body"], self.options.read_timeout):
                    return take(answer)
            except LobsterError:
                answer["Body"].close()
                raise
            except broken_body_errors() as error:
                answer["Body"].close()
                broken = scrubbed(str(error))
        raise Unreachable(self.url, READ, f"{key} broke off {self.options.attempts} times: {broken}")

    def _reason(self, key: str, error: LobsterError) -> LobsterError:
        """What a one-byte GET says of a HEAD that was refused; ``error`` when it says no more."""
        try:
            self._download(key, lambda: "bytes=0-0", lambda answer: answer["Body"].read(1))
        except (KeyMissing, NotARemote, _BeyondEnd):
            return error
        except LobsterError as told:
            return told
        return error


class _BeyondEnd(Exception):
    """416: the range begins after the value's end."""
