"""What git calls for pointers: its merge driver, and the text that `git diff` compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lobsterdv import durable
from lobsterdv.digest import digest_of
from lobsterdv.errors import FormatError
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.formats.listing import Listing, encode_listing
from lobsterdv.formats.merging import conflict_text, conflicted_pointer, merge_pointers
from lobsterdv.formats.pointer import SUFFIX, Pointer, encode_pointer, parse_pointer, pointer_mapping
from lobsterdv.formats.yamlio import dump_mapping
from lobsterdv.units import size

MANY: Final = 5000
"""Of folders with more entries, `git diff` compares what lies at their top, not every file."""


@dataclass(frozen=True, slots=True)
class DriverReport:
    """One pointer that git asked to merge: whether it is in conflict now, and whether its files can be merged."""

    path: str
    conflict: bool
    directory: bool = False


def drive_merge(base: Path, ours: Path, theirs: Path, *, path: str) -> DriverReport:
    """Merge three pointers, git's way: the outcome replaces the file ``ours``. Both sides stay readable in a conflict.

    What cannot be read as a pointer conflicts whole. Raises LocalIOError.
    """
    sides = [_read(file) for file in (ours, theirs)]
    left, right = (_parsed(data, path) for data in sides)
    merged = merge_pointers(_parsed(_read(base), path), left, right) if left and right else None
    if merged is not None:
        durable.write(ours, encode_pointer(merged), mode=None)
        return DriverReport(path.removesuffix(SUFFIX), False)
    text = conflicted_pointer(left, right) if left and right else conflict_text(*sides)
    durable.write(ours, text, mode=None)
    mergeable = bool(left and right and left.is_directory and right.is_directory)
    return DriverReport(path.removesuffix(SUFFIX), True, mergeable)


def pointer_text(pointer: Pointer, entries: Entries | None) -> list[str]:
    """A version in lines, one fact each: sizes for people, and every file of a folder whose ``entries`` are known."""
    lines = [f"version {pointer.digest.hex()[:12]}", f"size    {size(pointer.size)} ({pointer.size:,} bytes)"]
    facts = {k: v for k, v in pointer_mapping(pointer).items() if k not in ("lobsterdv", "digest", "size")}
    lines += dump_mapping(facts).decode().splitlines()
    if entries is None:
        return lines
    if len(entries) <= MANY:
        return [*lines, "", *map(_line, entries)]
    return [*lines, "", *_tops(entries)]


def _line(entry: Entry) -> str:
    if entry.digest is None:
        return f"{entry.path} -> {entry.target}" if entry.target is not None else f"{entry.path}/"
    executable = ", executable" if entry.type.value == "exec" else ""
    return f"{entry.path}  {size(entry.size)}  {entry.digest.hex()[:12]}{executable}"


def _tops(entries: Entries) -> list[str]:
    """A line for each file and folder at the top: of a folder what it holds, and a digest of its listing."""
    lines = []
    at = 0
    while at < len(entries):
        top, slash, _ = entries.paths[at].partition("/")
        if not slash:
            lines.append(_line(entries[at]))
            at += 1
            continue
        rows = entries.range_below(top)
        part = entries[rows]
        digest = digest_of(encode_listing(Listing(part)))
        lines.append(f"{top}/  {part.files:,} files, {size(part.size)}  {digest.hex()[:12]}")
        at = max(rows.stop, at + 1)
    return lines


def _read(path: Path) -> bytes:
    with durable.translating(path):
        return path.read_bytes()


def _parsed(data: bytes, path: str) -> Pointer | None:
    try:
        return parse_pointer(data, what=path) if data else None
    except FormatError:
        return None
