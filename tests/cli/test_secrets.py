"""Secrets. If these fail, a key ends in a log, a bug report, a document of CI, or in git, for ever."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import lobsterdv.project
from lobsterdv.cli.main import run
from lobsterdv.cli.reference import commands
from lobsterdv.redaction import holds_secret, redacted
from lobsterdv.stores.s3_options import S3Credentials
from tests.cli.conftest import Desk, Printed

ACCESS, SECRET, TOKEN = (
    "AKIACANARYCANARY0001",
    "canary/Secret+Key0123456789abcdef0123456",
    "canary-session-token-0123456789",
)
PASSWORD, SIGNATURE, HEADER = "canary-password-77", "ca9a2y0123456789ca9a2y0123456789", "canary-header-0123456789"
CANARIES = (ACCESS, SECRET, TOKEN, PASSWORD, SIGNATURE, HEADER)
USERINFO = f"https://ann:{PASSWORD}@minio.lab:9000"
PRESIGNED = (
    f"https://minio.lab/b/k?X-Amz-Credential={ACCESS}%2F2026&X-Amz-Security-Token={TOKEN}&X-Amz-Signature={SIGNATURE}"
)
EVERYTHING = (
    f"GET {PRESIGNED} via {USERINFO}/x\nAuthorization: Bearer {HEADER}\n"
    f"{{'Authorization': 'AWS4-HMAC-SHA256 Credential={ACCESS}/x, Signature={SIGNATURE}', "
    f"'x-amz-security-token': '{TOKEN}'}} aws_secret_access_key = {SECRET} password={PASSWORD}"
)
ARGUMENTS = {
    "merge": ["d"], "move": ["d", "e"], "remove": ["d"], "path": ["d"], "url": ["d"],
    "remote add": ["x", "s3://bucket/x"],
    "remote default": ["cloud"], "remote remove": ["cloud"], "remote trust": ["cloud"], "add": ["d"],
    "unprotect": ["d"],
    "init": ["--yes"], "pull": ["--force"], "verify": ["--remote", "cloud"], "list": ["--remote"],
    "demo": ["no-such.h5ad"], "hooks print": ["pre-push"],
}  # fmt: skip


class Leaky(BaseHTTPRequestHandler):
    """A server that says everything it knows, and all that it was told, in its errors."""

    def answer(self) -> None:
        said = f"{EVERYTHING} {self.headers}".replace("<", "").replace("&", "&amp;")
        body = f"<Error><Code>{self.server.code}</Code><Message>{said}</Message></Error>".encode()  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def leaky() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Leaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def told(lab: Desk, leaky: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A project with a dataset, a remote at the leaky server, and credentials in the environment."""
    for name, value in {"ACCESS_KEY_ID": ACCESS, "SECRET_ACCESS_KEY": SECRET, "SESSION_TOKEN": TOKEN}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("HTTPS_PROXY", f"http://ann:{PASSWORD}@127.0.0.1:9")
    lab.write("d", "data")
    lab.ldv("add", "d")
    endpoint = f"http://127.0.0.1:{leaky.server_address[1]}"
    lab.ldv("remote", "add", "cloud", "s3://bucket/x", "--endpoint-url", endpoint, "--region", "us-east-1")
    config = lab.here / ".lobsterdv.yaml"
    config.write_text(config.read_text().replace("    region:", "    attempts: 1\n    region:"))
    lab.commit("data")
    return lab


def silent(printed: Printed) -> None:
    for canary in CANARIES:
        assert canary not in printed.out + printed.err, printed


def unwritten(desk: Desk) -> None:
    """No secret in any file below the project and the home folder."""
    for folder in (desk.here, desk.home):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                assert not any(canary.encode() in data for canary in CANARIES), path


def every_command() -> list[str]:
    return [" ".join(names) for names, command in commands() if not hasattr(command, "commands")]


