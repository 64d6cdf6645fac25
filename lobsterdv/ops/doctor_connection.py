"""remote doctor's first part: is there a way to the bucket at all, and who goes it? Sends a list and two questions."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from urllib.parse import urlsplit

from lobsterdv.blobs.grace import SKEW_S
from lobsterdv.errors import (
    ClockSkew,
    CredentialsError,
    Denied,
    ExpiredCredentials,
    LobsterError,
    NoBucket,
    TlsFailed,
    Unreachable,
    WrongRegion,
)
from lobsterdv.ops.doctor import Finding
from lobsterdv.stores.bucket import probing
from lobsterdv.stores.bucket.identity import arn_of_caller
from lobsterdv.stores.open import is_loopback
from lobsterdv.stores.s3_calls import S3Calls

_GROSS_SKEW_S = 900.0
"""S3 refuses requests whose time is further off."""


_SET_CLOCK = "sudo timedatectl set-ntp true"


class Connected(Enum):
    YES = "the bucket answers, though it may deny"
    NO = "it does not"


def connection_findings(calls: S3Calls, name: str, *, now: Callable[[], float], into: list[Finding]) -> Connected:
    """Append findings on credentials, DNS, TLS, clock, identity, region and bucket."""
    try:
        endpoint, region = calls.meeting()
    except LobsterError as error:
        into.append(Finding("credentials", "failed", str(error), _fix(error, name)))
        return Connected.NO
    try:
        actual, problem = probing.first_answer(calls), None
    except LobsterError as error:
        actual, problem = "", error
    found = calls.identity()
    answered = not isinstance(problem, Unreachable | CredentialsError)
    into += [_dns(endpoint, answered), _tls(endpoint, name, problem)]
    if calls.date is not None:
        into.append(_clock(now() - calls.date))
    into.append(_credentials(found, problem, name))
    if isinstance(problem, CredentialsError | Unreachable):
        if isinstance(problem, Unreachable):
            into.append(Finding("bucket", "failed", str(problem), _fix(problem, name)))
        return Connected.NO
    into.append(_identity(calls, found))
    into += _bucket(calls, name, problem, actual, region)
    return Connected.YES if problem is None or isinstance(problem, Denied) else Connected.NO


def _dns(endpoint: str, answered: bool) -> Finding:
    host = urlsplit(endpoint).hostname or endpoint
    found = probing.addresses(endpoint)
    if found:
        more = f" and {len(found) - 2} more" if len(found) > 2 else ""
        return Finding("DNS", "ok", f"{host} is {', '.join(found[:2])}{more}")
    if answered:
        return Finding("DNS", "unknown", f"{host} has no address here, yet it answers: through a proxy")
    return Finding("DNS", "failed", f"{host} has no address", "lobsterdv remote list   (is the endpoint right?)")


def _tls(endpoint: str, name: str, problem: LobsterError | None) -> Finding:
    if not endpoint.startswith("https:"):
        if is_loopback(endpoint):
            return Finding("TLS", "ok", "not used, and not needed: the server is this machine")
        detail = "not used: whoever is on the way can read and change what is sent"
        return Finding("TLS", "warning", detail, f"lobsterdv remote configure {name} --set endpoint_url=https://HOST")
    if isinstance(problem, Unreachable):
        if isinstance(problem, TlsFailed):
            return Finding(
                "TLS", "failed", problem.detail, f"lobsterdv remote configure {name} --private --set ca_bundle=FILE.pem"
            )
        return Finding("TLS", "unknown", "nothing answered")
    return Finding("TLS", "ok", "the server's certificate was verified")


def _clock(ahead: float) -> Finding:
    detail = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
    if abs(ahead) <= 2:
        return Finding("clock", "ok", "agrees with the server's")
    if abs(ahead) < SKEW_S:
        return Finding("clock", "ok", detail)
    if abs(ahead) < _GROSS_SKEW_S:
        return Finding("clock", "warning", f"{detail}: remote gc refuses to run", _SET_CLOCK)
    return Finding("clock", "failed", f"{detail}: S3 refuses such requests", _SET_CLOCK)


def _credentials(found: str, problem: LobsterError | None, name: str) -> Finding:
    if isinstance(problem, CredentialsError):
        return Finding("credentials", "failed", problem.problem, _fix(problem, name))
    if not found:
        return Finding("credentials", "unknown", "whoever opened this connection knows them")
    return Finding("credentials", "ok", found)


def _identity(calls: S3Calls, found: str) -> Finding:
    arn = arn_of_caller(calls.options, calls.credentials) if found else None
    if arn is None:
        return Finding("identity", "unknown", "the server has no service that tells it")
    return Finding("identity", "ok", arn)


def _bucket(calls: S3Calls, name: str, problem: LobsterError | None, actual: str, region: str) -> list[Finding]:
    if problem is None:
        there = Finding(
            "bucket", "ok", f"{calls.bucket} is there, and may be listed below {calls.options.prefix or '/'}"
        )
        if not actual:
            return [there, Finding("region", "unknown", f"requests are signed for {region}; the server does not say")]
        if actual != region:
            detail = f"the bucket is in {actual}, requests are signed for {region or 'none'}"
            return [
                there,
                Finding("region", "warning", detail, f"lobsterdv remote configure {name} --set region={actual}"),
            ]
        return [there, Finding("region", "ok", actual)]
    if isinstance(problem, Denied):
        who = "lobsterdv remote policy " + name + " --role reader   (for whoever may give it)"
        return [Finding("bucket", "failed", f"it may not be listed: {problem}", who)]
    if isinstance(problem, WrongRegion):
        return [
            Finding(
                "region",
                "failed",
                str(problem),
                f"lobsterdv remote configure {name} --set region={problem.actual or 'REGION'}",
            )
        ]
    return [Finding("bucket", "failed", str(problem), _fix(problem, name))]


def _fix(error: LobsterError, name: str) -> str:
    if isinstance(error, CredentialsError):
        if isinstance(error, ClockSkew):
            return _SET_CLOCK
        return "aws sso login" if isinstance(error, ExpiredCredentials) else "aws configure"
    if isinstance(error, NoBucket):
        return f"lobsterdv remote create {error.url}"
    return "lobsterdv remote list   (are URL and endpoint right?)"
