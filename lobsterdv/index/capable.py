"""What each remote's server was seen to do, for as long as that is believed."""

from __future__ import annotations

from lobsterdv.index.database import Index, UnreadableIndex
from lobsterdv.stores.capabilities import DAYS_KNOWN, Capabilities, dump_capabilities, parse_capabilities

_KNOWN_S = DAYS_KNOWN * 86400


def load_capabilities(index: Index, place: str, now: float) -> Capabilities:
    """What was found in the last seven days; nothing is known otherwise."""
    try:
        with index.reading() as connection:
            row = connection.execute("select at, facts from capabilities where store = ?", (place,)).fetchone()
    except UnreadableIndex:
        return Capabilities()
    if row is None or not isinstance(row[0], float) or not isinstance(row[1], str) or not 0 <= now - row[0] < _KNOWN_S:
        return Capabilities()
    return parse_capabilities(row[1])


def save_capabilities(index: Index, place: str, now: float, known: Capabilities) -> None:
    index.write(
        lambda connection: connection.execute(
            "insert or replace into capabilities values (?, ?, ?)", (place, float(now), dump_capabilities(known))
        )
    )
