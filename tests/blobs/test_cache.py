"""Nothing unverified leaves the cache. If these fail, a rotten disk or a stray editor gives people wrong data, or what
could be fetched again is reported as lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv import copying
from lobsterdv.blobs.cache import TRUST_SECONDS, Cache
from lobsterdv.blobs.intake import Intake
from lobsterdv.digest import Digest, checksum_of, digest_of
from lobsterdv.errors import CorruptContent, LocalIOError, MissingContent
from lobsterdv.formats.listing import Entry, EntryType, digest_of_listing, encode_listing, make_listing
from lobsterdv.paths import safe_path
from lobsterdv.signature import signature_of
from tests.blobs.places import Notebook, in_quarantine, open_cache, spoil

DATA = b"a plain file of the cache\n" * 100
DIGEST = digest_of(DATA)
DAMAGES = ["flip", "cut", "empty", "extend"]
Reader = Callable[[Cache], bytes]


def copied_out(cache: Cache) -> bytes:
    with (cache.folder / "out").open("w+b") as target:
        size, checksum = cache.copy_out(DIGEST, target.fileno(), name="n")
        target.seek(0)
        data = target.read()
        assert (size, checksum) == (len(data), checksum_of(data))
        return data


READERS: dict[str, Reader] = {
    "read_small": lambda cache: cache.read_small(DIGEST, name="n"),
    "verified_path": lambda cache: cache.verified_path(DIGEST, name="n").read_bytes(),
    "copy_out": copied_out,
}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = open_cache(tmp_path / "cache")
    keep(made)
    return made


def keep(cache: Cache) -> None:
    with Intake(cache) as intake:
        intake.keep_plain(DIGEST, DATA)


@pytest.mark.parametrize("reader", READERS)
def test_what_was_kept_comes_back(cache: Cache, reader: str) -> None:
    assert READERS[reader](cache) == DATA
    assert cache.has(DIGEST) and cache.is_plain(DIGEST) and cache.missing([DIGEST]) == []
    assert cache.plain_path(DIGEST).stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_corrupt_once_then_missing_then_healed(cache: Cache, reader: str, damage: str) -> None:
    spoil(cache.plain_path(DIGEST), damage)
    with pytest.raises(CorruptContent) as caught:
        READERS[reader](cache)
    assert caught.value.expected == str(DIGEST) != caught.value.found
    assert in_quarantine(cache, DIGEST), "set aside, never deleted"
    with pytest.raises(MissingContent):
        READERS[reader](cache)
    assert not cache.has(DIGEST) and cache.missing([DIGEST]) == [DIGEST]
    keep(cache)
    assert READERS[reader](cache) == DATA


@pytest.mark.parametrize("damage", DAMAGES)
def test_adding_a_file_again_heals_a_damage_nobody_had_read_yet(cache: Cache, damage: str) -> None:
    spoil(cache.plain_path(DIGEST), damage)
    keep(cache)
    assert cache.read_small(DIGEST, name="n") == DATA and in_quarantine(cache, DIGEST)


@pytest.mark.parametrize("reader", READERS)
def test_a_deleted_file_is_missing_and_never_corrupt(cache: Cache, reader: str) -> None:
    spoil(cache.plain_path(DIGEST), "delete")
    with pytest.raises(MissingContent):
        READERS[reader](cache)
    assert not in_quarantine(cache, DIGEST) and not cache.has(DIGEST)


def test_an_unchanged_file_is_hashed_once_in_thirty_days(tmp_path: Path) -> None:
    notebook, at = Notebook(), [1e9]
    cache = Cache(tmp_path / "cache", ledger=notebook, now=lambda: at[0])
    keep(cache)
    path = cache.plain_path(DIGEST)
    noted = notebook[DIGEST.hex()]
    path.chmod(0o644)
    data = bytearray(DATA)
    data[5] ^= 1
    signature = noted[0]
    path.write_bytes(data)  # rot: pretend that the signature stayed as it was
    notebook[DIGEST.hex()] = (_signature(path), noted[1], noted[2])
    assert cache.verified_path(DIGEST, name="n") == path, "trusted: nothing but the bytes differs"
    at[0] += TRUST_SECONDS
    with pytest.raises(CorruptContent):
        cache.verified_path(DIGEST, name="n")
    assert signature != _signature_of_quarantined(cache)


def test_a_clock_set_back_does_not_extend_trust(tmp_path: Path) -> None:
    notebook = Notebook()
    cache = open_cache(tmp_path / "cache", notebook=notebook, at=1e9)
    keep(cache)
    spoil(cache.plain_path(DIGEST), "flip")
    notebook[DIGEST.hex()] = (_signature(cache.plain_path(DIGEST)), b"", 2e9)
    with pytest.raises(CorruptContent):
        cache.verified_path(DIGEST, name="n")


def _signature(path: Path):  # type: ignore[no-untyped-def]
    from lobsterdv.signature import signature_of

    return signature_of(path.lstat())


def _signature_of_quarantined(cache: Cache):  # type: ignore[no-untyped-def]
    (path,) = (cache.folder / "quarantine").iterdir()
    return _signature(path)


def test_another_hard_link_is_no_reason_to_hash_again(cache: Cache) -> None:
    os.link(cache.plain_path(DIGEST), cache.folder / "link")
    cache.relinked(DIGEST)
    known = cache.ledger.look_up(DIGEST.hex())
    assert known is not None and known[0] == _signature(cache.plain_path(DIGEST))
    cache.relinked(digest_of(b"unknown"))


def test_a_link_in_place_of_a_file_is_not_followed(cache: Cache, tmp_path: Path) -> None:
    path = cache.plain_path(DIGEST)
    path.unlink()
    (tmp_path / "secret").write_bytes(b"secret")
    path.symlink_to(tmp_path / "secret")
    for reader in READERS.values():
        with pytest.raises((CorruptContent, MissingContent, OSError)):
            reader(cache)
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_many_readers_of_a_damaged_file_all_hear_of_it(cache: Cache) -> None:
    spoil(cache.plain_path(DIGEST), "flip")
    outcomes: list[str] = []

    def read() -> None:
        try:
            cache.read_small(DIGEST, name="n")
            outcomes.append("wrong bytes")
        except (CorruptContent, MissingContent) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) <= {"CorruptContent", "MissingContent"} and "CorruptContent" in outcomes and len(outcomes) == 8


def listing() -> tuple[Digest, bytes]:
    made = make_listing([Entry(safe_path("a"), EntryType.FILE, len(DATA), DIGEST)])
    return digest_of_listing(made), encode_listing(made)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_listing_is_corrupt_once_then_missing_then_healed(cache: Cache, damage: str) -> None:
    digest, encoded = listing()
    cache.put_listing(digest, encoded)
    assert cache.listing(digest, name="n").entries[0].digest == DIGEST
    (path,) = (p for p in (cache.folder / "listings").rglob("*") if p.is_file())
    spoil(path, damage)
    with pytest.raises(CorruptContent):
        cache.listing(digest, name="n")
    assert in_quarantine(cache, digest)
    with pytest.raises(MissingContent):
        cache.listing(digest, name="n")
    cache.put_listing(digest, encoded)
    assert encode_listing(cache.listing(digest, name="n")) == encoded


def test_a_listing_that_is_not_there_is_missing(cache: Cache) -> None:
    with pytest.raises(MissingContent):
        cache.listing(listing()[0], name="n")


def test_adding_again_heals_a_listing_whose_damage_nobody_had_read(cache: Cache) -> None:
    digest, encoded = listing()
    cache.put_listing(digest, encoded)
    (path,) = (p for p in (cache.folder / "listings").rglob("*") if p.is_file())
    spoil(path, "flip")
    cache.put_listing(digest, encoded)
    assert encode_listing(cache.listing(digest, name="n")) == encoded


def test_a_file_of_a_pack_and_a_plain_one_may_be_the_same(cache: Cache) -> None:
    """Whichever is damaged, the other serves."""
    with Intake(cache) as intake:
        intake.keep_verified([(DIGEST, DATA)])
    spoil(cache.plain_path(DIGEST), "flip")
    assert cache.read_small(DIGEST, name="n") == DATA


def test_missing_asks_once_for_repeats_and_keeps_the_order(cache: Cache) -> None:
    others = [digest_of(bytes([n])) for n in range(5)]
    assert cache.missing([others[3], DIGEST, others[1], others[3]]) == [others[3], others[1]]


@pytest.mark.parametrize("known", [True, False])
def test_a_clone_is_read_before_it_is_trusted(cache: Cache, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """A file system that clones copies rot too. The signature tells nothing of it: no stat changes when a disk rots."""

    def clone(source: int, target: int) -> bool:
        os.pwrite(target, os.pread(source, 1 << 20, 0), 0)
        return True

    monkeypatch.setattr(copying, "clone", clone)
    assert copied_out(cache) == DATA
    path = cache.plain_path(DIGEST)
    spoil(path, "flip")
    if known:
        cache.ledger.note([(DIGEST.hex(), signature_of(path.lstat()), checksum_of(DATA), cache.now())])
    else:
        cache.ledger.clear()  # type: ignore[attr-defined]
    with pytest.raises(CorruptContent):
        copied_out(cache)
    assert in_quarantine(cache, DIGEST)


def test_two_who_find_the_same_damage(cache: Cache) -> None:
    """The second finds nothing left to set aside; it is the same error, and no other."""
    spoil(cache.plain_path(DIGEST), "flip")
    cache.plain_path(DIGEST).unlink()
    assert isinstance(cache.quarantine(DIGEST, DIGEST, name="n"), CorruptContent)


def test_a_quarantine_that_cannot_be_made(cache: Cache) -> None:
    (cache.folder / "quarantine").write_text("in the way")
    spoil(cache.plain_path(DIGEST), "flip")
    with pytest.raises(LocalIOError) as caught:
        copied_out(cache)
    assert caught.value.path == str(cache.folder / "quarantine")
