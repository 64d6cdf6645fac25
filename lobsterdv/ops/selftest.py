"""selftest: does this file system, and this server, do what lobsterdv needs? Works in a scratch folder and under a
prefix of its own, which it removes; it touches nothing else."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from lobsterdv import durable
from lobsterdv.blobs.cache import Cache
from lobsterdv.digest import digest_of
from lobsterdv.errors import CorruptContent, LobsterError
from lobsterdv.index.database import Index
from lobsterdv.index.pushed import load_marker, save_marker
from lobsterdv.signature import Signature
from lobsterdv.stores.base import Store

State = Literal["ok", "note", "failed"]
_BLOCK: Final = bytes(range(256)) * 256
_LARGE: Final = 11 << 20  # two parts
_KILLED_AFTER: Final = 25


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``note`` is a thing that works otherwise here, and is no harm."""

    name: str
    state: State
    detail: str


@dataclass
class SelftestReport:
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(check.state != "failed" for check in self.checks)


class _Failed(Exception):
    """What a check found wrong, in words."""


Outcome = str | tuple[State, str]


def selftest_here(scratch: Path, *, now: Callable[[], float]) -> SelftestReport:
    """Check the file system of ``scratch``, an empty folder that is the caller's to remove."""
    checks: list[tuple[str, Callable[[], Outcome]]] = [
        ("write and sync", lambda: _write(scratch)),
        ("rename", lambda: _rename(scratch)),
        ("links", lambda: _links(scratch)),
        ("names", lambda: _names(scratch)),
        ("locking", lambda: _locking(scratch)),
        ("killed writer", lambda: _killed(scratch)),
        ("damaged cache", lambda: _damaged(scratch, now)),
    ]
    return SelftestReport([_checked(name, check) for name, check in checks])


def selftest_remote(store: Store, prefix: str) -> SelftestReport:
    """Check a server: everything under ``prefix``, which nobody else uses, and which is empty afterwards."""
    key, large = f"{prefix}/value", f"{prefix}/large"
    checks: list[tuple[str, Callable[[], Outcome]]] = [
        ("put", lambda: _put(store, key)),
        ("put if absent", lambda: _put_if_absent(store, key)),
        ("ranged get", lambda: _ranged(store, key)),
        ("list", lambda: _list(store, prefix, key)),
        ("multipart", lambda: _multipart(store, large)),
        ("flipped byte", lambda: _flipped(store, key)),
    ]
    report = SelftestReport()
    try:
        for name, check in checks:
            report.checks.append(_checked(name, check))
            if name == "put" and not report.passed:
                break  # nothing else can work, and each would wait as long
    finally:
        report.checks.append(_checked("clean up", lambda: _clean_up(store, prefix, (key, large))))
    return report


def _checked(name: str, check: Callable[[], Outcome]) -> Check:
    try:
        outcome = check()
    except (_Failed, LobsterError, OSError) as error:
        return Check(name, "failed", str(error))
    return Check(name, "ok", outcome) if isinstance(outcome, str) else Check(name, *outcome)


def _expect(right: bool, wrong: str) -> None:
    if not right:
        raise _Failed(wrong)


def _write(scratch: Path) -> str:
    path = scratch / "written"
    durable.write(path, _BLOCK)
    _expect(path.read_bytes() == _BLOCK, "other bytes come back than were written")
    return "bytes come back as they were written and synced"


def _rename(scratch: Path) -> str:
    path = scratch / "renamed"
    durable.write(path, b"old")
    with path.open("rb") as reader:
        durable.write(path, b"new")
        _expect(path.read_bytes() == b"new" and reader.read() == b"old", "a rename is not atomic for readers")
    return "readers see the old file or the new one, never a part"


def _links(scratch: Path) -> Outcome:
    working = []
    for name, make in (("hardlink", os.link), ("symlink", os.symlink)):
        with suppress(OSError):
            make(scratch / "written", scratch / name)
            working.append(name)
    return f"{' and '.join(working)} work" if len(working) > 1 else ("note", "not all links work; files are copied")


def _names(scratch: Path) -> Outcome:
    durable.write(scratch / "Case", b"")
    if (scratch / "cASE").exists():
        return "note", "upper and lower case are one name here; folders that need both are refused"
    return "upper and lower case are two names"


