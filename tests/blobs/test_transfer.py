"""Content to and from a remote. If these fail, transfers cost requests they need not, or wrong bytes get names."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from lobsterdv.blobs import ranges
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.cutting import BLOCK_BYTES
from lobsterdv.blobs.download import fetch_contents
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.ranges import FEW_BYTES, GAP_BYTES, NARROW_BYTES, RANGE_BYTES, pieces_of, plan_ranges
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.sending import SHARED_BELOW_BYTES, Wanted, groups
from lobsterdv.chunker import cut_lengths
from lobsterdv.digest import digest_of
from lobsterdv.errors import CorruptContent, MissingContent, RemoteError
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import RAW, ZSTD, Content, Extent, StoredObject, Table, encode_table, parse_table
from tests.blobs.places import CountingStore, fetch, noise, open_cache, remote_over, send, spoil, upload

moderate = settings(max_examples=80, deadline=None)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def here(tmp_path: Path, store: CountingStore) -> Remote:
    return remote_over(store, open_cache(tmp_path / "here"))


def test_many_small_files_are_one_object_and_come_back_in_one_read(
    here: Remote, store: CountingStore, tmp_path: Path
) -> None:
    files = [b"", *(noise(4096, n) for n in range(300)), noise(4096, 7)]
    contents, sent = send(here, files)
    assert store.calls == {"head": 2, "put": 1} and (sent.new_objects, sent.new_bytes) == (1, 300 * 4096)
    assert [c.digest for c in contents] == list(dict.fromkeys(map(digest_of, files)))
    store.calls.clear()
    cache, failed = fetch(here, contents, tmp_path / "there")
    assert failed == {} and store.calls == {"read": 1} and store.bytes_read == 300 * 4096
    assert [cache.read_small(digest_of(d), name="n") for d in files] == files


def test_sending_again_sends_nothing_but_asks(here: Remote, store: CountingStore) -> None:
    files = [noise(4096, n) for n in range(10)]
    contents, _ = send(here, files)
    store.calls.clear()
    again, sent = send(here, files, placed=contents)
    assert again == contents and store.calls == {"head": 1} and (sent.new_bytes, sent.reused_objects) == (0, 1)
    store.calls.clear()
    _, sent = send(here, files)
    assert store.calls == {"head": 1} and sent.new_bytes == 0, "named by its bytes, so it is found there"


def test_an_object_that_vanished_or_has_another_size_is_sent_again(here: Remote, store: CountingStore) -> None:
    files = [noise(4096, n) for n in range(10)]
    contents, _ = send(here, files)
    key = object_key(contents[0].extents[0].object.digest)
    for lie in (None, b"short"):
        store.delete(key)
        if lie is not None:
            store.put(key, lie)
        _, sent = send(here, files, placed=contents)
        assert sent.new_objects == 1 and len(store.read_whole(key, limit=1 << 30)) == 40960


def test_a_large_file_is_an_object_of_its_own_also_in_parts(here: Remote, store: CountingStore, tmp_path: Path) -> None:
    data = noise(SHARED_BELOW_BYTES + 5, 1)
    (content,), sent = send(here, [data, noise(10, 2)][:1])
    assert content.extents[0].object == StoredObject(digest_of(data), len(data)) and sent.new_objects == 1
    assert sum(content.lengths) == len(data) and len(content.lengths) > 100
    in_parts = CountingStore()
    other = remote_over(in_parts, here.cache)
    in_parts._part_size = 1 << 20
    assert send(other, [data], threshold=1 << 20)[0] == [content]
    assert in_parts.read_whole(object_key(digest_of(data)), limit=1 << 30) == data
    cache, failed = fetch(here, [content], tmp_path / "there")
    assert failed == {} and cache.is_plain(digest_of(data))


def test_shared_objects_stay_small_enough_to_be_sent_again() -> None:
    wanted = [Wanted(digest_of(bytes([n])), SHARED_BELOW_BYTES - 1) for n in range(7)]
    found = list(groups(wanted))
    assert all(sum(w.size for w in g) <= BLOCK_BYTES for g in found) and len(found) == 4
    assert [w for g in found for w in g] == wanted


@pytest.mark.parametrize("size", [5000, SHARED_BELOW_BYTES + 1])
@pytest.mark.parametrize("threshold", [1 << 20, 1 << 30])
def test_what_is_damaged_here_gets_no_name_there(here: Remote, store: CountingStore, size: int, threshold: int) -> None:
    data = noise(size, 5)
    with Intake(here.cache) as intake:
        intake.keep_plain(digest_of(data), data)
    spoil(here.cache.plain_path(digest_of(data)), "flip")
    with pytest.raises(CorruptContent):
        upload(here, [Wanted(digest_of(data), size)], threshold=threshold)
    assert [s.key for s in store.list("objects/")] == []


def test_what_neither_side_has_is_missing(here: Remote, store: CountingStore) -> None:
    with pytest.raises(MissingContent) as caught:
        upload(here, [Wanted(digest_of(b"gone"), 4)], name="data.h5ad")
    assert (caught.value.name, caught.value.size) == ("data.h5ad", 4) and not store.calls["put"]


def damage_object(store: CountingStore, content: Content, how: str) -> None:
    key = object_key(content.extents[0].object.digest)
    data = bytearray(store.read_whole(key, limit=1 << 30))
    if how == "delete":
        store.delete(key)
        return
    data[content.extents[0].offset] ^= 1
    store.put(key, {"flip": data, "cut": data[: content.extents[0].offset + 1]}[how])


@pytest.mark.parametrize(
    ("how", "error"), [("flip", CorruptContent), ("cut", CorruptContent), ("delete", MissingContent)]
)
@pytest.mark.parametrize("size", [3000, SHARED_BELOW_BYTES + 1])
def test_damage_at_the_remote_is_named_and_never_kept(
    here: Remote, store: CountingStore, tmp_path: Path, how: str, error: type[Exception], size: int
) -> None:
    contents, _ = send(here, [noise(size, 1)])
    damage_object(store, contents[0], how)
    cache, failed = fetch(here, contents, tmp_path / "there")
    assert {type(e) for e in failed.values()} == {error} and not cache.has(contents[0].digest)
    assert not [p for p in cache.folder.rglob("*") if p.is_file()]


def test_one_damaged_file_does_not_keep_its_neighbours_out(here: Remote, store: CountingStore, tmp_path: Path) -> None:
    contents, _ = send(here, [noise(3000, n) for n in range(5)])
    damage_object(store, contents[2], "flip")
    cache, failed = fetch(here, contents, tmp_path / "there")
    assert list(failed) == [contents[2].digest] and cache.missing(c.digest for c in contents) == [contents[2].digest]


class Once(CountingStore):
    """Answers the first read of each key with a flipped bit."""

    def read(self, key: str, *, start: int, length: int) -> bytes:
        data = super().read(key, start=start, length=length)
        if self.calls[key]:
            return data
        self.calls[key] += 1
        return bytes([data[0] ^ 1]) + data[1:]


def test_what_arrives_damaged_is_asked_for_once_more(tmp_path: Path) -> None:
    store = Once()
    remote = remote_over(store, open_cache(tmp_path / "here"))
    contents, _ = send(remote, [noise(3000, 1)])
    cache, failed = fetch(remote, contents, tmp_path / "there")
    assert failed == {} and cache.has(contents[0].digest)


def test_what_is_missing_stays_reported_when_something_else_is_asked_for_again(tmp_path: Path) -> None:
    store = Once()
    remote = remote_over(store, open_cache(tmp_path / "here"))
    first, _ = send(remote, [noise(3000, 1)])
    second, _ = send(remote, [noise(3000, 2)])
    damage_object(store, second[0], "delete")
    cache, failed = fetch(remote, first + second, tmp_path / "there")
    assert cache.has(first[0].digest) and list(failed) == [second[0].digest]


# Planning


@st.composite
def placed_contents(draw: st.DrawFn) -> list[Content]:
    objects = [StoredObject(digest_of(bytes([n])), 1 << 40, draw(st.sampled_from([RAW, ZSTD]))) for n in range(3)]
    contents = []
    for number in range(draw(st.integers(1, 6))):
        extents, lengths, stored = [], [], []
        for _ in range(draw(st.integers(1, 3))):
            target = draw(st.sampled_from(objects))
            sizes = draw(st.lists(st.integers(1, RANGE_BYTES // 3), min_size=1, max_size=5))
            extents.append(Extent(target, draw(st.integers(0, 4 * RANGE_BYTES)), len(sizes)))
            lengths += [size * 2 for size in sizes] if target.codec == ZSTD else sizes
            stored += sizes
        names = [digest_of(b"%d %d" % (number, i)) for i in range(len(lengths))]
        contents.append(Content(digest_of(b"%d" % number), sum(lengths), 14, lengths, names, stored, tuple(extents)))
    return contents


@moderate
@given(placed_contents())
def test_a_plan_reads_every_byte_once_or_not_much_more(contents: list[Content]) -> None:
    ranges = plan_ranges(contents)
    pieces = [piece for r in ranges for piece in r.pieces]
    assert sorted(pieces, key=repr) == sorted((p for c in contents for p in pieces_of(c)), key=repr)
    for wanted in ranges:
        assert 0 < wanted.length <= RANGE_BYTES
        end = wanted.offset
        for piece in wanted.pieces:
            assert piece.object == wanted.object
            assert wanted.offset <= piece.offset and piece.offset + piece.stored <= wanted.offset + wanted.length
            assert piece.offset - end <= GAP_BYTES
            end = max(end, piece.offset + piece.stored)
    for content in contents:
        mine = sorted((p for p in pieces if p.content is content), key=lambda p: p.first_chunk)
        assert [p.raw_offset for p in mine] == [sum(content.lengths[: p.first_chunk]) for p in mine]
        assert sum(p.chunks for p in mine) == len(content.lengths) and sum(p.stored for p in mine) == sum(
            content.stored_lengths
        )


def apart(*gaps: int, size: int) -> list[Content]:
    """Contents of ``size`` bytes in one object, with ``gaps`` bytes between them."""
    target, places = StoredObject(digest_of(b"o"), 1 << 30), itertools.accumulate([0, *(gap + size for gap in gaps)])
    return [
        Content(digest_of(bytes([n])), size, 18, [size], [digest_of(bytes([n]))], [size], (Extent(target, place, 1),))
        for n, place in enumerate(places)
    ]


@pytest.mark.parametrize(("gap", "reads"), [(0, 1), (GAP_BYTES, 1), (GAP_BYTES + 1, 2)])
def test_a_small_gap_is_read_along_and_a_large_one_is_not(gap: int, reads: int) -> None:
    assert len(plan_ranges(apart(gap, size=FEW_BYTES))) == reads


@given(
    st.lists(st.integers(0, 2 * NARROW_BYTES) | st.integers(0, 2 * GAP_BYTES), max_size=50),
    st.sampled_from([1, 100, 10_000, 40_000, GAP_BYTES]),
)
def test_gaps_together_weigh_little_of_few_bytes_and_at_most_half_of_many(gaps: list[int], size: int) -> None:
    wanted = (len(gaps) + 1) * size
    ranges = plan_ranges(apart(*gaps, size=size))
    read_along, asked_around = sorted(gaps)[: len(gaps) + 1 - len(ranges)], sorted(gaps)[len(gaps) + 1 - len(ranges) :]

    def allowed(widest: int) -> int:
        return wanted // (16 if wanted < FEW_BYTES and widest > NARROW_BYTES else 2)

    assert sum(r.length for r in ranges) - wanted == sum(read_along) <= allowed(max(read_along, default=0))
    if asked_around:
        least = asked_around[0]
        assert least > GAP_BYTES or sum(read_along) + asked_around.count(least) * least > allowed(least)


def test_what_compresses_well_needs_no_more_memory_than_the_rest() -> None:
    """A 1 GiB file of zeros is some 20 KB stored: one piece, and all of it in memory at once."""
    chunks = 16_384
    target = StoredObject(digest_of(b"o"), 20 * chunks, ZSTD)
    zeros = Content(digest_of(b"z"), chunks << 16, 16, [1 << 16] * chunks, [digest_of(b"c")] * chunks, [20] * chunks,
                    (Extent(target, 0, chunks),))  # fmt: skip
    assert (
        max(sum(zeros.lengths[p.first_chunk : p.first_chunk + p.chunks]) for p in pieces_of(zeros)) <= 2 * RANGE_BYTES
    )


# Compressed objects, as later writers will make them


def compressed(store: CountingStore, data: bytes, *, objects: int) -> Content:
    """``data`` in zstd objects, a frame a chunk."""
    lengths = cut_lengths(data, average_bits=14)
    frames, names, start = [], [], 0
    for length in lengths:
        names.append(digest_of(data[start : start + length]))
        frames.append(zstandard.compress(data[start : start + length]))
        start += length
    step = -(-len(frames) // objects)
    extents = []
    for first in range(0, len(frames), step):
        body = b"".join(frames[first : first + step])
        store.put(object_key(digest_of(body)), body)
        extents.append(Extent(StoredObject(digest_of(body), len(body), ZSTD), 0, len(frames[first : first + step])))
    return Content(digest_of(data), len(data), 14, lengths, names, [len(f) for f in frames], tuple(extents))


TEXT = b"".join(b"cell %d has %d counts\n" % (n, n * n % 977) for n in range(12_000))


def test_compressed_objects_are_read_through_the_same_table(
    here: Remote, store: CountingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = compressed(store, TEXT, objects=3)
    (again,) = parse_table(
        {k: memoryview(v) for k, v in encode_table(Table((), (content,))).items()}, what="table"
    ).contents
    assert again == content and sum(content.stored_lengths) < len(TEXT) / 2
    monkeypatch.setattr(ranges, "RANGE_BYTES", 20_000)
    cache, failed = fetch(here, [again], tmp_path / "there")
    assert failed == {} and cache.read_small(content.digest, name="n") == TEXT
    whole = b"".join(store.read_whole(object_key(e.object.digest), limit=1 << 30) for e in content.extents)
    assert zstandard.ZstdDecompressor().stream_reader(whole, read_across_frames=True).read() == TEXT


def test_raw_and_compressed_extents_mix(here: Remote, store: CountingStore, tmp_path: Path) -> None:
    """A delta: most chunks lie where an older version put them."""
    coded = compressed(store, TEXT, objects=1)
    store.put(object_key(digest_of(TEXT)), TEXT)
    half = len(coded.lengths) // 2
    at = sum(coded.lengths[:half])
    extents = (
        Extent(coded.extents[0].object, 0, half),
        Extent(StoredObject(digest_of(TEXT), len(TEXT)), at, len(coded.lengths) - half),
    )
    stored = [*coded.stored_lengths[:half], *coded.lengths[half:]]
    mixed = Content(coded.digest, coded.size, 14, coded.lengths, coded.chunk_digests, stored, extents)
    cache, failed = fetch(here, [mixed], tmp_path / "there")
    assert failed == {} and cache.read_small(mixed.digest, name="n") == TEXT


@pytest.mark.parametrize("lie", ["frame of another size", "no frame", "flipped", "wrong raw length"])
def test_compressed_lies_are_corrupt(here: Remote, store: CountingStore, tmp_path: Path, lie: str) -> None:
    data = TEXT[:9000]
    frame = zstandard.compress(data)
    if lie == "frame of another size":
        frame = zstandard.compress(bytes(1 << 26))
    if lie == "no frame":
        frame = b"plain" * 10
    if lie == "flipped":
        frame = frame[:40] + bytes([frame[40] ^ 4]) + frame[41:]
    size = len(data) + (1 if lie == "wrong raw length" else 0)
    store.put(object_key(digest_of(frame)), frame)
    target = StoredObject(digest_of(frame), len(frame), ZSTD)
    content = Content(digest_of(data), size, 14, [size], [digest_of(data)], [len(frame)], (Extent(target, 0, 1),))
    cache, failed = fetch(here, [content], tmp_path / "there")
    assert {type(e) for e in failed.values()} == {CorruptContent} and not cache.has(content.digest)


# Interrupted


class Lost(CountingStore):
    """Its line breaks after so many reads."""

    reads_left = 1000

    def read(self, key: str, *, start: int, length: int) -> bytes:
        if self.reads_left == 0:
            raise RemoteError("the line broke")
        self.reads_left -= 1
        return super().read(key, start=start, length=length)


def interrupted(remote: Remote, contents: list[Content], folder: Path, *, after: int) -> Cache:
    assert isinstance(remote.store, Lost)
    cache = open_cache(folder)
    remote.store.reads_left = after
    with pytest.raises(RemoteError), Intake(cache, keeps_whole=True) as intake:
        fetch_contents(replace(remote, jobs=1), contents, intake, packable=True, name="n", progress=lambda n: None)
    remote.store.reads_left = 1000
    remote.store.bytes_read = 0
    return cache


@pytest.fixture
def lost(tmp_path: Path) -> Remote:
    return remote_over(Lost(), open_cache(tmp_path / "here"))


@pytest.mark.parametrize("make", [noise, lambda size, seed: noise(size // 2, seed).hex().encode()])
def test_what_arrived_of_a_large_file_is_not_fetched_again(
    lost: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[int, int], bytes]
) -> None:
    monkeypatch.setattr(ranges, "RANGE_BYTES", 1 << 20)
    data = make(10 << 20, 1)
    contents, sent = send(lost, [data])
    count = len(plan_ranges(contents))
    cache = interrupted(lost, contents, tmp_path / "there", after=count - 2)
    left = list((tmp_path / "there" / "tmp").iterdir())
    assert len(left) == 1 and not cache.has(contents[0].digest)
    again, failed = fetch(lost, contents, tmp_path / "there")
    assert failed == {} and again.read_small(contents[0].digest, name="n") == data
    assert isinstance(lost.store, Lost) and lost.store.bytes_read <= 3 * sent.new_bytes / count
    assert not list((tmp_path / "there" / "tmp").iterdir())


def test_whole_files_that_arrived_are_kept(lost: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "RANGE_BYTES", 400_000)
    files = [noise(300_000, n) for n in range(5)] + [noise(3000, n) for n in range(5)]
    contents, _ = send(lost, files)
    interrupted(lost, contents, tmp_path / "there", after=3)
    gone = set(open_cache(tmp_path / "there").missing(c.digest for c in contents))
    assert len(gone) < len(contents)
    again, failed = fetch(lost, [c for c in contents if c.digest in gone], tmp_path / "there")
    assert failed == {} and not again.missing(c.digest for c in contents)
    assert isinstance(lost.store, Lost) and lost.store.bytes_read < 4 * 300_000


def test_what_is_wrong_in_what_was_left_is_fetched(
    lost: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "RANGE_BYTES", 1 << 20)
    data = noise(10 << 20, 1)
    contents, _ = send(lost, [data])
    interrupted(lost, contents, tmp_path / "there", after=5)
    (left,) = (tmp_path / "there" / "tmp").iterdir()
    with left.open("r+b") as file:
        file.seek(2 << 20)
        file.write(b"rot")
    again, failed = fetch(lost, contents, tmp_path / "there")
    assert failed == {} and again.read_small(contents[0].digest, name="n") == data


def test_two_leftovers_of_one_file_and_a_liar(lost: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "RANGE_BYTES", 1 << 20)
    data = noise(10 << 20, 1)
    contents, _ = send(lost, [data])
    interrupted(lost, contents, tmp_path / "there", after=5)
    (left,) = (tmp_path / "there" / "tmp").iterdir()
    (left.parent / left.name.replace(left.name.split("-")[-1][:16], "0" * 16)).write_bytes(b"short")
    again, failed = fetch(lost, contents, tmp_path / "there")
    assert failed == {} and again.read_small(contents[0].digest, name="n") == data
