"""How long each remote took to answer, when that was last measured. Advice for whom to ask first."""

from __future__ import annotations

from lobsterdv.index.database import Index, UnreadableIndex


def load_latencies(index: Index) -> dict[str, tuple[float, float]]:
    """Seconds, and when they were measured (seconds since 1970), by place."""
    try:
        with index.reading() as connection:
            rows = connection.execute("select store, seconds, at from latencies").fetchall()
    except UnreadableIndex:
        return {}
    return {
        place: (seconds, at)
        for place, seconds, at in rows
        if isinstance(place, str) and isinstance(seconds, float) and isinstance(at, float)
    }


def save_latency(index: Index, place: str, seconds: float, at: float) -> None:
    index.write(
        lambda connection: connection.execute("insert or replace into latencies values (?, ?, ?)", (place, seconds, at))
    )
