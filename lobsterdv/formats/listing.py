"""The listing: what a directory version consists of, one line an entry, one encoding (docs/format.md, 4).

Its digest (BLAKE3 in derive-key mode) names the directory version. No times, owners or modes besides
the executable bit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final, NamedTuple

from lobsterdv.digest import Digest, listing_digest, parse_hex
from lobsterdv.errors import FormatError, UnknownFormat
from lobsterdv.paths import SafeRelPath, safe_link, safe_path

_HEADER: Final = b"lobsterdv listing 1\n"
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class EntryType(Enum):
    FILE = "file"
    EXECUTABLE = "exec"
    LINK = "link"
    FOLDER = "dir"


class Entry(NamedTuple):
    """One path of a directory version.

    ``size`` (bytes) and ``digest`` belong to regular files, ``target`` to symlinks. A folder is listed
    only when it is empty.
    """

    path: SafeRelPath
    type: EntryType
    size: int = 0
    digest: Digest | None = None
    target: str | None = None

    @property
    def is_file(self) -> bool:
        return self.digest is not None


class Listing(NamedTuple):
    """Entries sorted by path (code points, which is also the order of their UTF-8 bytes)."""

    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        return sum(e.size for e in self.entries)

    @property
    def files(self) -> int:
        return sum(1 for e in self.entries if e.digest is not None)


def make_listing(entries: Iterable[Entry]) -> Listing:
    """Sort and check. Raises FormatError for duplicates or for entries below a file or link."""
    listing = Listing(tuple(sorted(entries, key=lambda e: e.path)))
    check_tree(listing.entries, what="listing")
    return listing


def encode_listing(listing: Listing) -> bytes:
    """The listing's one encoding."""
    lines = []
    for path, kind, size, digest, target in listing.entries:
        if digest is not None:
            lines.append(f"{kind.value}\t{path}\t{size}\t{digest.hex()}\n")
        elif target is not None:
            lines.append(f"link\t{path}\t{target}\n")
        else:
            lines.append(f"dir\t{path}\n")
    return _HEADER + "".join(lines).encode()


def digest_of_listing(listing: Listing) -> Digest:
    """The name of the directory version that this listing describes."""
    return listing_digest(encode_listing(listing))


def parse_listing(data: bytes, *, what: str) -> Listing:
    """Bytes to a Listing; anything but the one encoding raises FormatError."""
    if not data.startswith(_HEADER):
        first = data[:40].split(b"\n")[0]
        if first.startswith(b"lobsterdv listing "):
            raise UnknownFormat(what, "a listing in a newer format", first.rsplit(b" ", 1)[1].decode(errors="replace"))
        raise FormatError(what, "not a listing")
    try:
        text = data[len(_HEADER) :].decode()
    except UnicodeDecodeError:
        raise FormatError(what, "not UTF-8") from None
    if text and not text.endswith("\n"):
        raise FormatError(what, "its last line is cut off")
    entries = tuple(_entry(line, what) for line in text.split("\n")[:-1])
    check_tree(entries, what=what)
    return Listing(entries)


def check_tree(entries: Sequence[Entry], *, what: str) -> None:
    """Entries must be strictly sorted, and nothing may lie below a file, a link or a listed empty folder."""
    leaves: set[str] = set()
    previous = ""
    for entry in entries:
        if entry.path <= previous:
            raise FormatError(what, f"{entry.path!r} is out of order or listed twice")
        previous = entry.path
        leaves.add(entry.path)
    checked = ""
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        if parent == checked:
            continue
        checked = parent
        while parent:
            if parent in leaves:
                raise FormatError(what, f"{entry.path!r} lies below {parent!r}, which is not a folder with content")
            parent = parent.rpartition("/")[0]


def _entry(line: str, what: str) -> Entry:
    match line.split("\t"):
        case [("file" | "exec") as kind, path, size, digest]:
            if not _SIZE.fullmatch(size) or int(size) >= 1 << 63:
                raise FormatError(what, f"bad size {size[:40]!r}")
            return Entry(safe_path(path), EntryType(kind), int(size), parse_hex(digest, what=what))
        case ["link", path, target]:
            safe = safe_path(path)
            return Entry(safe, EntryType.LINK, target=safe_link(safe, target))
        case ["dir", path]:
            return Entry(safe_path(path), EntryType.FOLDER)
    raise FormatError(what, f"unknown line {line[:80]!r}")
