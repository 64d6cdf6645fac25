"""``.lobsterdvignore``: gitignore syntax, in any folder from the project's root down to the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from lobsterdv import durable
from lobsterdv.documents import LINES_BYTES, read_document

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

NAME: Final = ".lobsterdvignore"
ALWAYS: Final = frozenset({".DS_Store"})


class Ignore:
    """Which paths a scan leaves out. Paths are relative to the project's root, with ``/``; deeper files win."""

    def __init__(self) -> None:
        self._specs: list[tuple[str, GitIgnoreSpec]] = []

    @classmethod
    def above(cls, root: Path, dataset: str) -> Ignore:
        """The rules from ``root`` down to the folder that holds ``dataset``."""
        ignore = cls()
        folder = ""
        ignore.enter(root, folder)
        for part in dataset.split("/")[:-1]:
            folder = f"{folder}/{part}" if folder else part
            ignore.enter(root / folder, folder)
        return ignore

    def enter(self, folder: Path, relative: str) -> None:
        """Add the rules of a folder, if it has any. Raises Refused when they are no regular file, FormatError when
        they are endless, LocalIOError."""
        path = folder / NAME
        with durable.translating(path):
            try:
                data = read_document(path, LINES_BYTES, name=f"{relative}/{NAME}" if relative else NAME)
            except (FileNotFoundError, NotADirectoryError):
                return
        lines = data.decode(errors="surrogateescape").splitlines()
        from pathspec import GitIgnoreSpec  # noqa: PLC0415 - start-up time: only where such a file exists

        self._specs.append((f"{relative}/" if relative else "", GitIgnoreSpec.from_lines(lines)))

    def __contains__(self, path: str) -> bool:
        """True when ``path`` (folders with a ``/`` at the end) is to be left out."""
        for base, spec in reversed(self._specs):
            if path.startswith(base):
                decided = spec.check_file(path[len(base) :]).include
                if decided is not None:
                    return decided
        return False

    def __bool__(self) -> bool:
        return bool(self._specs)
