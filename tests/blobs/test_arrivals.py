"""Contents that come in pieces. If these fail, a pull of many edited files runs out of descriptors or memory, small
files cost an inode each, or wrong bytes enter."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lobsterdv.blobs import download, ranges
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.download import fetch_contents
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import ContentError, CorruptContent, RemoteError
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import Content, Extent, StoredObject
from lobsterdv.stores.base import ReadsInSlices
from tests.blobs.places import CountingStore, noise, open_cache, remote_over

COUNT, HEAD, TAIL = 300, 700, 1300


class Sliced(CountingStore):
    """Hands on what it reads, in slices; may break before a slice, or give one with a flipped bit once."""

    slice_bytes = 64 << 10
    breaks_after = 1 << 30
    flips_at = -1

    def __init__(self) -> None:
        super().__init__()
        self.largest_read = 0

    def read(self, key: str, *, start: int, length: int) -> bytes:
        self.largest_read = max(self.largest_read, length)
        return super().read(key, start=start, length=length)

    def read_in_slices(self, key: str, *, start: int, length: int, sink: Callable[[int, memoryview], None]) -> None:
        data = bytearray(super().read(key, start=start, length=length))
        for at in range(0, length, self.slice_bytes):
            if self.breaks_after == 0:
                raise RemoteError("the line broke")
            self.breaks_after -= 1
            if 0 <= self.flips_at - start - at < self.slice_bytes:
                data[self.flips_at - start] ^= 1
                self.flips_at = -1
            sink(at, memoryview(data)[at : at + self.slice_bytes])


@pytest.fixture
def store() -> Sliced:
    return Sliced()


@pytest.fixture
def remote(tmp_path: Path, store: Sliced) -> Remote:
    return remote_over(store, open_cache(tmp_path / "here"))


def in_two_pieces(store: CountingStore, count: int = COUNT) -> tuple[list[Content], list[bytes]]:
    """Tables that got a new header line: their heads lie together in a new object, their tails in an old one."""
    heads, tails = [noise(HEAD, n) for n in range(count)], [noise(TAIL, count + n) for n in range(count)]
    new, old = b"".join(heads), b"".join(tails)
    for data in (new, old):
        store.put(object_key(digest_of(data)), data)
    first, then = StoredObject(digest_of(new), len(new)), StoredObject(digest_of(old), len(old))
    contents = []
    for number, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        names = [digest_of(head), digest_of(tail)]
        extents = (Extent(first, number * HEAD, 1), Extent(then, number * TAIL, 1))
        lengths = [HEAD, TAIL]
        contents.append(Content(digest_of(head + tail), HEAD + TAIL, 14, lengths, names, lengths, extents))
    store.calls.clear()
    return contents, [head + tail for head, tail in zip(heads, tails, strict=True)]


def whole(store: CountingStore, data: bytes) -> Content:
    """A file in an object of its own, in chunks of 64 KiB."""
    store.put(object_key(digest_of(data)), data)
    parts = [data[at : at + (64 << 10)] for at in range(0, len(data), 64 << 10)]
    extents = (Extent(StoredObject(digest_of(data), len(data)), 0, len(parts)),)
    lengths = [len(part) for part in parts]
    return Content(digest_of(data), len(data), 16, lengths, [digest_of(p) for p in parts], lengths, extents)


def brought(
    remote: Remote, contents: list[Content], folder: Path, *, packable: bool = True
) -> tuple[Cache, dict[Digest, ContentError], int]:
    """The cache, what could not be had, and the bytes that were told of."""
    cache = open_cache(folder)
    told = [0]
    with Intake(cache, keeps_whole=True) as intake:
        failed = fetch_contents(remote, contents, intake, packable=packable, name="n", progress=told.append)
    return cache, failed, sum(told)


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """About a hundred more files can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_descriptors")
@pytest.mark.parametrize("packable", [True, False], ids=["packed", "plain"])
def test_more_files_in_pieces_than_may_be_open(remote: Remote, store: Sliced, tmp_path: Path, packable: bool) -> None:
    contents, files = in_two_pieces(store)
    before = len(os.listdir("/dev/fd"))
    one_by_one = replace(remote, jobs=1)  # all of one object comes before all of the other
    cache, failed, told = brought(one_by_one, contents, tmp_path / "there", packable=packable)
    assert failed == {} and store.calls == {"read": 2} and told == COUNT * (HEAD + TAIL)
    assert [cache.read_small(digest_of(data), name="n") for data in files] == files
    assert cache.is_plain(contents[0].digest) is not packable, "small files of directories rest in packs"
    cache.close()
    assert len(os.listdir("/dev/fd")) == before and not os.listdir(cache.temps)