@pytest.mark.parametrize("status, code", [(403, "AccessDenied"), (400, "Odd"), (500, "InternalError")])
def test_a_server_that_repeats_our_headers(
    status: int, code: str, told: Desk, leaky: ThreadingHTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    leaky.status, leaky.code = status, code  # type: ignore[attr-defined]
    caplog.set_level(logging.DEBUG, "lobsterdv")
    seen = set()
    for name in ("push", "fetch", "pull", "verify", "list", "url", "doctor", "stats", "add"):
        for form in ("-v", "--json"):
            extra = ["--to-remote", "d"] if name == "add" else ARGUMENTS.get(name, [])
            printed = told.ldv(name, form, *extra, code=None)
            silent(printed)
            seen.add(printed.code)
    assert 4 in seen, "some of them must have asked the server"
    assert not any(canary in caplog.text for canary in CANARIES)
    unwritten(told)


@pytest.mark.parametrize("name", every_command())
def test_no_command_shows_one_when_it_fails(name: str, told: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug anywhere, whose exception and its cause hold everything."""

    def fail(*args: object, **more: object) -> None:
        raise RuntimeError(f"{EVERYTHING} by value {SECRET} {TOKEN}") from OSError(EVERYTHING)

    monkeypatch.setattr(lobsterdv.project, "load_config", fail)
    for form in ("-v", "--json", "-q"):
        told._read()
        code = run([*name.split(), form, *ARGUMENTS.get(name, [])])
        printed = Printed(code, *told._read())
        silent(printed)
    unwritten(told)


@pytest.mark.parametrize("name", every_command())
def test_no_command_shows_what_configuration_must_not_hold(name: str, told: Desk) -> None:
    config = told.here / ".lobsterdv.yaml"
    good = config.read_text()
    planted = (
        f"secret_access_key: {SECRET}\n",
        f"aws_session_token: {TOKEN}\n",
        f"remotes.x: {USERINFO}\n",
        f'  y:\n    url: "{USERINFO}/b"\n',
        f'  y:\n    url: s3://b/x\n    endpoint_url: "{USERINFO}"\n',
        f'  y:\n    url: "s3://b/x?X-Amz-Signature={SIGNATURE}"\n',
        f"    attempts: {USERINFO}\n",
    )
    for secret in planted:
        config.write_text(good + secret)
        for form in ("-v", "--json"):
            silent(told.ldv(*name.split(), form, *ARGUMENTS.get(name, []), code=None))
    config.write_text(good)
    unwritten(told)


@pytest.mark.parametrize(
    "typed",
    [
        ["remote", "add", "x", f"s3://{ACCESS}:{PASSWORD}@bucket/x"],
        ["remote", "add", "x", PRESIGNED],
        ["remote", "add", "x", f"s3://bucket/x?X-Amz-Signature={SIGNATURE}"],
        ["remote", "add", "x", "s3://bucket/x", "--endpoint-url", USERINFO],
        ["remote", "add", "x", "s3://bucket/x", "--endpoint-url", PRESIGNED],
        ["init", "--remote", f"s3://{ACCESS}:{PASSWORD}@bucket/x"],
        ["list", f"s3://bucket/x?X-Amz-Signature={SIGNATURE}"],
        ["list", f"s3://{ACCESS}:{PASSWORD}@bucket"],
        ["push", PRESIGNED],
        ["pull", "--remote", USERINFO],
        ["status", f"--password={PASSWORD}"],
    ],
    ids=lambda typed: " ".join(typed[:3])[:40],
)
def test_what_was_typed_by_mistake_is_refused_and_not_repeated(typed: list[str], told: Desk) -> None:
    for form in ("-v", "--json"):
        printed = told.ldv(*typed, form, code=None)
        silent(printed)
        assert printed.code in (1, 2), printed
    unwritten(told)


def test_by_shape_and_by_value() -> None:
    known = redacted(EVERYTHING, [SECRET])
    assert not any(canary in known for canary in CANARIES), known
    assert redacted("aws said no to data/x of s3://bucket/prefix at https://minio.lab:9000") == (
        "aws said no to data/x of s3://bucket/prefix at https://minio.lab:9000"
    )
    assert redacted("a short one", ["short"]) == "a short one"
    assert holds_secret(USERINFO) and holds_secret(PRESIGNED) and not holds_secret("https://minio.lab:9000/x")
    assert holds_secret(f"s3://{ACCESS}@bucket") and not holds_secret("s3://bucket/a@b")
    shown = f"{S3Credentials(ACCESS, SECRET, TOKEN)!r} {S3Credentials(ACCESS, SECRET, TOKEN)}"
    assert not any(canary in shown for canary in CANARIES)


def test_paths_and_answers_are_left_alone(lab: Desk) -> None:
    """A script that asks for a path must get that path."""
    lab.write("signature=abc.txt", "x")
    lab.ldv("add", "signature=abc.txt")
    assert Path(lab.ldv("path", "signature=abc.txt").out.strip()).read_text() == "x"
    assert lab.json("list")["report"]["datasets"][0]["path"] == "signature=abc.txt"
