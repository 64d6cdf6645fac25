"""Every setting of a remote, on the wire: one that is written down and not sent lets a lab believe what is not so."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from lobsterdv.errors import ConfigError, TlsFailed
from lobsterdv.stores.checksums import checksum_named
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_client import connect
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from tests.stores.canned import WRITTEN, Answer, Canned, canned

KEYS = S3Credentials("AKIAEXAMPLE", "secret/canary")
HEAD = Answer(200, b"x", {"Last-Modified": "Mon, 23 Nov 2026 00:00:00 GMT", "ETag": '"e"'})
AWS = S3Options("lab", region="eu-west-1", attempts=1)


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                 "AWS_SESSION_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@contextmanager
def served(options: S3Options, *answers: Answer) -> Iterator[tuple[Canned, S3Store]]:
    with canned(*(answers or (Answer(headers=WRITTEN),))) as server:
        store = S3Store(replace(options, endpoint_url=server.url), credentials=KEYS)
        yield server, store
        store.close()


def put_with(**settings: Any) -> dict[str, str]:
    """The headers of a PUT."""
    with served(replace(AWS, **settings)) as (server, store):
        store.put("k", b"123456789")
    return server.seen[0].headers


ON_A_PUT = [
    ({"sse": "AES256"}, "x-amz-server-side-encryption", "AES256"),
    ({"sse": "aws:kms", "kms_key_id": "alias/lab"}, "x-amz-server-side-encryption-aws-kms-key-id", "alias/lab"),
    ({"sse": "aws:kms"}, "x-amz-server-side-encryption-bucket-key-enabled", "true"),
    ({"sse": "aws:kms:dsse", "kms_key_id": "k"}, "x-amz-server-side-encryption", "aws:kms:dsse"),
    ({"kms_key_id": "k"}, "x-amz-server-side-encryption", "aws:kms"),
    ({"acl": "bucket-owner-full-control"}, "x-amz-acl", "bucket-owner-full-control"),
    ({"requester_pays": True}, "x-amz-request-payer", "requester"),
    ({"tags": (("lab", "omics"), ("who", "a b"))}, "x-amz-tagging", "lab=omics&who=a+b"),
    ({"checksum": "crc32"}, "x-amz-checksum-crc32", "y/Q5Jg=="),
    ({"checksum": "crc64nvme"}, "x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
    ({"checksum": "xxhash128"}, "x-amz-checksum-xxhash128", checksum_named("xxhash128").of(b"123456789")),
    ({"payload_signing": True}, "x-amz-content-sha256", hashlib.sha256(b"123456789").hexdigest()),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "header", "value"), ON_A_PUT)
def test_a_write_carries_the_setting(settings: dict[str, Any], header: str, value: str) -> None:
    assert put_with(**settings)[header] == value
    assert put_with().get(header) != value or header == "x-amz-checksum-crc32"  # which is the default


def test_xxh3_of_nothing_is_the_published_value() -> None:
    assert base64.b64decode(checksum_named("xxhash128").of(b"")).hex() == "99aa06d3014798d86001c324468d497f"


def test_no_checksum_when_none_is_asked_for_and_no_bucket_key_for_two_layers() -> None:
    assert not [name for name in put_with(checksum="none") if "checksum" in name]
    assert "x-amz-server-side-encryption-bucket-key-enabled" not in put_with(sse="aws:kms:dsse", kms_key_id="k")


def test_reads_and_parts_say_who_pays_and_with_which_key(tmp_path: Path) -> None:
    key = bytes(range(32))
    (tmp_path / "key").write_text(base64.b64encode(key).decode() + "\n")
    options = replace(AWS, requester_pays=True, sse_c_key_file=str(tmp_path / "key"), tags=(("a", "b"),))
    none = Answer(200, b"<ListMultipartUploadsResult></ListMultipartUploadsResult>")
    started = Answer(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
    done = Answer(200, b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
    copied = Answer(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
    answers = (HEAD, Answer(200, b"x"), none, started, Answer(headers=WRITTEN), done, copied)
    with served(options, *answers) as (server, store):
        store.head("k")
        store.read_whole("k", limit=10)
        upload = store.upload("k", 4)
        upload.send(0, b"body")
        upload.complete()
        assert store.refresh("k")
    head, get, listed, create, part, complete, copy = (seen.headers for seen in server.seen)
    for headers in (head, get, listed, create, part, complete, copy):
        assert headers["x-amz-request-payer"] == "requester"
    for headers in (head, get, create, part, copy):
        assert headers["x-amz-server-side-encryption-customer-algorithm"] == "AES256"
        assert headers["x-amz-server-side-encryption-customer-key"] == base64.b64encode(key).decode()
        assert (
            headers["x-amz-server-side-encryption-customer-key-md5"]
            == base64.b64encode(hashlib.md5(key).digest()).decode()
        )
    assert copy["x-amz-copy-source-server-side-encryption-customer-key"] == base64.b64encode(key).decode()
    assert create["x-amz-tagging"] == "a=b"
    assert (copy["x-amz-tagging-directive"], copy["x-amz-tagging"]) == ("REPLACE", "a=b"), "none for an archive stays"
    assert "x-amz-tagging" not in part


@pytest.mark.parametrize("text", [b"short", b"x" * 33, b"\xff" * 40, b"0" * 63])
def test_a_file_that_is_no_key_is_refused_and_not_shown(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key").write_bytes(text)
    with served(replace(AWS, sse_c_key_file=str(tmp_path / "key"))) as (server, store):
        with pytest.raises(ConfigError, match="256 bits") as caught:
            store.put("k", b"x")
        assert server.seen == []
    assert text.decode("latin-1") not in str(caught.value)
    with pytest.raises(ConfigError, match="No such file"):
        connect(replace(AWS, sse_c_key_file=str(tmp_path / "none")), KEYS)


@pytest.mark.parametrize("write", ["raw", "base64", "hex"])
def test_a_key_file_may_be_raw_base64_or_hex(tmp_path: Path, write: str) -> None:
    key = hashlib.sha256(b"k").digest()
    data = {"raw": key, "base64": base64.b64encode(key), "hex": key.hex().encode()}[write]
    (tmp_path / "key").write_bytes(data)
    headers = put_with(sse_c_key_file=str(tmp_path / "key"))
    assert headers["x-amz-server-side-encryption-customer-key"] == base64.b64encode(key).decode()


def test_anonymous_requests_are_not_signed() -> None:
    assert "authorization" in put_with()
    assert "authorization" not in put_with(anonymous=True)


def test_a_proxy_gets_the_requests() -> None:
    for settings in ({}, {"checksum": "none"}):
        with canned(HEAD) as proxy:
            store = S3Store(
                replace(AWS, endpoint_url="http://s3.lab.invalid", proxies=proxy.url, **settings), credentials=KEYS
            )  # type: ignore[arg-type]
            assert store.head("k").etag == "e"
            store.close()
        assert [seen.path for seen in proxy.seen] == ["http://s3.lab.invalid/lab/k"]


def test_none_passes_by_the_environments_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with served(replace(AWS, proxies="none"), HEAD) as (_, store):
        assert store.head("k").etag == "e"


def test_a_ca_bundle_that_does_not_know_the_server_is_not_passed_by(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with canned(HEAD) as server:
        options = replace(AWS, endpoint_url=server.url.replace("http:", "https:"), ca_bundle=str(tmp_path / "ca.pem"))
        store = S3Store(options, credentials=KEYS)
        with pytest.raises((TlsFailed, ConfigError)):
            store.head("k")
        store.close()
    client = connect(replace(AWS, ca_bundle=str(tmp_path / "ca.pem")), KEYS).client
    assert client._endpoint.http_session._verify == str(tmp_path / "ca.pem")  # type: ignore[attr-defined]
    client.close()


HOSTS = [
    ({}, "https://lab.s3.eu-west-1.amazonaws.com/"),
    ({"addressing": "path"}, "https://s3.eu-west-1.amazonaws.com/lab"),
    ({"accelerate": True}, "https://lab.s3-accelerate.amazonaws.com/"),
    ({"dualstack": True}, "https://lab.s3.dualstack.eu-west-1.amazonaws.com/"),
    ({"accelerate": True, "dualstack": True}, "https://lab.s3-accelerate.dualstack.amazonaws.com/"),
    ({"region": "us-gov-west-1", "fips": True}, "https://lab.s3-fips.us-gov-west-1.amazonaws.com/"),
]


@pytest.mark.parametrize(("settings", "url"), HOSTS)
def test_where_requests_go(settings: dict[str, Any], url: str) -> None:
    client = connect(replace(AWS, **settings), KEYS).client
    asked: list[str] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        asked.append(request.url)
        return AWSResponse(request.url, 200, {}, HTTPResponse(io.BytesIO(), preload_content=False))

    client.meta.events.register("before-send.s3", answer)  # type: ignore[arg-type]
    client.head_bucket(Bucket="lab")
    client.close()
    assert [found.rstrip("/") for found in asked] == [url.rstrip("/")]


def test_patience_and_retries_reach_botocore() -> None:
    options = replace(AWS, connect_timeout=3, read_timeout=7, attempts=4, retry_mode="standard", concurrency=50)
    config = connect(options, KEYS).client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 7)  # type: ignore[attr-defined]
    assert config.retries == {"total_max_attempts": 4, "mode": "standard"}  # type: ignore[attr-defined]
    assert config.max_pool_connections == 54  # type: ignore[attr-defined]


CONTRADICTIONS: list[dict[str, Any]] = [
    {"accelerate": True, "endpoint_url": "https://s3.lab"},
    {"accelerate": True, "bucket": "lab.data"},
    {"accelerate": True, "fips": True},
    {"fips": True, "endpoint_url": "https://s3.lab"},
    {"anonymous": True, "role_arn": "arn:aws:iam::1:role/x"},
    {"anonymous": True, "requester_pays": True},
    {"sse": "AES256", "kms_key_id": "k"},
    {"sse": "AES256", "sse_c_key_file": "f"},
    {"mfa_serial": "m"},
]


@pytest.mark.parametrize("settings", CONTRADICTIONS)
def test_what_s3_would_refuse_or_forget_is_refused_before_anything_is_sent(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        replace(AWS, **settings)


STS = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>role-token</SessionToken>
<Expiration>2126-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>x:lobsterdv</AssumedRoleId>
<Arn>arn:aws:sts::1:assumed-role/lab/lobsterdv</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"""


