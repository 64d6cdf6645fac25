"""What may happen to the index while a command runs. ``ACTS`` are done at a step (``Fault.act``), in the project's
folder; the others hold from the beginning (``prepare`` of the nursery)."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

INDEX = Path(".git/lobsterdv/index.db")
_held: list[sqlite3.Connection] = []


def deleted() -> None:
    """With what SQLite keeps beside it."""
    for path in INDEX.parent.glob("index.db*"):
        path.unlink()


def garbage() -> None:
    """In place: whoever has it open reads that."""
    with INDEX.open("r+b") as file:
        file.write(b"no index any more " * 4000)


def cut_off() -> None:
    os.truncate(INDEX, INDEX.stat().st_size // 2)


def emptied() -> None:
    os.truncate(INDEX, 0)


def locked() -> None:
    """By somebody who never lets go."""
    other = sqlite3.connect(INDEX, timeout=0.02, isolation_level=None)
    other.execute("begin immediate")
    _held.append(other)


def replaced_by_a_folder() -> None:
    deleted()
    INDEX.mkdir()


ACTS = (deleted, garbage, cut_off, emptied, locked, replaced_by_a_folder)


def impatient() -> None:
    """Nobody waits half a minute for a lock."""
    from lobsterdv.index import database

    database._BUSY_MS = 20  # type: ignore[misc]


def full_disk() -> None:
    """Nothing can be written."""
    _connect_by(_Full)


def failing_disk() -> None:
    """After the statements that open it, each is an input/output error."""
    _connect_by(_Failing)


FROM_THE_BEGINNING = (full_disk, failing_disk)


def _connect_by(kind: type[sqlite3.Connection]) -> None:
    from lobsterdv.index import database

    connect = sqlite3.connect

    class Sqlite:
        """The module, but for this."""

        def __getattr__(self, name: str) -> Any:
            return getattr(sqlite3, name)

        def connect(self, path: str, **options: Any) -> sqlite3.Connection:
            return connect(path, **options) if path == ":memory:" else connect(path, factory=kind, **options)

    database.sqlite3 = Sqlite()  # type: ignore[attr-defined,assignment]


class _Full(sqlite3.Connection):
    def execute(self, *args: Any) -> sqlite3.Cursor:
        if args[0] == "begin immediate":
            raise _error("database or disk is full", sqlite3.SQLITE_FULL)
        return super().execute(*args)


class _Failing(sqlite3.Connection):
    _left = 4

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self._left -= 1
        if self._left < 0:
            raise _error("disk I/O error", sqlite3.SQLITE_IOERR)
        return super().execute(*args)


def _error(text: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error
