"""A remote whose bytes rotted, went or were cut: told by name at the level that can see it, and healed."""

from __future__ import annotations

import secrets
from typing import Any
from unittest.mock import patch

import pytest

from lobsterdv.cli.render_verify import verified
from lobsterdv.cli.words import Words
from lobsterdv.digest import digest_of
from lobsterdv.errors import NotARemote
from lobsterdv.ops.push_check import check_push
from lobsterdv.ops.verify import VerifyReport, verify_remote
from lobsterdv.stores.capabilities import Checking
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.watching import WatchedStore, tree

LARGE = secrets.token_bytes(9 << 20)
WORDS = b"".join(b"gene %d\n" % n for n in range(60_000))
WRITES = {"put", "send", "complete", "delete", "upload"}


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def pushed(lab: Lab, memory: MemoryStore) -> Lab:
    """Small files in a pack, a large one alone, text that zstd shrinks; then a new version that shares most of it."""
    lab.use(memory)
    for number in range(5):
        lab.write(f"run/{number}", secrets.token_bytes(2000))
    lab.write("run/large", LARGE)
    lab.write("text.csv", WORDS)
    lab.add("run", "text.csv")
    lab.commit(tag="v1")
    lab.push()
    lab.write("run/5", "new in the second")
    lab.write("text.csv", WORDS.replace(b"gene 7\n", b"gene seven\n"))
    lab.add("run", "text.csv")
    lab.commit()
    lab.push()
    return lab


def check(lab: Lab, *paths: str, **options: Any) -> VerifyReport:
    return verify_remote(lab.project, paths, observer=lab.observe, **options)


def keys(store: MemoryStore, prefix: str) -> list[str]:
    return [stat.key for stat in store.list(prefix)]


def damage(store: MemoryStore, key: str, how: str) -> None:
    data = store.read_whole(key, limit=1 << 30)
    if how == "deleted":
        store.delete(key)
    else:
        middle = len(data) // 2
        after = {
            "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "cut": data[:middle],
            "emptied": b"",
        }[how]
        store.put(key, after)


def snapshot(store: MemoryStore) -> dict[str, bytes]:
    return {key: store.read_whole(key, limit=1 << 30) for key in keys(store, "")}


def colleague_gets_everything(lab: Lab) -> None:
    for rev in ("HEAD", "v1"):
        other = lab.clone(lab.root.parent / f"colleague-{secrets.token_hex(3)}")
        other.git("checkout", "-q", rev)
        other.pull()
        if rev == "HEAD":
            for name in ("run", "text.csv"):
                assert tree(other.path(name)) == tree(lab.path(name))
        other.close()


@pytest.mark.parametrize("level", ["heads", "checksums", "data"])
def test_all_is_well(pushed: Lab, memory: MemoryStore, level: str) -> None:
    before = snapshot(memory)
    report = check(pushed, everything=True, level=level)
    assert report.damages == [] and report.is_complete and report.versions == 4
    objects = keys(memory, "objects/")
    assert report.objects == len(objects) > 4
    (area,) = report.areas
    documents = len(keys(memory, "catalog/")) + len(keys(memory, "manifests/")) + len(keys(memory, "segments/"))
    assert area.items == len(objects) + documents
    if level == "data":
        assert area.bytes == sum(len(v) for k, v in before.items() if k != "lobsterdv.json")
    if level == "checksums":
        assert report.compared >= 1  # the large file is an object, byte for byte
    assert snapshot(memory) == before


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied", "deleted"])
def test_every_damage_is_found_named_and_healed(pushed: Lab, memory: MemoryStore, how: str) -> None:
    whole = snapshot(memory)
    for key in whole:
        if key == "lobsterdv.json":
            continue
        for k in keys(memory, ""):
            if k not in whole:
                memory.delete(k)
        for k, v in whole.items():
            memory.put(k, v)
        pushed.reopen().push()  # so that this machine knows the records again
        check_is_whole(pushed)
        damage(memory, key, how)
        report = check(pushed, everything=True, level="data")
        assert report.damages, key
        assert {row.state for row in report.damages} == {"missing" if how == "deleted" else "corrupt"}, key
        kind = {"objects": "object", "manifests": "manifest", "segments": "segment", "catalog": "record"}
        assert {row.what for row in report.damages} == {kind[key.partition("/")[0]]}, key
        name = key.rpartition("/")[2].removesuffix(".yaml")
        assert {row.name for row in report.damages} == {f"blake3:{name}"}, key
        assert all(row.path in ("run", "text.csv") and row.rev for row in report.damages)
        healed = check(pushed, everything=True, level="data", repair=True)
        assert healed.is_whole and healed.damages, key
        check_is_whole(pushed)
        pushed.lose_cache()
        pushed.use(memory)
        pushed.fetch(everything=True)
    colleague_gets_everything(pushed)


