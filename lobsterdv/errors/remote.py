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
class Untrusted(RemoteError):
    """``setting`` of the remote ``name`` is ``value`` by the word of a tracked file alone."""

    name: str
    setting: str
    value: str

    def __str__(self) -> str:
        what = (
            f"sends requests to {self.value}"
            if self.setting == "endpoint_url"
            else f"sets {self.setting}: {self.value}"
        )
        return f"remote {self.name} {what}, which comes from tracked configuration and is not trusted on this machine"


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
    """``name`` is the dataset, where it is known; ``restoring`` tells that somebody asked for it already."""

    url: str
    key: str
    name: str = ""
    restoring: bool = False

    def __str__(self) -> str:
        what = f"{self.name} is archived at {self.url}" if self.name else f"{self.url}: {self.key} is archived"
        if self.restoring:
            return f"{what}; it is being restored and cannot be read yet"
        return f"{what} and must be restored before it can be read"


@dataclass(eq=False)
class Busy(Unavailable):
    what: str
    holder: str

    def __str__(self) -> str:
        return f"{self.what} is in use by {self.holder}"
