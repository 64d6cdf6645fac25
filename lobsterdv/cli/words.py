"""Turning facts into text: sizes, counts, times, tables, file names that are safe to print and to type."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from typing import Final

from lobsterdv.units import duration as duration
from lobsterdv.units import size as size

# Control characters drive terminals, lone surrogates are bytes that are no UTF-8, and the others are
# invisible or turn the direction of writing: none may reach a screen from a file name.
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200b-\u200f\u202a-\u202e\u2066-\u206f\ufeff]")
_LINE_ENDS: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Words:
    """Paths and commands as the user would type them in the folder where the program was started.

    ``folder`` is where paths are relative to (after ``-C``), ``root`` the project's (None outside one), and
    ``directory`` what ``-C`` said.
    """

    def __init__(self, folder: str, root: str | None = None, directory: str = "") -> None:
        self.folder = folder
        self.root = root
        self.directory = directory

    def raw(self, path: str) -> str:
        """A project-relative path, relative to where the user is."""
        if self.root is None or os.path.isabs(path):
            return path
        return os.path.relpath(os.path.join(self.root, path), self.folder)

    def path(self, path: str) -> str:
        """The same, to look at."""
        return safe(self.raw(path))

    def place(self, path: str) -> str:
        """An absolute path to look at, relative to here when it is in the project."""
        inside = self.root is not None and path.startswith(self.root.rstrip("/") + "/")
        return safe(os.path.relpath(path, self.folder) if inside else path)

    def arg(self, path: str) -> str:
        """The same, to be typed in a shell."""
        return quote(self.raw(path))

    def ldv(self, *parts: str) -> str:
        """A lobsterdv command to type; ``parts`` are quoted already."""
        return " ".join([*self._program("lobsterdv"), *(p for p in parts if p)])

    def git(self, *parts: str) -> str:
        """A git command to type; ``parts`` are quoted already."""
        return " ".join([*self._program("git"), *(p for p in parts if p)])

    def _program(self, name: str) -> list[str]:
        return [name, "-C", quote(self.directory)] if self.directory else [name]


def safe(text: str) -> str:
    """Text with everything escaped that could move the cursor, hide or mislead. One line."""
    return _UNSAFE.sub(_escaped, text)


def quote(text: str) -> str:
    """One word for a shell; control characters in bash's and zsh's ``$'...'``."""
    if not _UNSAFE.search(text):
        return shlex.quote(text)
    return "$'" + _UNSAFE.sub(_escaped, text.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def count(number: int, noun: str) -> str:
    """``1 file``, ``10,000 files``."""
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def short(digest: object) -> str:
    """A digest's first 12 hex digits, for people."""
    return str(digest).removeprefix("blake3:")[:12]


def table(rows: Sequence[Sequence[str]], *, indent: str = "", right: Sequence[int] = ()) -> list[str]:
    """Rows as lines with aligned columns; those numbered in ``right`` (sizes) end together."""
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def following(commands: Sequence[str]) -> list[str]:
    """What to type next, a command a line."""
    return [("Next: " if n == 0 else "      ") + command for n, command in enumerate(commands)]


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _LINE_ENDS:
        return _LINE_ENDS[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: the byte itself
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
