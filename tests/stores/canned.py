"""A tiny HTTP server on loopback that gives the answers it was told to give, in order. It is no S3."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """``claimed`` replaces the true Content-Length: larger, and the connection breaks off early. ``drip`` is the
    seconds before each byte of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    claimed: int | None = None
    hang_up: bool = False
    drip: float = 0


WRITTEN = {"ETag": '"e"'}
"""The headers of an answer to a write."""


@dataclass(frozen=True)
class Seen:
    """A request that came in; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Canned:
    """Give ``answers`` one by one, then the last for ever."""

    url: str
    answers: list[Answer]
    seen: list[Seen]


def error(
    status: int, code: str, message: str = "no", extra: str = "", headers: dict[str, str] | None = None
) -> Answer:
    """An error as S3 writes it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>"
    return Answer(status, body.encode(), headers or {})


@contextmanager
def canned(*answers: Answer) -> Iterator[Canned]:
    """Serve ``answers`` on a free port of loopback."""
    state = Canned("", list(answers), [])
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                headers = {name.lower(): value for name, value in self.headers.items()}
                state.seen.append(Seen(self.command, self.path, headers, body))
                given = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            if given.hang_up:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response_only(given.status)
            own = {"Server": self.version_string(), "Date": self.date_time_string()}
            for name, value in (own | given.headers).items():
                self.send_header(name, value)
            length = len(given.body) if given.claimed is None else given.claimed
            if "Transfer-Encoding" not in given.headers:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                with suppress(ConnectionError):  # who was kept waiting may be gone
                    for piece in map(bytes, zip(given.body)) if given.drip else [given.body]:
                        threading.Event().wait(given.drip)  # time.sleep is patched away in places
                        self.wfile.write(piece)
            if given.claimed is not None:
                self.close_connection = True

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