def check_is_whole(lab: Lab) -> None:
    report = check(lab, everything=True, level="data")
    assert report.damages == [] and report.unpushed == []


def test_what_a_damaged_manifest_hides_is_healed_too(pushed: Lab, memory: MemoryStore) -> None:
    """Its objects were taken for right by their sizes, and the repair ended well."""
    for key in [*keys(memory, "manifests/"), *keys(memory, "objects/")]:
        damage(memory, key, "flipped")
    report = check(pushed, everything=True, level="data", repair=True)
    assert {"manifest", "object"} <= {row.what for row in report.damages} and all(row.healed for row in report.damages)
    assert not check(pushed, everything=True, level="data").damages
    colleague_gets_everything(pushed)


def test_a_shared_object_is_told_for_every_version_and_read_once(pushed: Lab, memory: MemoryStore) -> None:
    key = f"objects/{digest_of(LARGE)[:1].hex()}/{digest_of(LARGE).hex()}"
    watched = WatchedStore(memory)
    pushed.use(watched).reopen()
    damage(memory, key, "flipped")
    report = check(pushed, everything=True, level="data")
    assert [(row.path, row.file, row.files, row.rev) for row in report.damages] == [
        ("run", "large", 1, "v1"),
        ("run", "large", 1, pushed.git("rev-parse", "HEAD")[:10]),
    ]
    assert sum(call.size for call in watched.calls if call.key == key and call.verb == "read") == len(LARGE)
    assert not {call.verb for call in watched.calls} & WRITES


def test_heads_see_what_is_gone_or_cut_and_no_more(pushed: Lab, memory: MemoryStore) -> None:
    first, *_ = keys(memory, "objects/")
    damage(memory, first, "flipped")
    assert check(pushed, everything=True).damages == []
    damage(memory, first, "cut")
    assert {row.state for row in check(pushed, everything=True).damages} == {"corrupt"}
    damage(memory, first, "deleted")
    assert {row.state for row in check(pushed, everything=True).damages} == {"missing"}


def test_a_checksum_sees_a_flipped_bit_without_a_download(pushed: Lab, memory: MemoryStore) -> None:
    key = f"objects/{digest_of(LARGE)[:1].hex()}/{digest_of(LARGE).hex()}"
    damage(memory, key, "flipped")
    report = check(pushed, level="checksums")
    assert {(row.path, row.file, row.state) for row in report.damages} == {("run", "large", "corrupt")}
    (row,) = report.damages
    assert "CRC-32" in row.detail


@pytest.mark.parametrize("checking", ["verified", "taken", "refused", ""])
def test_what_a_checksum_proves_is_told(pushed: Lab, memory: MemoryStore, checking: Checking) -> None:
    """Where nobody saw that the server compares them, they are what whoever wrote the object said."""
    with patch.object(MemoryStore, "checking", checking):
        report = check(pushed, level="checksums")
    assert report.compared and report.damages == []
    told = "\n".join(verified(report, Words("."), ["verify"], "1 s").answer)
    assert report.checking == checking and ("the server verified" in told) == (checking == "verified")
    assert ("prove nothing" in told) == (checking != "verified")
    assert ("remote doctor" in told) == (not checking)


def test_a_sample_is_told(pushed: Lab, memory: MemoryStore) -> None:
    report = check(pushed, everything=True, level="data", sample=0.3)
    assert report.sampled is not None and 0 < report.sampled < report.objects
    for key in keys(memory, "objects/"):
        damage(memory, key, "flipped")
    report = check(pushed, everything=True, level="data", sample=0.3)
    assert len({row.name for row in report.damages}) == report.sampled


