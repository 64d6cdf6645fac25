"""Which versions were last seen archived at a remote, or being restored there. Advice for `status` and `list`, which
ask nobody; never proof."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

from lobsterdv.digest import DIGEST_BYTES, Digest
from lobsterdv.index.database import Index, UnreadableIndex

if TYPE_CHECKING:
    from sqlite3 import Connection

State = Literal["archived", "being restored", "restored"]


class Kept(NamedTuple):
    """A version, some of whose objects were archived; ``until`` is the day (ISO 8601) on which restored copies go,
    empty where none are."""

    version: Digest
    state: State
    until: str = ""


def load_archives(index: Index, store_id: str) -> dict[Digest, Kept]:
    """By version; those that are not named could be read, as far as is known."""
    try:
        with index.reading() as connection:
            rows = connection.execute(
                "select version, state, until from archives where store_id = ?", (store_id,)
            ).fetchall()
    except UnreadableIndex:
        return {}
    kept = (Kept(Digest(version), cast("State", state), str(until)) for version, state, until in rows if _is(version))
    return {row.version: row for row in kept if row.state in get_args(State)}


def _is(version: object) -> bool:
    """Whether what the index holds is a version: another's row is passed over, not all of them."""
    return isinstance(version, bytes) and len(version) == DIGEST_BYTES


def save_archives(index: Index, store_id: str, rows: Iterable[Kept], *, readable: Iterable[Digest] = ()) -> None:
    """Remember these, and that ``readable`` ones that are not among them are not archived (any more). Of several rows
    of one version the last counts. Writes only what is news."""
    known, told = load_archives(index, store_id), {row.version: row for row in rows}
    news = [row for row in told.values() if known.get(row.version) != row]
    gone = [version for version in readable if version in known and version not in told]
    if not news and not gone:
        return

    def write(connection: Connection) -> None:
        execute = connection.executemany
        execute("delete from archives where store_id = ? and version = ?", [(store_id, bytes(v)) for v in gone])
        values = [(store_id, bytes(row.version), row.state, row.until) for row in news]
        execute("insert or replace into archives values (?, ?, ?, ?)", values)

    index.write(write)


def forget_archives(index: Index, store_id: str) -> None:
    """Before a look at the whole remote, whose findings replace what was known."""
    if load_archives(index, store_id):
        index.write(lambda connection: connection.execute("delete from archives where store_id = ?", (store_id,)))
