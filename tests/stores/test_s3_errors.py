"""If these fail, a lab reads the wrong reason, an archived or forbidden object passes for absent, or a key leaks."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest

from lobsterdv.errors import (
    Archived,
    BadSignature,
    ClockSkew,
    ConfigError,
    CredentialsError,
    Denied,
    ExpiredCredentials,
    HostUnknown,
    IncompleteCredentials,
    KeyMissing,
    KmsDenied,
    LobsterError,
    NoBucket,
    NoCredentials,
    NotARemote,
    Throttled,
    TlsFailed,
    UnknownAccessKey,
    Unreachable,
    WrongRegion,
)
from lobsterdv.stores import s3_calls
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_errors import scrubbed
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from tests.server import Server
from tests.stores.canned import WRITTEN, Answer, Canned, canned, error

ACCESS, SECRET, TOKEN = "AKIAEXAMPLECANARY123", "secret/canary+0123456789", "token-canary-0123456789"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts, and nothing of this machine's AWS settings."""
    monkeypatch.setattr(s3_calls.time, "sleep", lambda seconds: None)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@contextmanager
def store_at(url: str, options: S3Options | None = None) -> Iterator[S3Store]:
    chosen = replace(options or S3Options(attempts=1), bucket="lab", endpoint_url=url)
    store = S3Store(replace(chosen, region="eu-west-1"), credentials=S3Credentials(ACCESS, SECRET, TOKEN))
    yield store
    store.close()


def read(store: S3Store) -> object:
    return store.read_whole("k", limit=10)


def write(store: S3Store) -> object:
    return store.put("k", b"x")


def list_all(store: S3Store) -> object:
    return list(store.list(""))


def failure(use: Callable[[S3Store], object], store: S3Store) -> LobsterError:
    with pytest.raises(LobsterError) as caught:
        use(store)
    return caught.value


REGION = "<Region>us-west-2</Region>"
CASES: list[tuple[Callable[[S3Store], object], Answer, type[LobsterError], str]] = [
    (read, error(403, "InvalidAccessKeyId"), UnknownAccessKey, "not known"),
    (read, error(403, "SignatureDoesNotMatch"), BadSignature, "secret key"),
    (read, error(400, "ExpiredToken"), ExpiredCredentials, "expired"),
    (write, error(403, "RequestTimeTooSkewed"), ClockSkew, "clock"),
    (read, error(403, "AccessDenied"), Denied, "s3:GetObject on k to access key AKIA… (explicit)"),
    (write, error(403, "AccessDenied"), Denied, "s3:PutObject on k"),
    (list_all, error(403, "AccessDenied"), Denied, "s3:ListBucket on the bucket"),
    (
        write,
        error(403, "AccessDenied", "User: arn:aws:iam::123:user/ann is not authorized to perform: kms:Decrypt on x"),
        KmsDenied,
        "kms:Decrypt on k to arn:aws:iam::123:user/ann",
    ),
    (read, error(404, "NoSuchBucket"), NoBucket, "no bucket named lab"),
    (list_all, error(404, "NoSuchBucket"), NoBucket, "lab"),
    (read, error(404, "NoSuchKey"), KeyMissing, "nothing at k"),
    (read, error(403, "InvalidObjectState"), Archived, "restored"),
    (read, error(301, "PermanentRedirect", headers={"x-amz-bucket-region": "us-west-2"}), WrongRegion, "us-west-2"),
    (write, error(400, "AuthorizationHeaderMalformed", extra=REGION), WrongRegion, "us-west-2, not eu-west-1"),
    (read, error(503, "SlowDown"), Throttled, "slow down"),
    (write, error(429, "TooManyRequests"), Throttled, "slow down"),
    (list_all, Answer(503, b"<html>busy</html>"), Throttled, "slow down"),
    (read, error(500, "InternalError"), Unreachable, "500 InternalError"),
    (write, error(400, "InvalidStorageClass", "no such class"), NotARemote, "no such class"),
    (list_all, Answer(200, b"<html>hello, this is a proxy"), Unreachable, "500"),
    (list_all, Answer(200, b"<html><body>please log in</body></html>"), Unreachable, "not S3's"),
    (write, Answer(200, b"<html><body>please log in</body></html>"), Unreachable, "not S3's"),
    (lambda store: store.head("k"), Answer(200, b"please log in"), Unreachable, "not S3's"),
    (lambda store: store.upload("k", 1), Answer(200, b"<html></html>"), Unreachable, "not S3's"),
    (read, Answer(hang_up=True), Unreachable, "closed"),
    (write, error(400, "BadDigest", "damaged"), NotARemote, "BadDigest"),
]


