"""The only way into the cache. If these fail, a file that somebody was still writing is recorded under a name that its
bytes do not have, or an interrupted command leaves half of its work behind."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv import workers
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.intake import Intake
from lobsterdv.digest import Digest, checksum_of, digest_of
from lobsterdv.errors import ChangedMeanwhile, CorruptContent, LobsterError, LocalIOError, Refused
from lobsterdv.signature import signature_of
from tests.blobs.places import Notebook, open_cache


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def cache(tmp_path: Path, notebook: Notebook) -> Cache:
    return open_cache(tmp_path / "cache", notebook=notebook)


def files_in(cache: Cache) -> list[str]:
    return sorted(str(p.relative_to(cache.folder)) for p in cache.folder.rglob("*") if p.is_file())


def test_a_file_is_kept_under_the_digest_of_the_bytes_that_are_kept(
    cache: Cache, tmp_path: Path, notebook: Notebook
) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"some data" * 1000)
    before = source.stat()
    told: list[int] = []
    with Intake(cache) as intake:
        kept = intake.copy_in(source, progress=told.append)
        assert files_in(cache) != [] and not cache.has(kept.digest), "nothing has its name before the commit"
    assert kept.digest == digest_of(source.read_bytes()) and kept.checksum == checksum_of(source.read_bytes())
    assert cache.plain_path(kept.digest).read_bytes() == source.read_bytes() and sum(told) == kept.size == 9000
    assert (kept.signature.mtime_ns, kept.signature.inode) == (before.st_mtime_ns, before.st_ino)
    assert notebook[kept.digest.hex()][1] == kept.checksum, "it need not be hashed again"
    assert source.stat().st_ino == before.st_ino, "the user's file is never moved"
    assert cache.plain_path(kept.digest).stat().st_ino != before.st_ino


def mutate(source: Path, how: str, stop: threading.Event, data: bytes) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        letter = bytes([65 + number % 26])
        try:
            match how:
                case "rewrite":
                    with source.open("r+b") as file:
                        file.write(letter * len(data))
                case "append":
                    with source.open("ab") as file:
                        file.write(letter * 4096)
                case "truncate":
                    os.truncate(source, random.randrange(len(data)))
                    source.write_bytes(letter * len(data))
                case "replace":
                    other = source.with_name("other")
                    other.write_bytes(letter * len(data))
                    other.replace(source)
        except FileNotFoundError:
            continue


@pytest.mark.parametrize("how", ["rewrite", "append", "truncate", "replace"])
def test_a_file_that_changes_while_it_is_added_is_right_or_refused(cache: Cache, tmp_path: Path, how: str) -> None:
    data = b"x" * 400_000
    source = tmp_path / "f"
    outcomes = {"kept": 0, "refused": 0}
    for _ in range(50):
        source.write_bytes(data)
        stop = threading.Event()
        writer = threading.Thread(target=mutate, args=(source, how, stop, data))
        writer.start()
        try:
            with Intake(cache) as intake:
                kept = intake.copy_in(source)
            held = cache.plain_path(kept.digest).read_bytes()
            assert digest_of(held) == kept.digest and len(held) == kept.size and checksum_of(held) == kept.checksum
            outcomes["kept"] += 1
        except ChangedMeanwhile:
            outcomes["refused"] += 1
        finally:
            stop.set()
            writer.join()
    assert sum(outcomes.values()) == 50
    for path in (cache.folder / "files").rglob("*"):
        assert path.is_dir() or digest_of(path.read_bytes()).hex() == path.name
    assert not [name for name in files_in(cache) if name.startswith("tmp/")]


def test_what_is_no_regular_file_is_refused(cache: Cache, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    with Intake(cache) as intake:
        for name, error in (("pipe", Refused), ("folder", Refused), ("link", LocalIOError), ("gone", LocalIOError)):
            with pytest.raises(error):
                intake.copy_in(tmp_path / name)
    assert files_in(cache) == []


def test_an_abandoned_intake_leaves_nothing(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"plain")
    digest = digest_of(b"small")

    def fail() -> None:
        with Intake(cache) as intake:
            intake.copy_in(tmp_path / "f")
            intake.keep_plain(digest_of(b"p"), b"p")
            intake.keep_verified([(digest, b"small")])
            incoming = intake.receive(digest_of(b"part"), 4, name="n")
            incoming.write_at(0, b"pa")
            incoming.abandon()
            incoming.abandon()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert files_in(cache) == [] and not cache.has(digest)
    with Intake(cache) as intake:
        intake.keep_verified([(digest, b"small")])
    assert cache.has(digest), "what was abandoned is not taken for kept"


def test_what_was_committed_before_an_error_stays(cache: Cache) -> None:
    def fail() -> None:
        with Intake(cache) as intake:
            intake.keep_plain(digest_of(b"a"), b"a")
            intake.commit()
            intake.keep_plain(digest_of(b"b"), b"b")
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert cache.has(digest_of(b"a")) and not cache.has(digest_of(b"b"))


def test_parts_may_arrive_in_any_order_and_are_verified_as_a_whole(cache: Cache) -> None:
    data = random.Random(3).randbytes(100_000)
    digest = digest_of(data)
    with Intake(cache) as intake:
        incoming = intake.receive(digest, len(data), name="n")
        starts = list(range(0, len(data), 7001))
        random.Random(4).shuffle(starts)
        for start in starts:
            incoming.write_at(start, data[start : start + 7001])
        incoming.finish()
    assert cache.read_small(digest, name="n") == data


def test_what_is_written_twice_is_hashed_as_it_lies_in_the_file(cache: Cache) -> None:
    """Parts are hashed as they arrive; a later one over an earlier one must not hide behind the earlier one's bytes."""
    data = random.Random(5).randbytes(3000)
    orders = ([(0, 1000), (1000, 3000), (500, 900)], [(1000, 2000), (1500, 3000), (0, 1000)], [(0, 1000), (0, 3000)])
    for order in orders:
        for damaged in (None, *range(len(order))):
            with Intake(cache) as intake:
                incoming = intake.receive(digest_of(data), len(data), name="n")
                lies = bytearray(len(data))
                for number, (start, end) in enumerate(order):
                    part = b"x" * (end - start) if number == damaged else data[start:end]
                    incoming.write_at(start, part)
                    lies[start:end] = part
                if lies == data:
                    incoming.finish()
                else:
                    with pytest.raises(CorruptContent):
                        incoming.finish()
        assert cache.read_small(digest_of(data), name="n") == data


