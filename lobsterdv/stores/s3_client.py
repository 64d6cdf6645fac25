"""Make boto3's client (botocore's, without the transfer manager) spend little CPU, and hand it bodies without
copying them. It sends nothing.

Measured on SeaweedFS over plain http with ten threads: 0.7 s CPU a GiB up and 0.5 s down; boto3 as it comes
takes 5.0-6.5 s up.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import IO, TYPE_CHECKING, Literal, cast

from lobsterdv.stores.bandwidth import SLICE, Limiter
from lobsterdv.stores.s3_additions import add_to_requests
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from lobsterdv.stores.s3_role import assume_role, sts_client

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Connection:
    """A client, and who it acts as: for people, at most four characters of a key."""

    client: S3Client
    identify: Callable[[], str]
    key_id: Callable[[], str] = lambda: ""
    """The same, without asking anybody."""


def connect(options: S3Options, credentials: S3Credentials | None) -> Connection:
    """A client for ``options``; the AWS chain finds the credentials when none are given.

    Raises ConfigError, and botocore's errors (an unknown profile, for one), which the caller translates.
    """
    from botocore.handlers import add_expect_header  # noqa: PLC0415  start-up time: 0.1-0.5 s CPU
    from botocore.session import Session  # noqa: PLC0415  with botocore; `import boto3` costs half as much again

    session = Session(profile=options.profile or None)
    loader = session.get_component("data_loader")
    # botocore looks twice into the folders of all its 400 services for their versions: a quarter of a client's CPU.
    loader.list_available_services = lambda type_name: os.listdir(loader.BUILTIN_DATA_PATH)
    if credentials:
        session.set_credentials(credentials.access_key, credentials.secret_key, credentials.token or None)
    if options.region:
        session.set_config_variable("region", options.region)
    if options.role_arn:
        assume_role(session, options, _general(options))
    client = cast(
        "S3Client",
        session.create_client(
            "s3",
            endpoint_url=options.endpoint_url or None,
            verify=options.ca_bundle or None,
            config=_general(options).merge(_of_s3(options)),
        ),
    )
    # "Expect: 100-continue" costs a round trip a PUT, and a second where a server never answers it.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    add_to_requests(client, options)
    return Connection(client, cache(partial(_identity, session, options)), partial(_key_id, session))


def _general(options: S3Options) -> Config:
    """How any service is asked."""
    from botocore.config import Config  # noqa: PLC0415  with botocore

    proxies: dict[str, str] | None = None  # those of the environment
    if options.proxies:
        proxies = {} if options.proxies == "none" else {"http": options.proxies, "https": options.proxies}
    return Config(
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        retries={"total_max_attempts": options.attempts, "mode": options.retry_mode},
        max_pool_connections=max(10, options.concurrency + 4),
        tcp_keepalive=True,
        proxies=proxies,
        # None leaves it to the AWS configuration.
        use_dualstack_endpoint=options.dualstack or None,
        use_fips_endpoint=options.fips or None,
    )


def _of_s3(options: S3Options) -> Config:
    from botocore import UNSIGNED  # noqa: PLC0415  with botocore
    from botocore.config import Config  # noqa: PLC0415  with botocore

    addressing: Literal["auto", "path", "virtual"] = options.addressing
    if addressing == "auto" and options.endpoint_url:
        addressing = "path"
    return Config(
        signature_version=UNSIGNED if options.anonymous else "s3v4",
        # Our own checksum travels in a header: trailers break rclone and radosgw, and cost a copy.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            # SHA-256 of every body would be a third of the CPU of an upload; the checksum and our digests stay.
            "payload_signing_enabled": options.payload_signing,
            "addressing_style": addressing,
            "use_accelerate_endpoint": options.accelerate,
        },
    )


def _identity(session: Session, options: S3Options) -> str:
    """An ARN, where AWS tells it at once, else what can be said of the key. Asked only when something went wrong."""
    if options.anonymous:
        return "an anonymous request"
    if session.get_credentials() is not None and not options.endpoint_url:
        from botocore.config import Config  # noqa: PLC0415  with botocore
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  with botocore

        quick = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1, "mode": "standard"})
        try:
            answer = sts_client(session, options, _general(options).merge(quick)).get_caller_identity()
            return str(answer["Arn"])
        except (BotoCoreError, ClientError, KeyError):
            pass
    return _key_id(session)


def _key_id(session: Session) -> str:
    from botocore.credentials import RefreshableCredentials  # noqa: PLC0415  with botocore

    found = session.get_credentials()
    if found is None or (isinstance(found, RefreshableCredentials) and found.refresh_needed()):
        return ""  # what would be asked for first
    return f"access key {found.access_key[:4]}… ({found.method})" if found.access_key else ""


def body_of(data: bytes | memoryview, limiter: Limiter | None = None, *, signed: bool = False) -> IO[bytes]:
    """``data`` as the body of a request. Good for one request and botocore's own repeats of it. ``signed`` when
    botocore reads it for the signature before it sends it: the limiter counts what is sent."""
    return cast("IO[bytes]", _Body(data, limiter, signed))  # botocore calls the four methods below


class _Body:
    """Bytes as the file that botocore wants, read in slices instead of copies.

    Plain bytes would leave in one ``sendall``, whose timeout is for the whole body: a slow line would
    never finish. Slices restart the clock.
    """

    def __init__(self, data: bytes | memoryview, limiter: Limiter | None, signed: bool) -> None:
        self._view = memoryview(data).cast("B")
        self._at = 0
        self._limiter = limiter
        self._signed = signed
        self._passes = 0  # with a signature each first of two is for its hash

    def __len__(self) -> int:
        return len(self._view)

    def read(self, amount: int = -1) -> memoryview:
        if self._at == 0:
            self._passes += 1
        end = len(self._view) if amount < 0 else self._at + amount
        if self._limiter is not None and not (self._signed and self._passes % 2):
            end = min(end, self._at + SLICE)
            self._limiter.take(max(0, min(end, len(self._view)) - self._at))
        piece = self._view[self._at : end]
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, len(self._view))[whence]
        return self._at

    def tell(self) -> int:
        return self._at
