"""remote sync: if these fail, the second copy that a lab relies on is not one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.blobs import handing_on
from lobsterdv.errors import CorruptContent, KeyMissing, Refused
from lobsterdv.events import silent
from lobsterdv.ops.forget import forget
from lobsterdv.ops.pull import pull
from lobsterdv.ops.sync import SyncReport, sync
from lobsterdv.stores.memory import MemoryStore
from lobsterdv.stores.server_copy import copy_on_server
from tests.ops.lab import Lab
from tests.server import Server

MIB = 1 << 20
OLD, NEW = random.Random(1).randbytes(50_000), random.Random(2).randbytes(60_000)


@pytest.fixture
def two(lab: Lab, tmp_path: Path) -> Lab:
    """Two versions of a file and a folder, pushed to ``a``; ``b`` is empty."""
    lab.configure(remotes={name: {"url": str(tmp_path / name)} for name in "ab"}, remote="a")
    lab.use({"a": MemoryStore(), "b": MemoryStore()})
    lab.version("d", {"x": OLD, "y": "y"}, "one")
    lab.version("d", {"x": NEW}, "two")
    lab.push()
    return lab


def run(lab: Lab, source: str = "a", target: str = "b", **options: Any) -> SyncReport:
    return sync(lab.project, source, target, observer=silent, **options)


def stores(lab: Lab) -> tuple[MemoryStore, MemoryStore]:
    assert isinstance(lab.stores, dict)
    one, other = lab.stores["a"], lab.stores["b"]
    assert isinstance(one, MemoryStore) and isinstance(other, MemoryStore)
    return one, other


def keys(store: MemoryStore, *prefixes: str) -> set[str]:
    return {s.key for prefix in prefixes or ("objects/", "manifests/", "catalog/") for s in store.list(prefix)}


def test_the_second_remote_serves_every_version(two: Lab, tmp_path: Path) -> None:
    report = run(two)
    assert [row.path for row in report.versions] == ["d", "d"] and not report.failures
    assert report.sent_bytes == sum(row.new_bytes for row in report.versions) > 0
    one, other = stores(two)
    assert keys(one) == keys(other)
    clone = two.clone(tmp_path / "clone")
    clone.configure(remotes={"b": {"url": str(tmp_path / "b")}})
    for rev in ("HEAD", "HEAD~1"):
        assert not pull(clone.project, remote="b", rev=rev, force=True, observer=silent).failures
    assert clone.read("d/x") == OLD
    clone.close()


def test_again_sends_nothing(two: Lab) -> None:
    run(two)
    again = run(two)
    assert (again.versions, again.present, again.sent_bytes) == ([], 2, 0)


def test_a_dry_run_counts_and_writes_nothing(two: Lab) -> None:
    report = run(two, dry_run=True)
    _, other = stores(two)
    assert len(report.versions) == 2 and not list(other.list(""))
    done = run(two)
    assert [row.new_bytes for row in done.versions] == [row.new_bytes for row in report.versions]
    assert run(two, dry_run=True).present == 2


def test_interrupted_anywhere_nothing_is_named_that_is_not_there(two: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    _, other = stores(two)
    put, left = MemoryStore.put, [0]

    def failing(self: MemoryStore, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        if self is other:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return put(self, key, data, if_absent=if_absent)

    monkeypatch.setattr(MemoryStore, "put", failing)
    for writes in range(1, 20):
        left[0] = writes
        try:
            run(two, jobs=1)
        except KeyboardInterrupt:
            left[0] = 1_000
            named = run(two, dry_run=True).present
            assert named == len(keys(other, "catalog/")), "a record was written before what it names"
            continue
        break
    else:
        raise AssertionError("it never ended")
    one, _ = stores(two)
    assert keys(one) == keys(other)


def test_what_was_forgotten_does_not_travel(two: Lab) -> None:
    digest = two.pointer("d").digest
    two.version("d", {"x": b"other"}, "three")
    two.push()
    forget(two.project, "d", rev="HEAD~1", reason="consent", yes=True, remote="a", observer=silent)
    report = run(two)
    _, other = stores(two)
    assert report.tombstones == 1
    assert digest not in {row.digest for row in report.versions} and len(report.versions) == 2
    assert not keys(other, f"manifests/{digest.hex()}/")


def test_what_the_second_one_was_told_to_forget_is_not_brought_back(two: Lab) -> None:
    run(two)
    two.version("d", {"x": b"other"}, "three")
    two.push()
    forget(two.project, "d", rev="HEAD~1", reason="consent", yes=True, remote="b", observer=silent)
    assert [row.digest for row in run(two).versions] == [two.pointer("d").digest]


def test_a_damaged_original_is_not_copied_and_the_others_are(two: Lab) -> None:
    one, other = stores(two)
    victim = max(one.list("objects/"), key=lambda stat: stat.size)
    one.put(victim.key, b"\0" * victim.size)
    report = run(two)
    assert [type(f.error) for f in report.failures] == [CorruptContent]
    assert len(report.versions) == 1
    with pytest.raises(KeyMissing):
        other.head(victim.key)


def test_what_the_second_one_lost_is_brought_again(two: Lab) -> None:
    run(two)
    _, other = stores(two)
    lost = next(iter(keys(other, "objects/")))
    other.delete(lost)
    report = run(two)
    assert sum(row.new_objects for row in report.versions) == 1 and other.head(lost).size


def test_the_same_place_twice_is_refused(two: Lab) -> None:
    with pytest.raises(Refused):
        run(two, "a", "a")


def test_large_values_pass_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from lobsterdv.digest import digest_of

    monkeypatch.setattr(handing_on, "WHOLE_BYTES", MIB)
    data = bytes(range(256)) * (13 * MIB // 256)
    one, other = MemoryStore(part_size=5 * MIB), MemoryStore(part_size=5 * MIB)
    one.put("objects/k", data)
    digest = digest_of(data)
    assert not handing_on.hand_on(one, other, "objects/k", digest, len(data), name="k", directly=True)
    assert other.read_whole("objects/k", limit=len(data)) == data
    with pytest.raises(CorruptContent):
        handing_on.hand_on(one, other, "objects/k", digest_of(b"else"), len(data), name="k", directly=False)


def test_buckets_of_one_server_copy_there(moto: Server) -> None:
    one, other = (moto.store(moto.new_bucket(), "lab") for _ in range(2))
    one.put("objects/small", b"s" * 1000)
    assert copy_on_server(one, other, "objects/small")
    assert other.read_whole("objects/small", limit=1000) == b"s" * 1000
    large = b"l" * (6 * MIB)
    one.put("objects/large", large)
    copied = copy_on_server(one, other, "objects/large", largest=5 * MIB)
    assert other.read_whole("objects/large", limit=len(large)) == large
    assert copied in (True, False), "moto gives no checksum of the whole; what cannot be compared is sent through"


def test_the_server_copies_between_two_remotes_of_a_project(lab: Lab, moto: Server) -> None:
    one, other = moto.new_bucket(), moto.new_bucket()
    lab.configure(remotes={n: {"url": f"s3://{b}/lab"} for n, b in (("a", one), ("b", other))}, remote="a")
    lab.use({"a": moto.store(one, "lab"), "b": moto.store(other, "lab")})
    lab.version("d", {"x": b"x" * 50_000}, "one")
    lab.push()
    report = run(lab)
    assert report.sent_bytes == 0 and report.copied_bytes == report.versions[0].new_bytes > 0


def test_a_copy_has_the_tags_of_its_remote_and_none_of_the_original(moto: Server) -> None:
    """Else what was tagged for an archive at the first would be archived at the second too."""
    one, other = (moto.store(moto.new_bucket(), "lab") for _ in range(2))
    one.put("objects/k", b"data")
    one.tiers.set_tags("objects/k", {"lobsterdv-tier": "GLACIER"})
    assert copy_on_server(one, other, "objects/k")
    assert other.tiers.tags("objects/k") == {}