def test_parts_of_many_threads_are_hashed_whole(cache: Cache) -> None:
    data = random.Random(6).randbytes(3 << 20)
    parts = list(range(0, len(data), 1 << 16))
    with Intake(cache) as intake:
        incoming = intake.receive(digest_of(data), len(data), name="n")
        send = lambda start: incoming.write_at(start, data[start : start + (1 << 16)])  # noqa: E731
        assert len(list(workers.each(send, random.Random(7).sample(parts, len(parts)), jobs=8))) == len(parts)
        incoming.finish()
    assert cache.read_small(digest_of(data), name="n") == data


@pytest.mark.parametrize("lie", ["a part missing", "a part changed"])
def test_what_does_not_add_up_is_never_kept(cache: Cache, lie: str) -> None:
    data = b"0123456789"
    digest = digest_of(data)
    with Intake(cache) as intake:
        incoming = intake.receive(digest, len(data), name="n")
        incoming.write_at(0, data[:5])
        if lie == "a part changed":
            incoming.write_at(5, b"56x89")
        with pytest.raises(CorruptContent) as caught:
            incoming.finish()
        assert caught.value.expected == str(digest)
    assert files_in(cache) == []


def test_more_bytes_than_announced_are_refused_at_once(cache: Cache) -> None:
    """A remote that never stops sending must not fill the disk."""
    with Intake(cache) as intake:
        incoming = intake.receive(digest_of(b"abc"), 3, name="n")
        for offset, data in ((0, b"abcd"), (3, b"x"), (1 << 40, b"x")):
            with pytest.raises(LobsterError):
                incoming.write_at(offset, data)
        incoming.abandon()
    assert files_in(cache) == []


def test_a_wrong_digest_cannot_be_kept_by_mistake(cache: Cache) -> None:
    with Intake(cache) as intake, pytest.raises(CorruptContent):
        intake.keep_plain(Digest(bytes(32)), b"x")
    assert files_in(cache) == []


def test_threads_share_an_intake(cache: Cache) -> None:
    files = [random.Random(n % 60).randbytes(2000) for n in range(120)]  # every one twice
    with Intake(cache) as intake:

        def work(part: list[bytes]) -> None:
            intake.keep_verified([(digest_of(data), data) for data in part])
            for data in part[:5]:
                intake.keep_plain(digest_of(data + b"!"), data + b"!")

        threads = [threading.Thread(target=work, args=(files[n::4],)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert cache.missing([digest_of(d) for d in files]) == []
    packs = list(cache.packs.folder.glob("*.pack"))
    assert len(packs) == 1 and packs[0].stat().st_size == 60 * 2000 + 32, "each once"


def test_good_bytes_at_hand_are_not_given_up_for_rotten_ones(cache: Cache, tmp_path: Path, notebook: Notebook) -> None:
    """A cached file rots where no stat tells. It was trusted for 30 days, the copy just hashed was thrown away, and the
    pointer named bytes that were nowhere."""
    source = tmp_path / "f"
    source.write_bytes(b"good" * 100_000)
    with Intake(cache) as intake:
        kept = intake.copy_in(source)
    path = cache.plain_path(kept.digest)
    before = path.stat().st_ino
    with Intake(cache) as intake:
        intake.copy_in(source)
    assert path.stat().st_ino == before, "what is right stays: links lead to it"
    path.chmod(0o644)
    path.write_bytes(b"g00d" * 100_000)
    notebook.note([(kept.digest.hex(), signature_of(path.lstat()), kept.checksum, cache.now())])
    with Intake(cache) as intake:
        intake.copy_in(source)
    assert path.read_bytes() == source.read_bytes()
    assert [p.name[:64] for p in (cache.folder / "quarantine").iterdir()] == [kept.digest.hex()]


def test_what_a_bad_sector_holds_does_not_keep_good_bytes_out(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"good" * 100_000)
    small = b"small"
    with Intake(cache) as intake:
        kept = intake.copy_in(source)
        intake.keep_verified([(digest_of(small), small)])
    cached = cache.plain_path(kept.digest)
    bad = {cached.stat().st_ino, *(path.stat().st_ino for path in cache.packs.folder.glob("*.pack"))}

    def failing(real: Callable[..., object]) -> Callable[..., object]:
        def read(descriptor: int, *args: object) -> object:
            if os.fstat(descriptor).st_ino in bad:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(descriptor, *args)

        return read

    for name in ("pread", "preadv"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    with pytest.raises(OSError, match=r"files/.*" + kept.digest.hex()):
        cache.prove(kept.digest, name="f")
    with pytest.raises(OSError, match=r"\.pack"):
        cache.read_small(digest_of(small), name="small")
    with Intake(cache) as intake:
        intake.copy_in(source)
        intake.keep_verified([(digest_of(b"another"), b"another"), (digest_of(small), small)])
    assert cached.stat().st_ino not in bad and cached.read_bytes() == source.read_bytes()
    held = [index for index in cache.packs.indexes() if index.find(digest_of(small))]
    assert len(held) == 2, "it is kept once more"
