"""What add, push and pull cost: bytes read, written, sent and stored, requests, memory, programs; never seconds."""

from __future__ import annotations

import itertools
import os
import random

import pytest

from lobsterdv.stores.memory import MemoryStore
from tests.ops.costing import Costs, costs_of, linux, write_noise
from tests.ops.lab import Lab, settle
from tests.ops.watching import WatchedStore, tree

MB = 1_000_000
PROGRAM = 20 * MB
"""What is read of the program itself and of git's answers."""
MEMORY = 300 * MB
"""Below the promised 400, and below LARGE: a process that holds all of the file once does not pass. 225 were needed."""
LARGE = 320
"""MiB: enough to fill every buffer there is."""


@pytest.fixture
def store(lab: Lab) -> WatchedStore:
    watched = WatchedStore(MemoryStore())
    lab.use(watched)
    return watched


def run(lab: Lab, *args: str) -> Costs:
    return costs_of(*args, cwd=lab.root, env=lab.env)


def read_bytes(store: WatchedStore) -> int:
    """Of contents."""
    return sum(call.size for call in store.calls if call.verb == "read")


def document_bytes(store: WatchedStore) -> int:
    """Of the marker, of manifests and segments."""
    return sum(call.size for call in store.calls if call.verb == "read_whole")


# Bytes on this machine


@linux
def test_add_of_a_large_file_reads_it_once_and_writes_it_once(lab: Lab) -> None:
    """DVC reads 3 times and writes twice."""
    size = 64 << 20
    write_noise(lab.path("big"), 64)
    settle(lab.path("big"))
    costs = run(lab, "add", "big")
    assert costs.read <= 1.05 * size + PROGRAM, (
        "hashed while it is copied (where it is cloned, as it lies in the cache)"
    )
    assert costs.written <= 1.01 * size
    again = run(lab, "add", "big")
    assert again.read <= PROGRAM and again.written <= MB


@linux
def test_add_of_many_small_files_reads_and_writes_them_once(lab: Lab) -> None:
    count, size = 3000, 4096
    for number in range(count):
        lab.write(f"many/{number // 100:02}/{number % 100:02}", os.urandom(size))
    costs = run(lab, "add", "many")
    assert costs.read <= count * size + PROGRAM
    assert costs.written <= 1.15 * count * size + MB, "each once; their names, digests and stats besides"
    assert run(lab, "status").read <= PROGRAM, "status reads no data"


@linux
def test_push_reads_a_file_once(lab: Lab) -> None:
    size = 64 << 20
    write_noise(lab.path("big"), 64)
    run(lab, "add", "big")
    costs = run(lab, "push")
    assert costs.read <= 1.05 * size + PROGRAM, "what is hashed and cut is what is sent"
    assert costs.written <= 1.01 * size + MB, "into the embedded remote, once"
    assert run(lab, "push").read <= PROGRAM


@linux
@pytest.mark.parametrize("kind", ["noise", "7-bit noise", "zeros"])
def test_a_large_file_needs_bounded_memory(lab: Lab, kind: str) -> None:
    """Verbatim in parts, in compressed objects that hardly shrink, and as next to nothing."""
    if kind == "zeros":
        with lab.path("big").open("wb") as file:
            file.truncate(LARGE << 20)
    else:
        write_noise(lab.path("big"), LARGE, bits=7 if kind == "7-bit noise" else 8)
    peaks = {"add": run(lab, "add", "big").peak, "push": run(lab, "push").peak}
    lab.commit()
    digest = lab.pointer("big").digest
    lab.path("big").unlink()
    lab.lose_cache()
    peaks["pull"] = run(lab, "pull").peak
    assert all(peak < MEMORY for peak in peaks.values()), peaks
    stored = {p: p.stat().st_size for p in (lab.project.state / "remote/objects").rglob("*") if p.is_file()}
    assert digest == lab.pointer("big").digest and lab.state("big").work == "clean"
    least, most = {"noise": (1, 1), "7-bit noise": (0.87, 0.9), "zeros": (0, 0.001)}[kind]
    assert least <= sum(stored.values()) / (LARGE << 20) <= most
    if kind != "noise":
        assert max(stored.values()) <= 16 << 20, "what is compressed is cut into objects that are cheap to send again"


@linux
def test_programs_started(lab: Lab) -> None:
    """A process costs 3 ms and more; their number must not grow with the datasets."""
    counts = []
    for names in (["first"], [f"a{n}" for n in range(2)], [f"b{n}" for n in range(30)]):
        for name in names:
            lab.write(name, os.urandom(100))
        started = [run(lab, "add", *names).started, run(lab, "status").started, run(lab, "push").started]
        assert {words[0].rpartition("/")[2] for words in itertools.chain(*started)} == {"git"}
        lab.commit()
        for name in names:
            lab.path(name).unlink()
        counts.append([*map(len, started), len(run(lab, "pull").started)])
    assert counts[1] == counts[2], "add, status, push, pull with 2 datasets and with 30 more"
    assert max(counts[2]) <= 7


