"""Watching a test's subject from outside: which files it opens, what it asks a store, what a tree holds."""

from __future__ import annotations

import os
import stat as stat_module
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lobsterdv.stores.base import Stat, Store, Upload

_watched: list[tuple[str, list[str]]] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and _watched and isinstance(args[0], str | os.PathLike):
        path = os.fspath(args[0])
        for prefix, seen in _watched:
            if path == prefix or str(path).startswith(prefix + "/"):
                seen.append(str(path))


sys.addaudithook(_hook)


@contextmanager
def opened_below(folder: Path) -> Iterator[list[str]]:
    """The files below ``folder`` (also folders, when opened) that this process opens meanwhile, by any thread."""
    seen: list[str] = []
    row = (str(folder), seen)
    _watched.append(row)
    try:
        yield seen
    finally:
        _watched.remove(row)


class Call(NamedTuple):
    """One request: what was done to which key, and how many bytes went either way."""

    verb: str
    key: str
    size: int


@dataclass
class WatchedStore:
    """A store that writes down every request before it passes it on. ``before`` may raise in its place."""

    inner: Store
    calls: list[Call] = field(default_factory=list)
    before: Callable[[Call], None] = lambda call: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return self.inner.url

    def head(self, key: str) -> Stat:
        self._note("head", key, 0)
        return self.inner.head(key)

    def read(self, key: str, *, start: int, length: int) -> bytes:
        self._note("read", key, length)
        return self.inner.read(key, start=start, length=length)

    def read_whole(self, key: str, *, limit: int) -> bytes:
        asked = self._note("read_whole", key, 0)
        data = self.inner.read_whole(key, limit=limit)
        self.calls[asked] = Call("read_whole", key, len(data))
        return data

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        self._note("put", key, len(data))
        return self.inner.put(key, data, if_absent=if_absent)

    def upload(self, key: str, size: int) -> Upload:
        self._note("upload", key, size)
        return self.inner.upload(key, size)

    def list(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        self._note("list", prefix, 0)
        return self.inner.list(prefix, after=after)

    def delete(self, key: str) -> None:
        self._note("delete", key, 0)
        self.inner.delete(key)

    def clock(self) -> float:
        return self.inner.clock()

    def refresh(self, key: str) -> bool:
        self._note("refresh", key, 0)
        return self.inner.refresh(key)

    def delete_exact(self, stat: Stat) -> bool:
        self._note("delete_exact", stat.key, 0)
        return self.inner.delete_exact(stat)

    @property
    def is_exact(self) -> bool:
        return self.inner.is_exact

    def close(self) -> None:
        self.inner.close()

    def keys(self, prefix: str = "") -> list[str]:
        """What is in the store now."""
        return sorted(stat.key for stat in self.inner.list(prefix))

    def written(self) -> list[str]:
        """Keys in the order in which they were written."""
        return [call.key for call in self.calls if call.verb in ("put", "upload")]

    def count(self) -> dict[str, int]:
        """How often each verb was used."""
        verbs = [call.verb for call in self.calls]
        return {verb: verbs.count(verb) for verb in sorted(set(verbs))}

    def forget(self) -> None:
        self.calls.clear()

    def _note(self, verb: str, key: str, size: int) -> int:
        """Which of the calls it is."""
        call = Call(verb, key, size)
        with self._lock:
            self.calls.append(call)
            number = len(self.calls) - 1
        self.before(call)
        return number


def meet(*kinds: tuple[str, str]) -> Callable[[Call], None]:
    """For ``WatchedStore.before``: the first request of each of these verbs and beginnings of keys waits until all of
    them are under way, and fails when they come one after another."""
    meeting = threading.Barrier(len(kinds), timeout=30)
    awaited = list(kinds)

    def before(call: Call) -> None:
        for kind in awaited:
            if call.verb == kind[0] and call.key.startswith(kind[1]):
                awaited.remove(kind)
                meeting.wait()
                return

    return before


def tree(root: Path) -> dict[str, str | tuple[str, bytes]]:
    """What lies below ``root``, by a walk that shares no code with lobsterdv: type, executable bit, bytes, targets.

    A file alone has the path ''. Folders are told only when they are empty.
    """
    if not stat_module.S_ISDIR(root.lstat().st_mode):
        return {"": _leaf(root)}
    found: dict[str, str | tuple[str, bytes]] = {}
    for folder, folders, files in os.walk(root, followlinks=False):
        base = Path(folder)
        for name in files + [f for f in folders if (base / f).is_symlink()]:
            found[(base / name).relative_to(root).as_posix()] = _leaf(base / name)
        if not folders and not files and base != root:
            found[base.relative_to(root).as_posix() + "/"] = "folder"
    return found


def _leaf(path: Path) -> str | tuple[str, bytes]:
    mode = path.lstat().st_mode
    if stat_module.S_ISLNK(mode):
        return "link to " + os.readlink(path)
    return "executable" if mode & 0o100 else "file", path.read_bytes()


def temps_below(folder: Path) -> list[str]:
    """Unfinished writes that were left behind."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name.startswith((".tmp-", ".lobsterdv-stage-", ".making-", ".old-"))
    )
