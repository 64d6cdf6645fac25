"""SafeRelPath: the only kind of path that a pointer, listing, manifest or record may hand to the file system.

The same check runs when a path is written and when it is read back. What is refused, and why, is in
docs/format.md, section 1. Nothing here touches the disk.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from lobsterdv.errors import UnsafePath

MAX_PATH_BYTES: Final = 4095
MAX_NAME_BYTES: Final = 255

# One search finds every forbidden shape; the slow explanation runs only when it matches.
_FORBIDDEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\\]"  # control characters (also terminal escapes) and backslash
    r"|^$|^/|//|/$"
    r"|(?:^|/)\.{1,2}(?:/|$)"
    r"|^[A-Za-z]:"  # a drive letter
    r"|(?:^|/)(?:\.git|git~[0-9]+)[. ]*(?:[:/]|$)",  # git's own folder, in the spellings file systems fold to it
    re.IGNORECASE,
)
# Code points that HFS+ ignores in names: `.g<ZWNJ>it` opens `.git` there.
_IGNORABLE: Final = re.compile("[​-‏‪-‮⁦-⁯﻿]")

_PLAIN: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=,@%()[] ./\n"
_NOT_PLAIN: Final = (b"\n\n", b"//", b"\n/", b"/\n", b"\n.", b"/.")


class SafeRelPath(str):
    """A relative path with ``/``, valid UTF-8, that cannot leave the folder it is joined to."""

    __slots__ = ()


def safe_path(text: str) -> SafeRelPath:
    """Check ``text`` and give it its type. Raises UnsafePath with the reason."""
    if _FORBIDDEN.search(text):
        raise UnsafePath(text[:200], _why(text))
    if not text.isascii():
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            raise UnsafePath(text[:200], "the name is not valid UTF-8") from None
        if _IGNORABLE.search(text) and _FORBIDDEN.search(_IGNORABLE.sub("", text)):
            raise UnsafePath(text[:200], "invisible characters hide a name that git reserves")
    else:
        encoded = text.encode()
    if len(encoded) > MAX_NAME_BYTES:
        if len(encoded) > MAX_PATH_BYTES:
            raise UnsafePath(text[:80] + "…", f"longer than {MAX_PATH_BYTES} bytes")
        if max(map(len, encoded.split(b"/"))) > MAX_NAME_BYTES:
            raise UnsafePath(text[:80] + "…", f"a name in it is longer than {MAX_NAME_BYTES} bytes")
    return SafeRelPath(text)


def check_paths(paths: Sequence[str]) -> None:
    """As ``safe_path`` for each. Most are plain, and then a thousand together cost what one alone does."""
    data = "\n".join(["", *paths, ""]).encode(errors="surrogatepass")
    if (
        data.translate(None, _PLAIN)
        or data.count(b"\n") != len(paths) + 1
        or any(shape in data for shape in _NOT_PLAIN)
        or max(map(len, paths), default=0) > MAX_NAME_BYTES
    ):
        for path in paths:
            safe_path(path)


def safe_link(path: SafeRelPath, target: str) -> str:
    """Check a symlink's target: relative, and inside the dataset when followed from ``path``.

    ``..`` may stand only before the first name: after one, the name may be another link, and two links
    together could lead out. Raises UnsafePath. The target itself is returned unchanged.
    """
    if not target or re.search(r"[\x00-\x1f\x7f-\x9f\\]", target):
        raise UnsafePath(target[:200], f"the link {path} has an empty target or one with control characters")
    if target.startswith("/"):
        raise UnsafePath(target[:200], f"the link {path} points to an absolute path")
    try:
        if len(target.encode()) > MAX_PATH_BYTES:
            raise UnsafePath(target[:80] + "…", f"longer than {MAX_PATH_BYTES} bytes")
    except UnicodeEncodeError:
        raise UnsafePath(target[:200], f"the target of the link {path} is not valid UTF-8") from None
    up, named = 0, False
    for part in target.split("/"):
        if part == "..":
            up += 1
            if named:
                raise UnsafePath(target[:200], f"the link {path} has '..' after a name in its target")
            if up > path.count("/"):
                raise UnsafePath(target[:200], f"the link {path} points outside its dataset")
        elif part not in ("", "."):
            named = True
    return target


def folding_collisions(paths: Iterable[str], *, case: bool = True) -> list[tuple[str, str]]:
    """Pairs that a file system which folds case or Unicode forms would take for one name; without ``case`` one that
    folds forms alone.

    ``A/x`` and ``a/y`` share a folder there, which loses nothing; ``A`` and ``a/y`` are a pair. Goes through
    ``paths``, which do not repeat, up to three times; remembers only those that folding changes.
    """
    names = paths if isinstance(paths, Sequence) else list(paths)
    fold = _folded if case else _composed
    folders = _folders(names)
    changed = {folded for name in names if (folded := fold(name)) != name}
    spellings = {folded for folder in folders if (folded := fold(folder)) != folder}
    if not changed and not spellings:
        return []
    first: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    interesting = changed | {fold(folder) for folder in folders}
    for name in names:
        folded = fold(name)
        if folded in interesting and first.setdefault(folded, name) != name:
            pairs.append((first[folded], name))
    for folder, below in folders.items():
        if (leaf := first.get(fold(folder))) is not None:
            pairs.append((leaf, below))
    return pairs


def _folders(paths: Sequence[str]) -> dict[str, str]:
    """Every folder that some path lies in, and the first path that does."""
    folders: dict[str, str] = {}
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in folders:
            folders[parent] = path
            parent = parent.rpartition("/")[0]
    return folders


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _composed(path: str) -> str:
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def _why(text: str) -> str:
    if not text:
        return "it is empty"
    if text.startswith("/") or re.match(r"[A-Za-z]:", text):
        return "it is absolute"
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        return "it contains control characters"
    if "\\" in text:
        return "it contains a backslash"
    parts = text.split("/")
    if ".." in parts:
        return "it climbs out with '..'"
    if "" in parts or "." in parts:
        return "it has empty or '.' parts"
    return "git reserves the name .git"