@pytest.mark.usefixtures("few_descriptors")
def test_more_leftovers_than_may_be_open(remote: Remote, store: Sliced, tmp_path: Path) -> None:
    contents, files = in_two_pieces(store)
    store.slice_bytes, store.breaks_after = HEAD, 560  # all heads and half the tails, or all tails and a few heads
    with pytest.raises(RemoteError):
        brought(replace(remote, jobs=1), contents, tmp_path / "there", packable=False)
    assert len(os.listdir(tmp_path / "there" / "tmp")) > 120
    store.breaks_after, store.bytes_read = 1 << 30, 0
    cache, failed, told = brought(remote, contents, tmp_path / "there", packable=False)
    assert failed == {} and store.bytes_read < 0.8 * COUNT * (HEAD + TAIL) and told <= COUNT * (HEAD + TAIL)
    assert all(cache.read_small(digest_of(data), name="n") == data for data in files)


def test_small_files_that_wait_in_memory_are_asked_for_in_groups(
    remote: Remote, store: Sliced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_WAITING_BYTES", COUNT * (HEAD + TAIL) // 10)
    contents, _ = in_two_pieces(store)
    asked: list[tuple[str, int]] = []
    read = store.read

    def noting(key: str, *, start: int, length: int) -> bytes:
        asked.append((key, length))
        return read(key, start=start, length=length)

    monkeypatch.setattr(store, "read", noting)
    _, failed, _ = brought(replace(remote, jobs=1), contents, tmp_path / "there")
    assert failed == {} and len(asked) == 20
    assert all(asked[n][0] != asked[n + 1][0] for n in range(0, 20, 2)), "heads and tails of one group, then the next"
    assert max(length for _, length in asked) <= COUNT // 10 * TAIL


def test_one_damaged_piece_costs_its_file_alone(remote: Remote, store: Sliced, tmp_path: Path) -> None:
    contents, _ = in_two_pieces(store, 5)
    key = object_key(contents[2].extents[0].object.digest)
    data = bytearray(store.read_whole(key, limit=1 << 20))
    data[2 * HEAD] ^= 1
    store.put(key, data)
    for packable in (True, False):
        cache, failed, _ = brought(remote, contents, tmp_path / str(packable), packable=packable)
        assert {d: type(e) for d, e in failed.items()} == {contents[2].digest: CorruptContent}
        assert cache.missing(c.digest for c in contents) == [contents[2].digest] and not os.listdir(cache.temps)


# What is written while it comes


def test_a_large_file_is_written_while_it_comes(
    remote: Remote, store: Sliced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "RANGE_BYTES", 1 << 20)
    assert isinstance(store, ReadsInSlices)
    data = noise(5 << 20, 1) + bytes(300_000) + noise(1000, 2)
    content = whole(store, data)
    cache, failed, told = brought(remote, [content], tmp_path / "there")
    assert failed == {} and told == len(data) and store.largest_read == 0
    assert cache.plain_path(content.digest).read_bytes() == data


def test_a_range_of_several_files_is_written_while_it_comes(remote: Remote, store: Sliced, tmp_path: Path) -> None:
    """Also with bytes between them that nobody wants."""
    files = [noise(300_000 + n, n) for n in range(5)]
    shared = b"".join(files)
    store.put(object_key(digest_of(shared)), shared)
    target, at, contents = StoredObject(digest_of(shared), len(shared)), 0, []
    for data in files:
        names = [digest_of(data)]
        contents.append(Content(names[0], len(data), 18, [len(data)], names, [len(data)], (Extent(target, at, 1),)))
        at += len(data)
    store.calls.clear()
    cache, failed, told = brought(remote, [contents[n] for n in (0, 1, 3, 4)], tmp_path / "there")
    assert failed == {} and told == sum(len(files[n]) for n in (0, 1, 3, 4)) and store.largest_read == 0
    assert [cache.plain_path(digest_of(files[n])).read_bytes() for n in (0, 1, 3, 4)] == [
        files[n] for n in (0, 1, 3, 4)
    ]
    assert not cache.has(contents[2].digest)


def test_what_was_written_of_a_range_that_broke_is_not_asked_for_again(
    remote: Remote, store: Sliced, tmp_path: Path
) -> None:
    content = whole(store, noise(2 << 20, 1))
    store.breaks_after = 20
    with pytest.raises(RemoteError):
        brought(remote, [content], tmp_path / "there")
    store.breaks_after, store.bytes_read = 1 << 30, 0
    cache, failed, _ = brought(remote, [content], tmp_path / "there")
    assert failed == {} and store.bytes_read == (2 << 20) - 20 * (64 << 10)
    cache.prove(content.digest, name="n")


def test_what_was_damaged_on_its_way_is_asked_for_once_more(remote: Remote, store: Sliced, tmp_path: Path) -> None:
    content = whole(store, noise(2 << 20, 1))
    store.flips_at = 1_000_000
    cache, failed, _ = brought(remote, [content], tmp_path / "there")
    assert failed == {} and store.calls["read"] == 2
    cache.prove(content.digest, name="n")
