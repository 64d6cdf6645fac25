"""Remotes as users type them: an s3 URL, or a folder relative to where they are."""

from __future__ import annotations

import os

from lobsterdv.cli.session import Session
from lobsterdv.formats.settings import check_remote_name
from lobsterdv.stores.open import DirectoryPlace, parse_url


def check_remote(name: str, url: str) -> None:
    """Raises ConfigError for a name or URL that no remote can have."""
    check_remote_name(name, source="remote name")
    parse_url(url)


def remote_url(session: Session, text: str) -> str:
    """The URL to write down; a folder becomes absolute. Raises ConfigError."""
    place = parse_url(text)
    if isinstance(place, DirectoryPlace):
        return os.path.normpath(os.path.join(session.folder, place.path.expanduser()))
    return str(place)


def is_url(text: str) -> bool:
    """True for what can only mean a remote: a scheme, or a folder that is one."""
    return "://" in text or text.startswith(("s3:", "file:")) or os.path.isfile(os.path.join(text, "lobsterdv.json"))