# Bytes and requests on the wire


@pytest.mark.parametrize(("count", "some"), [(2000, 20), pytest.param(10_000, 100, marks=pytest.mark.slow)])
def test_some_files_of_a_packed_directory_cost_little_more_than_their_bytes(
    lab: Lab, store: WatchedStore, count: int, some: int
) -> None:
    """100 tables out of 10,000: neither 10,000 requests nor all the bytes."""
    size = 4096
    for number in range(count):
        path = lab.path(f"many/{number // 100:02}/{number % 100:02}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(number).randbytes(size))
    lab.add("many")
    lab.commit()
    lab.push()
    chosen = random.Random(1).sample(range(count), some)
    other = lab.clone(lab.root.parent / "b")
    store.forget()
    other.pull(*(f"many/{number // 100:02}/{number % 100:02}" for number in chosen))
    assert len(tree(other.path("many"))) == some
    assert read_bytes(store) + document_bytes(store) <= 2 * some * size, "the manifest and everything else"
    assert document_bytes(store) <= 38 * count + 300, "a digest and its place for each file; the marker"
    assert store.count()["read"] <= some
    store.forget()
    other.pull("many/17")
    assert store.count()["read"] <= 2 and read_bytes(store) <= 100 * size, "a folder lies together"
    assert document_bytes(store) == 0, "the manifest is kept"
    store.forget()
    other.pull()
    assert store.count()["read"] <= 20, "the rest, however many holes it has"
    assert read_bytes(store) <= 1.05 * count * size
    assert tree(other.path("many")) == tree(lab.path("many"))
    other.close()


def test_text_is_sent_and_stored_small(lab: Lab, store: WatchedStore) -> None:
    """Small files compress together with their neighbours' settings, each readable alone."""
    rows = [f"gene-{n:05}\t{n * n % 977}\t{n % 13}\n" for n in range(2000)]
    for number in range(200):
        lab.write(f"tables/{number:03}.tsv", "".join(rows[number : number + 1500]))
    lab.add("tables")
    (version,) = lab.push().versions
    sent = sum(call.size for call in store.calls if call.key.startswith("objects/"))
    stored = sum(stat.size for stat in store.inner.list("objects/"))
    assert sent == stored == version.new_bytes
    assert stored < 0.35 * version.size
    assert store.count()["put"] <= 4, "marker, one object, manifest, record"


def test_an_edit_costs_what_changed(lab: Lab, store: WatchedStore) -> None:
    """One column more in a table of 30 MB, by requests as well."""
    data = random.Random(7).randbytes(30 << 20)
    lab.write("table", data)
    lab.add("table")
    lab.push()
    lab.write("table", data[: 11 << 20] + b"column" * 10_000 + data[11 << 20 :])
    lab.add("table")
    store.forget()
    lab.push()
    everything = sum(call.size for call in store.calls if call.verb in ("put", "upload"))
    documents = sum(call.size for call in store.calls if not call.key.startswith("objects/"))
    assert everything < 60_000 + 0.01 * len(data) and documents < 200_000
    # Marker; record, manifest, the base's object and the new one; then what was written, each seen.
    assert sum(store.count().values()) <= 14
    store.forget()
    lab.commit()
    lab.lose_cache()
    lab.path("table").unlink()
    lab.use(store).pull()
    assert store.count()["read"] <= 4, "30 MB in ranges of 16, and the edit"
    assert read_bytes(store) <= len(data) + 2 * 60_000 + 100_000


@pytest.mark.slow
def test_a_file_changed_a_thousand_times_stays_quick_to_pull(lab: Lab, store: WatchedStore) -> None:
    """One small file of 120 is another one each time: every version is read from at most 65 objects, and the whole
    history does not cost a packing a push. In short: tests/blobs/test_many_versions.py."""
    clock = itertools.count(1_700_000_000)
    lab.project.now = lambda: float(next(clock))
    chance = random.Random(3)
    for number in range(120):
        lab.write(f"run/{number:03}", chance.randbytes(1000))
    lab.add("run")
    lab.push()
    sent = []
    for change in range(1000):
        lab.write(f"run/{chance.randrange(120):03}", chance.randbytes(1000))
        lab.add("run")
        if change % 100 == 99:
            lab.commit(tag=f"v{change}")
        (version,) = [v for v in lab.push().versions if v.outcome == "pushed"]
        sent.append(version.new_bytes)
    assert sum(sent) <= 1000 * (1000 + 120_000 / 60), "a packing anew for 60 pushes at the most"
    assert max(sent) <= 121_000
    other = lab.clone(lab.root.parent / "b")
    for change in range(99, 1000, 100):
        other.lose_cache()
        other.use(store)
        store.forget()
        other.pull(rev=f"v{change}", force=True)
        assert store.count()["read"] <= 65, f"version {change}"
        assert len(tree(other.path("run"))) == 120
    assert tree(other.path("run")) == tree(lab.path("run"))
    other.close()
