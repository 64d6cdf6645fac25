"""stats: people pay for what it says, and decide by it what to drop."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from lobsterdv.blobs.accounting import Sizes
from lobsterdv.digest import digest_of
from lobsterdv.errors import CorruptContent, MissingContent, NotTracked
from lobsterdv.formats.layout import Marker, encode_marker, manifest_key, record_key, segment_key
from lobsterdv.formats.listing import Entry, EntryType, digest_of_listing, make_listing
from lobsterdv.formats.manifest import Manifest, SegmentRef, encode_manifest, encode_segment
from lobsterdv.formats.pointer import Pointer
from lobsterdv.formats.record import Record, encode_record
from lobsterdv.formats.table import ZSTD, Content, Extent, StoredObject, Table
from lobsterdv.ops.stats import StatsReport, stats
from lobsterdv.paths import SafeRelPath, safe_path
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, checked, error_of
from tests.ops.watching import WatchedStore

FROZEN = Path(__file__).parents[1] / "data" / "format-1"


@pytest.fixture
def store(lab: Lab) -> WatchedStore:
    made = WatchedStore(MemoryStore())
    lab.use(made)
    return made


def counted(lab: Lab, *paths: str) -> StatsReport:
    return checked(try_stats(lab, *paths))


def try_stats(lab: Lab, *paths: str) -> StatsReport:
    report = stats(lab.project, paths, observer=lab.observe)
    for dataset in report.datasets:
        for sizes in (dataset.sizes, report.sizes, *(v.sizes for v in dataset.versions)):
            assert sizes.logical - sizes.identical - sizes.dedupe - sizes.zstd == sizes.stored
    return report


def by_version(report: StatsReport) -> dict[str, list[Sizes]]:
    return {dataset.path: [v.sizes for v in dataset.versions] for dataset in report.datasets}


def object_bytes(store: WatchedStore) -> int:
    return sum(stat.size for stat in store.inner.list("objects/"))


def file_table(name: str, lengths: list[int], *extents: Extent, stored: list[int] | None = None) -> Table:
    names = [digest_of(f"{name}/{n}".encode()) for n in range(len(lengths))]
    digest = digest_of(name.encode())
    return Table([], [Content(digest, sum(lengths), 14, lengths, names, stored or lengths, extents)])


class Scribe:
    """Writes manifests and records as some push might, without any content."""

    def __init__(self, lab: Lab, store: WatchedStore) -> None:
        self.lab = lab
        self.store = store
        store.put("lobsterdv.json", encode_marker(Marker("ab" * 16)))

    def push(self, path: str, table: Table, at: str, *, segments: int = 0) -> str:
        """Record a version; a directory's table may be cut after every so many entries. Returns its manifest's key."""
        is_directory = bool(table.entries)
        version = digest_of_listing(make_listing(table.entries)) if is_directory else table.contents[0].digest
        size = sum(e.size for e in table.entries) if is_directory else table.contents[0].size
        manifest = Manifest(version, is_directory, size, table)
        if segments:
            refs = []
            for start in range(0, len(table.entries), segments):
                rows = table.entries[start : start + segments]
                used = dict.fromkeys(e.digest for e in rows)
                part = Table(rows, [next(c for c in table.contents if c.digest == d) for d in used])
                stored = encode_segment(part)
                refs.append(SegmentRef(digest_of(stored), len(rows), rows[0].path))
                self.store.put(segment_key(refs[-1].digest), stored)
            manifest = Manifest(version, True, size, None, tuple(refs))
        encoded = encode_manifest(manifest)
        key = manifest_key(version, digest_of(encoded))
        self.store.put(key, encoded)
        pointer = Pointer(version, size, "directory", files=len(table.entries)) if is_directory else Pointer(
            version, size, "file")  # fmt: skip
        record = encode_record(Record(safe_path(path), pointer, digest_of(encoded), at, "Ada", "lab", None))
        self.store.put(record_key(self.lab.project.project_id, digest_of(record)), record)
        return key


@pytest.fixture
def scribe(lab: Lab, store: WatchedStore) -> Scribe:
    return Scribe(lab, store)


def test_what_was_pushed_adds_up_to_the_objects(lab: Lab, store: WatchedStore) -> None:
    """Two versions of a directory and a file that is also in it: whatever push makes of them."""
    noise = random.Random(4)
    big = noise.randbytes(1_500_000)
    lab.write("d/big", big)
    lab.write("d/same", big)
    lab.write("d/text", "gene,count\n" * 20_000)
    lab.write("copy.bin", big)
    lab.add("d", "copy.bin")
    lab.commit()
    lab.push()
    lab.write("d/big", big[:700_000] + b"changed" + big[700_000:])
    lab.add("d")
    lab.commit()
    lab.push()
    report = counted(lab)
    versions = by_version(report)
    assert [len(v) for v in versions.values()] == [1, 2]
    assert report.sizes.logical == versions["copy.bin"][0].logical + 3_220_000 + 3_220_007
    assert report.sizes.identical >= 2 * len(big), "the copy beside it, and what did not change"
    assert report.sizes.stored + report.sizes.unused + report.sizes.again == object_bytes(store)
    assert report.sizes.dedupe > 1_000_000 and report.sizes.zstd > 100_000
    assert versions["d"][1].stored < 300_000


def test_ranges_frames_and_equal_files(lab: Lab, scribe: Scribe) -> None:
    old = StoredObject(digest_of(b"old"), 600)
    new = StoredObject(digest_of(b"new"), 100, ZSTD)
    scribe.push("x", file_table("v1", [100, 200, 300], Extent(old, 0, 3)), "2026-01-01T00:00:00Z")
    delta = file_table("v2", [100, 250, 300], Extent(old, 0, 1), Extent(new, 0, 1), Extent(old, 300, 1),
                       stored=[100, 80, 300])  # fmt: skip
    scribe.push("x", delta, "2026-01-02T00:00:00Z")
    scribe.push("y", delta, "2026-01-03T00:00:00Z")
    report = counted(lab)
    assert by_version(report) == {
        "x": [Sizes(logical=600, stored=600), Sizes(logical=650, dedupe=400, zstd=170, stored=80, unused=20)],
        "y": [Sizes(logical=650, identical=650)],
    }
    assert report.sizes == Sizes(1900, 650, 400, 170, 680, 0, 20)


def test_the_earliest_record_has_the_bytes(lab: Lab, scribe: Scribe) -> None:
    """By the time of the records, not by names or by what this machine learned first; half a second counts."""
    whole = StoredObject(digest_of(b"w"), 100)
    table = file_table("v", [100], Extent(whole, 0, 1))
    scribe.push("b", table, "2026-01-01T00:00:00.500000Z")
    assert by_version(counted(lab)) == {"b": [Sizes(logical=100, stored=100)]}
    scribe.push("a", table, "2026-01-01T00:00:00.600000Z")
    scribe.push("c", table, "2026-01-01T00:00:00Z")
    found = by_version(counted(lab))
    assert [found[name][0].stored for name in "abc"] == [0, 0, 100]


def test_another_manifest_of_a_version_is_no_other_version(lab: Lab, scribe: Scribe) -> None:
    """Packed anew: the remote has it twice until the old objects go. The same push twice is nothing."""
    first, second = StoredObject(digest_of(b"1"), 100), StoredObject(digest_of(b"2"), 120)
    scribe.push("x", file_table("v", [100], Extent(first, 0, 1)), "2026-01-01T00:00:00Z")
    scribe.push("x", file_table("v", [100], Extent(first, 0, 1)), "2026-01-02T00:00:00Z")
    scribe.push("x", file_table("v", [100], Extent(second, 10, 1)), "2026-01-03T00:00:00Z")
    assert by_version(counted(lab)) == {"x": [Sizes(logical=100, stored=100, again=100, unused=20)]}
    assert counted(lab).datasets[0].versions[0].at == "2026-01-01T00:00:00Z"


def test_segments_that_did_not_change_are_read_once(lab: Lab, store: WatchedStore, scribe: Scribe) -> None:
    pack = StoredObject(digest_of(b"pack"), 1000)

    def directory(names: list[str]) -> Table:
        contents = [Content(digest_of(n.encode()), 10, 14, [10], [digest_of(n.encode())], [10],
                            (Extent(pack, (ord(n[0]) - 97) * 10 + 500 * (len(n) - 1), 1),)) for n in names]  # fmt: skip
        entries = [Entry(SafeRelPath(f"f{i}"), EntryType.FILE, 10, c.digest) for i, c in enumerate(contents)]
        return Table(entries, contents)

    scribe.push("d", directory(["a", "b", "c", "d"]), "2026-01-01T00:00:00Z", segments=2)
    scribe.push("d", directory(["a", "b", "c", "dd"]), "2026-01-02T00:00:00Z", segments=2)
    store.forget()
    found = by_version(counted(lab))["d"]
    assert found == [Sizes(logical=40, stored=40, unused=950), Sizes(logical=40, identical=30, stored=10)]
    assert len([c for c in store.calls if c.key.startswith("segments/")]) == 3
    store.forget()
    counted(lab)
    assert store.count() == {"head": 1, "list": 1}, "everything is remembered, but what the catalog holds"


def test_only_the_catalog_says_what_there_is(lab: Lab, store: WatchedStore, scribe: Scribe) -> None:
    """A record that somebody removed is no version any more, whatever this machine remembers."""
    whole = StoredObject(digest_of(b"w"), 100)
    scribe.push("x", file_table("v", [100], Extent(whole, 0, 1)), "2026-01-01T00:00:00Z")
    counted(lab)
    (key,) = store.keys("catalog/")
    store.delete(key)
    assert counted(lab).datasets == []


def test_paths_choose_what_is_shown_not_how_it_is_counted(lab: Lab, scribe: Scribe) -> None:
    whole = StoredObject(digest_of(b"w"), 100)
    table = file_table("v", [100], Extent(whole, 0, 1))
    scribe.push("data/a", table, "2026-01-01T00:00:00Z")
    scribe.push("data/b", table, "2026-01-02T00:00:00Z")
    scribe.push("c", table, "2026-01-03T00:00:00Z")
    assert by_version(counted(lab, "data/b.ldv.yaml")) == {"data/b": [Sizes(logical=100, identical=100)]}
    assert list(by_version(counted(lab, "data"))) == ["data/a", "data/b"]
    assert list(by_version(counted(lab, "?"))) == ["c"]
    assert counted(lab, "data").sizes.logical == 200


def test_one_version_of_a_dataset_is_counted_by_its_name(lab: Lab) -> None:
    lab.write("a", b"one")
    lab.add("a")
    lab.commit("first")
    lab.push()
    lab.write("a", b"three")
    lab.add("a")
    lab.commit("second")
    lab.push()
    sizes = {
        name: [v.sizes.logical for d in counted(lab, name).datasets for v in d.versions] for name in ("a", "a@HEAD~1")
    }
    assert sizes == {"a": [3, 5], "a@HEAD~1": [3]}


def test_paths_that_the_catalog_does_not_know(lab: Lab, scribe: Scribe) -> None:
    scribe.push("x", file_table("v", [100], Extent(StoredObject(digest_of(b"w"), 100), 0, 1)), "2026-01-01T00:00:00Z")
    lab.write("new.bin", "n")
    lab.add("new.bin")
    (row,) = counted(lab, "new.bin").datasets
    assert (row.path, row.versions, row.sizes) == ("new.bin", [], Sizes())
    report = try_stats(lab, "typo", "x")
    assert isinstance(error_of(report), NotTracked) and [d.path for d in report.datasets] == ["x"]


def test_a_lost_or_damaged_manifest_is_said_and_the_rest_counted(lab: Lab, store: WatchedStore, scribe: Scribe) -> None:
    old = StoredObject(digest_of(b"old"), 100)
    good = file_table("good", [100], Extent(old, 0, 1))
    lost = scribe.push("lost", file_table("a", [100], Extent(old, 0, 1)), "2026-01-01T00:00:00Z")
    bad = scribe.push("bad", file_table("b", [100], Extent(old, 0, 1)), "2026-01-02T00:00:00Z")
    scribe.push("good", good, "2026-01-03T00:00:00Z")
    store.delete(lost)
    store.put(bad, b"rubbish")
    report = try_stats(lab)
    assert {f.path: type(f.error) for f in report.failures} == {"lost": MissingContent, "bad": CorruptContent}
    assert by_version(report) == {"good": [Sizes(logical=100, stored=100)]}
    assert [f.path for f in try_stats(lab, "bad").failures] == ["bad"]


def test_a_manifest_of_another_version_is_damage(lab: Lab, store: WatchedStore, scribe: Scribe) -> None:
    old = StoredObject(digest_of(b"old"), 100)
    key = scribe.push("x", file_table("a", [100], Extent(old, 0, 1)), "2026-01-01T00:00:00Z")
    pointer = Pointer(digest_of(b"other"), 100, "file")
    name = digest_of(store.inner.read_whole(key, limit=1 << 20))
    store.put(manifest_key(pointer.digest, name), store.inner.read_whole(key, limit=1 << 20))
    record = encode_record(Record(safe_path("y"), pointer, name, "2026-01-02T00:00:00Z", "Ada", "lab", None))
    store.put(record_key(lab.project.project_id, digest_of(record)), record)
    report = try_stats(lab)
    assert isinstance(error_of(report), CorruptContent) and list(by_version(report)) == ["x"]


def test_where_nothing_was_pushed(lab: Lab, store: WatchedStore) -> None:
    report = counted(lab)
    assert (report.remote, report.embedded, report.datasets, report.sizes) == ("embedded", True, [], Sizes())
    Scribe(lab, store)
    assert counted(lab).datasets == [], "others use the remote"


def test_frozen_samples(lab: Lab, tmp_path: Path) -> None:
    """The remote of format 1 as it was written once."""
    remote = FROZEN / "remote"
    subprocess.run(["cp", "-r", str(remote), str(tmp_path / "remote")], check=True)
    (project,) = (p.name for p in (remote / "catalog").iterdir())
    lab.write(
        ".lobsterdv.yaml",
        f'lobsterdv: 1\nproject: "{project}"\nremote: r\nremotes:\n  r:\n    url: "{tmp_path}/remote"\n',
    )
    lab.reopen()
    report = counted(lab)
    records = list((remote / "catalog" / project).iterdir())
    assert sum(len(d.versions) for d in report.datasets) == len(records)
    there = sum(path.stat().st_size for path in (remote / "objects").rglob("*") if path.is_file())
    assert report.sizes.stored + report.sizes.again + report.sizes.unused == there
    assert report.sizes.logical > report.sizes.stored > 0
