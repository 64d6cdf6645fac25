"""A store some of whose values were found damaged: whoever writes through this takes them for absent and sends them
again, over the same keys."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from lobsterdv.errors import KeyMissing
from lobsterdv.stores.base import Stat, Store, Upload


class DistrustingStore:
    """``keys`` are absent until they are written through this. Threads share it; closing it closes nothing."""

    def __init__(self, inner: Store, keys: Iterable[str]) -> None:
        self._inner = inner
        self._keys = set(keys)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return self._inner.url

    def head(self, key: str) -> Stat:
        self._refuse(key)
        return self._inner.head(key)

    def read(self, key: str, *, start: int, length: int) -> bytes:
        self._refuse(key)
        return self._inner.read(key, start=start, length=length)

    def read_whole(self, key: str, *, limit: int) -> bytes:
        self._refuse(key)
        return self._inner.read_whole(key, limit=limit)

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        written = self._inner.put(key, data, if_absent=if_absent and key not in self._keys)
        self._trust(key)
        return written

    def upload(self, key: str, size: int) -> Upload:
        return _Trusting(self._inner.upload(key, size), self, key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        return (stat for stat in self._inner.list(prefix, after=after) if stat.key not in self._keys)

    def delete(self, key: str) -> None:
        self._inner.delete(key)

    def clock(self) -> float:
        return self._inner.clock()

    def refresh(self, key: str) -> bool:
        self._refuse(key)
        return self._inner.refresh(key)

    def delete_exact(self, stat: Stat) -> bool:
        return self._inner.delete_exact(stat)

    @property
    def is_exact(self) -> bool:
        return self._inner.is_exact

    def close(self) -> None:
        pass

    def _refuse(self, key: str) -> None:
        if key in self._keys:
            raise KeyMissing(key, self.url)

    def _trust(self, key: str) -> None:
        with self._lock:
            self._keys.discard(key)


class _Trusting:
    """An upload after whose end its key is trusted."""

    def __init__(self, inner: Upload, store: DistrustingStore, key: str) -> None:
        self.part_size = inner.part_size
        self.part_count = inner.part_count
        self._inner = inner
        self._store = store
        self._key = key

    def send(self, number: int, data: bytes | memoryview) -> None:
        self._inner.send(number, data)

    def complete(self) -> None:
        self._inner.complete()
        self._store._trust(self._key)

    def abort(self) -> None:
        self._inner.abort()

    def suspend(self) -> None:
        self._inner.suspend()
