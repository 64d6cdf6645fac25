"""What a store, its server or the way there answered instead of doing what was asked.

Every one names the place (``url``: its bucket and prefix, or its folder), the action (of S3: the permission it
takes, ``s3:GetObject``), the key, and, where it matters and is known, who asked (``identity``: never a secret).
"""

from __future__ import annotations

from dataclasses import dataclass

from lobsterdv.errors.remote import RemoteError


@dataclass(eq=False)
class Unreachable(RemoteError):
    """No answer, or none that can be understood."""

    url: str
    action: str
    detail: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.url} cannot be reached ({_asked(self.action, self.key)}): {self.detail}"


class HostUnknown(Unreachable):
    """The name of the server is not in the DNS."""


class ProxyFailed(Unreachable):
    """The proxy cannot be reached, or refuses."""


class TlsFailed(Unreachable):
    """The server's certificate is not believed, or no common cipher."""


class ConnectTimeout(Unreachable):
    """Nobody took the connection in time."""


class ReadTimeout(Unreachable):
    """The server took the request and did not answer in time."""


@dataclass(eq=False)
class Denied(RemoteError):
    """403: ``action`` is the permission that lacks, ``reason`` what the server says of why."""

    url: str
    action: str
    key: str
    identity: str = ""
    reason: str = ""

    def __str__(self) -> str:
        who = f" to {self.identity}" if self.identity else ""
        why = f": {self.reason}" if self.reason else ""
        return f"{self.url} denies {self.action} on {self.key or 'the bucket'}{who}{why}"


class KmsDenied(Denied):
    """The bucket is open, the KMS key that encrypts in it is not."""


class ObjectLocked(Denied):
    """A retention period or legal hold keeps the object as it is."""

    def __str__(self) -> str:
        return (
            f"{self.url} keeps {self.key or 'its objects'} locked (object lock): {self.action} is refused until it ends"
        )


class PayerWanted(Denied):
    """Whoever asks pays in this bucket, and has to say so (requester pays)."""

    def __str__(self) -> str:
        return f"{self.url} lets those who ask pay, and {self.action} on {self.key or 'the bucket'} did not agree to it"


@dataclass(eq=False)
class KmsKeyError(RemoteError):
    """``problem`` is what is wrong with the KMS key that encrypts, or that the settings name."""

    url: str
    action: str
    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.url} cannot do {_asked(self.action, self.key)}: {self.problem}"


class KmsKeyDisabled(KmsKeyError):
    """It is disabled, or about to be deleted."""


class KmsKeyMissing(KmsKeyError):
    """There is no such key in the bucket's region."""


@dataclass(eq=False)
class CredentialsError(RemoteError):
    """Who asks could not be established."""

    url: str
    problem: str
    action: str = ""
    key: str = ""
    identity: str = ""

    def __str__(self) -> str:
        who = f", {self.identity}" if self.identity else ""
        asked = f" ({_asked(self.action, self.key)}{who})" if self.action else ""
        return f"{self.url}: {self.problem}{asked}"


class NoCredentials(CredentialsError):
    """The AWS chain has none."""


class IncompleteCredentials(CredentialsError):
    """It has half of a pair."""


class ExpiredCredentials(CredentialsError):
    """A session, token or login that has ended."""


class UnknownAccessKey(CredentialsError):
    """The server does not know the access key."""


class BadSignature(CredentialsError):
    """The secret key does not belong to the access key."""


class ClockSkew(CredentialsError):
    """This machine's clock is too far from the server's for its signatures to count."""


@dataclass(eq=False)
class NoBucket(RemoteError):
    url: str
    bucket: str
    region: str = ""

    def __str__(self) -> str:
        where = f" (asked in region {self.region})" if self.region else ""
        return f"{self.url}: there is no bucket named {self.bucket}{where}"


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
    key: str = ""

    def __str__(self) -> str:
        return f"{self.url} asks us to slow down ({_asked(self.action, self.key)}), after every retry"


def _asked(action: str, key: str) -> str:
    return f"{action} on {key}" if key else action