def test_what_was_never_pushed_is_no_damage(pushed: Lab) -> None:
    pushed.write("new.csv", "x")
    pushed.add("new.csv")
    report = check(pushed)
    assert report.damages == [] and [row.path for row in report.unpushed] == ["new.csv"]


def test_an_empty_remote_is_refused(lab: Lab, memory: MemoryStore) -> None:
    lab.use(memory)
    lab.write("x", "x")
    lab.add("x")
    with pytest.raises(NotARemote):
        check(lab)
    assert keys(memory, "") == []


def test_what_the_cache_lacks_heals_from_the_work_tree(pushed: Lab, memory: MemoryStore) -> None:
    for key in keys(memory, "objects/"):
        damage(memory, key, "flipped")
    damage_cache(pushed)
    report = check(pushed, level="data", repair=True)
    assert report.is_whole
    assert any("the work tree" in row.healed for row in report.damages)
    assert check(pushed, level="data").damages == []


def damage_cache(lab: Lab) -> None:
    for path in [p for p in lab.project.cache.folder.rglob("*") if p.is_file() and p.parent.parent.name == "files"]:
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_what_is_nowhere_stays_and_is_told(pushed: Lab, memory: MemoryStore) -> None:
    key = f"objects/{digest_of(LARGE)[:1].hex()}/{digest_of(LARGE).hex()}"
    damage(memory, key, "flipped")
    before = snapshot(memory)
    damage_cache(pushed)
    pushed.path("run/large").unlink()
    report = check(pushed, level="data", repair=True)
    (row,) = report.damages
    assert not row.healed and "whoever has this version" in row.remedy
    after = snapshot(memory)
    assert {k: after[k] for k in before} == before


def test_it_stops_in_time_and_goes_on(pushed: Lab, memory: MemoryStore) -> None:
    start = pushed.project.now()
    ticks = iter(range(1_000_000))
    pushed.project.now = lambda: start + next(ticks)
    runs, items = 0, 0
    while True:
        report = check(pushed, everything=True, level="data", max_seconds=18, jobs=1)
        runs += 1
        (area,) = report.areas
        items = max(items, area.earlier)
        if report.is_complete:
            break
        assert runs < 100
    assert runs > 1 and items > 0 and report.damages == []


# push --check


def gate(lab: Lab, *paths: str, **options: Any) -> set[tuple[str, str, str]]:
    report = check_push(lab.project, paths, observer=lab.observe, **options)
    assert report.checked
    return {(row.path, row.what, row.state) for row in report.lacking}


def test_the_gate_passes_what_is_whole_and_writes_nothing(pushed: Lab, memory: MemoryStore) -> None:
    watched = WatchedStore(memory)
    other = pushed.clone(pushed.root.parent / "ci").use(watched)
    before = set(other.root.rglob("*"))
    assert gate(other) == set()
    assert not {call.verb for call in watched.calls} & WRITES
    heads = {call.key for call in watched.calls if call.verb == "head"}
    assert heads >= set(keys(memory, "objects/"))
    assert set(other.root.rglob("*")) == before
    other.close()


@pytest.mark.parametrize("how", ["cut", "emptied", "deleted"])
def test_the_gate_names_what_lacks(pushed: Lab, memory: MemoryStore, how: str) -> None:
    whole = snapshot(memory)
    for key in whole:
        if key == "lobsterdv.json":
            continue
        damage(memory, key, how)
        assert gate(pushed), key
        memory.put(key, whole[key])
    assert gate(pushed) == set()


def test_the_gate_stops_what_was_not_pushed(pushed: Lab, memory: MemoryStore) -> None:
    pushed.write("new.csv", "x")
    pushed.add("new.csv")
    assert gate(pushed) == {("new.csv", "record", "missing")}
    assert gate(pushed, "run") == set()
    pushed.use(MemoryStore()).reopen()
    assert {path for path, _, _ in gate(pushed)} == {"new.csv", "run", "text.csv"}
    assert keys(pushed.stores, "") == []  # type: ignore[arg-type]


def test_a_clone_that_pushed_nothing_sees_the_same(pushed: Lab, memory: MemoryStore) -> None:
    other = pushed.clone(pushed.root.parent / "ci")
    for key in keys(memory, "catalog/"):
        memory.delete(key)
    assert gate(other) == {("run", "record", "missing"), ("text.csv", "record", "missing")}
    other.close()
