"""What boto3 raises, translated once into our errors. It decides nothing about retries in flight.

403 and 400 never mean that something is absent. No message holds a secret: texts of servers and of
botocore pass through ``scrubbed``, and an identity is an ARN or four characters of a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from lobsterdv.errors import (
    Archived,
    BadSignature,
    ClockSkew,
    ConfigError,
    ConnectTimeout,
    CredentialsError,
    Denied,
    ExpiredCredentials,
    HostUnknown,
    IncompleteCredentials,
    KeyMissing,
    KmsDenied,
    KmsKeyDisabled,
    KmsKeyError,
    KmsKeyMissing,
    LobsterError,
    NoBucket,
    NoCredentials,
    NotARemote,
    ObjectLocked,
    PayerWanted,
    ProxyFailed,
    ReadTimeout,
    Throttled,
    TlsFailed,
    UnknownAccessKey,
    Unreachable,
    WrongRegion,
)
from lobsterdv.redaction import redacted

_CREDENTIALS: Final[Mapping[str, tuple[type[CredentialsError], str]]] = {
    "InvalidAccessKeyId": (UnknownAccessKey, "the access key is not known there"),
    "InvalidClientTokenId": (UnknownAccessKey, "the access key is not known there"),
    "UnrecognizedClientException": (UnknownAccessKey, "the access key is not known there"),
    "AuthFailure": (UnknownAccessKey, "the access key was not accepted"),
    "SignatureDoesNotMatch": (BadSignature, "the secret key does not belong to the access key"),
    "ExpiredToken": (ExpiredCredentials, "the session token has expired"),
    "ExpiredTokenException": (ExpiredCredentials, "the session token has expired"),
    "TokenRefreshRequired": (ExpiredCredentials, "the session token has expired"),
    "RequestExpired": (ExpiredCredentials, "the session token has expired"),
    "InvalidToken": (CredentialsError, "the session token is not valid"),
    "MissingAuthenticationToken": (NoCredentials, "the request carried no credentials"),
    "MissingSecurityHeader": (NoCredentials, "the request carried no credentials"),
    "RequestTimeTooSkewed": (
        ClockSkew,
        "the clock of this machine differs from the server's by more than 15 minutes",
    ),
}
_KMS: Final[Mapping[str, tuple[type[KmsKeyError], str]]] = {
    "KMS.DisabledException": (KmsKeyDisabled, "its KMS key is disabled"),
    "KMS.KMSInvalidStateException": (KmsKeyDisabled, "its KMS key is not usable: disabled, or about to be deleted"),
    "KMS.NotFoundException": (KmsKeyMissing, "there is no such KMS key in the bucket's region"),
    "KMS.InvalidKeyUsageException": (KmsKeyError, "the KMS key is not one that encrypts symmetrically"),
}
_THROTTLED: Final = frozenset(
    {"SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded"}
)
_REGION: Final = frozenset({"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "301", "307"})
_REPEATABLE: Final = frozenset({"ConditionalRequestConflict", "OperationAborted", "429"})
_NO_KEY: Final = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchVersion"})
# By class name, looked up along the class's ancestors: what happened, in words.
_UNANSWERED: Final[Mapping[str, tuple[type[LobsterError], str]]] = {
    "NoCredentialsError": (NoCredentials, "no credentials were found"),
    "PartialCredentialsError": (IncompleteCredentials, "the credentials are incomplete"),
    "ProfileNotFound": (CredentialsError, "no such profile"),
    "SSOError": (ExpiredCredentials, "the single sign-on session is missing or has expired"),
    "LoginError": (ExpiredCredentials, "the login session is missing or has expired"),
    "TokenRetrievalError": (ExpiredCredentials, "the session token could not be had"),
    "CredentialRetrievalError": (CredentialsError, "the credentials could not be had"),
    "RefreshWithMFAUnsupportedError": (ExpiredCredentials, "the credentials need a new MFA code"),
    "MetadataRetrievalError": (CredentialsError, "the machine's role could not be read"),
    "ConfigParseError": (ConfigError, "the AWS configuration cannot be read"),
    "ConfigNotFound": (ConfigError, "the AWS configuration cannot be read"),
    "InvalidConfigError": (ConfigError, "the AWS configuration is not valid"),
    "ParamValidationError": (ConfigError, "not valid for S3"),
    "ValidationError": (ConfigError, "not valid for S3"),
    "NoRegionError": (ConfigError, "no region is configured"),
    "InvalidProxiesConfigError": (ConfigError, "the proxy settings are not valid"),
    "SSLError": (TlsFailed, "TLS failed"),
    "ProxyConnectionError": (ProxyFailed, "the proxy did not connect"),
    "ConnectTimeoutError": (ConnectTimeout, "the connection timed out"),
    "ReadTimeoutError": (ReadTimeout, "the server did not answer in time"),
    "EndpointConnectionError": (Unreachable, "no connection"),
    "ConnectionClosedError": (Unreachable, "the connection was closed"),
    "ResponseParserError": (Unreachable, "the answer is not S3's"),
}
_DENIED: Final = frozenset(
    {"AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "Forbidden", "401", "Unauthorized"}
)
_SAID_WHO: Final = re.compile(
    r"User: (?P<who>arn:[^\s\"']+) is not authorized to perform: (?P<what>[A-Za-z0-9:*]+)"
    r"(?: on resource: [\"']?(?P<on>arn:[^\s\"']+))?"
)
_SAID_WHY: Final = re.compile(r"\b(?:because|with an explicit deny)\b.*")
_LOCKED: Final = re.compile(r"object.?lock|\bWORM\b|retention|legal hold", re.IGNORECASE)
_PAYER: Final = re.compile(r"requester.?pays|request.?payer", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, of whom, by whom: the facts an error carries. ``action`` is the permission it needs."""

    url: str
    bucket: str
    action: str
    key: str
    region: str
    identify: Callable[[], str]
    key_id: Callable[[], str] = lambda: ""
    """What can be said of the access key without asking anybody."""


