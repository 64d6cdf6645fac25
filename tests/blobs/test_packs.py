"""The small files of directories. If these fail, one flipped bit loses ten thousand files, or a wrong one comes out."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from lobsterdv.blobs import intake as intake_module
from lobsterdv.blobs import packs as packs_module
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.intake import Intake
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import CorruptContent, MissingContent
from lobsterdv.formats.pack import Packed, PackIndex
from tests.blobs.places import open_cache, spoil

FILES = [b"one", b"two" * 100, b"three" * 9, bytes(range(256)) * 10]
NAMES = [digest_of(data) for data in FILES]


def pack(cache: Cache, files: list[bytes]) -> None:
    with Intake(cache) as intake:
        intake.keep_verified([(digest_of(data), data) for data in files])


def packs_of(cache: Cache, suffix: str = ".pack") -> list[Path]:
    return sorted(cache.packs.folder.glob("*" + suffix))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = open_cache(tmp_path / "cache")
    pack(made, FILES)
    return made


def again(cache: Cache) -> Cache:
    """The cache as the next process sees it."""
    return open_cache(cache.folder)


def outcome(cache: Cache, digest: Digest, data: bytes) -> str:
    try:
        found = cache.read_small(digest, name="n")
    except MissingContent:
        assert not cache.has(digest) and cache.missing([digest]) == [digest], "what is missing counts as missing"
        return "missing"
    except CorruptContent as error:
        assert error.found != error.expected == str(digest)
        return "corrupt"
    assert found == data, "wrong bytes"
    return "right"


def test_packed_files_come_back_here_and_in_the_next_process(cache: Cache) -> None:
    for place in (cache, again(cache)):
        assert [outcome(place, n, d) for n, d in zip(NAMES, FILES, strict=True)] == ["right"] * 4
        assert place.missing(NAMES) == [] and not place.is_plain(NAMES[0])
    assert [digest_of(p.read_bytes()).hex() for p in packs_of(cache)] == [p.stem for p in packs_of(cache)]
    assert all(p.stat().st_mode & 0o777 == 0o444 for p in cache.packs.folder.iterdir())


def test_adding_again_writes_nothing(cache: Cache) -> None:
    before = sorted(os.listdir(cache.packs.folder))
    pack(cache, FILES)
    pack(again(cache), [*FILES, *FILES])
    assert sorted(os.listdir(cache.packs.folder)) == before


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "extend", "delete"])
def test_a_damaged_pack_loses_what_is_damaged_and_heals_by_adding_again(cache: Cache, damage: str) -> None:
    spoil(packs_of(cache)[0], damage)
    place = again(cache)
    found = [outcome(place, n, d) for n, d in zip(NAMES, FILES, strict=True)]
    expected = {"flip": {"right", "corrupt"}, "cut": {"right", "corrupt"}, "empty": {"corrupt", "missing"},
                "extend": {"right"}, "delete": {"missing"}}[damage]  # fmt: skip
    assert set(found) == expected
    for other in (place, again(cache)):
        for number, state in enumerate(found):
            assert outcome(other, NAMES[number], FILES[number]) == ("missing" if state == "corrupt" else state)
    pack(place, FILES)
    for other in (place, again(cache)):
        assert [outcome(other, n, d) for n, d in zip(NAMES, FILES, strict=True)] == ["right"] * 4


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "extend", "delete"])
def test_what_only_a_damaged_index_names_is_missing_and_heals_by_adding_again(cache: Cache, damage: str) -> None:
    spoil(packs_of(cache, ".idx")[0], damage)
    place = again(cache)
    assert [outcome(place, n, d) for n, d in zip(NAMES, FILES, strict=True)] == ["missing"] * 4
    pack(place, FILES)
    for other in (place, again(cache)):
        assert [outcome(other, n, d) for n, d in zip(NAMES, FILES, strict=True)] == ["right"] * 4


def test_a_single_damaged_file_heals_although_its_pack_gets_the_same_name(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    pack(cache, [b"hello world"])
    assert outcome(cache, digest_of(b"hello world"), b"hello world") == "right"
    spoil(packs_of(cache)[0], "flip")
    assert outcome(cache, digest_of(b"hello world"), b"hello world") == "corrupt"
    pack(cache, [b"hello world"])
    for place in (cache, again(cache)):
        assert outcome(place, digest_of(b"hello world"), b"hello world") == "right"


def test_adding_heals_a_damage_that_nobody_had_read_yet(cache: Cache) -> None:
    spoil(packs_of(cache)[0], "flip")
    place = again(cache)
    pack(place, FILES)
    assert [outcome(place, n, d) for n, d in zip(NAMES, FILES, strict=True)] == ["right"] * 4


def test_adding_heals_a_vanished_pack_that_nobody_had_missed_yet(cache: Cache) -> None:
    spoil(packs_of(cache)[0], "delete")
    place = again(cache)
    pack(place, FILES)
    assert [outcome(place, n, d) for n, d in zip(NAMES, FILES, strict=True)] == ["right"] * 4


@pytest.mark.parametrize(
    "second", [[b"onetwo"], [b"o", b"netwo"], [b"", b"one", b"two"]], ids=["joined", "cut", "empty"]
)
def test_two_packs_with_equal_bytes_keep_the_files_of_both(tmp_path: Path, second: list[bytes]) -> None:
    """Else files that lie nowhere but in this cache are gone."""
    cache = open_cache(tmp_path / "cache")
    first = [b"one", b"two"] if second[0] else [b"", b"onetwo"]
    pack(cache, first)
    pack(cache, second)
    assert [outcome(again(cache), digest_of(d), d) for d in first + second] == ["right"] * len(first + second)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    pack(cache, [b"twelve bytes", b"seventeen bytes.."])
    path = packs_of(cache)[0]
    whole = path.read_bytes()
    path.chmod(0o644)
    for bit in range(0, (len(whole) - 32) * 8, 5):  # the last 32 bytes only make the name
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        place = again(cache)
        outcomes = {outcome(place, digest_of(d), d) for d in (b"twelve bytes", b"seventeen bytes..")}
        assert outcomes == {"right", "corrupt"}
        for note in (cache.folder / "quarantine").iterdir():
            note.unlink()


def test_a_pack_without_its_index_means_nothing(cache: Cache) -> None:
    """A crash between the two leaves one."""
    (cache.packs.folder / ("0" * 64 + ".pack")).write_bytes(b"unfinished")
    assert outcome(again(cache), NAMES[0], FILES[0]) == "right"


def test_packs_of_another_process_are_found(cache: Cache) -> None:
    other = again(cache)
    assert not other.has(digest_of(b"later"))
    pack(cache, [b"later"])
    assert other.has(digest_of(b"later")) and outcome(other, digest_of(b"later"), b"later") == "right"


def test_packs_that_arrive_within_one_tick_of_a_coarse_clock_are_found(cache: Cache) -> None:
    """Kernels before 6.13 stamp folders every 4 ms only."""
    other = again(cache)
    other.packs.refresh()
    seen = cache.packs.folder.stat()
    pack(cache, [b"later"])
    os.utime(cache.packs.folder, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert other.has(digest_of(b"later"))


def test_a_pack_that_is_full_is_closed_and_the_next_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "PACK_BYTES", 1000)
    cache = open_cache(tmp_path / "cache")
    files = [random.Random(n).randbytes(300) for n in range(20)]
    pack(cache, files)
    assert len(packs_of(cache)) == 5
    assert all(outcome(again(cache), digest_of(d), d) == "right" for d in files)
    assert again(cache).missing([digest_of(d) for d in files]) == []


def test_threads_share_packs(cache: Cache) -> None:
    wrong: list[str] = []

    def read() -> None:
        for _ in range(50):
            for name, data in zip(NAMES, FILES, strict=True):
                if cache.read_small(name, name="n") != data:
                    wrong.append(str(name))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    pack(cache, [b"written meanwhile"])
    for thread in threads:
        thread.join()
    assert wrong == []


def test_closing_lets_go_and_reading_goes_on(cache: Cache) -> None:
    assert outcome(cache, NAMES[0], FILES[0]) == "right"
    cache.close()
    cache.close()
    assert outcome(cache, NAMES[0], FILES[0]) == "right"


def test_a_new_file_is_not_asked_of_every_pack(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 packs and 300 new files: 9,000 questions would make adding slower with every version."""
    old = [[f"{number} {n}".encode() for n in range(10)] for number in range(30)]
    for files in old:
        pack(cache, files)
    cache.packs.refresh()
    asked: list[Digest] = []
    find = PackIndex.find

    def counted(index: PackIndex, digest: Digest) -> Packed | None:
        asked.append(digest)
        return find(index, digest)

    monkeypatch.setattr(PackIndex, "find", counted)
    new = [digest_of(f"new {n}".encode()) for n in range(300)]
    assert not any(cache.packs.find(digest) for digest in new)
    assert len(asked) <= 400
    for files in old:  # through the map, too, and so is damage
        for data in files:
            assert cache.packs.read(digest_of(data), name="n") == data
    pack(cache, [b"later"])
    cache.packs.refresh()
    assert cache.packs.read(digest_of(b"later"), name="n") == b"later"
    damaged = cache.packs.find(digest_of(old[3][0]))
    assert damaged is not None
    cache.packs.note_damaged(damaged[0], [digest_of(old[3][0])])
    assert cache.packs.find(digest_of(old[3][0])) is None and cache.packs.find(digest_of(old[3][1]))


def test_a_pack_is_begun_with_by_the_disk_while_it_is_written(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr(packs_module, "begin_sync", lambda fd, offset, length: begun.append((offset, length)))
    pack(cache, [random.Random(n).randbytes(200_000) for n in range(45)])
    starts = [offset for offset, _ in begun]
    assert len(begun) == 3 and starts == [0, begun[0][1], begun[0][1] + begun[1][1]]
    assert sum(length for _, length in begun) == max(path.stat().st_size for path in packs_of(cache))
