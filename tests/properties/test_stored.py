"""However content is cut, shared with older versions, compressed and packed: every byte of every version comes back.

Sizes are scaled down (tests/damage/scaled.py), so that a few hundred kilobytes take all the ways of gigabytes.
"""

from __future__ import annotations

import io
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lobsterdv.blobs import arrivals, cutting, sending, upload
from lobsterdv.blobs.cutting import Cutter, cut_data, cut_file, read_rows, stream_file
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.blobs.storage import Storage
from lobsterdv.blobs.stream import RemoteFile
from lobsterdv.digest import digest_of
from lobsterdv.ops import addition, taking_in
from lobsterdv.stores.memory import MemoryStore
from tests.blobs.places import CountingStore, open_cache, remote_over, send
from tests.damage import scaled
from tests.damage.oracle import Tree, check_remote, restore
from tests.ops.lab import Lab
from tests.properties.trees import picture

Kind = Literal["noise", "text", "zeros"]
SHORT = settings(deadline=None, derandomize=True, max_examples=30)
LARGEST = 400_000


@contextmanager
def small_sizes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in scaled.values():
            patch.setattr(module, name, value)
        patch.setattr(upload, "MANY_OBJECTS", 6)
        yield


def made(kind: Kind, seed: int, size: int) -> bytes:
    """Bytes that zstd cannot make smaller, or by much, or to nothing."""
    chance = random.Random(seed)
    if kind == "noise":
        return chance.randbytes(size)
    if kind == "zeros":
        return bytes(size)
    words = [f"gene-{chance.randrange(3000):05}\t{chance.randrange(50)}\n".encode() for _ in range(size // 12 + 1)]
    return b"".join(words)[:size]


contents = st.builds(
    made, st.sampled_from(["noise", "text", "zeros"]), st.integers(0, 5), st.integers(0, LARGEST)
)  # fmt: skip


# Cutting


@SHORT
@given(data=contents, bits=st.sampled_from([14, 16]), window=st.integers(300_000, 600_000))
@example(data=b"", bits=14, window=300_000)
@example(data=bytes(70_000), bits=14, window=300_000)
def test_cuts_concatenate_back(data: bytes, bits: int, window: int) -> None:
    """In memory, from a file by windows, as a stream of pieces, and read again: one cut."""
    cut = cut_data(data, digest_of(data), bits)
    assert sum(cut.lengths) == len(data) and all(cut.lengths)
    starts = [0, *accumulate(cut.lengths)]
    chunks = [data[start : start + n] for start, n in zip(starts, cut.lengths, strict=False)]
    assert b"".join(chunks) == data
    assert [blake3(chunk).digest() for chunk in chunks] == [bytes(d) for d in cut.digests]
    with small_sizes(), tempfile.TemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "WINDOW_BYTES", window)
        file.write(data)
        file.flush()
        again, digest = cut_file(file.fileno(), bits)
        assert digest == digest_of(data)
        assert (list(again.lengths), list(again.digests)) == (list(cut.lengths), list(cut.digests))
        hasher = blake3()
        pieces = list(stream_file(file.fileno(), bits, hasher))
        assert hasher.digest() == blake3(data).digest()
        assert b"".join(piece.data for piece in pieces) == data
        assert [n for piece in pieces for n in piece.lengths] == list(cut.lengths)
        assert [piece.first for piece in pieces] == [0, *accumulate(len(p.lengths) for p in pieces)][:-1]
        cutter = Cutter(bits, None)
        for start in range(0, len(data), window):
            part = data[start : start + window]
            cutter.feed(memoryview(bytearray(cutter.room) + part), is_last=start + window >= len(data))
        again, digest = cutter.finish()
        assert (list(again.lengths), list(again.digests), digest) == (cut.lengths, cut.digests, digest_of(data))
        if len(cut.lengths) > 2:
            rows = list(read_rows(file.fileno(), starts[1], cut, 1, len(cut.lengths) - 1))
            assert b"".join(piece.data for piece in rows) == data[starts[1] : starts[-2]]


# Ranges


@SHORT
@given(
    old=contents, new=contents, at=st.integers(0, LARGEST), level=st.sampled_from([None, 1, 3]),
    plain=st.booleans(), ranges=st.lists(st.tuples(st.integers(0, LARGEST), st.integers(0, LARGEST)), max_size=8),
)  # fmt: skip
def test_any_range_of_any_version_is_that_of_the_file(
    old: bytes, new: bytes, at: int, level: int | None, plain: bool, ranges: list[tuple[int, int]]
) -> None:
    """The second version shares what it can with the first; each is read in place, wherever a reader seeks."""
    versions = [old, old[:at] + new[:3000] + old[at:], new]
    folder = Path(tempfile.mkdtemp(prefix="lobsterdv-ranges-"))
    try:
        with small_sizes():
            remote = remote_over(CountingStore(), open_cache(folder / "cache"))
            placed = []
            for data in versions:
                (content,), _ = send(remote, [data], placed, storage=Storage(level, plain))
                placed.append(content)
            for content, data in zip(placed, versions, strict=True):
                with RemoteFile(remote, content, name="n") as file:
                    for start, length in ranges:
                        file.seek(start)
                        assert file.read(length) == data[start : start + length]
                    assert file.seek(0, io.SEEK_END) == len(data)
                    file.seek(0)
                    assert io.BufferedReader(file, 5000).read() == data
    finally:
        shutil.rmtree(folder)


# Versions


@dataclass(frozen=True)
class Edit:
    """What happens to one file: ``at`` and ``size`` are taken as they fit."""

    file: str
    how: str
    kind: Kind
    at: int
    size: int
    seed: int

    def apply(self, data: bytes) -> bytes | None:
        new = made(self.kind, self.seed, self.size)
        at = self.at % (len(data) + 1)
        acts: dict[str, Callable[[], bytes | None]] = {
            "replace": lambda: new,
            "insert": lambda: data[:at] + new[:5000] + data[at:],
            "overwrite": lambda: data[:at] + new[:9000] + data[at + len(new[:9000]) :],
            "cut out": lambda: data[:at] + data[at + self.size :],
            "append": lambda: data + new[:20_000],
            "double": lambda: data + data[at:],
            "swap halves": lambda: data[at:] + data[:at],
            "delete": lambda: None,
        }
        edited = acts[self.how]()
        return None if edited is None else edited[: 2 * LARGEST]


@dataclass(frozen=True)
class Step:
    """One version: what changes, and how it is pushed and by whom."""

    edits: tuple[Edit, ...]
    compression: str
    plain: bool
    by_colleague: bool


HOW = ["replace", "insert", "overwrite", "cut out", "append", "double", "swap halves", "insert", "overwrite", "delete"]
edits = st.builds(
    Edit,
    st.sampled_from(["large", "large", "other", "sub/small", "sub/tiny", "one.bin"]),
    st.sampled_from(HOW),
    st.sampled_from(["noise", "text", "zeros"]),
    st.integers(0, LARGEST),
    st.integers(0, LARGEST),
    st.integers(0, 3),
)
steps = st.builds(
    Step,
    st.lists(edits, min_size=1, max_size=4).map(tuple),
    st.sampled_from(["none", "auto", "auto", "1", "19"]),
    st.sampled_from([False, False, False, True]),
    st.booleans(),
)


def write(lab: Lab, name: str, data: bytes | None) -> None:
    path = "one.bin" if name == "one.bin" else f"tree/{name}"
    if data is not None:
        lab.write(path, data)
    elif name != "one.bin":  # a dataset that is a file stays one
        lab.path(path).unlink(missing_ok=True)


def live(history: list[Step]) -> None:
    """Every step is a version of a folder and of a file, pushed by one of two people; then all are restored."""
    folder = Path(tempfile.mkdtemp(prefix="lobsterdv-stored-"))
    store = MemoryStore()
    ada = Lab.create(folder / "ada", home=folder / "home").use(store)
    people = [ada]
    try:
        with small_sizes():
            for name, seed in (("large", 1), ("other", 2), ("one.bin", 3)):
                write(ada, name, made("noise", seed, 200_000) + made("text", seed, 100_000))
            write(ada, "sub/small", made("text", 4, 20_000))
            ada.write("tree/always", b"always")
            ada.add("tree", "one.bin")
            ada.commit(tag="v0")
            ada.push()
            people.append(ada.clone(folder / "bob"))
            people[1].pull()
            trees: dict[tuple[str, str], tuple[Tree, bytes]] = {}
            note(trees, "v0", ada)
            for number, step in enumerate(history, start=1):
                lab, other = people[::-1] if step.by_colleague else people
                for edit in step.edits:
                    path = lab.path("one.bin" if edit.file == "one.bin" else f"tree/{edit.file}")
                    before = path.read_bytes() if path.exists() else b""
                    write(lab, edit.file, edit.apply(before))
                lab.add("tree", "one.bin")
                lab.commit(tag=f"v{number}")
                lab.configure(remotes={"embedded": {"compression": step.compression}}).use(store)
                lab.push(plain=step.plain)
                note(trees, f"v{number}", lab)
                other.git("pull", "-q", "--tags", str(lab.root), "main")
                other.pull()
            check_restored(store, trees, people[0].clone(folder / "fresh"))
    finally:
        for lab in people:
            lab.close()
        shutil.rmtree(folder)


def note(trees: dict[tuple[str, str], tuple[Tree, bytes]], tag: str, lab: Lab) -> None:
    for dataset in ("tree", "one.bin"):
        trees[tag, dataset] = picture(lab.path(dataset)) or {}, lab.read(f"{dataset}.ldv.yaml")


def check_restored(store: MemoryStore, trees: dict[tuple[str, str], tuple[Tree, bytes]], fresh: Lab) -> None:
    """By the oracle, and by a lab without a cache, version by version."""
    held = {stat.key: store.read_whole(stat.key, limit=1 << 30) for stat in store.list("")}
    check_remote(held, {" ".join(key): pointer for key, (_, pointer) in trees.items()})
    try:
        for (tag, dataset), (tree, pointer) in trees.items():
            assert restore(held, pointer) == tree, f"{dataset} at {tag}, by the oracle"
            fresh.lose_cache()
            fresh.use(store)
            fresh.pull(dataset, rev=tag, force=True)
            assert picture(fresh.path(dataset)) == tree, f"{dataset} at {tag}"
    finally:
        fresh.close()


def test_what_the_cache_packs_is_never_sent_as_large() -> None:
    """A large content is read by its descriptor; one in a pack has none of its own."""
    assert SMALL_BYTES <= sending.SHARED_BELOW_BYTES
    with small_sizes():
        assert addition.SMALL_BYTES == taking_in.SMALL_BYTES == arrivals.SMALL_BYTES <= sending.SHARED_BELOW_BYTES


CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(deadline=None, derandomize=True, max_examples=4, database=None, suppress_health_check=CHECKS)
@given(st.lists(steps, min_size=2, max_size=6))
def test_every_version_comes_back(history: list[Step]) -> None:
    live(history)


@pytest.mark.slow
@settings(deadline=None, max_examples=150, suppress_health_check=CHECKS)
@given(st.lists(steps, min_size=3, max_size=12))
def test_every_version_comes_back_at_length(history: list[Step]) -> None:
    live(history)