def foreign_errors() -> tuple[type[Exception], ...]:
    """What a boto3 call raises. Called in ``except`` clauses, so that boto3 stays unimported till then."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  start-up time
    from botocore.parsers import ResponseParserError  # noqa: PLC0415  start-up time

    return ClientError, BotoCoreError, ResponseParserError


def broken_body_errors() -> tuple[type[Exception], ...]:
    """What reading an answer's body raises when the connection breaks or stalls (ShortBody is an OSError)."""
    from http.client import HTTPException  # noqa: PLC0415  start-up time

    from botocore.exceptions import BotoCoreError  # noqa: PLC0415  start-up time
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  start-up time

    return BotoCoreError, HTTPError, HTTPException, OSError


def translate(error: Exception, request: Request) -> LobsterError:
    """Our error for one of ``foreign_errors``. Raise it ``from error``."""
    if _response(error):
        return _answered(error, request)
    return _unanswered(error, request)


def code_of(error: Exception) -> str:
    """The S3 error code, the HTTP status where an answer had no body, or nothing."""
    return str(_response(error).get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """The HTTP status, or 0 when there was no answer."""
    return int(_response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_exists(error: Exception) -> bool:
    """A conditional write found something there, perhaps our own, whose answer was lost."""
    return status_of(error) == HTTPStatus.PRECONDITION_FAILED


def is_unsupported(error: Exception) -> bool:
    """The server does not know a header that we sent. Not: what arrived does not fit it."""
    if status_of(error) == HTTPStatus.NOT_IMPLEMENTED or code_of(error) in ("NotImplemented", "XNotImplemented"):
        return True
    named = re.search(r"checksum|if-none-match", _message(error), re.IGNORECASE)
    return status_of(error) == HTTPStatus.BAD_REQUEST and named is not None and not _is_damage(error)


def is_repeatable(error: Exception) -> bool:
    """Worth another attempt, and botocore does not make it by itself."""
    repeatable = code_of(error) in _REPEATABLE or status_of(error) == HTTPStatus.TOO_MANY_REQUESTS
    return repeatable or _is_damage(error)


def _is_damage(error: Exception) -> bool:
    """What was sent did not arrive as it was: BadDigest of AWS, XAmzContentChecksumMismatch of MinIO, and the like.
    A signature that does not match is none."""
    code = code_of(error)
    return status_of(error) == HTTPStatus.BAD_REQUEST and ("Digest" in code or code.endswith("Mismatch"))


def scrubbed(text: str) -> str:
    """``text`` in one line of at most 300 characters, without what could be a secret."""
    return " ".join(redacted(text).split())[:300]


def _message(error: Exception) -> str:
    return str(_response(error).get("Error", {}).get("Message", ""))


def _response(error: Exception) -> dict[str, Any]:
    """What the server answered; nothing for errors of the network, some of which carry None."""
    return getattr(error, "response", None) or {}


def _answered(error: Exception, request: Request) -> LobsterError:
    code, status, message = code_of(error), status_of(error), scrubbed(_message(error))
    url, action, key = request.url, request.action, request.key
    actual = _region_of(error)
    if code in _CREDENTIALS:
        kind, words = _CREDENTIALS[code]
        return kind(
            url, f"{words}{_clocks(error) if kind is ClockSkew else ''} ({code})", action, key, request.key_id()
        )
    if code in _KMS:
        unusable, words = _KMS[code]
        return unusable(url, action, key, f"{words}: {message}")
    if code == "NoSuchBucket" or (status == HTTPStatus.NOT_FOUND and action == "s3:ListBucket"):
        return NoBucket(url, request.bucket, request.region)
    if code in _REGION or (code in ("400", "403") and actual not in ("", request.region)):
        return WrongRegion(url, request.region, actual)
    if code == "InvalidObjectState":
        return Archived(url, key)
    if status == HTTPStatus.NOT_FOUND and code in _NO_KEY:
        return KeyMissing(key, url)
    if code in _THROTTLED or status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return Throttled(url, action, key)
    if code in _DENIED or (status == HTTPStatus.FORBIDDEN and _LOCKED.search(message)):
        return _refused(error, request)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unreachable(url, action, f"the server answered {status} {code}: {message}", key)
    return NotARemote(url, f"it answered {status} {code} to {action} on {key or 'the bucket'}: {message}")


def _refused(error: Exception, request: Request) -> Denied:
    """403: what lacks, for whom and why, as far as the server says."""
    message = _message(error)
    if _LOCKED.search(message):
        return ObjectLocked(request.url, request.action, request.key)
    if _PAYER.search(message):
        return PayerWanted(request.url, request.action, request.key)
    said, why = _SAID_WHO.search(message), _SAID_WHY.search(message)
    reason = scrubbed(why[0])[:160].rstrip(".") if why else ""
    action = said["what"] if said else request.action
    on = request.key
    if said and said["on"] and action.startswith(("kms:", "sts:")):
        on = said["on"]
    kind = KmsDenied if action.startswith("kms:") else Denied
    return kind(request.url, action, on, said["who"] if said else _identity(request), reason)


def _clocks(error: Exception) -> str:
    """Both times, where the server tells them."""
    facts = _response(error).get("Error", {})
    here, there = facts.get("RequestTime"), facts.get("ServerTime")
    return f": {scrubbed(str(here))} here, {scrubbed(str(there))} there" if here and there else ""


def _unanswered(error: Exception, request: Request) -> LobsterError:
    kind, words = next(
        (_UNANSWERED[known.__name__] for known in type(error).__mro__ if known.__name__ in _UNANSWERED),
        (Unreachable, type(error).__name__),
    )
    if _is_name_unknown(error):
        kind, words = HostUnknown, "no connection, its name is not known"
    detail = f"{words}: {scrubbed(str(error))}"
    if issubclass(kind, CredentialsError):
        return kind(request.url, detail, request.action, request.key)
    if issubclass(kind, Unreachable):
        return kind(request.url, request.action, detail, request.key)
    return ConfigError(request.url, detail)


def _is_name_unknown(error: Exception) -> bool:
    """What urllib3 said of it, which botocore keeps."""
    inner = getattr(error, "kwargs", {}).get("error")
    return any(known.__name__ == "NameResolutionError" for known in type(inner).__mro__)


def _region_of(error: Exception) -> str:
    response = _response(error)
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region") or response.get("Error", {}).get("Region") or "")


def _identity(request: Request) -> str:
    try:
        return request.identify()
    except foreign_errors():
        return ""