def _locking(scratch: Path) -> str:
    index = Index(scratch / "index.db")
    other = Index(scratch / "index.db")
    try:
        save_marker(index, "store", "etag", "id")
        _expect(load_marker(other, "store") == ("etag", "id"), "the index is not seen by a second reader")
    finally:
        index.close()
        other.close()
    return "two readers share the index"


def _killed(scratch: Path) -> str:
    """A child writes files until it is killed with SIGKILL: every name that is there must hold all its bytes."""
    folder = scratch / "killed"
    folder.mkdir()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        with suppress(BaseException):
            for number in range(10_000):
                durable.write(folder / str(number), _BLOCK)
                os.write(writer, b"x")
        os._exit(0)
    os.close(writer)
    try:
        for _ in range(_KILLED_AFTER):
            _expect(os.read(reader, 1) == b"x", "the child could not write")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
    named = [path for path in folder.iterdir() if path.name.isdigit()]
    _expect(len(named) >= _KILLED_AFTER, "a file that was written is gone")
    _expect(all(path.read_bytes() == _BLOCK for path in named), "a killed writer left a part under a final name")
    return f"killed with SIGKILL; {len(named)} files, all whole"


class _NoLedger:
    """Remembers nothing: everything is hashed."""

    def look_up(self, name: str) -> tuple[Signature, bytes, float] | None:
        return None

    def note(self, rows: Iterable[tuple[str, Signature, bytes, float]]) -> None:
        pass


def _damaged(scratch: Path, now: Callable[[], float]) -> str:
    cache, digest = Cache(scratch / "cache", ledger=_NoLedger(), now=now), digest_of(_BLOCK)
    try:
        path = cache.plain_path(digest)
        durable.make_folder(path.parent)
        durable.write(path, b"\xff" + _BLOCK[1:])
        try:
            cache.prove(digest, name="selftest")
        except CorruptContent:
            return "a changed byte is noticed, and the file set aside"
        raise _Failed("a changed byte in the cache was not noticed")
    finally:
        cache.close()


def _put(store: Store, key: str) -> str:
    store.put(key, _BLOCK)
    _expect(store.head(key).size == len(_BLOCK), "it has another size than was sent")
    _expect(store.read_whole(key, limit=len(_BLOCK)) == _BLOCK, "other bytes come back than were sent")
    return f"{len(_BLOCK):,} bytes come back as they were sent"


def _put_if_absent(store: Store, key: str) -> Outcome:
    if store.put(key, _BLOCK, if_absent=True):
        return "note", "an existing value is written again; lobsterdv does not rely on it"
    return "an existing value is kept"


def _ranged(store: Store, key: str) -> str:
    _expect(store.read(key, start=1000, length=500) == _BLOCK[1000:1500], "a range holds other bytes")
    return "a range holds its bytes"


def _list(store: Store, prefix: str, key: str) -> str:
    _expect([found.key for found in store.list(f"{prefix}/")] == [key], "a new key is not listed, or others are")
    return "what was put is listed at once"


def _multipart(store: Store, key: str) -> str:
    data = _BLOCK * (_LARGE // len(_BLOCK))
    upload = store.upload(key, len(data))
    try:
        for number in range(upload.part_count):
            upload.send(number, data[number * upload.part_size : (number + 1) * upload.part_size])
        upload.complete()
    except BaseException:
        upload.abort()
        raise
    _expect(digest_of(store.read_whole(key, limit=len(data))) == digest_of(data), "parts come back otherwise")
    return f"{upload.part_count} parts come back as one value"


def _flipped(store: Store, key: str) -> str:
    store.put(key, b"\xff" + _BLOCK[1:])
    found = digest_of(store.read_whole(key, limit=len(_BLOCK)))
    _expect(found != digest_of(_BLOCK), "a changed byte was not noticed: an old value was served")
    return "a changed byte is noticed"


def _clean_up(store: Store, prefix: str, keys: Iterable[str]) -> str:
    for key in keys:
        store.delete(key)
    left = [found.key for found in store.list(f"{prefix}/")]
    _expect(not left, f"left behind: {', '.join(left)}")
    return f"nothing is left under {prefix}/"


def remove_scratch(scratch: Path) -> None:
    """Remove a scratch folder and all that the checks made in it."""
    shutil.rmtree(scratch, ignore_errors=True)