@pytest.mark.parametrize(("use", "answer", "kind", "words"), CASES)
def test_each_answer_has_its_error(
    use: Callable[[S3Store], object], answer: Answer, kind: type[LobsterError], words: str
) -> None:
    with canned(answer) as server, store_at(server.url) as store, pytest.raises(kind) as caught:
        use(store)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert caught.value.__cause__ is not None or "not S3" in words
    shown = "".join(traceback.format_exception(caught.value)) + repr(store.options) + repr(caught.value.facts())
    for secret in (ACCESS, SECRET, TOKEN, "Signature="):
        assert secret not in shown
    assert secret not in repr(S3Credentials(ACCESS, SECRET, TOKEN))


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (error(403, "AccessDenied"), Denied),
        (error(404, "NoSuchKey"), Denied),
        (error(403, "ExpiredToken"), ExpiredCredentials),
        (error(403, "RequestTimeTooSkewed"), ClockSkew),
        (Answer(206, b"x"), Denied),
    ],
)
def test_a_refused_head_is_never_absence_and_asks_for_the_reason(told: Answer, kind: type[LobsterError]) -> None:
    with canned(Answer(403), told) as server, store_at(server.url) as store, pytest.raises(kind) as caught:
        store.head("k")
    assert type(caught.value) is kind
    assert [request.method for request in server.seen] == ["HEAD", "GET"]


def test_the_first_missing_key_makes_sure_of_the_bucket_once() -> None:
    with canned(Answer(404), Answer(404)) as server, store_at(server.url) as store, pytest.raises(NoBucket):
        store.head("k")
    with canned(Answer(404), Answer(200), Answer(404)) as server, store_at(server.url) as store:
        for _ in range(3):
            with pytest.raises(KeyMissing):
                store.head("k")
    assert [request.path for request in server.seen] == ["/lab/k", "/lab", "/lab/k", "/lab/k"]


def test_conflicts_damage_and_throttling_are_tried_again() -> None:
    for code, status in [("ConditionalRequestConflict", 409), ("BadDigest", 400), ("SlowDown", 503), ("x", 429)]:
        with (
            canned(error(status, code), Answer(headers=WRITTEN)) as server,
            store_at(server.url, S3Options(attempts=3)) as store,
        ):
            assert store.put("k", b"body", if_absent=True) is True
        assert [request.body for request in server.seen] == [b"body", b"body"]


@pytest.mark.parametrize(
    "code", ["BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "InvalidDigest"]
)
def test_damage_on_the_way_does_not_switch_checksums_off(code: str) -> None:
    """MinIO names the checksum in its message, as a server does that does not know any."""
    damaged = error(400, code, "The provided 'x-amz-checksum' header does not match what was computed.")
    with (
        canned(damaged, Answer(headers=WRITTEN)) as server,
        store_at(server.url, S3Options(attempts=3)) as store,
    ):
        store.put("k", b"body")
    assert [bool(request.headers["x-amz-checksum-crc32"]) for request in server.seen] == [True, True]


def test_the_attempts_have_an_end() -> None:
    with canned(error(500, "InternalError")) as server, store_at(server.url, S3Options(attempts=3)) as store:
        assert isinstance(failure(write, store), Unreachable)
    assert len(server.seen) == 3


def test_our_own_lost_answer_reads_as_exists() -> None:
    # The write was applied, its answer lost, botocore repeated it: 412 for what we wrote.
    answers = Answer(hang_up=True), error(412, "PreconditionFailed")
    with canned(*answers) as server, store_at(server.url, S3Options(attempts=3)) as store:
        assert store.put("k", b"body", if_absent=True) is False


BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
NO_UPLOADS = Answer(200, b"<ListMultipartUploadsResult></ListMultipartUploadsResult>")
MONDAY, TUESDAY = "Mon, 23 Nov 2026 00:00:00 GMT", "Tue, 24 Nov 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("began", "dated", "size", "there"),
    [
        (MONDAY, MONDAY, 4, True),
        (MONDAY, TUESDAY, 4, True),
        (MONDAY, MONDAY, 5, False),
        (TUESDAY, MONDAY, 4, False),
        ("", MONDAY, 4, False),
    ],
)
@pytest.mark.parametrize("lost_at", ["part", "end"])
def test_an_upload_that_is_gone_was_completed_if_what_is_there_is_no_older(
    began: str, dated: str, size: int, there: bool, lost_at: str
) -> None:
    gone = error(404, "NoSuchUpload")
    found = Answer(200, b"x" * size, {"Last-Modified": dated, "ETag": '"e-1"'})
    started = Answer(200, BEGUN, {"Date": began})
    parts = [Answer(headers={"ETag": '"e"'})] if lost_at == "end" else []
    with canned(NO_UPLOADS, started, *parts, gone, found) as server, store_at(server.url) as store:
        upload = store.upload("k", 4)
        with nullcontext() if there else pytest.raises(LobsterError):
            upload.send(0, b"body")
            upload.complete()


def unsupported(server: Canned, store: S3Store, refused: str) -> None:
    assert store.put("k", b"a", if_absent=True) is True
    first = len(server.seen)
    assert store.put("k", b"b", if_absent=True) is True
    assert len(server.seen) == first + 1, "what was refused once is not tried again"
    assert refused not in server.seen[-1].headers


