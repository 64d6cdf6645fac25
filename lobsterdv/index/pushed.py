"""What each remote is known to hold. Advice for ordering and skipping reads, never proof: push HEADs what it claims."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lobsterdv.digest import Digest
from lobsterdv.index.database import Index, UnreadableIndex


class Pushed(NamedTuple):
    """A version of ``path`` whose ``manifest`` and catalog ``record`` a push of ours or another's wrote, ``at`` a
    time by the pusher's clock (UTC, ISO 8601)."""

    path: str
    version: Digest
    manifest: Digest
    record: Digest
    at: str


def load_pushed(index: Index, store: str) -> list[Pushed]:
    """Every catalog record known of ``store`` (its id and project), oldest first."""
    try:
        with index.reading() as connection:
            rows = connection.execute(
                "select path, version, manifest, record, at from pushed where store = ? order by at", (store,)
            ).fetchall()
    except UnreadableIndex:
        return []
    try:
        return [_pushed(*row) for row in rows]
    except (ValueError, TypeError):  # not as they were written: nothing is known, and the catalog is read again
        return []


def load_all_pushed(index: Index) -> list[tuple[str, Pushed]]:
    """Every catalog record known of any store, with the store."""
    try:
        with index.reading() as connection:
            rows = connection.execute("select store, path, version, manifest, record, at from pushed").fetchall()
        return [(str(row[0]), _pushed(*row[1:])) for row in rows]
    except (UnreadableIndex, ValueError, TypeError):
        return []


def _pushed(path: object, version: bytes, manifest: bytes, record: bytes, at: object) -> Pushed:
    if not isinstance(path, str) or not isinstance(at, str):
        raise TypeError("not text")
    return Pushed(path, Digest(version), Digest(manifest), Digest(record), at)


def save_pushed(index: Index, store: str, rows: Iterable[Pushed]) -> None:
    """Remember pushes, in one transaction."""
    values = [(store, p.path, bytes(p.version), bytes(p.manifest), bytes(p.record), p.at) for p in rows]
    if values:
        index.write(
            lambda connection: connection.executemany("insert or replace into pushed values (?, ?, ?, ?, ?, ?)", values)
        )


def forget_pushed(index: Index, store: str, rows: Iterable[Pushed]) -> None:
    """Forget records that turned out not to be there."""
    values = list(rows)
    if values:
        index.write(
            lambda connection: connection.executemany(
                "delete from pushed where store = ? and record = ?", [(store, bytes(p.record)) for p in values]
            )
        )


def load_marker(index: Index, store: str) -> tuple[str, str] | None:
    """The etag and store id of a remote's marker when it was last read."""
    try:
        with index.reading() as connection:
            row = connection.execute("select etag, store_id from markers where store = ?", (store,)).fetchone()
    except UnreadableIndex:
        return None
    return None if row is None or not all(isinstance(value, str) for value in row) else (row[0], row[1])


def forget_marker(index: Index, store: str) -> None:
    index.write(lambda connection: connection.execute("delete from markers where store = ?", (store,)))


def save_marker(index: Index, store: str, etag: str, store_id: str) -> None:
    index.write(
        lambda connection: connection.execute(
            "insert or replace into markers values (?, ?, ?)", (store, etag, store_id)
        )
    )
