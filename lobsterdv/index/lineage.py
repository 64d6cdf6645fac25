"""``lineage.db``: which versions there were, what they were made from, by which runs. A SQLite file of its own, so that
it opens with any tool, and so that the index every command needs stays small.

It holds only what git history, run records and catalog records say, and is rebuilt from them whole: into a new
file that takes the old one's place. Readers never wait. The tables are made by sqlite-utils, and its migrations are
recorded (``_sqlite_migrations``); its import costs 0.3 s and is paid only when something is written.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lobsterdv.events import Observer, Warned, silent
from lobsterdv.index.news import News

SCHEMA: Final = 1
_BUSY_MS: Final = 30_000


@dataclass
class Lineage:
    """One lineage file. Threads and processes may share it; what is written is written in one transaction."""

    path: Path
    observer: Observer = silent

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that only reads. Raises NoLineage when the file is not there, damaged or of another schema: it
        must be rebuilt."""
        try:
            connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_MS / 1000)
        except sqlite3.Error as error:
            raise NoLineage(str(error)) from None
        try:
            with contextlib.closing(connection):
                if connection.execute("pragma user_version").fetchone() != (SCHEMA,):
                    raise NoLineage("another schema")
                yield connection
        except sqlite3.DatabaseError as error:
            raise NoLineage(str(error)) from error

    def state(self) -> dict[str, str]:
        """What was noted with the last update, empty when the file must be rebuilt."""
        try:
            with self.reading() as connection:
                return dict(connection.execute("select key, value from state"))
        except NoLineage:
            return {}

    def names(self) -> set[str]:
        """The run records and catalog records that are in it."""
        try:
            with self.reading() as connection:
                return {row[0] for row in connection.execute("select name from runs union select record from pushes")}
        except NoLineage:
            return set()

    def update(self, news: News, state: dict[str, str]) -> bool:
        """Add what is new, and note ``state``. False when the file is not to be used: rebuild it."""
        try:
            if self.path.is_file():
                self._write(self.path, news, state)
                return True
        except (sqlite3.DatabaseError, ValueError) as error:
            self.observer(Warned(f"{self.path} could not be updated ({error}); it is rebuilt"))
        return False

    def rebuild(self, news: News, state: dict[str, str]) -> None:
        """Write everything into a new file, and put it in place. Raises OSError when that cannot be written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.{os.urandom(4).hex()}.tmp")
        try:
            self._write(fresh, news, state)
            os.replace(fresh, self.path)  # a cache: what a crash loses is made again, so nothing is synced
        finally:
            for leftover in (fresh, fresh.with_name(fresh.name + "-journal")):
                leftover.unlink(missing_ok=True)

    def _write(self, path: Path, news: News, state: dict[str, str]) -> None:
        from lobsterdv.index.lineage_writer import write  # noqa: PLC0415 - start-up time: sqlite-utils

        connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000)
        with contextlib.closing(connection):
            connection.execute("pragma journal_mode=delete")  # one file, also on network file systems
            connection.execute("pragma synchronous=off" if path != self.path else "pragma synchronous=normal")
            write(connection, news, state, schema=SCHEMA)


class NoLineage(Exception):
    """The lineage file cannot be read; it is rebuilt."""
