"""What boto3 raises, translated once into our errors. It decides nothing about retries in flight.

403 and 400 never mean that something is absent. No message holds a secret: texts of servers and of
botocore pass through ``scrubbed``, and an identity is an ARN or four characters of a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from lobsterdv.errors import (
    Archived,
    ConfigError,
    CredentialsError,
    Denied,
    KeyMissing,
    LobsterError,
    NoBucket,
    NotARemote,
    Throttled,
    Unreachable,
    WrongRegion,
)
from lobsterdv.redaction import redacted

_CREDENTIALS: Final = {
    "InvalidAccessKeyId": "the access key is not known there",
    "InvalidClientTokenId": "the access key is not known there",
    "UnrecognizedClientException": "the access key is not known there",
    "AuthFailure": "the access key was not accepted",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "ExpiredToken": "the session token has expired",
    "ExpiredTokenException": "the session token has expired",
    "TokenRefreshRequired": "the session token has expired",
    "RequestExpired": "the session token has expired",
    "InvalidToken": "the session token is not valid",
    "MissingAuthenticationToken": "the request carried no credentials",
    "RequestTimeTooSkewed": "the clock of this machine differs from the server's by more than 15 minutes",
}
_THROTTLED: Final = frozenset(
    {"SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded"}
)
_REGION: Final = frozenset({"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "301", "307"})
_REPEATABLE: Final = frozenset({"ConditionalRequestConflict", "OperationAborted", "BadDigest", "429"})
_NO_KEY: Final = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchVersion"})
# By class name, looked up along the class's ancestors: what happened, in words.
_UNANSWERED: Final = {
    "NoCredentialsError": ("credentials", "no credentials were found"),
    "PartialCredentialsError": ("credentials", "the credentials are incomplete"),
    "ProfileNotFound": ("credentials", "no such profile"),
    "SSOError": ("credentials", "the single sign-on session is missing or has expired"),
    "LoginError": ("credentials", "the login session is missing or has expired"),
    "TokenRetrievalError": ("credentials", "the session token could not be had"),
    "CredentialRetrievalError": ("credentials", "the credentials could not be had"),
    "RefreshWithMFAUnsupportedError": ("credentials", "the credentials need a new MFA code"),
    "MetadataRetrievalError": ("credentials", "the machine's role could not be read"),
    "ConfigParseError": ("config", "the AWS configuration cannot be read"),
    "ConfigNotFound": ("config", "the AWS configuration cannot be read"),
    "InvalidConfigError": ("config", "the AWS configuration is not valid"),
    "ParamValidationError": ("config", "not valid for S3"),
    "ValidationError": ("config", "not valid for S3"),
    "NoRegionError": ("config", "no region is configured"),
    "InvalidProxiesConfigError": ("config", "the proxy settings are not valid"),
    "SSLError": ("network", "TLS failed"),
    "ProxyConnectionError": ("network", "the proxy did not connect"),
    "ConnectTimeoutError": ("network", "the connection timed out"),
    "ReadTimeoutError": ("network", "the server did not answer in time"),
    "EndpointConnectionError": ("network", "no connection"),
    "ConnectionClosedError": ("network", "the connection was closed"),
    "ResponseParserError": ("network", "the answer is not S3's"),
}
_SAID_WHO: Final = re.compile(r"User: (?P<who>arn:[^\s\"']+) is not authorized to perform: (?P<what>[A-Za-z0-9:*]+)")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, of whom, by whom: the facts an error carries. ``action`` is the permission it needs."""

    url: str
    bucket: str
    action: str
    key: str
    region: str
    identify: Callable[[], str]


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
    """The server does not know a header that we sent."""
    if status_of(error) == HTTPStatus.NOT_IMPLEMENTED or code_of(error) in ("NotImplemented", "XNotImplemented"):
        return True
    named = re.search(r"checksum|if-none-match", _message(error), re.IGNORECASE)
    return status_of(error) == HTTPStatus.BAD_REQUEST and named is not None and code_of(error) != "BadDigest"


def is_repeatable(error: Exception) -> bool:
    """Worth another attempt, and botocore does not make it by itself."""
    return code_of(error) in _REPEATABLE or status_of(error) == HTTPStatus.TOO_MANY_REQUESTS


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
    url, action = request.url, request.action
    actual = _region_of(error)
    if code in _CREDENTIALS:
        return CredentialsError(url, f"{_CREDENTIALS[code]} ({code})")
    if code == "NoSuchBucket" or (status == HTTPStatus.NOT_FOUND and action == "s3:ListBucket"):
        return NoBucket(url, request.bucket)
    if code in _REGION or (code in ("400", "403") and actual not in ("", request.region)):
        return WrongRegion(url, request.region, actual)
    if code == "InvalidObjectState":
        return Archived(url, request.key)
    if status == HTTPStatus.NOT_FOUND and code in _NO_KEY:
        return KeyMissing(request.key, url)
    if code in _THROTTLED or status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return Throttled(url, action)
    if code in ("AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "Forbidden", "401", "Unauthorized"):
        said = _SAID_WHO.search(_message(error))
        if said:
            return Denied(url, said["what"], request.key, said["who"])
        return Denied(url, action, request.key, _identity(request))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unreachable(url, action, f"the server answered {status} {code}: {message}")
    return NotARemote(url, f"it answered {status} {code} to {action} on {request.key or 'the bucket'}: {message}")


def _unanswered(error: Exception, request: Request) -> LobsterError:
    kind, words = next(
        (_UNANSWERED[known.__name__] for known in type(error).__mro__ if known.__name__ in _UNANSWERED),
        ("network", type(error).__name__),
    )
    detail = f"{words}: {scrubbed(str(error))}"
    if kind == "credentials":
        return CredentialsError(request.url, detail)
    if kind == "config":
        return ConfigError(request.url, detail)
    return Unreachable(request.url, request.action, detail)


def _region_of(error: Exception) -> str:
    response = _response(error)
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region") or response.get("Error", {}).get("Region") or "")


def _identity(request: Request) -> str:
    try:
        return request.identify()
    except foreign_errors():
        return ""
