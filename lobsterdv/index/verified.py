"""When each plain file of the cache was last proved right: signature, checksum and time."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from lobsterdv.index.database import Index, UnreadableIndex
from lobsterdv.signature import Signature


class Verified(NamedTuple):
    """``at`` is seconds since 1970; ``checksum`` the XXH3-128 of the bytes."""

    name: str
    signature: Signature
    checksum: bytes
    at: float


def load_verified(index: Index, name: str) -> Verified | None:
    """The last verification of ``name``; None when there is none."""
    try:
        with index.reading() as connection:
            row = connection.execute("select signature, checksum, at from verified where name = ?", (name,)).fetchone()
    except UnreadableIndex:
        return None
    if row is None or not all(isinstance(value, bytes) for value in row[:2]) or len(row[0]) != 40:
        return None
    if not isinstance(row[2], int | float):
        return None
    numbers = array("q")
    numbers.frombytes(row[0])
    return Verified(name, Signature(*numbers), row[1], row[2])


def save_verified(index: Index, rows: Iterable[Verified]) -> None:
    """Remember verifications, in one transaction."""
    values = [(v.name, array("q", v.signature).tobytes(), v.checksum, v.at) for v in rows]
    if values:
        index.write(
            lambda connection: connection.executemany("insert or replace into verified values (?, ?, ?, ?)", values)
        )
