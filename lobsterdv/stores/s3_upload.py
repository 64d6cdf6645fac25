"""One large value on its way to S3, in parts. Nothing is visible before ``complete``.

A value whose upload was interrupted goes on where it stopped: the bucket itself knows the parts, so there
is no journal to lose. A part counts as sent when its checksum there equals that of the bytes at hand.
"""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from typing import TYPE_CHECKING, cast

from lobsterdv.errors import LobsterError
from lobsterdv.stores.parts import check_all_sent, check_part, count_parts
from lobsterdv.stores.s3_calls import READ, WRITE, S3Calls, told_date
from lobsterdv.stores.s3_errors import code_of, foreign_errors, is_exists, is_unsupported
from lobsterdv.stores.s3_options import part_size_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import ChecksumAlgorithmType
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        CreateMultipartUploadOutputTypeDef,
        CreateMultipartUploadRequestTypeDef,
        ListPartsRequestTypeDef,
        PartTypeDef,
        UploadPartOutputTypeDef,
        UploadPartRequestTypeDef,
    )


class S3Upload:
    """Made by ``S3Store.upload``. Its parts stay in the bucket until ``complete`` or ``abort``."""

    def __init__(self, calls: S3Calls, key: str, size: int) -> None:
        self.part_size = part_size_for(size, chosen=calls.options.part_size)
        self.part_count = count_parts(size, part_size=self.part_size)
        self._calls = calls
        self._key = key
        self._size = size
        self._lock = threading.Lock()
        self._parts: dict[int, CompletedPartTypeDef] = {}
        self._there = False  # someone else completed the same value meanwhile
        # Named again at the end only where the server noted, when the upload began, that parts have one.
        # Of an upload begun before, not every server tells; AWS and SeaweedFS refuse to end it without.
        self._noted = calls.sends_checksums
        self._id, self._since, self._before = self._begun()
        if not self._id:
            created = self._create()
            if "UploadId" not in created:
                raise calls.not_s3(WRITE)
            self._id, self._since = created["UploadId"], told_date(created)
            self._noted = created.get("ChecksumAlgorithm") == calls.checksum.name
        self._checked = calls.sends_checksums

    def send(self, number: int, data: bytes | memoryview) -> None:
        check_part(number, len(data), size=self._size, part_size=self.part_size)
        if self._there:
            return
        checksum = self._calls.checksum.of(data) if self._checked else ""
        before = self._before.get(number)
        if before is not None and _same(before, data, self._calls.checksum.field, checksum):
            self._note(number, before["ETag"], checksum)
            return
        try:
            answer = self._calls.attempt(partial(self._put_part, number, data, checksum))
        except foreign_errors() as error:
            if code_of(error) == "NoSuchUpload" and self._value_is_there():
                self._there = True
                return
            raise self._calls.translated(error, WRITE, self._key) from error
        if "ETag" not in answer:
            raise self._calls.not_s3(WRITE)
        self._note(number, answer["ETag"], checksum)

    def complete(self) -> None:
        if self._there:
            return
        check_all_sent(self._parts, self.part_count)
        parts = [self._parts[number] for number in range(self.part_count)]
        try:
            answer = self._calls.attempt(
                lambda client: client.complete_multipart_upload(
                    Bucket=self._calls.bucket,
                    Key=self._calls.key(self._key),
                    UploadId=self._id,
                    MultipartUpload={"Parts": parts},
                )
            )
        except foreign_errors() as error:
            # Our own success, whose answer was lost, leaves no upload; so does another's of the same value.
            if (is_exists(error) or code_of(error) == "NoSuchUpload") and self._value_is_there():
                self.abort()
                return
            raise self._calls.translated(error, WRITE, self._key) from error
        if "ETag" not in answer:
            raise self._calls.not_s3(WRITE)  # somebody else's 200: what lay there before may lie there still
        self._calls.note_version(answer.get("VersionId", ""))

    def abort(self) -> None:
        try:
            self._calls.attempt(
                lambda client: client.abort_multipart_upload(
                    Bucket=self._calls.bucket, Key=self._calls.key(self._key), UploadId=self._id
                )
            )
        except LobsterError:
            pass
        except foreign_errors():
            pass  # the parts cost money until the bucket's lifecycle rule removes them, but nothing is wrong

    def suspend(self) -> None:
        pass  # the parts stay for ListParts to find; a bucket's lifecycle rule removes those that nobody goes on with

    def _note(self, number: int, etag: str, checksum: str) -> None:
        part: CompletedPartTypeDef = {"PartNumber": number + 1, "ETag": etag}
        if self._noted and checksum:
            part[self._calls.checksum.field] = checksum  # type: ignore[literal-required]
        with self._lock:
            self._parts[number] = part

    def _begun(self) -> tuple[str, float | None, dict[int, PartTypeDef]]:
        """The id, the begin and the parts, by number, of an unfinished upload of this key; no id when there is
        none that can go on. Whatever fails here costs bytes, nothing else."""
        calls = self._calls
        full = calls.key(self._key)
        try:
            listed = calls.ask(
                WRITE, self._key, lambda client: client.list_multipart_uploads(Bucket=calls.bucket, Prefix=full)
            )
            begun = [upload for upload in listed.get("Uploads", []) if upload["Key"] == full]
            if not begun:
                return "", None, {}
            latest = max(begun, key=lambda upload: upload["Initiated"])
            parts = self._listed_parts(latest["UploadId"])
            for number, part in parts.items():
                check_part(number, part["Size"], size=self._size, part_size=self.part_size)
        except (LobsterError, KeyError):
            return "", None, {}
        return (latest["UploadId"], latest["Initiated"].timestamp(), parts) if parts else ("", None, {})

    def _listed_parts(self, upload_id: str) -> dict[int, PartTypeDef]:
        calls = self._calls
        request: ListPartsRequestTypeDef = {
            "Bucket": calls.bucket,
            "Key": calls.key(self._key),
            "UploadId": upload_id,
        }
        parts: dict[int, PartTypeDef] = {}
        while True:
            page = calls.ask(WRITE, self._key, lambda client: client.list_parts(**request))
            parts |= {part["PartNumber"] - 1: part for part in page.get("Parts", [])}
            marker = page.get("NextPartNumberMarker", 0)
            if not page.get("IsTruncated") or marker == request.get("PartNumberMarker", 0):
                return parts
            request["PartNumberMarker"] = marker

    def _create(self) -> CreateMultipartUploadOutputTypeDef:
        def create(client: S3Client) -> CreateMultipartUploadOutputTypeDef:
            options = self._calls.options
            request: CreateMultipartUploadRequestTypeDef = {
                "Bucket": self._calls.bucket,
                "Key": self._calls.key(self._key),
            }
            options.add_storage(request, self._key)
            if self._calls.sends_checksums:
                request["ChecksumAlgorithm"] = cast("ChecksumAlgorithmType", self._calls.checksum.name)
            return client.create_multipart_upload(**request)

        try:
            return self._calls.attempt(create)
        except foreign_errors() as error:
            if not (is_unsupported(error) and self._calls.options.checksum == "auto" and self._calls.sends_checksums):
                raise self._calls.translated(error, WRITE, self._key) from error
        self._calls.sends_checksums = False
        return self._calls.ask(WRITE, self._key, create)

    def _put_part(
        self, number: int, data: bytes | memoryview, checksum: str, client: S3Client
    ) -> UploadPartOutputTypeDef:
        request: UploadPartRequestTypeDef = {
            "Bucket": self._calls.bucket,
            "Key": self._calls.key(self._key),
            "UploadId": self._id,
            "PartNumber": number + 1,
            "Body": self._calls.body(data),
        }
        if checksum:
            request[self._calls.checksum.field] = checksum  # type: ignore[literal-required]
        return client.upload_part(**request)

    def _value_is_there(self) -> bool:
        """Whether this upload, which is gone, became the value: something of its size is there that is no older.

        What lay there before may be the damaged object that is being replaced, and the upload may have been
        aborted. A bucket dates a value by its upload's begin (AWS) or end, in whole seconds."""
        try:
            found = self._calls.ask(
                READ,
                self._key,
                lambda client: client.head_object(Bucket=self._calls.bucket, Key=self._calls.key(self._key)),
            )
        except LobsterError:
            return False
        if found["ContentLength"] != self._size or self._since is None:
            return False
        return found["LastModified"].timestamp() >= int(self._since)


def _same(part: PartTypeDef, data: bytes | memoryview, field: str, checksum: str) -> bool:
    """The part there has these bytes: by its checksum, or by an ETag that happens to be their MD5.

    An ETag that is something else (encryption) merely sends the part again.
    """
    if checksum and part.get(field):
        return bool(part[field] == checksum)  # type: ignore[literal-required]
    return part["ETag"].strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest()
