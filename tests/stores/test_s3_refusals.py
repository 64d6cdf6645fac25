"""Each way that S3, or the way there, refuses has its own error; docs/s3.md lists them all. If these fail, a lab reads
the wrong reason, or a document that is not true."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import pytest

from lobsterdv import errors
from lobsterdv.cli.remedies import remedies
from lobsterdv.cli.situation import Place, Situation
from lobsterdv.cli.words import Words
from lobsterdv.errors import LobsterError
from lobsterdv.stores import s3_calls, s3_client
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from tests.stores.canned import Answer, canned, error

DOCUMENT = Path(__file__).parents[2] / "docs" / "s3.md"
KEYS = S3Credentials("AKIAEXAMPLECANARY123", "secret/canary+0123456789")
ARN = "arn:aws:iam::123456789012:user/ann"
ROLE = "arn:aws:iam::123456789012:role/lab"
KMS = "arn:aws:kms:eu-west-1:123456789012:key/abcd"
HERE = S3Options("lab", prefix="atlas", region="eu-west-1", attempts=1, connect_timeout=1, read_timeout=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_calls.time, "sleep", lambda seconds: None)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                 "AWS_SESSION_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@contextmanager
def store_at(options: S3Options, credentials: S3Credentials | None = KEYS) -> Iterator[S3Store]:
    store = S3Store(options, credentials=credentials)
    yield store
    store.close()


def read(store: S3Store) -> object:
    return store.read_whole("k", limit=10)


def write(store: S3Store) -> object:
    return store.put("k", b"x")


def delete(store: S3Store) -> object:
    return store.delete("k")


def denied(what: str, on: str, why: str) -> Answer:
    text = f"User: {ARN} is not authorized to perform: {what} on resource: &quot;{on}&quot; {why}"
    return error(403, "AccessDenied", text)


SKEW = "<RequestTime>20261127T000000Z</RequestTime><ServerTime>2026-11-27T01:00:00Z</ServerTime>"
NONE_ALLOWS = "because no identity-based policy allows the s3:GetObject action"
Row = tuple[Callable[[S3Store], object], Answer, type[LobsterError], list[str]]
ANSWERED: list[Row] = [
    (write, error(403, "InvalidAccessKeyId"), errors.UnknownAccessKey, ["s3:PutObject on k", "access key AKIA…"]),
    (read, error(403, "SignatureDoesNotMatch"), errors.BadSignature, ["secret key", "s3:GetObject on k", "AKIA…"]),
    (read, error(400, "ExpiredToken"), errors.ExpiredCredentials, ["expired", "s3:GetObject on k"]),
    (read, error(400, "InvalidToken"), errors.CredentialsError, ["not valid"]),
    (write, error(403, "MissingSecurityHeader"), errors.NoCredentials, ["no credentials"]),
    (
        read,
        error(403, "RequestTimeTooSkewed", extra=SKEW),
        errors.ClockSkew,
        ["20261127T000000Z here", "01:00:00Z there"],
    ),
    (read, error(403, "AccessDenied"), errors.Denied, ["s3:GetObject on k to access key AKIA…"]),
    (read, denied("s3:GetObject", "arn:aws:s3:::lab/atlas/k", NONE_ALLOWS), errors.Denied, [ARN, NONE_ALLOWS]),
    (
        write,
        denied("s3:PutObject", "arn:aws:s3:::lab/atlas/k", "with an explicit deny in a resource-based policy"),
        errors.Denied,
        ["s3:PutObject on k to " + ARN, "explicit deny in a resource-based policy"],
    ),
    (write, denied("sts:AssumeRole", ROLE, ""), errors.Denied, [f"sts:AssumeRole on {ROLE} to {ARN}"]),
    (
        write,
        denied("kms:GenerateDataKey", KMS, "because no resource-based policy allows it"),
        errors.KmsDenied,
        [f"kms:GenerateDataKey on {KMS} to {ARN}", "because no resource-based policy"],
    ),
    (write, error(400, "KMS.DisabledException", f"{KMS} is disabled."), errors.KmsKeyDisabled, ["disabled", KMS]),
    (read, error(400, "KMS.KMSInvalidStateException", "pending"), errors.KmsKeyDisabled, ["deleted", "s3:GetObject"]),
    (write, error(400, "KMS.NotFoundException", "Key 'x' does not exist"), errors.KmsKeyMissing, ["no such", "on k"]),
    (write, error(400, "KMS.InvalidKeyUsageException", "no"), errors.KmsKeyError, ["symmetrically"]),
    (
        delete,
        error(403, "AccessDenied", "Access Denied because object protected by object lock."),
        errors.ObjectLocked,
        ["k locked", "s3:DeleteObject"],
    ),
    (read, error(403, "AccessDenied", "Requester pays bucket"), errors.PayerWanted, ["pay", "s3:GetObject on k"]),
    (read, error(404, "NoSuchBucket"), errors.NoBucket, ["lab", "eu-west-1"]),
    (
        write,
        error(301, "PermanentRedirect", headers={"x-amz-bucket-region": "us-west-2"}),
        errors.WrongRegion,
        ["us-west-2, not eu-west-1"],
    ),
    (write, error(503, "SlowDown"), errors.Throttled, ["s3:PutObject on k", "every retry"]),
    (read, error(403, "InvalidObjectState"), errors.Archived, ["k is archived"]),
    (read, error(500, "InternalError"), errors.Unreachable, ["s3:GetObject on k", "500"]),
    (write, error(400, "InvalidStorageClass", "no such class"), errors.NotARemote, ["no such class"]),
]


@pytest.mark.parametrize(("use", "answer", "kind", "words"), ANSWERED)
def test_an_answer_is_its_own_error(
    use: Callable[[S3Store], object], answer: Answer, kind: type[LobsterError], words: list[str]
) -> None:
    with (
        canned(answer) as server,
        store_at(replace(HERE, endpoint_url=server.url)) as store,
        pytest.raises(kind) as caught,
    ):
        use(store)
    told(caught.value, kind, words)


def told(found: LobsterError, kind: type[LobsterError], words: list[str]) -> None:
    assert type(found) is kind
    text = str(found)
    for part in [*words, "s3://lab/atlas"]:
        assert part in text
    assert KEYS.secret_key not in text + repr(found.facts())
    situation = Situation(Words("/lab", "/lab"), "push", "", ("push",), (Place("lab", "s3://lab/atlas"),))
    assert all(remedy.command for remedy in remedies(found, situation))


def test_before_there_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(options: S3Options, kind: type[LobsterError], *words: str, keys: S3Credentials | None = KEYS) -> None:
        with store_at(options, keys) as store, pytest.raises(kind) as caught:
            store.put("k", b"x")
        told(caught.value, kind, list(words))

    with canned(Answer(200)) as server:
        here = replace(HERE, endpoint_url=server.url)
        failing(here, errors.NoCredentials, "no credentials", "s3:PutObject on k", keys=None)
        failing(
            replace(here, endpoint_url="http://lab.invalid"), errors.HostUnknown, "lab.invalid", "s3:PutObject on k"
        )
        dead = replace(HERE, endpoint_url="http://127.0.0.1:9")
        failing(dead, errors.Unreachable, "no connection", "s3:PutObject on k")
        failing(replace(dead, proxies="http://127.0.0.1:9"), errors.ProxyFailed, "the proxy", "s3:PutObject on k")
        failing(replace(here, endpoint_url=server.url.replace("http", "https")), errors.TlsFailed, "TLS")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHALF")
        failing(here, errors.IncompleteCredentials, "incomplete", "s3:PutObject on k", keys=None)


@pytest.mark.parametrize(
    ("name", "kind"), [("ConnectTimeoutError", errors.ConnectTimeout), ("ReadTimeoutError", errors.ReadTimeout)]
)
def test_the_two_timeouts(name: str, kind: type[LobsterError]) -> None:
    import botocore.exceptions

    raised = getattr(botocore.exceptions, name)(endpoint_url="https://lab.s3.amazonaws.com", error="slow")
    with store_at(HERE) as store:
        told(store._calls.translated(raised, "s3:PutObject", "k"), kind, ["in time" if "Read" in name else "timed out"])


@pytest.mark.parametrize("name", ["SSOTokenLoadError", "UnauthorizedSSOTokenError", "RefreshWithMFAUnsupportedError"])
def test_a_login_that_has_ended(name: str) -> None:
    import botocore.exceptions

    raised = getattr(botocore.exceptions, name)(error_msg="x")
    with store_at(HERE) as store:
        told(store._calls.translated(raised, "s3:PutObject", "k"), errors.ExpiredCredentials, ["s3:PutObject on k"])


CALLER = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/ann</Arn><UserId>x</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@pytest.mark.parametrize(
    ("answer", "who"), [(Answer(200, CALLER), ARN), (error(403, "AccessDenied"), "access key AKIA… (explicit)")]
)
def test_who_was_denied_is_asked_of_sts_once_and_never_fails(
    answer: Answer, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with canned(answer) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        connection = s3_client.connect(HERE, KEYS)
        assert [connection.identify(), connection.identify()] == [who, who]
        connection.client.close()
    assert len(sts.seen) == 1
    anonymous = s3_client.connect(replace(HERE, anonymous=True), None)
    assert anonymous.identify() == "an anonymous request"
    anonymous.client.close()


def rows() -> dict[str, str]:
    """The table of docs/s3.md: each error and its line."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("\n## Errors\n")[2].partition("\n## ")[0]
    return {m[1]: m[0] for m in re.finditer(r"^\| `(\w+)`.*$", section, re.MULTILINE)}


