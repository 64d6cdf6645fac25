"""A file that goes up in parts: the bytes that were hashed are the bytes that were sent. If these fail, a wrong object
may lie under a good name."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lobsterdv import reading
from lobsterdv.blobs import verbatim
from lobsterdv.blobs.cutting import cut_data
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.sending import Wanted
from lobsterdv.chunker import average_bits_for
from lobsterdv.digest import digest_of
from lobsterdv.errors import CorruptContent, Unreachable
from lobsterdv.formats.layout import object_key
from lobsterdv.stores.memory import MemoryUpload
from tests.blobs.places import CountingStore, fetch, noise, open_cache, remote_over, send, upload

PART = 1 << 20
SIZE = (9 << 20) + 12_345
KEY = object_key(digest_of(noise(SIZE, 1)))


class PartsStore(CountingStore):
    """Parts of PART bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.uploads: list[MemoryUpload] = []

    def upload(self, key: str, size: int) -> MemoryUpload:
        self.uploads.append(MemoryUpload(self, key, size, part_size=PART))
        return self.uploads[-1]


@pytest.fixture
def store() -> PartsStore:
    return PartsStore()


@pytest.fixture
def here(tmp_path: Path, store: PartsStore) -> Remote:
    return remote_over(store, open_cache(tmp_path / "here"))


def test_parts_make_the_same_cut_and_come_back(here: Remote, tmp_path: Path) -> None:
    data = noise(SIZE, 1)
    (content,), sent = send(here, [data], threshold=PART)
    cut = cut_data(data, digest_of(data), average_bits_for(SIZE))
    assert (list(content.lengths), list(content.chunk_digests)) == (list(cut.lengths), list(cut.digests))
    assert sent.new_bytes == SIZE
    cache, failed = fetch(here, [content], tmp_path / "there")
    assert not failed and cache.read_small(content.digest, name="n") == data


class _Faulty:
    """``preadv`` that gives one wrong bit, the ``times``-th time that a place of a large file is read."""

    def __init__(self, times: int) -> None:
        self._read = reading.os.preadv
        self._times = times
        self._seen: dict[int, int] = {}
        self._lock = threading.Lock()

    def __call__(self, descriptor: int, buffers: list[memoryview], offset: int) -> int:
        got = self._read(descriptor, buffers, offset)
        place = 5 * PART + 77
        if offset <= place < offset + got:
            with self._lock:
                self._seen[place] = self._seen.get(place, 0) + 1
                if self._seen[place] == self._times:
                    buffers[0][place - offset] ^= 4
        return got


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("known", [False, True])
def test_what_a_disk_gives_differently_never_gets_the_name(
    here: Remote, store: PartsStore, times: int, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad memory, or a page that was read again: the file is read once, or it is not named. With ``known`` it was
    cut before, for comparison with an older version."""
    old = None
    if known:
        old, _ = send(here, [noise(100_000, 2)])
    data = noise(SIZE, 1)
    with Intake(here.cache) as intake:
        intake.keep_plain(digest_of(data), data)
    monkeypatch.setattr(reading.os, "preadv", _Faulty(times))
    wanted = [Wanted(digest_of(data), SIZE)]
    if times == 1 or known:
        with pytest.raises(CorruptContent):
            upload(here, wanted, old, threshold=PART)
        assert KEY not in [stat.key for stat in store.list("objects/")]
        assert not store.uploads or not store.uploads[0]._parts, "given up"
    else:
        upload(here, wanted, old, threshold=PART)
        assert store.read_whole(KEY, limit=SIZE) == data


@pytest.mark.parametrize("jobs", [1, 2, 8])
@pytest.mark.parametrize("failing", [0, 4, 9])
def test_the_first_error_is_the_one_that_is_told(
    here: Remote, store: PartsStore, jobs: int, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the threads are waiting for: a part that cannot be sent, or be read, ends them all."""
    data = noise(SIZE, 1)
    with Intake(here.cache) as intake:
        intake.keep_plain(digest_of(data), data)
    before = threading.active_count()

    def broken(upload: MemoryUpload, number: int, data: bytes | memoryview) -> None:
        if number == failing:
            raise Unreachable("mem:", "write", "no answer")

    monkeypatch.setattr(MemoryUpload, "send", broken)
    with pytest.raises(Unreachable):
        upload(here, [Wanted(digest_of(data), SIZE)], threshold=PART, jobs=jobs)
    monkeypatch.undo()

    def unread(view: memoryview, descriptor: int, start: int) -> int:
        if start == failing * PART:
            raise OSError(5, "Input/output error")
        return reading.read_into(view, descriptor, start)

    monkeypatch.setattr(verbatim, "read_into", unread)
    with pytest.raises(OSError, match="Input/output"):
        upload(here, [Wanted(digest_of(data), SIZE)], threshold=PART, jobs=jobs)
    assert threading.active_count() == before and KEY not in [stat.key for stat in store.list("objects/")]


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_is_shorter_or_longer_is_not_sent(here: Remote, store: PartsStore, change: int) -> None:
    data = noise(SIZE, 1)
    with Intake(here.cache) as intake:
        intake.keep_plain(digest_of(data), data)
    path = here.cache.plain_path(digest_of(data))
    path.chmod(0o644)
    path.write_bytes(data[:change] if change < 0 else data + b"m")
    with pytest.raises(CorruptContent):
        upload(here, [Wanted(digest_of(data), SIZE)], threshold=PART)
    assert not store.uploads
