"""Errors of a remote, or of its answers. What an S3 server says becomes one of these in ``stores/s3_errors.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lobsterdv.errors.root import LobsterError


class RemoteError(LobsterError):
    """A store could not do what was asked."""

    exit_code: ClassVar[int] = 4


@dataclass(eq=False)
class KeyMissing(RemoteError):
    key: str
    url: str

    def __str__(self) -> str:
        return f"{self.url} has nothing at {self.key}"


@dataclass(eq=False)
class NotARemote(RemoteError):
    """``is_empty`` when the place could become one: nothing was ever pushed there."""

    url: str
    problem: str
    is_empty: bool = False

    def __str__(self) -> str:
        return f"{self.url} cannot be used as a remote: {self.problem}"


@dataclass(eq=False)
class Unreachable(RemoteError):
    url: str
    action: str
    detail: str

    def __str__(self) -> str:
        return f"{self.url} cannot be reached ({self.action}): {self.detail}"


@dataclass(eq=False)
class Denied(RemoteError):
    url: str
    action: str
    key: str
    identity: str = ""

    def __str__(self) -> str:
        who = f" to {self.identity}" if self.identity else ""
        return f"{self.url} denies {self.action} on {self.key or 'the bucket'}{who}"


@dataclass(eq=False)
class CredentialsError(RemoteError):
    url: str
    problem: str

    def __str__(self) -> str:
        return f"{self.url}: {self.problem}"


@dataclass(eq=False)
class NoBucket(RemoteError):
    url: str
    bucket: str

    def __str__(self) -> str:
        return f"{self.url}: there is no bucket named {self.bucket}"


@dataclass(eq=False)
class WrongRegion(RemoteError):
    url: str
    configured: str
    actual: str

    def __str__(self) -> str:
        configured = self.configured or "the default one"
        return f"{self.url}: the bucket is in region {self.actual or 'another'}, not {configured}"


@dataclass(eq=False)
class Throttled(RemoteError):
    url: str
    action: str

    def __str__(self) -> str:
        return f"{self.url} asks us to slow down ({self.action}), after every retry"


@dataclass(eq=False)
class Untrusted(RemoteError):
    name: str
    endpoint_url: str

    def __str__(self) -> str:
        return (
            f"remote {self.name} sends requests to {self.endpoint_url}, "
            "which comes from tracked configuration and is not trusted on this machine"
        )


@dataclass(eq=False)
class Unencrypted(RemoteError):
    name: str
    endpoint_url: str

    def __str__(self) -> str:
        return (
            f"remote {self.name} sends requests to {self.endpoint_url} unencrypted: "
            "whoever is on the way can read the data, and use what the requests are signed for"
        )


class Unavailable(LobsterError):
    """Not now: archived, busy or locked."""

    exit_code: ClassVar[int] = 6


@dataclass(eq=False)
class Archived(Unavailable):
    url: str
    key: str

    def __str__(self) -> str:
        return f"{self.url}: {self.key} is archived and must be restored before it can be read"


@dataclass(eq=False)
class Busy(Unavailable):
    what: str
    holder: str

    def __str__(self) -> str:
        return f"{self.what} is in use by {self.holder}"
