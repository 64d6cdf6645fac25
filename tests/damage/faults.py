"""What a server, or the way to it, may do to one request: the faults that the proxy knows.

``INSTEAD`` of the server the proxy answers, or does not. The others let the server do its work and spoil the answer;
they say whether the answer was of a kind that they can spoil.
"""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>a fault</Message></Error>'
_REFUSALS = {
    "500": ("500 Internal Server Error", "InternalError"),
    "503": ("503 Slow Down", "SlowDown"),
    "429": ("429 Too Many Requests", "TooManyRequests"),
    "expired 400": ("400 Bad Request", "ExpiredToken"),
    "expired 403": ("403 Forbidden", "ExpiredToken"),
}
_REDIRECTS = {"redirect to metadata": "http://169.254.169.254/latest/", "redirect to a file": "file:///etc/passwd"}
INSTEAD = (*_REFUSALS, *_REDIRECTS, "hang", "reset before", "a web page")
LISTS = ("a key is dropped", "not truncated, it says", "a page again", "a page is dropped")
BODIES = ("truncated", "flipped", "short length", "extra bytes", "endless")
KINDS = (*INSTEAD, "reset after", "error in 200", *BODIES, *LISTS)
_ENDLESS = 64 << 20
"""Bytes after which an endless body ends after all: whoever took them all has no limit of its own."""


def may_strike(kind: str, verb: str, target: str) -> bool:
    """Whether the fault can do anything to the answer of such a request, as far as the request tells."""
    if kind in LISTS:
        return verb == "GET" and "list-type=2" in target
    if kind in BODIES:
        return verb == "GET"
    return kind != "error in 200" or verb not in ("GET", "HEAD")


def answer_instead(kind: str, client: socket.socket, *, bodiless: bool) -> None:
    """Answer a request that the server never sees. The connection is at its end then."""
    if kind == "reset before":
        # The makefile of the connection keeps it open; shutdown tells the client all the same.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RDWR)
    elif kind == "hang":
        with suppress(OSError):
            client.recv(1)  # until the client gives up
    elif kind in _REDIRECTS:
        client.sendall(_answer("307 Temporary Redirect", "", bodiless, f"Location: {_REDIRECTS[kind]}\r\n"))
    elif kind == "a web page":
        client.sendall(_answer("200 OK", "<html><body>Please log in</body></html>", bodiless))
    else:
        status, code = _REFUSALS[kind]
        client.sendall(_answer(status, _XML.format(code), bodiless))


def spoil(kind: str, client: socket.socket, verb: str, target: str, head: list[bytes], body: bytes) -> bool:
    """Send the server's answer spoiled. False, and nothing is sent, when it is not of a kind that this fault is for:
    a refusal, an answer without a body, no list."""
    if kind == "reset after":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RDWR)
        return True
    sized = any(line.lower().startswith(b"content-length:") for line in head)
    if not body or not sized or not head[0].split()[1].startswith(b"2"):
        return False
    if kind == "error in 200":
        if verb == "GET":
            return False
        spoiled = _XML.format("InternalError").encode()
        client.sendall(b"".join(_with_length(head, len(spoiled))) + spoiled)
    elif kind in LISTS:
        spoiled = _lying(kind, body) if verb == "GET" and "list-type=2" in target else body
        if spoiled == body:
            return False
        client.sendall(b"".join(_with_length(head, len(spoiled))) + spoiled)
    elif verb != "GET":
        return False
    else:
        _spoil_body(kind, client, head, body)
    return True


def _spoil_body(kind: str, client: socket.socket, head: list[bytes], body: bytes) -> None:
    middle = len(body) // 2
    if kind == "truncated":
        client.sendall(b"".join(head) + body[:middle])
    elif kind == "flipped":
        client.sendall(b"".join(head) + body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :])
    elif kind == "short length":
        client.sendall(b"".join(_with_length(head, middle)) + body[:middle])
    elif kind == "extra bytes":
        client.sendall(b"".join(_with_length(head, len(body) + 8)) + body + b"and more")
    else:
        client.sendall(b"".join(_with_length(head, None)) + body)
        with suppress(OSError):
            for _ in range(_ENDLESS >> 16):
                client.sendall(bytes(1 << 16))
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)


def _lying(kind: str, body: bytes) -> bytes:
    entries = re.findall(rb"<Contents>.*?</Contents>", body, re.DOTALL)
    if kind == "not truncated, it says":
        return body.replace(b"<IsTruncated>true<", b"<IsTruncated>false<")
    if not entries:
        return body
    if kind == "a page is dropped":  # all of its keys, and what comes after it is told
        return re.sub(rb"<Contents>.*</Contents>", b"", body, flags=re.DOTALL)
    if kind == "a key is dropped":
        return body.replace(entries[-1], b"", 1)
    return body.replace(entries[0], entries[0] * 2, 1)


def _answer(status: str, text: str, bodiless: bool, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\n{more}Content-Type: application/xml\r\nContent-Length: {len(text)}\r\n"
    return f"{head}Connection: close\r\n\r\n{'' if bodiless else text}".encode()


def _with_length(head: list[bytes], length: int | None) -> list[bytes]:
    """``head`` with another Content-Length, or none."""
    lines = [line for line in head[:-1] if not line.lower().startswith((b"content-length:", b"connection:"))]
    if length is not None:
        lines.append(f"Content-Length: {length}\r\n".encode())
    return [*lines, b"Connection: close\r\n", b"\r\n"]
