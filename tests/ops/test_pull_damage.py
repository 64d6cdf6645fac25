"""Every object of a remote truncated, flipped, extended or deleted in turn: never a wrong byte, nothing good lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv.blobs import sending
from lobsterdv.errors import ContentError, CorruptContent, FormatError, MissingContent, NotARemote, RemoteError
from lobsterdv.formats import manifest as manifest_format
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.watching import WatchedStore, tree

NAMES = ("one", "run", "shared/x", "shared/y")


@pytest.fixture
def remote(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> WatchedStore:
    """Four datasets: a large file, a directory with segments, and two that share an object."""
    monkeypatch.setattr(manifest_format, "INLINE_ROWS", 4)
    monkeypatch.setattr(manifest_format, "_CUT_MASK", 7)
    monkeypatch.setattr(sending, "SHARED_BELOW_BYTES", 50_000)
    watched = WatchedStore(MemoryStore())
    lab.use(watched)
    lab.write("one", os.urandom(100_000))
    for number in range(12):
        lab.write(f"run/{number}", f"{number}")
    lab.write("shared/x", "same")
    lab.write("shared/y", "same")
    lab.add(*NAMES)
    lab.commit()
    lab.push()
    return watched


def delete(store: MemoryStore, key: str, data: bytes) -> None:
    store.delete(key)


def truncate(store: MemoryStore, key: str, data: bytes) -> None:
    store.put(key, data[: len(data) // 2])


def empty(store: MemoryStore, key: str, data: bytes) -> None:
    store.put(key, b"")


def flip(store: MemoryStore, key: str, data: bytes) -> None:
    middle = len(data) // 2
    store.put(key, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


def flip_first(store: MemoryStore, key: str, data: bytes) -> None:
    store.put(key, bytes([data[0] ^ 1]) + data[1:])


def exchange(store: MemoryStore, key: str, data: bytes) -> None:
    """Another object's bytes, whole and right under their own name."""
    others = [s.key for s in store.list(key.split("/")[0]) if s.key != key]
    store.put(key, store.read_whole(others[0], limit=1 << 30) if others else b"other")


@pytest.mark.parametrize("damage", [delete, truncate, empty, flip, flip_first, exchange], ids=lambda d: d.__name__)
def test_every_object_damaged_in_turn(
    lab: Lab, remote: WatchedStore, tmp_path: Path, damage: Callable[[MemoryStore, str, bytes], None]
) -> None:
    expected = {name: tree(lab.path(name)) for name in NAMES}
    inner = remote.inner
    assert isinstance(inner, MemoryStore)
    tried = 0
    for number, key in enumerate(remote.keys()):
        data = inner.read_whole(key, limit=1 << 30)
        if damage is exchange and len(remote.keys(key.split("/")[0])) < 2:
            continue
        damage(inner, key, data)
        other = lab.clone(tmp_path / f"clone{number}")
        try:
            report = other.try_pull()
        except (RemoteError, FormatError):
            assert key == "lobsterdv.json", key
            assert not other.path("one").exists()
        else:
            failed = {f.path for f in report.failures}
            for failure in report.failures:
                missing = damage is delete and not isinstance(failure.error, NotARemote)
                wanted = MissingContent if missing or key == "lobsterdv.json" else CorruptContent
                assert isinstance(failure.error, wanted), (key, failure)
                assert failure.error.exit_code == 3
            assert len(failed) <= 2 or key == "lobsterdv.json", f"{key}: one object's damage reaches {failed}"
            if not key.startswith(("catalog/",)):
                assert failed, f"{key} was damaged and nobody noticed"
            for name in NAMES:
                if name in failed:
                    assert not other.path(name).exists(), f"{key}: {name} was delivered"
                else:
                    assert tree(other.path(name)) == expected[name]
        inner.put(key, data)
        assert not other.try_pull().failures, "good again, all of it comes"
        assert {name: tree(other.path(name)) for name in NAMES} == expected
        other.close()
        tried += 1
    assert tried >= 5


def test_several_manifests_of_which_the_first_is_bad(lab: Lab, tmp_path: Path) -> None:
    """Two people packed one version in two ways; either way serves alone."""
    store = MemoryStore()
    watched = WatchedStore(store)
    lab.use(watched)
    lab.write("run/a", "a1")
    lab.write("run/b", "b1")
    lab.add("run")
    lab.commit()
    lab.push()
    other = Lab.create(tmp_path / "other", home=tmp_path / "home2").use(watched)
    other.write("first/a", "a1")
    other.add("first")
    other.push()  # another project, another packing: `a` alone is an object there
    other.write("run/a", "a1")
    other.write("run/b", "b1")
    other.add("run")
    other.push()
    other.close()
    version = lab.pointer("run").digest.hex()
    found = watched.keys(f"manifests/{version}/")
    for bad in found:
        data = store.read_whole(bad, limit=1 << 20)
        for damaged in (data[:-3], b"", b"x" * len(data)):
            store.put(bad, damaged)
            clone = lab.clone(tmp_path / f"clone-{bad[-4:]}-{len(damaged)}-{damaged[:1].hex()}")
            report = clone.try_pull()
            if len(found) > 1:
                assert not report.failures
                assert clone.read("run/b") == b"b1"
            else:
                assert all(isinstance(f.error, ContentError) for f in report.failures)
            clone.close()
        store.put(bad, data)
