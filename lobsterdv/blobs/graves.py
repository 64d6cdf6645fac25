"""Which versions a remote was told to forget: the keys of their tombstones. tombstones.py reads what is in them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from lobsterdv.digest import Digest, parse_hex
from lobsterdv.errors import FormatError
from lobsterdv.formats.layout import FORGOTTEN
from lobsterdv.stores.base import Store


@dataclass
class Graves:
    """Listed once, when first asked; threads share it."""

    _versions: set[Digest] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, store: Store, version: Digest) -> bool:
        """Whether ``version`` has a tombstone. One listing, the first time. Raises RemoteError."""
        return version in self.look(store)

    def look(self, store: Store) -> set[Digest]:
        """Every version that had a tombstone when this was first asked. One listing, then. Raises RemoteError."""
        with self._lock:
            if self._versions is None:
                self._versions = listed(store)
            return self._versions


def listed(store: Store) -> set[Digest]:
    """Every version that has a tombstone. One listing."""
    found = set()
    for stat in store.list(FORGOTTEN):
        name, slash, _ = stat.key.removeprefix(FORGOTTEN).partition("/")
        try:
            found |= {parse_hex(name, what=stat.key)} if slash else set()
        except FormatError:
            continue
    return found
