"""From the text of a URL to a store. It connects to nothing and expands no home directory."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from lobsterdv.errors import ConfigError, UsageError
from lobsterdv.redaction import redacted
from lobsterdv.stores.base import Store
from lobsterdv.stores.directory import DirectoryStore
from lobsterdv.stores.keys import check_key
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_options import S3Credentials, S3Options

# Old buckets and other servers know capitals and underscores; AWS allows neither in new names.
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", re.ASCII)
_ADDRESS: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3}", re.ASCII)
_LONGEST: Final = 4096  # characters: PATH_MAX of Linux, and four times the longest key of S3
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/.*|)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, and a prefix without slashes around it; empty for the whole bucket."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


@dataclass(frozen=True, slots=True)
class DirectoryPlace:
    """A folder, as it was written: a relative one is relative to whatever the caller decides."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Place = S3Place | DirectoryPlace


def parse_url(text: str) -> Place:
    """``s3://bucket/prefix``, ``file:///folder``, ``/folder`` or ``folder``. Raises ConfigError.

    One slash is as good as two: pathlib makes ``s3:/bucket`` of ``s3://bucket``. The error never shows a
    user name or password that the text holds.
    """
    if len(text) > _LONGEST:
        raise ConfigError("remote URL", f"it has {len(text)} characters; {_LONGEST} are the most")
    match = _SCHEME.fullmatch(text.strip())
    if match is None:
        return _directory(text.strip())
    scheme, rest = match[1].lower(), match[2]
    authority = rest.lstrip("/").split("/", 1)[0]
    if "@" in authority:
        raise ConfigError("remote URL", "it holds a user name or password; credentials belong to the AWS chain")
    if scheme == "s3":
        return _bucket(rest, text)
    if scheme == "file":
        # file:///a, file:/a and file://localhost/a name a folder; file://host/a another machine.
        local = re.fullmatch(r"(?://(?:localhost)?)?(/[^/].*|/)", rest, re.DOTALL)
        if local is None:
            raise ConfigError(
                f"remote URL {redacted(text)[:200]!r}", "a file URL names an absolute folder of this machine"
            )
        return _directory(unquote(local[1]))
    raise ConfigError(
        f"remote URL {redacted(text)[:200]!r}", f"{scheme[:20]} is not supported; use s3://bucket/prefix or a folder"
    )


def open_store(
    place: Place,
    options: S3Options | None = None,
    *,
    create: bool = False,
    credentials: S3Credentials | None = None,
) -> Store:
    """The store at ``place``; nothing is sent yet. ``options`` and ``credentials`` are for S3, where the
    place's bucket and prefix win; ``create`` lets a folder be made by the first write."""
    if isinstance(place, DirectoryPlace):
        return DirectoryStore(place.path, create=create)
    here = replace(options or S3Options(), bucket=place.bucket, prefix=place.prefix)
    return S3Store(here, credentials=credentials)


def is_loopback(endpoint: str) -> bool:
    """True when an endpoint is of this machine, whatever names may resolve to."""
    from ipaddress import ip_address  # noqa: PLC0415 - start-up time

    try:
        host = urlsplit(endpoint).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False  # a name, though it may begin with 127.


def is_unencrypted(endpoint: str) -> bool:
    """True when what is sent to an endpoint can be read, and changed, on the way there."""
    return endpoint.lower().startswith("http://") and not is_loopback(endpoint)


def _bucket(rest: str, text: str) -> S3Place:
    source = f"remote URL {redacted(text)[:200]!r}"
    if "?" in rest or "#" in rest:
        raise ConfigError(source, "an s3 URL has no query and no fragment")
    bucket, _, prefix = rest.lstrip("/").partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or _ADDRESS.fullmatch(bucket):
        raise ConfigError(source, f"{bucket[:80]!r} is not a bucket name (3 to 63 letters, digits, dots and hyphens)")
    prefix = "/".join(part for part in prefix.split("/") if part)
    if prefix:
        try:
            check_key(prefix)
        except UsageError as error:
            raise ConfigError(source, "the prefix has parts that no key may have") from error
    return S3Place(bucket, prefix)


def _directory(text: str) -> DirectoryPlace:
    if not text or "\0" in text:
        raise ConfigError(f"remote URL {redacted(text)[:200]!r}", "it names no folder")
    return DirectoryPlace(Path(text))
