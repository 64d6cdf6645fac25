"""Requests to one bucket: connect late, repeat what deserves it, translate errors. It knows no operation."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any, TypeVar

from lobsterdv.errors import KeyMissing, LobsterError, NoBucket, Unreachable
from lobsterdv.stores.bandwidth import Limiter
from lobsterdv.stores.checksums import checksum_named
from lobsterdv.stores.keys import check_key
from lobsterdv.stores.s3_client import Connection, body_of, connect
from lobsterdv.stores.s3_errors import Request, code_of, foreign_errors, is_repeatable, translate
from lobsterdv.stores.s3_options import S3Credentials, S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

READ = "s3:GetObject"  # actions are named by the permission they need
WRITE = "s3:PutObject"
LIST = "s3:ListBucket"
DELETE = "s3:DeleteObject"


def told_date(answer: Mapping[str, Any]) -> float | None:
    """When an answer was given, whole seconds by the server's own clock; None when it does not tell."""
    try:
        told = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(told).timestamp()
    except (KeyError, ValueError):
        return None


class S3Calls:
    """Used by every thread of a store. ``sends_*`` is what the server was not seen to refuse, so far; ``date`` the time
    of its latest answer by its own clock, ``server`` what it calls itself; ``keeps_versions`` whether the latest write
    became a version of its own."""

    def __init__(self, options: S3Options, *, client: S3Client | None, credentials: S3Credentials | None) -> None:
        self.options = options
        self.bucket = options.bucket
        self.url = f"s3://{options.bucket}" + (f"/{options.prefix}" if options.prefix else "")
        self.prefix = f"{options.prefix}/" if options.prefix else ""
        self.checksum = checksum_named(options.checksum)
        self.sends_checksums = options.checksum != "none"
        self.sends_conditions = True
        self.limiter = Limiter(options.max_bandwidth) if options.max_bandwidth else None
        self.credentials = credentials
        self._connection = Connection(client, identify=lambda: "") if client is not None else None
        self.lent_client = client  # not ours to close
        self._connecting = threading.Lock()
        self._bucket_seen = False
        self.date: float | None = None
        self.server = ""
        self.keeps_versions = False

    def key(self, key: str) -> str:
        """The key in the bucket. Raises UsageError when the whole is no key."""
        return self.prefix + check_key(key) if not self.prefix else check_key(self.prefix + check_key(key))

    def ask(self, action: str, key: str, call: Callable[[S3Client], T]) -> T:
        """``attempt``, with every failure as one of our errors."""
        try:
            return self.attempt(call)
        except foreign_errors() as error:
            raise self.translated(error, action, key) from error

    def attempt(self, call: Callable[[S3Client], T]) -> T:
        """Do ``call``, and again after conflicts, damage on the way and 429, which botocore gives up on.

        Raises botocore's errors, for callers that tell them apart, and ConfigError.
        """
        client = self._connected().client
        for number in range(1, self.options.attempts):
            try:
                answer = call(client)
            except foreign_errors() as error:
                if not is_repeatable(error):
                    raise
                self.pause(number)
            else:
                self._bucket_seen = True
                return self.note_date(answer)
        return self.note_date(call(client))

    def note_date(self, answer: T) -> T:
        """What every answer tells besides: the server's clock, and its name."""
        if isinstance(answer, dict):
            headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            self.server = headers.get("server", self.server)
            self.date = told_date(answer) or self.date
        return answer

    def translated(self, error: Exception, action: str, key: str) -> LobsterError:
        """Our error for botocore's. The first missing key makes sure that the bucket is there at all."""
        found = translate(error, self._request(action, key))
        self.note_date(getattr(error, "response", None))
        # A HEAD's 404 has no body, so it says nothing of the bucket; an S3 code does.
        if isinstance(found, KeyMissing) and not self._bucket_seen and code_of(error) != "NoSuchKey":
            try:
                self._connected().client.head_bucket(Bucket=self.bucket)
            except foreign_errors() as second:
                about_bucket = translate(second, self._request(LIST, ""))
                if isinstance(about_bucket, NoBucket):
                    return about_bucket
            self._bucket_seen = True
        return found

    def body(self, data: bytes | memoryview) -> IO[bytes]:
        """``data`` to send, within the limit of bytes a second."""
        return body_of(data, self.limiter, signed=self.options.payload_signing)

    def note_version(self, version: str) -> None:
        """Of a write's answer. A bucket whose versioning is suspended says ``null``, and overwrites."""
        self.keeps_versions = version not in ("", "null")

    def not_s3(self, action: str) -> Unreachable:
        """The error for a success that lacks what every S3 answer has: a login page, a proxy, a web server."""
        return Unreachable(self.url, action, "the answer is not S3's; is a proxy or a login page in between?")

    def pause(self, number: int) -> None:
        """Wait before attempt ``number + 1``: random, up to 0.2 s, 0.4 s, ... 5 s."""
        time.sleep(random.uniform(0, min(0.1 * 2**number, 5)))

    def identity(self) -> str:
        """What requests are signed with, and where the chain found that; for people. Asks nobody; empty without
        credentials."""
        try:
            return self._connected().key_id()
        except foreign_errors() as error:
            raise translate(error, self._request("connect", "")) from error

    def meeting(self) -> tuple[str, str]:
        """The endpoint and the region that requests go to. Sends nothing."""
        try:
            meta = self._connected().client.meta
        except foreign_errors() as error:
            raise translate(error, self._request("connect", "")) from error
        return meta.endpoint_url, meta.region_name or ""

    def close(self) -> None:
        if self._connection is not None and self.lent_client is None:
            self._connection.client.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            with self._connecting:
                if self._connection is None:
                    self._connection = connect(self.options, self.credentials)
        return self._connection

    def _request(self, action: str, key: str) -> Request:
        connection = self._connection
        region = self.options.region or (connection.client.meta.region_name if connection else "")
        if connection is None:
            return Request(self.url, self.bucket, action, key, region or "", identify=lambda: "")
        return Request(self.url, self.bucket, action, key, region or "", connection.identify, connection.key_id)