def test_what_a_server_does_not_implement_is_left_out_from_then_on() -> None:
    no = error(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    with canned(no, Answer(headers=WRITTEN)) as server, store_at(server.url) as store:
        unsupported(server, store, "if-none-match")
        assert server.seen[-1].headers["x-amz-checksum-crc32"], "the checksum was not to blame"
    with canned(no, no, Answer(headers=WRITTEN)) as server, store_at(server.url) as store:
        unsupported(server, store, "x-amz-checksum-crc32")
        assert server.seen[-1].headers["if-none-match"] == "*"
    older = error(400, "InvalidArgument", "unknown checksum header")
    with canned(older, Answer(headers=WRITTEN)) as server, store_at(server.url) as store:
        store.put("k", b"a")
        assert len(server.seen) == 2 and "x-amz-checksum-crc32" not in server.seen[1].headers
    with canned(no) as server, store_at(server.url, S3Options(checksum="crc32", attempts=1)) as store:
        failure(write, store)


def test_what_goes_over_the_wire() -> None:
    options = S3Options(storage_class="STANDARD_IA", sse="aws:kms", kms_key_id="key", attempts=1)
    with canned(Answer(headers=WRITTEN)) as server, store_at(server.url, options) as store:
        store.put("k", b"123456789")
    headers = server.seen[0].headers
    assert headers["x-amz-checksum-crc32"] == "y/Q5Jg==", "the check value of CRC-32"
    assert headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert "expect" not in headers and "content-md5" not in headers and "transfer-encoding" not in headers
    assert headers["x-amz-storage-class"] == "STANDARD_IA"
    assert headers["x-amz-server-side-encryption"] == "aws:kms"
    assert headers["content-length"] == "9"


def test_before_any_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(options: S3Options, kind: type[LobsterError], words: str) -> None:
        store = S3Store(replace(options, attempts=1, connect_timeout=1))
        with pytest.raises(kind, match=words):
            store.head("k")
        store.close()

    here = S3Options("lab", endpoint_url="http://127.0.0.1:9", region="us-east-1")
    failing(here, NoCredentials, "no credentials")
    failing(replace(here, profile="nobody"), CredentialsError, "profile")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    failing(here, IncompleteCredentials, "incomplete")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    failing(here, Unreachable, "no connection")
    failing(replace(here, endpoint_url="http://lab.invalid"), HostUnknown, "no connection")
    with canned(Answer(headers=WRITTEN)) as server:
        failing(replace(here, endpoint_url=server.url.replace("http:", "https:")), TlsFailed, "TLS")
        monkeypatch.setenv("HTTP_PROXY", "http://ann:proxy-canary@127.0.0.1:9")
        failing(replace(here, endpoint_url="http://lab.invalid"), Unreachable, "proxy(?!.*proxy-canary)")


def test_options_refuse_secrets_and_nonsense() -> None:
    for wrong in ({"endpoint_url": "https://ann:canary@host"}, {"endpoint_url": "host:9000"}, {"attempts": 0}):
        with pytest.raises(ConfigError) as caught:
            S3Options(**wrong)  # type: ignore[arg-type]
        assert "canary" not in str(caught.value)


def test_scrubbed_hides_what_could_be_secret() -> None:
    text = f"http://a:b@h/?X-Amz-Signature=abc&X-Amz-Security-Token={TOKEN} key {ACCESS} Authorization: AWS4-x\nnext"
    shown = scrubbed(text)
    for secret in ("a:b", "abc", TOKEN, ACCESS, "AWS4-x", "\n"):
        assert secret not in shown
    assert "AKIA…" in shown and "next" in shown


def test_a_closed_archive_is_seen_in_head_and_list(moto: Server) -> None:
    bucket = moto.new_bucket()
    client, store = moto.client, moto.store(bucket)
    client.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
    assert store.head("k").archived and next(store.list("")).archived
    with pytest.raises(Archived):
        store.read_whole("k", limit=1)
    client.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1})
    assert store.read_whole("k", limit=1) == b"x"


@pytest.mark.s3
@pytest.mark.parametrize("wrong", ["access", "secret"])
def test_bad_keys_at_a_real_server(seaweedfs: Server, wrong: str) -> None:
    bucket = seaweedfs.new_bucket()
    access = "AKIAWRONGWRONGWRONG1" if wrong == "access" else seaweedfs.access_key
    store = S3Store(seaweedfs.options(bucket), credentials=S3Credentials(access, SECRET))
    for use in (lambda: store.head("k"), lambda: store.put("k", b""), lambda: list(store.list(""))):
        with pytest.raises(CredentialsError) as caught:
            use()
        assert access not in str(caught.value) and SECRET not in str(caught.value)
    store.close()


def test_a_web_page_does_not_complete_an_upload() -> None:
    """An object that lay there before, damaged, would be taken for the one that was sent."""
    none = b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
    begun = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    answers = (
        Answer(200, none),
        Answer(200, begun),
        Answer(200, b"", {"ETag": '"part"'}),
        Answer(200, b"<html><body>Please log in</body></html>"),
    )
    with canned(*answers) as server, store_at(server.url) as store:
        upload = store.upload("k", 6)
        upload.send(0, b"sample")
        with pytest.raises(Unreachable, match="not S3's"):
            upload.complete()