def test_the_document_lists_every_error_of_a_remote_and_nothing_else() -> None:
    wanted = {
        name
        for name in errors.__all__
        if issubclass(getattr(errors, name), errors.RemoteError) and name not in ("RemoteError", "KeyMissing")
    }
    assert set(rows()) == wanted | {"Archived", "MissingContent", "CorruptContent"}


def test_the_document_and_the_code_agree_on_exit_codes_and_remedies() -> None:
    situation = Situation(Words("/lab", "/lab"), "push", "", ("push",), (Place("NAME", "s3://lab"),))
    for name, row in rows().items():
        kind = getattr(errors, name)
        said = re.search(r"exit (\d)", row)
        assert kind.exit_code == (int(said[1]) if said else 4), name
        facts = dict.fromkeys((f.name for f in fields(kind)), "s3://lab")
        given = " ".join(remedy.command for remedy in remedies(kind(**facts), situation))
        for command in re.findall(r"`(lobsterdv remote configure NAME [^`]+|aws [^`]+|sudo [^`]+|unset [^`]+)`", row):
            start = re.split(r"=| KEY| BUCKET", command)[0]
            assert start in given, (name, command, given)


def test_every_code_that_is_translated_is_tested_here() -> None:
    """An error that nobody produces in a test may be one that nobody can get."""
    seen = {kind.__name__ for _, _, kind, _ in ANSWERED}
    told_elsewhere = {
        "HostUnknown",
        "ProxyFailed",
        "TlsFailed",
        "ConnectTimeout",
        "ReadTimeout",
        "IncompleteCredentials",
    }
    answers = {name for name in errors.__all__ if getattr(errors, name).__module__ == "lobsterdv.errors.answers"}
    assert answers <= seen | told_elsewhere
