"""add --to-remote: the user's only copy goes to a remote while anybody may write to it. What arrives has the digest
that git keeps, or no name at all; a pointer never names what is not there."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lobsterdv.blobs.own_files import OwnFiles, ProvingStore
from lobsterdv.digest import digest_of
from lobsterdv.errors import (
    ChangedMeanwhile,
    CorruptContent,
    MissingContent,
    Refused,
    RemoteError,
    Unreachable,
    UsageError,
)
from lobsterdv.formats.layout import object_key
from lobsterdv.index.seen import SeenFile
from lobsterdv.manager import DataManager
from lobsterdv.reading import Unsteady, read, windows
from lobsterdv.signature import signature_of
from lobsterdv.stores.memory import MemoryStore
from tests.damage.killing import Nursery
from tests.damage.oracle import check_remote, load, restore
from tests.ops.lab import Lab, error_of, settle
from tests.ops.watching import Call, WatchedStore, opened_below, temps_below
from tests.properties.trees import picture

NOISE = random.Random(5).randbytes(9 << 20)
"""Large enough to be an object of its own."""


@pytest.fixture
def shelf(lab: Lab, tmp_path: Path) -> Path:
    """A remote that is a directory, and the default one."""
    (tmp_path / "shelf").mkdir()
    config = lab.read(".lobsterdv.yaml").decode()
    lab.write(
        ".lobsterdv.yaml",
        f'{config}remote: shelf\nremotes:\n  shelf:\n    url: "{tmp_path}/shelf"\n    multipart_threshold: 5MiB\n'
        f"    part_size: 5MiB\n",
    )
    lab.git("commit", "-qam", "remote")
    lab.reopen()
    return tmp_path / "shelf"


@pytest.fixture
def store(lab: Lab, shelf: Path) -> WatchedStore:
    made = WatchedStore(MemoryStore())
    lab.use(made)
    return made


def write_data(lab: Lab) -> None:
    lab.write("big.bin", NOISE)
    lab.write("d/text", "gene,count\n" * 40_000)
    lab.write("d/middling", NOISE[:400_000])
    lab.write("d/small", "s")
    lab.write("d/empty", "")
    lab.write("d/tool", "#!/bin/sh\n", mode=0o755)
    lab.path("d/link").symlink_to("small")


def nothing_is_kept(lab: Lab) -> bool:
    folders = (lab.project.cache.folder / name for name in ("files", "packs", "tmp", "quarantine"))
    return not [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def restored(shelf: Path, lab: Lab, name: str) -> object:
    return restore(load(shelf), lab.read(f"{name}.ldv.yaml"))


def test_everything_is_at_the_remote_and_nothing_in_the_cache(lab: Lab, shelf: Path) -> None:
    write_data(lab)
    before = {name: picture(lab.path(name)) for name in ("big.bin", "d")}
    report = lab.add("big.bin", "d", to_remote=True, message="past")
    assert report.remote == "shelf" and report.staged
    assert [row.outcome for row in report.added] == ["added", "added"]
    assert report.added[0].sent_bytes == len(NOISE)
    assert nothing_is_kept(lab)
    assert {name: picture(lab.path(name)) for name in ("big.bin", "d")} == before
    assert lab.path("big.bin").stat().st_nlink == 1 and os.access(lab.path("big.bin"), os.W_OK)
    for name in before:
        assert restored(shelf, lab, name) == before[name]
    check_remote(load(shelf), {name: lab.read(f"{name}.ldv.yaml") for name in before})
    assert lab.pointer("d").message == "past"
    assert {".gitignore", "big.bin.ldv.yaml", "d.ldv.yaml"} <= set(lab.staged())


def test_as_if_it_had_been_added_and_pushed(lab: Lab, shelf: Path, tmp_path: Path) -> None:
    write_data(lab)
    lab.add("d", to_remote=True)
    pointer = lab.read("d.ldv.yaml")
    lab.commit()
    row = lab.state("d")
    assert (row.work, row.pushed) == ("clean", True)
    assert [v.outcome for v in lab.push().versions] == ["up to date"]
    clone = lab.clone(tmp_path / "clone")
    clone.pull()
    assert picture(clone.path("d")) == picture(lab.path("d"))
    clone.close()
    lab.add("d")
    assert lab.read("d.ldv.yaml") == pointer and not nothing_is_kept(lab), "a plain add keeps a copy after all"


def test_once_more_sends_nothing_and_reads_nothing(lab: Lab, store: WatchedStore) -> None:
    write_data(lab)
    lab.add("big.bin", "d", to_remote=True)
    store.forget()
    with opened_below(lab.path("big.bin")) as opened:
        report = lab.add("big.bin", "d", to_remote=True)
    assert opened == []
    assert [(row.outcome, row.sent_bytes, row.read_files) for row in report.added] == [("unchanged", 0, 0)] * 2
    assert set(store.count()) == {"head"}


def test_a_new_version_sends_its_new_chunks(lab: Lab, store: WatchedStore) -> None:
    lab.write("big.bin", NOISE)
    lab.add("big.bin", to_remote=True)
    lab.write("big.bin", NOISE[: 4 << 20] + b"changed" + NOISE[4 << 20 :])
    (row,) = lab.add("big.bin", to_remote=True).added
    assert row.outcome == "changed" and 0 < row.sent_bytes < 200_000
    assert nothing_is_kept(lab)


def test_one_part_of_a_directory(lab: Lab, shelf: Path) -> None:
    """The rest is at the remote; that a file of it is being edited does not matter."""
    write_data(lab)
    lab.add("d", to_remote=True)
    lab.write("d/new", "new")
    lab.write("d/text", "in the middle of an edit")
    lab.add("d/new", to_remote=True)
    tree = restored(shelf, lab, "d")
    assert isinstance(tree, dict) and tree["new"] == ("file", b"new")
    assert tree["text"] == ("file", b"gene,count\n" * 40_000)
    assert lab.state("d").modified == ["text"]


def test_what_a_part_stands_beside_must_be_somewhere(lab: Lab, shelf: Path) -> None:
    write_data(lab)
    lab.add("d")
    lab.write("d/text", "in the middle of an edit")
    shutil.rmtree(lab.project.cache.folder / "packs")
    shutil.rmtree(lab.project.cache.folder / "files")
    lab.reopen()
    before = lab.read("d.ldv.yaml")
    lab.write("d/new", "new")
    assert isinstance(error_of(lab.try_add("d/new", to_remote=True)), MissingContent)
    assert lab.read("d.ldv.yaml") == before


def test_the_pointer_comes_last(lab: Lab, store: WatchedStore) -> None:
    write_data(lab)
    seen: list[str] = []

    def before(call: Call) -> None:
        assert not lab.path("d.ldv.yaml").exists(), call
        seen.append(f"{call.verb} {call.key.partition('/')[0]}")

    store.before = before
    lab.add("d", to_remote=True)
    written = [s for s in seen if s.startswith(("put", "upload"))]
    assert written[-1] == "put catalog" and written[-2] == "put manifests"
    assert "head objects" in seen[seen.index("put objects") :]
    assert seen[-1] == "head catalog", "all was seen there"


def test_another_remote_by_name(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    lab.configure(remotes={"other": {"url": str(tmp_path / "other")}})
    lab.write("f.bin", "f")
    report = lab.add("f.bin", to_remote=True, remote="other")
    assert report.remote == "other"
    assert restored(tmp_path / "other", lab, "f.bin") == {"": ("file", b"f")}


def test_the_remote_in_the_git_folder_is_refused(lab: Lab) -> None:
    """It lies on the same disk: nothing would be saved."""
    lab.write("f.bin", "f")
    with pytest.raises(Refused) as caught:
        lab.try_add("f.bin", to_remote=True)
    assert caught.value.code == "embedded"
    with pytest.raises(UsageError):
        lab.try_add("f.bin", to_remote=True, move=True)
    assert not lab.path("f.bin.ldv.yaml").exists()


def test_a_remote_that_fails_leaves_no_pointer(lab: Lab, store: WatchedStore) -> None:
    write_data(lab)

    def before(call: Call) -> None:
        if call.verb == "put" and call.key.startswith("manifests/"):
            raise Unreachable("mem:", "put", "gone")

    store.before = before
    with pytest.raises(RemoteError):
        lab.try_add("big.bin", "d", to_remote=True)
    assert not lab.path("big.bin.ldv.yaml").exists() and not lab.path("d.ldv.yaml").exists()
    store.before = lambda call: None
    store.forget()
    lab.add("big.bin", "d", to_remote=True)
    large = [c for c in store.calls if c.verb in ("put", "upload") and c.size > 1 << 20]
    assert large == [], "the large object was there"


def test_an_object_that_went_missing_is_sent_again(lab: Lab, store: WatchedStore) -> None:
    lab.write("big.bin", NOISE)
    lab.add("big.bin", to_remote=True)
    for key in store.keys("objects/"):
        store.delete(key)
    (row,) = lab.add("big.bin", to_remote=True).added
    assert (row.outcome, row.sent_bytes) == ("unchanged", len(NOISE))
    assert store.keys("objects/") == [object_key(digest_of(NOISE))]


def test_python(lab: Lab, shelf: Path) -> None:
    lab.write("f.bin", "f")
    with DataManager(lab.root) as dm:
        assert dm.add("f.bin", to_remote=True).remote == "shelf"
    assert restored(shelf, lab, "f.bin") == {"": ("file", b"f")}


@pytest.mark.parametrize("what", ["edit", "edit and restore the times", "cut off", "replace", "delete"])
@pytest.mark.parametrize("name", ["big.bin", "middling.bin", "small.bin", "text.csv"])
@pytest.mark.parametrize("when", ["head", "put", "upload"])
def test_a_change_while_it_is_sent(lab: Lab, store: WatchedStore, name: str, what: str, when: str) -> None:
    """After it was hashed, at the first request of a kind."""
    data = {"big.bin": NOISE, "middling.bin": NOISE[: 6 << 20], "small.bin": b"small" * 100,
            "text.csv": b"gene,count\n" * 900_000}[name]  # fmt: skip
    path = lab.write(name, data)
    done: list[Call] = []

    def change(call: Call) -> None:
        if done or call.verb != when or not call.key.startswith("objects/"):
            return
        done.append(call)
        stat = path.stat()
        if what.startswith("edit"):
            with path.open("r+b") as file:
                file.seek(len(data) // 2)
                file.write(b"EDIT")
            if what != "edit":
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        elif what == "cut off":
            os.truncate(path, len(data) // 3)
        elif what == "replace":
            path.unlink()
            path.write_bytes(b"x" * len(data))
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        else:
            path.unlink()

    store.before = change
    report = lab.try_add(name, to_remote=True)
    for stat in store.inner.list("objects/"):
        stored = store.inner.read_whole(stat.key, limit=1 << 26)
        assert stat.key == object_key(digest_of(stored)), "an object whose name is a lie"
    if not done:  # this file goes up by other requests
        assert not report.failures
        return
    assert isinstance(error_of(report), ChangedMeanwhile), report
    assert not lab.path(f"{name}.ldv.yaml").exists()
    assert nothing_is_kept(lab)
    store.before = lambda call: None
    lab.write(name, data)
    lab.add(name, to_remote=True)


def test_a_change_while_it_is_hashed(lab: Lab, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lab.write("f.bin", b"1" * 1000)
    real = os.read

    def read(descriptor: int, size: int) -> bytes:
        data = real(descriptor, size)
        if data and path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            path.write_bytes(b"2" * 1000)
        return data

    monkeypatch.setattr(os, "read", read)
    assert isinstance(error_of(lab.try_add("f.bin", to_remote=True)), ChangedMeanwhile)
    assert not (shelf / "objects").exists()


def test_a_file_that_is_cut_off_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    descriptor = Unsteady(os.open(path, os.O_RDONLY), str(path))
    view = read(descriptor, 2, 5)
    os.truncate(path, 0)
    assert bytes(view) == b"23456"
    with pytest.raises(ChangedMeanwhile):
        read(descriptor, 0, 5)
    assert bytes(read(int(descriptor), 0, 5)) == b""
    assert list(windows(descriptor)) == []
    os.close(descriptor)


def test_own_files_believe_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"data")
    known = SeenFile(signature_of(path.stat()), digest_of(b"data"), b"")
    files = OwnFiles({"f": known}, lambda name: tmp_path / name)
    assert files.missing([known.digest, digest_of(b"x")]) == [digest_of(b"x")]
    assert files.read_small(known.digest, name="f") == b"data"
    files.check(known.digest)
    assert files.changed([]) is None
    stat = path.stat()
    path.write_bytes(b"DATA")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert files.missing([known.digest]) == [known.digest]
    assert files.changed([]) == "f"
    for act in (lambda: files.open(known.digest, name="f"), lambda: files.read_small(known.digest, name="f")):
        with pytest.raises(ChangedMeanwhile):
            act()
    with pytest.raises(CorruptContent):
        files.check(known.digest)
    with pytest.raises(MissingContent):
        files.open(digest_of(b"x"), name="x")
    store = MemoryStore()
    proving = ProvingStore(store, files)
    with pytest.raises(CorruptContent):
        proving.put(object_key(known.digest), b"DATA")
    upload = proving.upload(object_key(known.digest), 4)
    upload.send(0, b"DATA")
    with pytest.raises(CorruptContent):
        upload.complete()
    upload.abort()
    assert list(store.list("")) == []
    assert proving.put(object_key(known.digest), b"data") and proving.put("catalog/x", b"anything")
    assert [stat.size for stat in proving.list("objects/")] == [4]
    assert proving.head("catalog/x").size == 8 and proving.read("catalog/x", start=1, length=2) == b"ny"
    proving.delete("catalog/x")
    proving.close()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


@pytest.mark.parametrize("points", [8, pytest.param(1000, marks=pytest.mark.faults)])
def test_killed_here_and_there(lab: Lab, shelf: Path, nursery: Nursery, tmp_path: Path, points: int) -> None:
    """No pointer names what is not at the remote; once more finishes, and the user's files are never touched."""
    lab.write("d/noise", NOISE[:300_000])
    lab.write("d/text", "gene,count\n" * 1000)
    lab.write("big.bin", NOISE)
    names = ("d", "big.bin")
    whole = {name: picture(lab.path(name)) for name in names}
    lab.close()
    places = (lab.root, shelf)
    for place in places:
        subprocess.run(["cp", "-a", str(place), str(tmp_path / f"template-{place.name}")], check=True)

    def again() -> None:
        for place in places:
            shutil.rmtree(place)
            subprocess.run(["cp", "-a", str(tmp_path / f"template-{place.name}"), str(place)], check=True)

    env = {**lab.env, "LOBSTERDV_JOBS": "1"}
    steps = nursery.run(lab.root, env, "add", names, to_remote=True).steps
    assert steps > 40
    for point in [*range(steps, 1, -max(1, steps // points)), 1]:
        again()
        assert nursery.run(lab.root, env, "add", names, kill_at=point, to_remote=True).killed, point
        check_remote(load(shelf))
        for name in names:
            assert picture(lab.path(name)) == whole[name], point
            if lab.path(f"{name}.ldv.yaml").exists():
                assert restored(shelf, lab, name) == whole[name], point
        ended = nursery.run(lab.root, env, "add", names, to_remote=True)
        assert not ended.failures, (point, ended.failures)
        for name in names:
            assert restored(shelf, lab, name) == whole[name], point
    assert not (lab.root / ".git/lobsterdv/cache/files").exists()
    assert temps_below(lab.root) == []


MEASURE = """
import json, resource, sys
from pathlib import Path
from lobsterdv.events import silent
from lobsterdv.ops.add import add
from lobsterdv.project import open_project

def io():
    return {k: int(v) for k, v in (row.split(": ") for row in open("/proc/self/io").read().splitlines())}

project = open_project(Path(sys.argv[1]))
before = io()
report = add(project, ["big.bin"], to_remote=True, observer=silent)
after = io()
assert not report.failures, report
print(json.dumps({"read": after["rchar"] - before["rchar"], "written": after["wchar"] - before["wchar"],
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/io is Linux")
def test_what_it_costs(lab: Lab, shelf: Path) -> None:
    """One pass to hash, one to send and hash once more while it is sent; written once, at the remote."""
    import json

    size = 64 << 20
    lab.write("big.bin", os.urandom(1 << 20) * 64)
    settle(lab.path("big.bin"))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(lab.root)],
        env={**lab.env, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
    )
    cost = json.loads(done.stdout)
    assert cost["written"] <= size * 1.02
    assert cost["read"] <= size * 3.05, "hashed; hashed again; sent"