def test_a_role_is_assumed_once_and_signs_from_then_on() -> None:
    role = "arn:aws:iam::123456789012:role/lab"
    options = replace(AWS, role_arn=role, external_id="ext", role_session_name="ann")
    with served(options, Answer(200, STS), HEAD) as (server, store):
        store.head("k")
        store.head("k")
    assume, first, second = server.seen
    body = assume.body.decode()
    assert "Action=AssumeRole" in body and "ExternalId=ext" in body and "RoleSessionName=ann" in body
    assert "role%2Flab" in body and "AKIAEXAMPLE" in assume.headers["authorization"]
    for request in (first, second):
        assert "ASIAROLE" in request.headers["authorization"]
        assert request.headers["x-amz-security-token"] == "role-token"


def test_a_role_that_is_about_to_end_is_assumed_again() -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=10)).isoformat().encode()
    ending = STS.replace(b"2126-01-01T00:00:00Z", soon)
    options = replace(AWS, role_arn="arn:aws:iam::123456789012:role/lab")
    with served(options, Answer(200, ending), HEAD, Answer(200, STS.replace(b"ASIAROLE", b"ASIANEXT")), HEAD) as found:
        server, store = found
        for _ in range(3):
            store.head("k")
    signed = [seen.headers["authorization"] for seen in server.seen]
    assert [b"AssumeRole" in seen.body for seen in server.seen] == [True, False, True, False, False]
    assert "ASIAROLE" in signed[1] and "ASIANEXT" in signed[3] and "ASIANEXT" in signed[4]


def test_a_code_is_asked_for_only_where_somebody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from lobsterdv.errors import ExpiredCredentials

    options = replace(AWS, role_arn="arn:aws:iam::123456789012:role/lab", mfa_serial="arn:aws:iam::1:mfa/ann")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with served(options, Answer(200, STS), HEAD) as (server, store), pytest.raises(ExpiredCredentials, match="MFA"):
        store.head("k")
    assert server.seen == []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "123456")
    with served(options, Answer(200, STS), HEAD) as (server, store):
        store.head("k")
    assert b"TokenCode=123456" in server.seen[0].body and b"SerialNumber=" in server.seen[0].body
