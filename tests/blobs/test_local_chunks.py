"""Pulls that take what older files here hold. If these fail, bytes travel that were here, or wrong ones enter."""

from __future__ import annotations

import random
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobsterdv.blobs.download import fetch_contents
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.local_chunks import LocalChunks
from lobsterdv.blobs.ranges import GAP_BYTES
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.storage import Storage
from lobsterdv.digest import digest_of
from lobsterdv.formats.contents import Content
from tests.blobs.places import CountingStore, noise, open_cache, remote_over, send

SIZE = 3 << 20


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def here(tmp_path: Path, store: CountingStore) -> Remote:
    return remote_over(store, open_cache(tmp_path / "here"))


def pulled(remote: Remote, folder: Path, old: list[bytes], base: list[Content], new: list[Content]) -> tuple[int, int]:
    """Bring ``new`` to a machine that has ``old``; returns how many bytes were read there, and how many taken here."""
    cache = open_cache(folder)
    with Intake(cache) as intake:
        for data in old:
            intake.keep_plain(digest_of(data), data)
    store = remote.store
    assert isinstance(store, CountingStore)
    store.bytes_read, told = 0, [0]
    with Intake(cache) as intake:
        local = LocalChunks(cache, base)
        failed = fetch_contents(
            remote, new, intake, packable=False, name="n", progress=lambda size: told.append(size), local=local
        )
    assert failed == {} and not cache.missing(c.digest for c in new)
    for content in new:
        cache.prove(content.digest, name="n")
    assert sum(told) == sum(c.size for c in new)
    assert not list((folder / "tmp").iterdir())
    return store.bytes_read, local.reused_bytes


def edited(data: bytes, *places: int) -> bytes:
    changed = bytearray(data)
    for place in places:
        changed[place] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize("storage", [Storage(None), Storage(3)], ids=["raw", "zstd"])
def test_only_new_chunks_are_read(here: Remote, tmp_path: Path, storage: Storage) -> None:
    old = noise(SIZE, 1) if storage.level is None else noise(SIZE // 2, 1).hex().encode()
    new = old[: SIZE // 2] + b"an obs column" * 400 + old[SIZE // 2 :]
    base, _ = send(here, [old], storage=storage)
    contents, _ = send(here, [new], placed=base, storage=storage)
    read, taken = pulled(here, tmp_path / "there", [old], base, contents)
    assert read < SIZE // 10 and taken > SIZE * 9 // 10


def test_all_of_it_may_be_here(here: Remote, store: CountingStore, tmp_path: Path) -> None:
    old = noise(SIZE, 1)
    base, _ = send(here, [old + noise(SIZE, 2)])
    contents, _ = send(here, [old], placed=base)
    read, taken = pulled(here, tmp_path / "there", [old + noise(SIZE, 2)], base, contents)
    last = contents[0].lengths[-1]
    assert read <= last and taken >= SIZE - last, "the last chunk ended with the file"


def test_what_is_damaged_here_is_fetched(here: Remote, tmp_path: Path) -> None:
    old = noise(SIZE, 1)
    base, _ = send(here, [old])
    contents, _ = send(here, [edited(old, 5)], placed=base)
    cache = open_cache(tmp_path / "there")
    with Intake(cache) as intake:
        intake.keep_plain(digest_of(old), old)
    path = cache.plain_path(digest_of(old))
    path.chmod(0o644)
    path.write_bytes(edited(old, SIZE // 2))
    with Intake(cache) as intake:
        local = LocalChunks(cache, base)
        assert not fetch_contents(
            here, contents, intake, packable=False, name="n", progress=lambda size: None, local=local
        )
    cache.prove(contents[0].digest, name="n")
    assert SIZE * 3 // 4 < local.reused_bytes < SIZE


@pytest.mark.parametrize("how", ["gone", "cut", "a link"])
def test_a_file_that_went_meanwhile_is_fetched(here: Remote, store: CountingStore, tmp_path: Path, how: str) -> None:
    old = noise(SIZE, 1)
    base, _ = send(here, [old])
    contents, _ = send(here, [edited(old, 5)], placed=base)
    cache = open_cache(tmp_path / "there")
    with Intake(cache) as intake:
        intake.keep_plain(digest_of(old), old)
    local = LocalChunks(cache, base)
    path = cache.plain_path(digest_of(old))
    path.unlink()
    if how == "cut":
        path.write_bytes(old[:1000])
    elif how == "a link":
        (tmp_path / "elsewhere").write_bytes(old)
        path.symlink_to(tmp_path / "elsewhere")
    store.bytes_read = 0
    with Intake(cache) as intake:
        assert not fetch_contents(
            here, contents, intake, packable=False, name="n", progress=lambda size: None, local=local
        )
    cache.prove(contents[0].digest, name="n")
    assert local.reused_bytes == 0 and store.bytes_read == SIZE


def test_short_islands_are_read_along(here: Remote, store: CountingStore, tmp_path: Path) -> None:
    """A byte changed in every third chunk: what lies between is less than a request costs."""
    old = noise(SIZE, 1)
    base, _ = send(here, [old])
    places, at = [], 0
    for number, length in enumerate(base[0].lengths):
        places += [at + length // 2] if number % 3 == 0 else []
        at += length
    contents, _ = send(here, [edited(old, *places)])
    store.calls.clear()
    read, taken = pulled(here, tmp_path / "there", [old], base, contents)
    islands = SIZE // GAP_BYTES
    assert store.calls["read"] <= islands and read + taken == SIZE and read > SIZE // 2


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    count=st.integers(1, 3),
    bits=st.sampled_from([1, 8]),
    level=st.sampled_from([None, 3]),
    is_based=st.booleans(),
)
def test_any_edits_come_back_right(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, bits: int, level: int | None, is_based: bool
) -> None:
    """Random edits, orders, sources and codecs: the bytes are right, and none that is here travels but short ones."""
    folder = tmp_path_factory.mktemp("edits")
    here = remote_over(CountingStore(), open_cache(folder / "here"))
    rng = random.Random(seed)
    files = [bytes(rng.choices(range(1 << bits), k=400_000)) for _ in range(count)]
    pieces = []
    for _ in range(rng.randrange(1, 7)):
        source = rng.choice(files)
        start = rng.randrange(len(source))
        pieces.append(
            source[start : start + rng.randrange(1, 300_000)] if rng.random() < 0.8 else rng.randbytes(70_000)
        )
    new = b"".join(pieces)
    storage = Storage(level)
    base, _ = send(here, files, storage=storage)
    large = [content for content in base if content.size >= 256 << 10]
    contents, _ = send(here, [new], placed=base if is_based else [], storage=storage)
    _, taken = pulled(here, folder / "there", files, large, contents)
    known = {digest for content in large for digest in content.chunk_digests}
    (content,) = contents
    rows = [
        (digest in known, length, stored)
        for digest, length, stored in zip(content.chunk_digests, content.lengths, content.stored_lengths, strict=True)
    ]
    islands = [(is_here, list(group)) for is_here, group in groupby(rows, key=lambda row: row[0])]
    expected = 0
    for number, (is_here, island) in enumerate(islands):
        is_inside = 0 < number < len(islands) - 1
        if is_here and (not is_inside or sum(stored for _, _, stored in island) >= GAP_BYTES):
            expected += sum(length for _, length, _ in island)
    assert taken == (expected if content.digest not in {digest_of(file) for file in files} else 0)
