"""The cache's Ledger, kept in the index."""

from __future__ import annotations

from collections.abc import Iterable

from lobsterdv.index.database import Index
from lobsterdv.index.verified import Verified, load_verified, save_verified
from lobsterdv.signature import Signature


class IndexLedger:
    """Implements ``blobs.cache.Ledger`` with the table ``verified``."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def look_up(self, name: str) -> tuple[Signature, bytes, float] | None:
        found = load_verified(self._index, name)
        return None if found is None else (found.signature, found.checksum, found.at)

    def note(self, rows: Iterable[tuple[str, Signature, bytes, float]]) -> None:
        save_verified(self._index, [Verified(*row) for row in rows])
