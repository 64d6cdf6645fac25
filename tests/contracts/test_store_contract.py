"""What every store promises. If these fail for one, data in that kind of place is lost or torn.

Default: memory, a folder, moto. With ``-m s3``: SeaweedFS, rclone, s3rver and radosgw too.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lobsterdv.errors import CorruptContent, KeyMissing, UsageError
from lobsterdv.stores.base import ReadsInSlices, Store
from lobsterdv.stores.directory import DirectoryStore
from lobsterdv.stores.memory import MemoryStore
from tests.server import Server

MIB = 1 << 20
STORES = [
    "memory",
    "directory",
    "moto",
    pytest.param("seaweedfs", marks=pytest.mark.s3),
    pytest.param("rclone", marks=pytest.mark.s3),
    pytest.param("s3rver", marks=pytest.mark.s3),
    pytest.param("radosgw", marks=pytest.mark.s3),
]
NOT_CONDITIONAL = {"rclone", "s3rver"}  # it ignores If-None-Match: a store that cannot just writes

BEYOND = {
    ("s3rver", "test_ranges_are_exact"): "it answers a range that begins beyond the end with the whole value",
    ("s3rver", "test_refreshing_makes_a_value_young_and_keeps_its_bytes"): "a copy onto itself leaves the time",
}
"""What a server cannot do. Expected to fail, strictly: one that learns it must leave this table."""


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    kind = str(request.param)
    why = BEYOND.get((kind, getattr(request.node, "originalname", "")))
    if why:
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    return kind


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if kind == "memory":
        made = MemoryStore(part_size=5 * MIB)
    elif kind == "directory":
        made = DirectoryStore(tmp_path / "root", create=True, part_size=5 * MIB)
    else:
        server: Server = request.getfixturevalue(kind)
        made = server.store(server.new_bucket(), "lab/store", part_size=5 * MIB)
    yield made
    made.close()


def together(count: int, work: Callable[[int], None]) -> None:
    """``work(0)`` ... ``work(count - 1)`` in as many threads, started at once; their errors are raised."""
    ready = threading.Barrier(count)
    errors: list[BaseException] = []

    def one(number: int) -> None:
        ready.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("size", [0, 1, 4096, 300_001])
def test_what_is_put_is_read_back(store: Store, size: int) -> None:
    data = os.urandom(size)
    assert store.put("objects/ab/x", data) is True
    assert store.read_whole("objects/ab/x", limit=size) == data
    stat = store.head("objects/ab/x")
    assert (stat.key, stat.size, stat.archived) == ("objects/ab/x", size, False)
    assert store.put("objects/ab/x", memoryview(b"--new--")[2:-2]) is True, "every write may be repeated"
    assert store.read_whole("objects/ab/x", limit=100) == b"new"


def test_ranges_are_exact(store: Store) -> None:
    data = os.urandom(100_000)
    store.put("k", data)
    for start, length in [(0, 100_000), (0, 1), (99_999, 1), (1, 0), (50_000, 10_001), (1, 99_999)]:
        assert store.read("k", start=start, length=length) == data[start : start + length]


def test_slices_are_the_same_bytes(store: Store) -> None:
    data = os.urandom(3 * MIB + 7)
    store.put("k", data)
    if not isinstance(store, ReadsInSlices):
        assert not hasattr(store, "read_in_slices"), "a promise that is kept in part is not seen"
        return
    for start, length in [(0, len(data)), (MIB - 1, 2 * MIB + 2), (5, 1), (1, 0)]:
        given = bytearray()

        def sink(at: int, view: memoryview, given: bytearray = given) -> None:
            assert at == len(given)
            given += view

        store.read_in_slices("k", start=start, length=length, sink=sink)
        assert given == data[start : start + length]
    with pytest.raises(CorruptContent):
        store.read_in_slices("k", start=5, length=len(data), sink=lambda at, view: None)
    for length in (0, 1):
        with pytest.raises(KeyMissing):
            store.read_in_slices("gone", start=0, length=length, sink=lambda at, view: None)


def test_a_value_shorter_than_believed_is_corrupt(store: Store) -> None:
    store.put("k", b"0123456789")
    for start, length in [(0, 11), (5, 6), (10, 1), (1000, 5)]:
        with pytest.raises(CorruptContent):
            store.read("k", start=start, length=length)


def test_a_value_longer_than_the_limit_is_corrupt(store: Store) -> None:
    store.put("k", b"0123456789")
    assert store.read_whole("k", limit=10) == b"0123456789"
    with pytest.raises(CorruptContent):
        store.read_whole("k", limit=9)


def test_a_missing_key_is_missing_and_nothing_else(store: Store) -> None:
    store.put("here", b"x")
    for look in (
        lambda: store.head("gone"),
        lambda: store.read("gone", start=0, length=1),
        lambda: store.read("gone", start=0, length=0),
        lambda: store.read_whole("gone/deeper", limit=1),
    ):
        with pytest.raises(KeyMissing) as caught:
            look()
        assert caught.value.key.startswith("gone")
    store.delete("gone")


def test_deleting_is_repeatable(store: Store) -> None:
    store.put("a/k", b"x")
    store.put("a/l", b"y")
    store.delete("a/k")
    store.delete("a/k")
    with pytest.raises(KeyMissing):
        store.head("a/k")
    assert [stat.key for stat in store.list("a/")] == ["a/l"]


def test_if_absent_keeps_what_is_there(store: Store, kind: str) -> None:
    assert store.put("k", b"first", if_absent=True) is True
    again = store.put("k", b"second", if_absent=True)
    assert again is (kind in NOT_CONDITIONAL)
    assert store.read_whole("k", limit=9) == (b"second" if again else b"first")


def test_twenty_writers_race_and_one_wins(store: Store, kind: str) -> None:
    winners: list[int] = []

    def write(number: int) -> None:
        if store.put("race", b"%04d" % number, if_absent=True):
            winners.append(number)

    together(20, write)
    assert int(store.read_whole("race", limit=4)) in winners
    if kind not in NOT_CONDITIONAL:
        assert len(winners) == 1


def test_readers_during_overwrites_see_whole_values(store: Store, kind: str) -> None:
    if kind == "rclone":
        pytest.skip("it gives torn reads during overwrites: no property of ours")
    values = [bytes([n]) * 50_000 for n in range(8)]
    store.put("k", values[0])

    def work(number: int) -> None:
        if number < 4:
            for _ in range(5):
                assert store.read_whole("k", limit=50_000) in values
        else:
            store.put("k", values[number])

    together(8, work)


def test_list_gives_every_key_once(store: Store) -> None:
    keys = {f"objects/{n % 7:02x}/{n:04d}" for n in range(60)} | {"objects.json", "manifests/a-b", "manifests/a.b"}
    together(8, lambda number: [store.put(key, key.encode()) for key in sorted(keys)[number::8]] and None)
    assert sorted(stat.key for stat in store.list("")) == sorted(keys)
    for prefix in ("objects/", "objects", "objects/03", "objects/03/00", "manifests/a", "nothing/", "objects.json"):
        found = list(store.list(prefix))
        assert sorted(stat.key for stat in found) == sorted(key for key in keys if key.startswith(prefix))
        assert all(stat.size == len(stat.key) for stat in found)
    after = {stat.key for stat in store.list("objects/03/", after="objects/03/0020")}
    assert after == {key for key in keys if key.startswith("objects/03/") and key > "objects/03/0020"}
    for stat in store.list("manifests/"):
        seen = store.head(stat.key)
        assert replace(stat, modified=0) == replace(seen, modified=0)
        assert abs(stat.modified - seen.modified) <= 1, "HTTP dates have whole seconds"


@pytest.mark.parametrize("size", [1, 5 * MIB, 11 * MIB + 3])
def test_an_upload_appears_whole_at_its_end(store: Store, size: int) -> None:
    data = os.urandom(MIB) * (size // MIB + 1)
    data = data[:size]
    upload = store.upload("big/one", size)
    assert upload.part_count == -(-size // upload.part_size)
    numbers = [*range(upload.part_count), 0]  # one part twice, in no order
    together(
        len(numbers),
        lambda n: upload.send(
            numbers[-1 - n],
            memoryview(data)[numbers[-1 - n] * upload.part_size : (numbers[-1 - n] + 1) * upload.part_size],
        ),
    )
    with pytest.raises(KeyMissing):
        store.head("big/one")
    assert list(store.list("")) == []
    upload.complete()
    assert store.read_whole("big/one", limit=size) == data
    assert [(stat.key, stat.size) for stat in store.list("")] == [("big/one", size)]


def test_an_aborted_upload_leaves_nothing(store: Store) -> None:
    upload = store.upload("big", 6 * MIB)
    upload.send(0, bytes(upload.part_size))
    upload.abort()
    upload.abort()
    with pytest.raises(KeyMissing):
        store.head("big")
    assert list(store.list("")) == []


def test_an_upload_replaces_what_is_there(store: Store) -> None:
    store.put("k", b"old")
    upload = store.upload("k", 4)
    upload.send(0, b"new!")
    upload.complete()
    assert store.read_whole("k", limit=4) == b"new!"


def test_parts_of_the_wrong_size_and_missing_parts_are_refused(store: Store) -> None:
    upload = store.upload("k", 6 * MIB)
    for number, length in [(0, 1), (1, 5 * MIB), (2, 1), (-1, 5 * MIB)]:
        with pytest.raises(UsageError):
            upload.send(number, bytes(length))
    upload.send(1, bytes(MIB))
    with pytest.raises(UsageError, match="1 of 2 parts"):
        upload.complete()
    upload.abort()
    with pytest.raises(UsageError):
        store.upload("k", 0)


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\\b", "ä", "a\nb", "a/.tmp-x", "k" * 1025]
)
def test_bad_keys_are_refused_before_anything_happens(store: Store, key: str) -> None:
    for use in (
        lambda: store.put(key, b""),
        lambda: store.head(key),
        lambda: store.read(key, start=0, length=1),
        lambda: store.read_whole(key, limit=1),
        lambda: store.delete(key),
        lambda: store.upload(key, 1),
    ):
        with pytest.raises(UsageError):
            use()


def test_the_url_holds_no_secret(store: Store, kind: str, request: pytest.FixtureRequest) -> None:
    assert store.url
    if kind in ("moto", "seaweedfs", "rclone"):
        server: Server = request.getfixturevalue(kind)
        assert server.secret_key not in store.url + repr(vars(store))


def test_refreshing_makes_a_value_young_and_keeps_its_bytes(store: Store) -> None:
    """What a push relies on must not look old to whoever collects garbage."""
    store.put("objects/ab/x", b"data")
    before = store.head("objects/ab/x")
    if isinstance(store, MemoryStore):
        store.now += 1
    else:
        time.sleep(1.1)  # S3 tells whole seconds
    if store.refresh("objects/ab/x"):
        after = store.head("objects/ab/x")
        assert after.modified > before.modified
        assert abs(store.clock() - after.modified) < 60
        assert store.delete_exact(before) is False
    assert store.read_whole("objects/ab/x", limit=9) == b"data"
    with pytest.raises(KeyMissing):
        store.refresh("objects/ab/none")


def test_only_the_value_that_was_looked_at_is_deleted(store: Store) -> None:
    store.put("objects/ab/x", b"data")
    seen = store.head("objects/ab/x")
    store.put("objects/ab/x", b"other")
    assert store.delete_exact(seen) is False
    assert store.read_whole("objects/ab/x", limit=9) == b"other"
    assert store.delete_exact(store.head("objects/ab/x")) is True
    with pytest.raises(KeyMissing):
        store.head("objects/ab/x")
    assert store.delete_exact(seen) is False


def test_a_bucket_that_keeps_versions_loses_only_the_old_one(moto: Server) -> None:
    """A refresh between a collector's look and its deletion survives."""
    bucket = moto.new_bucket()
    moto.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = moto.store(bucket)
    store.put("objects/ab/x", b"data")
    assert store.is_exact
    seen = store.head("objects/ab/x")
    assert seen.version
    assert store.refresh("objects/ab/x")
    assert store.is_exact
    moto.client.delete_object(Bucket=bucket, Key="objects/ab/x", VersionId=seen.version)  # as delete_exact does, late
    assert store.read_whole("objects/ab/x", limit=9) == b"data"
    assert store.delete_exact(seen) is False
    assert store.delete_exact(store.head("objects/ab/x")) is True
    assert not list(store.list(""))
    assert not moto.store(moto.new_bucket()).is_exact


def test_the_stores_clock(store: Store) -> None:
    store.put("a", b"1")
    assert abs(store.clock() - store.head("a").modified) < 60
    assert [stat.key for stat in store.list("")] == ["a"], "asking leaves nothing behind"
