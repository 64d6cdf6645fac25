"""What to type about each answer of a remote (``errors/answers.py``). docs/s3.md has the same as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from lobsterdv import errors
from lobsterdv.cli.situation import Entry, Remedy, Situation
from lobsterdv.cli.words import quote
from lobsterdv.errors import LobsterError


def _set(at: Situation, url: str, setting: str, *, private: bool = False) -> str:
    """The command that gives the remote at ``url`` a setting."""
    where = ["--private"] if private else []
    return at.words.ldv("remote", "configure", quote(at.remote(url).name), *where, "--set", quote(setting))


def _is_s3(url: str) -> bool:
    return url.startswith("s3:")


def _unreachable(error: errors.Unreachable, at: Situation) -> list[Remedy]:
    if not _is_s3(error.url):
        return [Remedy(f"df -h {quote(error.url.removeprefix('file://'))}", "is it mounted, and is there space?")]
    ask = Remedy(at.words.ldv("doctor"), "asks every remote")
    return [ask, Remedy(at.words.ldv("remote", "list"), "shows their URLs")]


def _host_unknown(error: errors.HostUnknown, at: Situation) -> list[Remedy]:
    place = at.remote(error.url)
    host = urlsplit(place.endpoint_url).hostname or "s3.amazonaws.com"
    return [
        Remedy(f"ping -c 1 {quote(host)}", "is this machine on the network, or the VPN?"),
        Remedy(_set(at, error.url, "endpoint_url=URL"), "if the name is wrong"),
    ]


def _proxy(error: errors.ProxyFailed, at: Situation) -> list[Remedy]:
    return [
        Remedy(_set(at, error.url, "proxies=http://HOST:PORT", private=True), "another proxy"),
        Remedy(_set(at, error.url, "proxies=none", private=True), "none, whatever HTTPS_PROXY says"),
    ]


def _tls(error: errors.TlsFailed, at: Situation) -> list[Remedy]:
    believe = _set(at, error.url, "ca_bundle=FILE.pem", private=True)
    return [Remedy(believe, "the certificates of your institution, if the server is theirs")]


def _connect_timeout(error: errors.ConnectTimeout, at: Situation) -> list[Remedy]:
    return [
        Remedy(at.again(), "goes on where it stopped"),
        Remedy(_set(at, error.url, "connect_timeout=60", private=True), "waits longer"),
    ]


def _read_timeout(error: errors.ReadTimeout, at: Situation) -> list[Remedy]:
    return [
        Remedy(at.again(), "goes on where it stopped"),
        Remedy(_set(at, error.url, "read_timeout=300", private=True), "waits longer"),
    ]


def _denied(error: errors.Denied, at: Situation) -> list[Remedy]:
    if not _is_s3(error.url):
        return [Remedy(f"ls -ld {quote(error.url.removeprefix('file://'))}", "you may not read or write there")]
    ask = f"who you are; its owner grants {error.action}"
    policy = at.words.ldv("remote", "policy", quote(at.remote(error.url).name), "--role", _role_for(error.action))
    return [
        Remedy("aws sts get-caller-identity", ask),
        Remedy(policy, "what its owner gives you"),
        Remedy("export AWS_PROFILE=NAME", "to be someone else"),
    ]


def _role_for(action: str) -> str:
    """The least role that may do it."""
    from lobsterdv.stores.bucket.permissions import ROLES, permissions  # noqa: PLC0415 - start-up time

    return next((role for role in ROLES if any(p.action == action for p in permissions(role))), "admin")


def _kms_denied(error: errors.KmsDenied, at: Situation) -> list[Remedy]:
    key = quote(error.key) if error.key.startswith("arn:") else "KEY"
    return [Remedy(f"aws kms get-key-policy --key-id {key}", f"its owner grants {error.action} to you there")]


def _kms_disabled(error: errors.KmsKeyDisabled, at: Situation) -> list[Remedy]:
    return [
        Remedy("aws kms enable-key --key-id KEY", "by its owner; without it nothing it encrypted can be read"),
        Remedy(_set(at, error.url, "kms_key_id=KEY"), "another key for what is written from now on"),
    ]


def _kms_missing(error: errors.KmsKeyError, at: Situation) -> list[Remedy]:
    return [
        Remedy("aws kms list-aliases", "shows the keys of your region"),
        Remedy(_set(at, error.url, "kms_key_id=KEY"), "names one"),
    ]


def _locked(error: errors.ObjectLocked, at: Situation) -> list[Remedy]:
    bucket, key = _object(error.url, error.key)
    until = f"aws s3api get-object-retention --bucket {quote(bucket)} --key {quote(key)}"
    return [Remedy(until, "shows until when; nothing is to be done before")]


def _payer(error: errors.PayerWanted, at: Situation) -> list[Remedy]:
    return [Remedy(_set(at, error.url, "requester_pays=true"), "your account pays for requests and traffic")]


def _credentials(error: errors.CredentialsError, at: Situation) -> list[Remedy]:
    return [
        Remedy("aws configure", "keeps an access key"),
        Remedy("aws sso login", "with single sign-on"),
        Remedy("export AWS_PROFILE=NAME", "uses another profile"),
    ]


def _no_credentials(error: errors.NoCredentials, at: Situation) -> list[Remedy]:
    public = Remedy(_set(at, error.url, "anonymous=true", private=True), "only reads, of a public bucket")
    return [*_credentials(error, at), public]


def _incomplete(error: errors.IncompleteCredentials, at: Situation) -> list[Remedy]:
    return [
        Remedy("aws configure", "keeps both halves of an access key"),
        Remedy("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY", "if the environment has one by mistake"),
    ]


def _expired(error: errors.ExpiredCredentials, at: Situation) -> list[Remedy]:
    return [
        Remedy("aws sso login", "then the command again: it goes on where it stopped"),
        Remedy("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN", "if the environment has an old one"),
    ]


def _unknown_key(error: errors.UnknownAccessKey, at: Situation) -> list[Remedy]:
    return [
        Remedy("aws configure list", "shows which key is used, and where it comes from"),
        Remedy(_set(at, error.url, "profile=NAME", private=True), "the profile of this server's key"),
    ]


def _bad_signature(error: errors.BadSignature, at: Situation) -> list[Remedy]:
    return [Remedy("aws configure", "takes the secret key anew; was it copied whole?")]


def _clock(error: errors.ClockSkew, at: Situation) -> list[Remedy]:
    return [
        Remedy("sudo timedatectl set-ntp true", "Linux: sets the clock by the network"),
        Remedy("sudo sntp -sS time.apple.com", "macOS"),
    ]


def _no_bucket(error: errors.NoBucket, at: Situation) -> list[Remedy]:
    endpoint = at.remote(error.url).endpoint_url
    options = ["--endpoint-url", quote(endpoint)] if endpoint else []
    return [
        Remedy(at.words.ldv("remote", "create", quote(error.url), *options), "makes it, and protects it"),
        Remedy(at.words.ldv("remote", "list"), "is the name right?"),
    ]


def _wrong_region(error: errors.WrongRegion, at: Situation) -> list[Remedy]:
    return [Remedy(_set(at, error.url, f"region={error.actual or 'REGION'}"))]


def _throttled(error: errors.Throttled, at: Situation) -> list[Remedy]:
    gently = ("-j", "2") if at.command in ("push", "fetch", "pull") else ()
    return [
        Remedy(at.again(*gently), "goes on where it stopped"),
        Remedy(_set(at, error.url, "concurrency=4", private=True), "asks less at once from now on"),
    ]


def _object(url: str, key: str) -> tuple[str, str]:
    """Bucket and whole key."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, f"{prefix.rstrip('/')}/{key}".lstrip("/")


ANSWERS: Final[Mapping[type[LobsterError], Entry]] = {
    errors.Unreachable: _unreachable,
    errors.HostUnknown: _host_unknown,
    errors.ProxyFailed: _proxy,
    errors.TlsFailed: _tls,
    errors.ConnectTimeout: _connect_timeout,
    errors.ReadTimeout: _read_timeout,
    errors.Denied: _denied,
    errors.KmsDenied: _kms_denied,
    errors.ObjectLocked: _locked,
    errors.PayerWanted: _payer,
    errors.KmsKeyError: _kms_missing,
    errors.KmsKeyDisabled: _kms_disabled,
    errors.KmsKeyMissing: _kms_missing,
    errors.CredentialsError: _credentials,
    errors.NoCredentials: _no_credentials,
    errors.IncompleteCredentials: _incomplete,
    errors.ExpiredCredentials: _expired,
    errors.UnknownAccessKey: _unknown_key,
    errors.BadSignature: _bad_signature,
    errors.ClockSkew: _clock,
    errors.NoBucket: _no_bucket,
    errors.WrongRegion: _wrong_region,
    errors.Throttled: _throttled,
}
