"""The listing: what a directory version consists of, one line an entry, one encoding (docs/format.md, 4).

Its digest (BLAKE3 in derive-key mode) names the directory version. No times, owners or modes besides
the executable bit.
"""

from __future__ import annotations

import io
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from lobsterdv.compact import Texts
from lobsterdv.digest import DIGEST_BYTES, Digest, listing_digest
from lobsterdv.errors import FormatError, UnknownFormat
from lobsterdv.formats.entries import BLOCK, FILES, LINK, TYPES, Entries
from lobsterdv.formats.entries import Entry as Entry
from lobsterdv.formats.entries import EntryType as EntryType
from lobsterdv.formats.yamlio import clipped
from lobsterdv.paths import check_paths, safe_link, safe_path

_HEADER: Final = b"lobsterdv listing 1\n"
_MOST: Final = 800  # characters of a path in a message, which may name two
_BLOCK_BYTES: Final = 128 << 10
_NAMES: Final = tuple(kind.value for kind in TYPES)
_CODES: Final = {name: code for code, name in enumerate(_NAMES)}
_LINE: Final = re.compile(
    r"(file|exec|link|dir)\t([^\t\n]*)(?:\t([^\t\n]*)(?:\t([0-9a-f]{64}))?)?\n", re.ASCII
)  # loose: what was read is written again and compared
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Listing(NamedTuple):
    """Entries sorted by path (code points, which is also the order of their UTF-8 bytes)."""

    entries: Sequence[Entry]

    @property
    def size(self) -> int:
        return Entries.of(self.entries).size

    @property
    def files(self) -> int:
        return Entries.of(self.entries).files


def make_listing(entries: Iterable[Entry]) -> Listing:
    """Sort and check. Raises FormatError for duplicates or for entries below a file or link."""
    rows = entries if isinstance(entries, Entries) else Entries.of(sorted(entries, key=lambda e: e.path))
    check_tree(rows, what="listing")
    return Listing(rows)


def encode_listing(listing: Listing) -> bytes:
    """The listing's one encoding."""
    entries = Entries.of(listing.entries)
    out = io.BytesIO()
    out.write(_HEADER)
    for start in range(0, len(entries), BLOCK):
        out.write(_encode(entries, start, min(start + BLOCK, len(entries))))
    return out.getvalue()


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
    if data[-1:] != b"\n":
        raise FormatError(what, "its last line is cut off")
    entries = Entries.joined(_parse(block, what) for block in _blocks(data, len(_HEADER)))
    check_tree(entries, what=what)
    return Listing(entries)


def check_tree(entries: Sequence[Entry], *, what: str) -> None:
    """Entries must be strictly sorted, and nothing may lie below a file, a link or a listed empty folder."""
    paths = Entries.of(entries).paths
    folders: set[str] = set()
    previous = parent = ""
    for path in paths:
        if path <= previous:
            raise FormatError(what, f"{clipped(path, _MOST)} is out of order or listed twice")
        previous = path
        above = path.rpartition("/")[0]
        if above != parent:
            parent = above
            while above and above not in folders:
                folders.add(above)
                above = above.rpartition("/")[0]
    if not folders.isdisjoint(paths):
        leaf = next(path for path in paths if path in folders)
        below = next(path for path in paths if path.startswith(leaf + "/"))
        named = f"{clipped(below, _MOST)} lies below {clipped(leaf, _MOST)}"
        raise FormatError(what, f"{named}, which is not a folder with content")


def _encode(entries: Entries, start: int, end: int) -> bytes:
    digests = entries.digests[start * DIGEST_BYTES : end * DIGEST_BYTES].hex()
    lines = []
    at = 0
    for path, code, size in zip(
        entries.paths.block(start, end), entries.types[start:end], entries.sizes[start:end], strict=True
    ):
        if code < FILES:
            lines.append(f"{_NAMES[code]}\t{path}\t{size}\t{digests[at : at + 64]}\n")
        elif code == LINK:
            lines.append(f"link\t{path}\t{entries.targets[start + at // 64]}\n")
        else:
            lines.append(f"dir\t{path}\n")
        at += 64
    return "".join(lines).encode()


def _blocks(data: bytes, start: int) -> Iterator[bytes]:
    while start < len(data):
        end = data.find(b"\n", min(start + _BLOCK_BYTES, len(data) - 1)) + 1
        yield data[start:end]
        start = end


def _parse(block: bytes, what: str) -> Entries:
    """Some whole lines. They are read loosely and written again: what differs is not in the one encoding."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        raise FormatError(what, "not UTF-8") from None
    rows = _LINE.findall(text)
    kinds, paths, facts, hexes = zip(*rows, strict=True) if rows else ((), (), (), ())
    codes = bytes(map(_CODES.__getitem__, kinds))
    try:
        sizes = array("Q", [int(fact) if code < FILES else 0 for code, fact in zip(codes, facts, strict=True)])
        digests = bytes.fromhex("".join(text or "0" * 64 for text in hexes))
        targets = {at: facts[at] for at, code in enumerate(codes) if code == LINK}
        entries = Entries(Texts.of(paths), codes, sizes, digests, targets)
        if max(sizes, default=0) >> 63 or _encode(entries, 0, len(entries)) != block:
            raise ValueError
    except (ValueError, OverflowError):
        raise _problem(text, what) from None
    check_paths(paths)
    for at, target in targets.items():
        safe_link(safe_path(paths[at]), target)
    return entries


def _problem(text: str, what: str) -> FormatError:
    """What is wrong with the first line that is not as it must be."""
    for line in text.split("\n")[:-1]:
        match line.split("\t"):
            case ["file" | "exec", _, size, digest]:
                if not _SIZE.fullmatch(size) or int(size) >= 1 << 63:
                    return FormatError(what, f"bad size {size[:40]!r}")
                if not re.fullmatch("[0-9a-f]{64}", digest, re.ASCII):
                    return FormatError(what, f"not a digest: {digest[:80]!r}")
            case ["link", _, _] | ["dir", _]:
                pass
            case _:
                return FormatError(what, f"unknown line {line[:80]!r}")
    return FormatError(what, "not in the one encoding")
