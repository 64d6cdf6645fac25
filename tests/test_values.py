"""Digests, chunks, signatures, threads, copies. If these fail, everything above stands on sand: wrong names for
content, lost bytes, unbounded memory."""

from __future__ import annotations

import errno
import os
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import blake3
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from lobsterdv import chunker, copying, workers
from lobsterdv import digest as digesting
from lobsterdv.digest import Digest, Hasher, digest_of, listing_digest, parse_digest, parse_hex
from lobsterdv.errors import FormatError
from lobsterdv.signature import RACY_NS, Signature, signature_of

moderate = settings(max_examples=100, deadline=None)


# Digests


def test_digests_are_plain_blake3_so_that_b3sum_gives_the_same() -> None:
    assert str(digest_of(b"")) == "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert digest_of(b"abc").hex() == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    context = "lobsterdv 2026-11-23 directory listing v1"
    assert listing_digest(b"x") == blake3.blake3(b"x", derive_key_context=context).digest() != digest_of(b"x")


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (4 << 20) - 1, 4 << 20, (4 << 20) + 1])
def test_every_way_of_hashing_agrees(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    path = tmp_path / "f"
    path.write_bytes(data)
    expected, checksum = blake3.blake3(data).digest(), xxhash.xxh3_128_digest(data)
    hasher = Hasher()
    for start in range(0, size, 1 << 20):
        hasher.update(memoryview(data)[start : start + (1 << 20)])
    assert (hasher.digest(), hasher.checksum(), hasher.size) == (expected, checksum, size)
    with path.open("rb") as file:
        assert digesting.hash_descriptor(file.fileno()) == (expected, checksum, size)
    assert digesting.digest_of_file(path) == digest_of(data) == digest_of(memoryview(data)) == expected


@pytest.mark.parametrize("raw", [b"", b"x" * 31, b"x" * 33])
def test_a_digest_has_32_bytes(raw: bytes) -> None:
    with pytest.raises(ValueError, match="32"):
        Digest(raw)


@moderate
@given(st.binary(min_size=32, max_size=32))
def test_digests_survive_as_text(raw: bytes) -> None:
    digest = Digest(raw)
    assert parse_digest(str(digest), what="x") == digest == parse_hex(digest.hex(), what="x")
    assert str(digest).startswith(digest.short) and digest.hex()[:12] in repr(digest)


@pytest.mark.parametrize(
    "text",
    ["", "blake3:", "0" * 64, "blake3:" + "0" * 63, "blake3:" + "0" * 65, "blake3:" + "A" * 64, "BLAKE3:" + "0" * 64,
     "blake3:" + "g" * 64, "blake3:" + "\u0660" * 64, " blake3:" + "0" * 64,
     "blake3:" + "0" * 64 + "\n", "md5:" + "0" * 32,
     "blake3: " + "0" * 63, "blake2:" + "0" * 64, None, 5, b"blake3:" + b"0" * 64, ["x"], 10**100],
)  # fmt: skip
def test_what_only_looks_like_a_digest_is_refused(text: object) -> None:
    with pytest.raises(FormatError):
        parse_digest(text, what="x")


# Chunks


@pytest.mark.parametrize("bits", [14, 16, 18])
def test_chunks_add_up_within_bounds_and_are_the_same_everywhere(bits: int) -> None:
    data = random.Random(bits).randbytes((1 << bits) * 20 + 12345)
    lengths = chunker.cut_lengths(data, average_bits=bits)
    assert sum(lengths) == len(data) and lengths == chunker.cut_lengths(memoryview(data), average_bits=bits)
    assert all((1 << bits) // 4 <= n <= 4 << bits for n in lengths[:-1]) and 0 < lengths[-1] <= 4 << bits
    assert 10 <= len(lengths) <= 40, "the average is about what it says"


@moderate
@given(st.binary(max_size=200), st.sampled_from(chunker.AVERAGE_BITS))
def test_small_data_is_one_chunk_and_none_is_none(data: bytes, bits: int) -> None:
    assert chunker.cut_lengths(data, average_bits=bits) == [len(data)] * bool(data)


def test_an_insertion_changes_few_chunks() -> None:
    """Else every edit sends the whole file."""
    data = random.Random(1).randbytes(1 << 20)
    edited = data[:500_000] + b"inserted" + data[500_000:]

    def pieces(whole: bytes) -> set[bytes]:
        lengths = chunker.cut_lengths(whole, average_bits=14)
        starts = [sum(lengths[:i]) for i in range(len(lengths))]
        return {whole[s : s + n] for s, n in zip(starts, lengths, strict=True)}

    assert len(pieces(edited) - pieces(data)) <= 3


def test_cut_points_have_not_moved_since_the_first_release() -> None:
    """Other cut points are no error, but nothing would be shared with what was pushed before."""
    data = random.Random(14).randbytes(200_000)
    assert digest_of(repr(chunker.cut_lengths(data, average_bits=14)).encode()).hex()[:16] == "e5d061ebad33c48b"


def test_average_sizes_keep_chunk_tables_bounded() -> None:
    steps = [(0, 14), (64 << 20, 14), ((64 << 20) + 1, 16), (1 << 36, 16), ((1 << 36) + (1 << 16), 18), (1 << 39, 20),
             (1 << 42, 22), (1 << 60, 22)]  # fmt: skip
    assert [chunker.average_bits_for(size) for size, _ in steps] == [bits for _, bits in steps]


def test_the_compiled_cutter_is_installed() -> None:
    assert chunker.is_compiled(), "the pure one is 200 times slower"


# Signatures


def test_a_signature_notices_every_way_of_changing_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one")
    before = signature_of(path.lstat())
    os.utime(path, ns=(1, before.mtime_ns))
    assert signature_of(path.lstat())._replace(ctime_ns=before.ctime_ns) == before, "reading is no change"
    other = tmp_path / "g"
    other.write_bytes(b"two")
    os.utime(other, ns=(1, before.mtime_ns))
    other.replace(path)
    assert signature_of(path.lstat()) != before, "same size and time, another file"


def test_racy_means_modified_within_two_seconds_of_reading() -> None:
    read = 10**18
    assert Signature(1, 1, 1, read - RACY_NS, 1).is_racy(read) and Signature(1, 1, 1, read + 5, 1).is_racy(read)
    assert not Signature(1, 1, 1, read - RACY_NS - 1, 1).is_racy(read)


# Workers


def test_results_come_in_order_and_everything_runs_at_most_jobs_at_once() -> None:
    running, peak, lock = 0, 0, threading.Lock()

    def work(n: int) -> int:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.002 * (n % 3))
        with lock:
            running -= 1
        return n * n

    assert list(workers.each(work, range(40), jobs=4)) == [n * n for n in range(40)]
    assert 1 < peak <= 4


@pytest.mark.parametrize("jobs", [1, 3])
def test_items_are_taken_no_further_ahead_than_memory_allows(jobs: int) -> None:
    taken = 0

    def items() -> object:
        nonlocal taken
        for n in range(1000):
            taken += 1
            yield n

    results = workers.each(str, items(), jobs=jobs)  # type: ignore[arg-type, call-overload]
    assert next(results) == "0" and taken <= 2 * jobs
    results.close()
    assert taken <= 2 * jobs


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_first_error_stops_new_work_and_is_raised(jobs: int) -> None:
    done: list[int] = []

    def work(n: int) -> int:
        if n >= 5:
            raise KeyError(n)
        done.append(n)
        return n

    seen = []
    with pytest.raises(KeyError, match="5"):
        for n in workers.each(work, range(10_000), jobs=jobs):
            seen.append(n)
    assert seen == done == [0, 1, 2, 3, 4]


def test_an_error_waits_for_what_is_still_running() -> None:
    finished = threading.Event()

    def work(n: int) -> None:
        if n == 0:
            time.sleep(0.01)
            raise ValueError
        time.sleep(0.05)
        finished.set()

    with pytest.raises(ValueError):
        list(workers.each(work, [0, 1], jobs=2))
    assert finished.is_set(), "else a thread still writes while its file is cleaned up"


def test_an_executor_from_outside_is_used_and_left_running() -> None:
    class Counting(ThreadPoolExecutor):
        calls = 0

        def submit(self, *args, **kwargs) -> Future:  # type: ignore[no-untyped-def, override, type-arg]
            Counting.calls += 1
            return super().submit(*args, **kwargs)

    with Counting(2) as executor:
        assert list(workers.each(abs, [-1, -2, -3], jobs=1, executor=executor)) == [1, 2, 3]
        assert executor.submit(abs, -4).result() == 4 and Counting.calls == 4


def test_no_items_start_no_work() -> None:
    assert list(workers.each(abs, [], jobs=4)) == []


def test_both_calls_are_under_way_at_once_and_the_first_ones_error_counts() -> None:
    meeting = threading.Barrier(2, timeout=30)
    assert workers.both(meeting.wait, meeting.wait) in [(0, 1), (1, 0)], "one alone would wait for ever"

    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(KeyError, match="one"):
        workers.both(lambda: fail(KeyError("one")), lambda: fail(ValueError("other")))
    with pytest.raises(ValueError, match="other"):
        workers.both(lambda: 1, lambda: fail(ValueError("other")))


# Copies


@pytest.mark.parametrize("size", [0, 1, (4 << 20) + 17])
def test_a_copy_is_equal_and_says_how_far_it_is_and_what_it_copied(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    (tmp_path / "a").write_bytes(data)
    steps: list[int] = []
    hasher = digesting.Hasher()
    with (tmp_path / "a").open("rb") as source, (tmp_path / "b").open("w+b") as target:
        assert copying.copy(source.fileno(), target.fileno(), size, seen=hasher.update, progress=steps.append) == size
    assert (tmp_path / "b").read_bytes() == data and sum(steps) == size
    assert (hasher.digest(), hasher.size) == (digesting.digest_of(data), size)


def test_a_file_that_got_shorter_or_longer_is_copied_as_far_as_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    with (tmp_path / "a").open("rb") as source, (tmp_path / "b").open("w+b") as target:
        assert copying.copy(source.fileno(), target.fileno(), 10) == 5
        assert copying.copy(source.fileno(), target.fileno(), 3) == 3


def test_a_file_is_copied_whether_or_not_it_could_be_cloned(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    with (tmp_path / "a").open("rb") as source, (tmp_path / "b").open("w+b") as target:
        assert copying.clone(source.fileno(), target.fileno()) in (True, False)
        assert copying.copy(source.fileno(), target.fileno(), 5) == 5
        assert os.pread(target.fileno(), 9, 0) == b"12345"


def test_a_full_disk_is_an_error_not_a_short_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", full)
    (tmp_path / "a").write_bytes(b"12345")
    with (tmp_path / "a").open("rb") as source, (tmp_path / "b").open("w+b") as target, pytest.raises(OSError):
        copying.copy(source.fileno(), target.fileno(), 5)
