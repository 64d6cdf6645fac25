"""A store in this process's memory, for tests and previews. It never touches a disk or a network."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator

from lobsterdv.errors import CorruptContent, KeyMissing
from lobsterdv.stores.base import Stat
from lobsterdv.stores.capabilities import Checking
from lobsterdv.stores.keys import check_key, check_prefix
from lobsterdv.stores.parts import MIB, check_all_sent, check_part, count_parts


class MemoryStore:
    """Keeps the whole Store promise while the process lives. ``now`` is the store's clock: set it."""

    def __init__(self, name: str = "memory", *, part_size: int = 10 * MIB) -> None:
        self.url = f"memory:{name}"
        self.now = 0.0
        self._part_size = part_size
        self._lock = threading.Lock()
        self._values: dict[str, tuple[bytes, Stat]] = {}
        self._writes = 0

    def head(self, key: str) -> Stat:
        return self._get(key)[1]

    def crc32(self, key: str) -> int | None:
        return zlib.crc32(self._get(key)[0])

    @property
    def checking(self) -> Checking:
        return "verified"

    def read(self, key: str, *, start: int, length: int) -> bytes:
        data = self._get(key)[0][start : start + length]
        if len(data) < length:
            raise CorruptContent(key, self.url, f"{length} bytes from {start}", f"{len(data)} bytes")
        return data

    def read_whole(self, key: str, *, limit: int) -> bytes:
        data = self._get(key)[0]
        if len(data) > limit:
            raise CorruptContent(key, self.url, f"at most {limit} bytes", f"{len(data)} bytes")
        return data

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        check_key(key)
        with self._lock:
            if if_absent and key in self._values:
                return False
            self._writes += 1
            value = bytes(data)
            self._values[key] = value, Stat(key, len(value), self.now, etag=str(self._writes))
        return True

    def upload(self, key: str, size: int) -> MemoryUpload:
        return MemoryUpload(self, check_key(key), size, part_size=self._part_size)

    def list(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        check_prefix(prefix)
        with self._lock:
            found = [stat for key, (_, stat) in self._values.items() if key.startswith(prefix) and key > after]
        yield from sorted(found, key=lambda stat: stat.key)

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._values.pop(key, None)

    def clock(self) -> float:
        return self.now

    def refresh(self, key: str) -> bool:
        check_key(key)
        with self._lock:
            if key not in self._values:
                raise KeyMissing(key, self.url)
            self._writes += 1
            value, old = self._values[key]
            self._values[key] = value, Stat(key, old.size, self.now, etag=str(self._writes))
        return True

    def delete_exact(self, stat: Stat) -> bool:
        with self._lock:
            if self._values.get(stat.key, (b"", None))[1] != stat:
                return False
            del self._values[stat.key]
        return True

    @property
    def is_exact(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def _get(self, key: str) -> tuple[bytes, Stat]:
        check_key(key)
        with self._lock:
            try:
                return self._values[key]
            except KeyError:
                raise KeyMissing(key, self.url) from None


class MemoryUpload:
    """Parts wait in a dict until ``complete``."""

    def __init__(self, store: MemoryStore, key: str, size: int, *, part_size: int) -> None:
        self.part_size = part_size
        self.part_count = count_parts(size, part_size=part_size)
        self._store = store
        self._key = key
        self._size = size
        self._parts: dict[int, bytes] = {}

    def send(self, number: int, data: bytes | memoryview) -> None:
        check_part(number, len(data), size=self._size, part_size=self.part_size)
        self._parts[number] = bytes(data)

    def complete(self) -> None:
        check_all_sent(self._parts, self.part_count)
        self._store.put(self._key, b"".join(self._parts[number] for number in range(self.part_count)))

    def abort(self) -> None:
        self._parts.clear()

    def suspend(self) -> None:
        self.abort()
