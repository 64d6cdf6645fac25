"""Taking secrets out of text that is about to be shown. Pure; knows shapes, and the values it is told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_LEAST: Final = 8
"""Characters of a known secret; a shorter one is a word like others."""
# No word boundary before a name: in a repr it may follow an escaped line end. No open end within one: a long word of a
# hostile document would be gone through from each of its letters.
_SHAPES: Final = (
    (re.compile(r"//[^/@\s]+@"), "//…@"),
    (re.compile(r"((?:AKIA|ASIA|AROA|AIDA))[A-Z0-9]{8,}"), r"\1…"),
    (
        re.compile(r"(?i)((?:proxy-)?authorization)[\"']?\s*[=:]\s*[\"']?(?:(?:basic|bearer|aws[a-z0-9-]*)[ \t]+)?\S+"),
        r"\1=…",
    ),
    (
        re.compile(
            r"(?i)(x-amz-[a-z-]{0,40}token|signature|credential|awsaccesskeyid|secret\w{0,40}|session_?token"
            r"|passw(?:or)?d)[\"']?\s*[=:]\s*[\"']?[^\s\"'&]+"
        ),
        r"\1=…",
    ),
)


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """``text`` without passwords in URLs, signatures, tokens, keys and headers, and without the ``known`` values."""
    for value in known:
        if len(value) >= _LEAST:
            text = text.replace(value, "…")
    for shape, harmless in _SHAPES:
        text = shape.sub(harmless, text)
    return text


def holds_secret(url: str) -> bool:
    """True for a URL with a user name or password, or signed in its query: it must not be written down."""
    return redacted(url) != url
