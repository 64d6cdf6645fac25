"""push: the order of its writes, the number of its requests, and what it sends."""

from __future__ import annotations

import itertools
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from lobsterdv.errors import CorruptContent, Denied, NotARemote, NotTracked
from lobsterdv.formats import manifest as manifest_format
from lobsterdv.formats.layout import FORGOTTEN, object_key
from lobsterdv.ops.push import push
from lobsterdv.stores.directory import DirectoryStore
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, error_of
from tests.ops.watching import Call, WatchedStore, meet


@pytest.fixture
def store(lab: Lab) -> WatchedStore:
    """What every remote of ``lab`` is."""
    watched = WatchedStore(MemoryStore())
    lab.use(watched)
    return watched


def folders(keys: list[str]) -> list[str]:
    """The first parts of keys, repeats in a row told once."""
    return [first for first, _ in itertools.groupby(key.split("/")[0] for key in keys)]


def test_written_in_the_order_of_the_protocol(lab: Lab, store: WatchedStore) -> None:
    """A reader who finds a name must find everything behind it."""
    lab.write("run/large.bin", os.urandom(9 << 20))
    lab.write("run/small.csv", "1")
    lab.add("run")
    lab.push()
    assert folders(store.written()) == ["lobsterdv.json", "objects", "manifests", "catalog"]
    order = [call.verb for call in store.calls if call.key.startswith("catalog/") and call.verb != "list"]
    assert order == ["put", "head"], "what is claimed was seen there"


def test_what_was_pushed_and_what_was_forgotten_is_asked_side_by_side(lab: Lab, store: WatchedStore) -> None:
    lab.write("same", "same")
    for text in ("one", "two", "three"):
        lab.write("a", text)
        lab.add("a", "same")
        lab.commit()
        if text == "two":
            lab.push()
    store.forget()
    store.before = meet(("head", "manifests/"), ("list", FORGOTTEN))
    assert [version.outcome for version in lab.push().versions] == ["up to date", "pushed"]
    assert store.count()["list"] == 3, "records, those retired, tombstones"


def test_segments_come_before_their_manifest(lab: Lab, store: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_format, "INLINE_ROWS", 10)
    monkeypatch.setattr(manifest_format, "_CUT_MASK", 3)
    for number in range(60):
        lab.write(f"run/{number:03}", str(number))
    lab.add("run")
    lab.push()
    assert folders(store.written()) == ["lobsterdv.json", "objects", "segments", "manifests", "catalog"]
    assert len(store.keys("segments/")) > 3
    lab.lose_cache()
    lab.fetch("run/007")
    assert store.count()["read_whole"] < len(store.keys("segments/")), "a part needs its segment, not all"
    lab.pull()
    assert lab.state("run").work == "clean"


@pytest.mark.parametrize("position", range(8))
def test_interrupted_anywhere_nothing_is_named_that_is_not_there(lab: Lab, store: WatchedStore, position: int) -> None:
    """The network goes away at each write in turn; a colleague sees nothing or everything; the next push goes on."""
    lab.write("run/large.bin", os.urandom(9 << 20))
    lab.write("run/small.csv", "1")
    lab.add("run")
    lab.commit()
    writes = itertools.count()

    def before(call: Call) -> None:
        if call.verb in ("put", "upload") and next(writes) == position:
            raise Denied(store.url, "put", call.key)

    store.before = before
    try:
        lab.push()
    except Denied:
        assert store.keys("catalog/") == []
        for key in store.keys("manifests/"):
            assert len(store.keys("objects/")) == 2, key
    else:
        assert position >= 5  # marker, two objects, manifest, record: there is no sixth write
    store.before = lambda call: None
    store.forget()
    lab.push()
    # Objects that arrived are not sent again; a manifest is put once more, which the store need not take.
    assert len(store.written()) == [5, 4, 3, 2, 2, 0, 0, 0][position]
    other = lab.clone(lab.root.parent / "b")
    other.pull()
    assert other.read("run/small.csv") == b"1"
    other.close()


