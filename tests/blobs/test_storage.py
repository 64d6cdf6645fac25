"""How contents are stored: ranges of older objects, packs, zstd, verbatim. If these fail, bytes travel that need not,
or a version is slow to read, or frames leave unchecked."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import zstandard

from lobsterdv.blobs import cutting, objects, sending, storage, upload
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.sending import SHARED_BELOW_BYTES, Wanted
from lobsterdv.blobs.storage import Decision, Storage, against_ranges, storage_for, zstd_pays
from lobsterdv.digest import digest_of
from lobsterdv.errors import CorruptContent
from lobsterdv.formats.contents import Contents
from lobsterdv.formats.entries import Entry, EntryType
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import RAW, ZSTD, Content, Table, encode_table, parse_table
from lobsterdv.paths import safe_path
from tests.blobs.places import CountingStore, fetch, noise, open_cache, remote_over, send
from tests.blobs.places import upload as send_wanted

NO_ZSTD = Storage(level=None)
LARGE = SHARED_BELOW_BYTES + (1 << 20)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def here(tmp_path: Path, store: CountingStore) -> Remote:
    return remote_over(store, open_cache(tmp_path / "here"))


def text(size: int, seed: int) -> bytes:
    """Bytes that zstd makes about three times smaller."""
    return random.Random(seed).randbytes(size).hex().encode()[:size]


def edited(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at:]


def comes_back(remote: Remote, contents: list[Content], files: list[bytes], folder: Path) -> None:
    """On another machine, through the bytes of the table."""
    columns = {k: memoryview(v) for k, v in encode_table(Table((), tuple(contents))).items()}
    again = [c for c in contents if not c.size] + [c for c in parse_table(columns, what="t").contents if c.size]
    cache, failed = fetch(remote, again, folder)
    assert failed == {}
    for data in files:
        assert not cache.missing([digest_of(data)]) and cache.read_small(digest_of(data), name="n") == data


@pytest.mark.parametrize("size", [200_000, LARGE])
@pytest.mark.parametrize("manner", [NO_ZSTD, Storage()])
@pytest.mark.parametrize("make", [noise, text])
def test_an_insertion_sends_a_few_chunks(
    here: Remote, tmp_path: Path, size: int, manner: Storage, make: object
) -> None:
    old = make(size, 1)  # type: ignore[operator]
    new = edited(old, size // 3, b"a new obs column")
    before, _ = send(here, [old], storage=manner)
    after, sent = send(here, [new], before, storage=manner)
    assert sent.new_bytes <= 3 * 65_536 and sent.new_objects == 1
    assert sent.reused_bytes + sent.packed_bytes == len(new) and sent.reused_bytes > 0.6 * len(new)
    (decision,) = sent.decisions
    assert (decision.how, decision.size, decision.reused) == ("ranges", len(new), sent.reused_bytes)
    assert {e.object for e in after[0].extents} > {e.object for e in before[0].extents}, "depth one: real objects"
    comes_back(here, after, [new], tmp_path / "there")


def test_versions_pile_up_and_each_comes_back(here: Remote, tmp_path: Path) -> None:
    versions = [text(LARGE, 1)]
    placed: list[Content] = []
    stored: list[list[Content]] = []
    for number in range(6):
        contents, _ = send(here, [versions[-1]], placed)
        placed += contents
        stored.append(contents)
        versions.append(edited(versions[-1], (number + 1) * 1_000_000, noise(40_000, number)))
    for number, contents in enumerate(stored):
        comes_back(here, contents, [versions[number]], tmp_path / str(number))


def test_too_little_in_common_is_stored_whole(here: Remote) -> None:
    old = noise(LARGE, 1)
    before, _ = send(here, [old])
    new = old[: LARGE // 5] + noise(LARGE - LARGE // 5, 2)
    after, sent = send(here, [new], before)
    assert after[0].is_verbatim and sent.new_bytes == len(new)
    assert [d.how for d in sent.decisions if d.reused] == ["whole"] and "of it were there" in sent.decisions[0].why


def test_too_many_short_ranges_are_stored_whole(here: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    old = noise(4 << 20, 1)
    before, _ = send(here, [old])
    new = b"".join(old[at : at + 50_000] + b"x" for at in range(0, len(old), 50_000))
    after, sent = send(here, [new], before)
    assert len(after[0].extents) == 1 and sent.new_bytes == len(new) and "short ranges" in sent.decisions[0].why


@pytest.mark.parametrize(
    ("size", "reused", "ranges", "why"),
    [
        (1000, 0, 1, "nothing"),
        (1000, 249, 2, "25% of it were there"),
        (1000, 250, 2, None),
        (64 << 19, 63 << 19, 64, None),
        ((65 << 19) - 1, 64 << 19, 65, "short ranges"),
        (65 << 19, 64 << 19, 65, None),
    ],
)
def test_the_rules(size: int, reused: int, ranges: int, why: str | None) -> None:
    found = against_ranges(size, reused, ranges)
    assert found is None if why is None else found is not None and re.search(why, found)


def test_a_dataset_keeps_the_chunk_size_it_began_with(here: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    old = noise(200_000, 1)
    before, _ = send(here, [old])
    coarse = [Content(c.digest, c.size, 16, [c.size], [c.digest], [c.size], c.extents) for c in before]
    table_of = [Table((), tuple(before))]
    from lobsterdv.blobs.bases import Bases

    assert Bases(table_of).average_bits("") == 14 and Bases([Table((), tuple(coarse))]).average_bits("") == 16
    entry = Entry(safe_path("a/b"), EntryType.FILE, len(old), digest_of(old))
    inside = Bases([Table((), ()), Table((entry,), tuple(coarse))])
    assert inside.average_bits("a/b") == 16 and inside.average_bits("a") is None
    from lobsterdv.blobs.cutting import bits_for

    assert bits_for(100 << 20, 14) == 14, "grown beyond 64 MiB, still cut as before"
    assert bits_for((1 << 34) + (1 << 14), 14) == 16, "until it would have over 2^20 chunks"
    assert bits_for(100 << 20, None) == 16


def test_a_base_that_vanished_is_sent_again(here: Remote, store: CountingStore, tmp_path: Path) -> None:
    old = noise(300_000, 1)
    before, _ = send(here, [old])
    store.delete(object_key(before[0].extents[0].object.digest))
    new = edited(old, 1000, b"x")
    after, sent = send(here, [new], before)
    assert sent.reused_bytes == 0 and sent.new_bytes == len(new)
    comes_back(here, after, [new], tmp_path / "there")


def test_of_two_bases_the_one_that_is_there_serves(here: Remote, store: CountingStore, tmp_path: Path) -> None:
    first, second = noise(300_000, 1), noise(300_000, 2)
    one, _ = send(here, [first])
    two, _ = send(here, [second])
    store.delete(object_key(one[0].extents[0].object.digest))
    new = first + second
    after, sent = send(here, [new], one + two)
    assert 260_000 < sent.reused_bytes < 300_001 and sent.reused_bytes + sent.packed_bytes == len(new)
    comes_back(here, after, [new], tmp_path / "there")


def test_what_compresses_is_compressed_and_what_does_not_is_not(here: Remote, tmp_path: Path) -> None:
    files = [text(LARGE, 1), noise(LARGE, 2)]
    contents, sent = send(here, files)
    assert [{e.object.codec for e in c.extents} for c in contents] == [{ZSTD}, {RAW}]
    assert [d.how for d in sorted(sent.decisions, key=lambda d: d.how)] == ["compressed", "whole"]
    assert sent.new_bytes < 0.6 * LARGE + LARGE and sent.packed_bytes == 2 * LARGE
    comes_back(here, contents, files, tmp_path / "there")


def test_compressed_objects_are_the_file_for_zstd(
    here: Remote, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "BLOCK_BYTES", 1 << 20)
    monkeypatch.setattr(cutting, "BLOCK_BYTES", 1 << 20)
    data = text(LARGE, 1)
    contents, _ = send(here, [data, text(300_000, 2)])
    found = list(dict.fromkeys(e.object for e in contents[0].extents))
    assert len(found) > 3 and all(o.size <= 1 << 20 and o.codec == ZSTD for o in found), "and nobody else's"
    assert found[0] not in [e.object for e in contents[1].extents]
    whole = b"".join(store.read_whole(object_key(o.digest), limit=1 << 30) for o in found)
    assert zstandard.ZstdDecompressor().stream_reader(whole, read_across_frames=True).read() == data


def test_equal_work_gives_equal_objects(tmp_path: Path) -> None:
    files = [text(LARGE, 1), *(noise(3000, n) for n in range(50)), *(text(3000, n) for n in range(50))]
    keys = []
    for place in ("a", "b"):
        other = CountingStore()
        send(remote_over(other, open_cache(tmp_path / place)), files)
        keys.append(sorted(s.key for s in other.list("objects/")))
    assert keys[0] == keys[1]


def test_a_frame_that_does_not_give_back_its_chunk_never_leaves(
    here: Remote, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = zstandard.ZstdCompressor()

    class Careless:
        def __init__(self, **options: object) -> None:
            pass

        def compress(self, data: memoryview) -> bytes:
            return real.compress(bytes(data)[:-1] + b"?")

    with monkeypatch.context() as patched:
        patched.setattr(zstandard, "ZstdCompressor", Careless)
        patched.setattr(objects, "zstd_pays", lambda *given: True)
        with pytest.raises(CorruptContent, match="a frame just compressed"):
            send(here, [text(200_000, 1)])
    assert not list(store.list("objects/"))


def test_bytes_that_change_between_two_reads_are_not_kept(here: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    old = noise(LARGE, 1)
    before, _ = send(here, [old])
    new = edited(old, 5_000_000, noise(100_000, 3))
    with Intake(here.cache) as intake:
        intake.keep_plain(digest_of(new), new)
    real = sending.read_rows

    def spoiled(*given: object) -> object:
        for piece in real(*given):  # type: ignore[arg-type]
            yield piece._replace(data=piece.data[:-1] + b"?")

    monkeypatch.setattr(sending, "read_rows", spoiled)
    with pytest.raises(CorruptContent):
        send_wanted(here, [Wanted(digest_of(new), len(new))], before)


@pytest.mark.parametrize("manner", [Storage(plain=True), Storage(level=None, plain=True)])
def test_plain_files_are_objects_of_their_own(
    here: Remote, store: CountingStore, tmp_path: Path, manner: Storage
) -> None:
    files = [b"", b"tiny", text(LARGE, 1), text(30_000, 2)]
    packed, _ = send(here, files)
    contents, sent = send(here, files, packed, storage=manner)
    assert [c.is_verbatim for c in contents] == [False, True, True, True]
    assert sent.new_objects == 3 and {d.how for d in sent.decisions} == {"plain"}
    for data in files[1:]:
        assert store.read_whole(object_key(digest_of(data)), limit=1 << 30) == data
    comes_back(here, contents, files, tmp_path / "there")
    again, sent = send(here, files, contents, storage=manner)
    assert again == contents and sent.new_objects == 0


def test_small_files_scattered_over_many_objects_are_packed_anew(
    here: Remote, tmp_path: Path, store: CountingStore
) -> None:
    """A dataset with one small file changed often: its ranges do not pile up."""
    placed: list[Content] = []
    files = []
    for number in range(upload.MANY_OBJECTS + 1):
        files.append(noise(40_000, number))
        contents, _ = send(here, [files[-1]], placed)
        placed += contents
    contents, sent = send(here, files, placed)
    assert len({e.object for c in contents for e in c.extents}) == 1 and sent.new_objects == 1
    comes_back(here, contents, files, tmp_path / "there")


def test_what_is_not_here_is_not_packed_anew(here: Remote, tmp_path: Path, store: CountingStore) -> None:
    files = [noise(4000, number) for number in range(upload.MANY_OBJECTS + 1)]
    placed = [send(here, [data])[0][0] for data in files]
    elsewhere = Remote(store, open_cache(tmp_path / "empty"), here.marker, jobs=2)
    contents, sent = send_wanted(elsewhere, [Wanted(digest_of(d), len(d)) for d in files], placed)
    assert contents == placed and sent.new_objects == 0


def test_every_object_is_asked_for_once_a_run(here: Remote, store: CountingStore) -> None:
    old = noise(300_000, 1)
    before, _ = send(here, [old])
    store.calls.clear()
    send(here, [old, edited(old, 1000, b"x"), edited(old, 2000, b"y")], before)
    assert store.calls == {"head": 1 + 2, "put": 1}


@pytest.mark.parametrize(("given", "level"), [("auto", storage.AUTO_LEVEL), ("none", None), ("1", 1), ("19", 19)])
def test_the_setting(given: str, level: int | None) -> None:
    assert storage_for(given) == Storage(level) and storage_for(given, plain=True).plain


def test_a_sample_decides() -> None:
    assert zstd_pays([text(100_000, 1)], 3) and not zstd_pays([noise(100_000, 1)], 3)
    assert not zstd_pays([text(100_000, 1)], None) and not zstd_pays([], 3)


def test_decisions_are_bounded() -> None:
    from lobsterdv.blobs.heads import Sent

    sent = Sent()
    for number in range(2000):
        sent.decided(Decision(str(number), 1, "packed", 0, 1, ""))
    assert len(sent.decisions) == 1000


def test_what_another_dataset_placed_is_not_sent(here: Remote, store: CountingStore) -> None:
    files = [noise(4000, number) for number in range(20)]
    theirs, _ = send(here, files)
    store.calls.clear()
    mine, sent = send_wanted(here, [Wanted(digest_of(d), len(d)) for d in files[5:9]], elsewhere=(Contents.of(theirs),))
    assert store.calls == {"head": 1} and sent.new_objects == 0 and mine == theirs[5:9]


def test_many_tables_are_looked_through_no_further_than_needed(here: Remote) -> None:
    files = [noise(4000, number) for number in range(3)]
    theirs, _ = send(here, files)

    def tables() -> object:
        yield Contents.of(theirs)
        raise AssertionError("all was found")

    mine, _ = send_wanted(here, [Wanted(digest_of(files[1]), 4000)], elsewhere=tables())  # type: ignore[arg-type]
    assert mine == theirs[1:2]
