"""Small real implementations that the tests of content share."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lobsterdv.blobs.bases import Bases
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.download import fetch_contents
from lobsterdv.blobs.heads import Heads, Sent
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import Remote, create_marker
from lobsterdv.blobs.sending import Wanted
from lobsterdv.blobs.source import CacheSource
from lobsterdv.blobs.storage import Storage
from lobsterdv.blobs.upload import send_contents
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import ContentError
from lobsterdv.formats.contents import Content, Contents
from lobsterdv.formats.entries import Entries, Entry, EntryType
from lobsterdv.formats.table import Table
from lobsterdv.paths import safe_path
from lobsterdv.signature import Signature
from lobsterdv.stores.base import Stat
from lobsterdv.stores.memory import MemoryStore


class Notebook(dict[str, tuple[Signature, bytes, float]]):
    """A ledger in memory."""

    def look_up(self, name: str) -> tuple[Signature, bytes, float] | None:
        return self.get(name)

    def note(self, rows: Iterable[tuple[str, Signature, bytes, float]]) -> None:
        for name, signature, checksum, at in rows:
            self[name] = (signature, checksum, at)


class CountingStore(MemoryStore):
    """A store in memory that counts its calls and the bytes it gives out."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.bytes_read = 0

    def head(self, key: str) -> Stat:
        self.calls["head"] += 1
        return super().head(key)

    def read(self, key: str, *, start: int, length: int) -> bytes:
        self.calls["read"] += 1
        self.bytes_read += length
        return super().read(key, start=start, length=length)

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        self.calls["put"] += 1
        return super().put(key, data, if_absent=if_absent)


def open_cache(folder: Path, *, notebook: Notebook | None = None, at: float = 1e9) -> Cache:
    """A cache as a process that just started sees it."""
    return Cache(folder, ledger=Notebook() if notebook is None else notebook, now=lambda: at)


def spoil(path: Path, how: str) -> None:
    """Damage a file: ``flip`` a bit in the middle, ``cut`` its last byte, ``empty``, ``extend`` or ``delete`` it.

    Of a pack, the bytes of its files are meant: its last 32 bytes only make its name.
    """
    data = bytearray(path.read_bytes())
    trailer = 32 if path.suffix == ".pack" else 0
    if how == "delete":
        path.unlink()
        return
    if how == "flip":
        data[(len(data) - trailer) // 2] ^= 0x10
    os.chmod(path, 0o644)
    path.write_bytes({"flip": data, "cut": data[: -1 - trailer], "empty": b"", "extend": data + b"more"}[how])


def in_quarantine(cache: Cache, digest: Digest) -> bool:
    """True when something of that name was set aside."""
    folder = cache.folder / "quarantine"
    return folder.is_dir() and any(digest.hex() in name for name in os.listdir(folder))


AUTO = Storage()


def remote_over(store: CountingStore, cache: Cache) -> Remote:
    marker = create_marker(store, store_id="0" * 32)
    store.calls.clear()
    store.bytes_read = 0
    return Remote(store, cache, marker, jobs=4)


def entries_of(wanted: Iterable[Wanted | bytes]) -> Entries:
    """A directory of these files."""
    rows = [Wanted(digest_of(w), len(w)) if isinstance(w, bytes) else w for w in wanted]
    return Entries.of(
        [Entry(safe_path(w.path or f"{n:06}"), EntryType.FILE, w.size, w.digest) for n, w in enumerate(rows)]
    )


def upload(  # type: ignore[no-untyped-def]
    remote: Remote, wanted: list[Wanted], placed: list[Content] | None = None, *, threshold: int = 1 << 30,
    storage: Storage = AUTO, jobs: int = 4, name: str = "n",
    elsewhere: tuple[Contents, ...] = (),
):  # fmt: skip
    sent = Sent()
    contents = send_contents(
        remote, CacheSource(remote.cache), entries_of(wanted), Bases([Table((), tuple(placed or []))]),
        elsewhere, storage,
        Heads(remote, jobs).counting(sent), part_threshold=threshold, jobs=jobs, name=name, progress=lambda n: None,
    )  # fmt: skip
    return list(contents), sent


def send(remote: Remote, files: list[bytes], placed: list[Content] | None = None, *, threshold: int = 1 << 30,
         storage: Storage = AUTO):  # type: ignore[no-untyped-def]  # fmt: skip
    with Intake(remote.cache) as intake:
        intake.keep_verified([(digest_of(d), d) for d in files if len(d) < 256 << 10])
        for data in files:
            if len(data) >= 256 << 10:
                intake.keep_plain(digest_of(data), data)
    wanted = [Wanted(digest_of(d), len(d)) for d in files]
    return upload(remote, wanted, placed, threshold=threshold, storage=storage)


def fetch(remote: Remote, contents: list[Content], folder: Path) -> tuple[Cache, dict[Digest, ContentError]]:
    cache = open_cache(folder)
    with Intake(cache) as intake:
        failed = fetch_contents(remote, contents, intake, packable=True, name="n", progress=lambda n: None)
    return cache, failed


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)