def test_ten_thousand_small_files_are_few_requests(lab: Lab, store: WatchedStore, capsys: object) -> None:
    """DVC: 10,001 requests up and as many down."""
    block = os.urandom(4096)
    for number in range(10_000):
        path = lab.path(f"many/{number // 100:02}/{number % 100:02}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(4) + block[4:])
    lab.add("many")
    lab.commit()
    lab.push()
    # 40 MB in objects of 16 MB: three. Marker, manifest and record: one each; a HEAD before and after every object;
    # lists of the catalog and of what was forgotten.
    assert store.count() == {"head": 9, "list": 2, "put": 6, "read_whole": 2}
    store.forget()
    lab.push()
    assert store.count() == {"head": 6}, "a push of what is there asks, and sends nothing"
    other = lab.clone(lab.root.parent / "b")
    store.forget()
    other.pull()
    assert store.count() == {"head": 1, "list": 2, "read": 3, "read_whole": 2}  # its manifests, and what was forgotten
    assert sum(call.size for call in store.calls if call.verb == "read") == 10_000 * 4096
    store.forget()
    other.pull()
    assert store.calls == [], "nothing is missing, so nothing is asked"
    other.close()


def test_one_large_file_is_one_object(lab: Lab, store: WatchedStore) -> None:
    lab.write("big", os.urandom(20 << 20))
    lab.add("big")
    report = lab.push()
    (version,) = report.versions
    assert (version.outcome, version.new_bytes, version.new_objects) == ("pushed", 20 << 20, 1)
    assert store.keys("objects/") == [object_key(lab.pointer("big").digest)]


def test_an_equal_file_elsewhere_is_not_sent_twice(lab: Lab, store: WatchedStore) -> None:
    data = os.urandom(9 << 20)
    lab.write("one", data)
    lab.add("one")
    lab.push()
    lab.write("copy", data)
    lab.add("copy")
    (version,) = [v for v in lab.push().versions if v.path == "copy"]
    assert version.new_bytes == 0


def test_a_second_version_sends_only_the_changed_file(lab: Lab, store: WatchedStore) -> None:
    for number in range(50):
        lab.write(f"run/{number}", os.urandom(20_000))
    lab.add("run")
    lab.push()
    lab.write("run/7", os.urandom(15_000))
    lab.add("run")
    store.forget()
    (version,) = [v for v in lab.push().versions if v.outcome == "pushed"]
    assert (version.new_bytes, version.new_objects) == (15_000, 1)
    assert sum(c.size for c in store.calls if c.key.startswith("objects/")) == 15_000


def test_a_fresh_machine_also_sends_only_the_changed_file(lab: Lab, store: WatchedStore) -> None:
    """The colleague's index is empty: the base is found in the catalog, not in a memory of the remote."""
    for number in range(20):
        lab.write(f"run/{number}", os.urandom(20_000))
    lab.add("run")
    lab.commit()
    lab.push()
    other = lab.clone(lab.root.parent / "b")
    other.pull()
    other.write("run/7", os.urandom(15_000))
    other.add("run")
    other.commit()
    (version,) = [v for v in other.push().versions if v.outcome == "pushed"]
    assert version.new_bytes == 15_000
    other.close()


def test_small_files_scattered_over_many_objects_are_packed_anew(lab: Lab, store: WatchedStore) -> None:
    """After 65 one-file pushes a pull must not cost 66 requests for ever."""
    for number in range(80):
        lab.write(f"run/{number}", f"first {number}")
    lab.add("run")
    lab.push()
    seen = []
    clock = itertools.count(1_700_000_000)
    lab.project.now = lambda: float(next(clock))
    for number in range(66):
        lab.write(f"run/{number}", f"second {number}")
        lab.add("run")
        (version,) = [v for v in lab.push().versions if v.outcome == "pushed"]
        seen.append(version.new_bytes)
    total = sum(path.stat().st_size for path in lab.path("run").iterdir())
    assert max(seen) > total * 0.8, "once, everything went again, together"
    lab.commit()
    other = lab.clone(lab.root.parent / "b")
    store.forget()
    other.pull()
    assert store.count()["read"] <= 64
    other.close()


def test_many_datasets_go_side_by_side(lab: Lab, store: WatchedStore) -> None:
    names = [f"d{number:02}" for number in range(30)]
    for name in names:
        lab.write(name, os.urandom(1000))
    lab.add(*names)
    lab.commit()
    report = lab.push()
    assert sorted(v.path for v in report.versions) == names
    assert len(store.keys("catalog/")) == len(names)
    other = lab.clone(lab.root.parent / "b")
    other.pull()
    assert all(other.read(name) == lab.read(name) for name in names)
    store.forget()
    other.push()
    assert store.written() == [], "a clone with an empty index does not push again what is there"
    other.close()


def test_multipart_above_the_threshold(lab: Lab) -> None:
    lab.path("shelf").mkdir()
    watched = WatchedStore(DirectoryStore(lab.path("shelf"), create=False, part_size=5 << 20))
    shelf = {"url": str(lab.path("shelf")), "multipart_threshold": "5MiB"}
    lab.configure(remote="shelf", remotes={"shelf": shelf}).use(watched)
    data = os.urandom(12 << 20)
    lab.write("big", data)
    lab.write("small", data[: 4 << 20])
    lab.add("big", "small")
    lab.push()
    assert [c.key for c in watched.calls if c.verb == "upload"] == [object_key(lab.pointer("big").digest)]
    lab.lose_cache()
    lab.path("big").unlink()
    lab.use(watched).pull("big")
    assert lab.read("big") == data


def test_a_damaged_cache_file_is_never_pushed(lab: Lab, store: WatchedStore) -> None:
    """DVC pushes it under the good name, and the last good copy is gone."""
    for name, size in (("small", 1000), ("large", 9 << 20), ("run/packed", 500), ("fine", 10)):
        lab.write(name, os.urandom(size))
    lab.add("small", "large", "run", "fine")
    cache = lab.project.cache
    packs = cache.folder / "packs"
    for path in [cache.plain_path(lab.pointer("small").digest), cache.plain_path(lab.pointer("large").digest),
                 *packs.glob("*.pack")]:  # fmt: skip
        flip(path)
    report = lab.try_push()
    assert {f.path: type(f.error) for f in report.failures} == dict.fromkeys(["large", "run", "small"], CorruptContent)
    assert all(f.error.exit_code == 3 for f in report.failures)
    assert [v.path for v in report.versions] == ["fine"]
    assert len(store.keys("objects/")) == len(store.keys("catalog/")) == 1
    assert len(os.listdir(cache.folder / "quarantine")) == 3
    lab.add("small", "large", "run")
    lab.push()
    assert len(store.keys("catalog/")) == 4


def flip(path: Path) -> None:
    """One wrong byte in the middle (of a pack: of its files' bytes); size and time as they were."""
    stat = path.stat()
    middle = (stat.st_size - (32 if path.suffix == ".pack" else 0)) // 2
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_place_that_is_no_remote(lab: Lab, store: WatchedStore) -> None:
    """Someone's bucket with other things in it must not get our objects."""
    store.put("lobsterdv.json", b'{"other": "program"}')
    lab.write("a", "1")
    lab.add("a")
    with pytest.raises(NotARemote):
        lab.push()
    assert store.keys() == ["lobsterdv.json"]


def test_unknown_paths_are_said(lab: Lab, store: WatchedStore) -> None:
    lab.write("a", "1")
    lab.add("a")
    report = lab.try_push("a", "nothing")
    assert [v.path for v in report.versions] == ["a"]
    assert isinstance(error_of(report), NotTracked)


def test_a_copy_of_a_folder_travels_once(lab: Lab, store: WatchedStore) -> None:
    """Both new, in one push: sent side by side, neither finds the other's files there."""
    for number in range(50):
        data = os.urandom(3000)
        lab.write(f"a/{number}", data)
        lab.write(f"b/{number}", data)
    lab.add("a", "b")
    both = threading.Barrier(2)

    def meet(call: Call) -> None:
        if call.verb == "put" and call.key.startswith("objects/"):
            with suppress(threading.BrokenBarrierError):
                both.wait(timeout=0.3)

    store.before = meet
    report = lab.push()
    assert len([c for c in store.calls if c.verb == "put" and c.key.startswith("objects/")]) == 1
    assert sorted(v.new_objects for v in report.versions) == [0, 1]


def test_files_that_two_new_datasets_share_travel_once(lab: Lab, store: WatchedStore) -> None:
    """One after another, the second finds what the first of the same push placed."""
    for number in range(51):
        data = os.urandom(3000)
        lab.write(f"more/{number}", data)
        if number:
            lab.write(f"some/{number}", data)
    lab.add("some", "more")
    report = push(lab.project, jobs=1, observer=lab.observe)
    assert sum(v.new_bytes for v in report.versions) < 160_000
    assert sum(v.reused_bytes for v in report.versions) == 150_000
    lab.lose_cache()
    assert {row.path for row in lab.fetch().fetched} == {"some", "more"}
