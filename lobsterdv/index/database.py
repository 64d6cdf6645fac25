"""The SQLite file: opening, schema, and setting a damaged one aside. No sqlite-utils here: its import costs
0.4 s, and these statements run on the way of every command."""

from __future__ import annotations

import functools
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lobsterdv.events import Observer, Warned, silent

SCHEMA_VERSION: Final = 6
_SCHEMA: Final = """
create table seen (
  place text primary key, saved_ns integer not null, digest blob not null, state blob not null
) without rowid;
create table verified (
  name text primary key, signature blob not null, checksum blob not null, at real not null
) without rowid;
create table pushed (
  store text not null, path text not null, version blob not null,
  manifest blob not null, record blob not null, at text not null,
  primary key (store, record)
) without rowid;
create table markers (store text primary key, etag text not null, store_id text not null) without rowid;
create table archives (
  store_id text not null, version blob not null, state text not null, until text not null,
  primary key (store_id, version)
) without rowid;
create table latencies (store text primary key, seconds real not null, at real not null) without rowid;
create table capabilities (store text primary key, at real not null, facts text not null) without rowid;
"""
# Views and triggers first; what SQLite made for itself (its names begin with sqlite_) goes with its table.
_OURS_TO_DROP: Final = """
select type, name from sqlite_master where type in ('table', 'view', 'trigger')
and name not like 'sqlite\\_%' escape '\\'
order by type desc
"""
_BUSY_MS: Final = 30_000
# WAL needs shared memory between processes, which network file systems do not give.
_NETWORK: Final = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "fhgfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
        "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "virtiofs", "wekafs",
    }
)  # fmt: skip
# Of what runs in user space these are disks of this machine; all others (sshfs, s3fs, rclone, ...) may be anywhere.
_LOCAL_FUSE: Final = frozenset(
    {"fuseblk", "fuse.ntfs-3g", "fuse.ntfs", "fuse.exfat", "fuse.fuse-overlayfs", "fuse.ext2"}
)


@dataclass
class Index:
    """One index file. Made on first use; threads share it and its one connection, in turn.

    A file that SQLite finds damaged is renamed aside and begun anew, and the observer is told. Where no
    file can be written (a read-only checkout) the index lives in memory.
    """

    path: Path
    observer: Observer = silent
    _opened: sqlite3.Connection | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with. Raises UnreadableIndex when there is nothing to be had now: a damaged file has
        then been set aside, and the caller goes on as if nothing were known."""
        try:
            with self._lock:
                yield self._connection()
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                self._set_aside(error)
            raise UnreadableIndex(str(error)) from error

    def write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do ``work`` in one transaction. What cannot be written (locked for 30 s, read-only, damaged) is only
        forgotten: the index is a cache, and the next command finds out again."""
        try:
            with self._lock, self._connection() as connection:
                connection.execute("begin immediate")
                work(connection)
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                self._set_aside(error)
            else:
                self.observer(Warned(f"{self.path} could not be updated ({error}); it will be next time"))

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return _connect(str(self.path), wal=_is_local(self.path))
        except (sqlite3.DatabaseError, OSError, UnicodeDecodeError) as error:
            if _is_damage(error):
                self._set_aside(error)
                return _connect(str(self.path), wal=_is_local(self.path))
            self.observer(Warned(f"{self.path} cannot be used ({error}); working without it, more slowly"))
            return _connect(":memory:", wal=False)

    def _set_aside(self, error: Exception) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            broken = self.path.with_name(self.path.name + suffix)
            try:
                broken.replace(broken.with_name(broken.name + ".damaged"))
            except OSError:
                pass  # not there, or not ours to move: what cannot be read is not used either way
        self.observer(Warned(f"{self.path} was damaged ({error}) and has been set aside; it is rebuilt as you work"))


class UnreadableIndex(Exception):
    """The index cannot tell anything now."""


def _connect(path: str, *, wal: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        if wal:
            connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=normal")
        if connection.execute("pragma user_version").fetchone()[0] != SCHEMA_VERSION:
            _create(connection)
        if connection.execute("select sql from sqlite_master").fetchall() != _expected():
            raise _ForeignSchema("it has tables, views or triggers that lobsterdv did not make")
        return connection
    except BaseException:
        connection.close()
        raise


class _ForeignSchema(sqlite3.DatabaseError):
    """A file of our version that holds other things: a view in place of a table may run for ever, or lie."""


@functools.cache
def _expected() -> list[tuple[str]]:
    """The schema's text as SQLite keeps it."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(_SCHEMA)
    rows: list[tuple[str]] = connection.execute("select sql from sqlite_master").fetchall()
    connection.close()
    return rows


def _create(connection: sqlite3.Connection) -> None:
    """The tables, anew: of an older or newer schema nothing is worth keeping in a cache."""
    connection.execute("begin immediate")
    if connection.execute("pragma user_version").fetchone()[0] != SCHEMA_VERSION:
        for kind, name in connection.execute(_OURS_TO_DROP).fetchall():
            connection.execute(f'drop {kind} if exists "{name.replace(chr(34), chr(34) * 2)}"')
        for statement in _SCHEMA.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"pragma user_version={SCHEMA_VERSION}")
    connection.execute("commit")


def _is_damage(error: Exception) -> bool:
    """True for what only a damaged file causes; damage in the schema's text shows as undecodable text."""
    if isinstance(error, UnicodeDecodeError | _ForeignSchema):
        return True
    return isinstance(error, sqlite3.Error) and _code_is_damage(error)


def _code_is_damage(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or (
        isinstance(error, sqlite3.OperationalError) and "no such table" in str(error)
    )


def _is_local(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """False on a network file system, as far as the mounts tell (True where there are none)."""
    try:
        lines = [line.split(" ")[1:3] for line in mounts.read_text(errors="surrogateescape").splitlines()]
    except OSError:
        return True
    around = [(_unescaped(point), kind) for point, kind in lines if path.is_relative_to(_unescaped(point))]
    if not around:
        return True
    # Of two at one point the later one covers the other.
    kind = max(enumerate(around), key=lambda numbered: (len(numbered[1][0]), numbered[0]))[1][1]
    return kind in _LOCAL_FUSE if kind.startswith("fuse") else kind not in _NETWORK


def _unescaped(point: str) -> str:
    """A mount point as it is; the kernel writes blanks and backslashes in octal."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point)
