"""drop deletes only what the remote was just seen to hold whole, and never a file that was modified or not added."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv import locks
from lobsterdv.errors import Busy, LobsterError, Refused, RemoteError, WouldOverwrite
from lobsterdv.ops import drop as drop_module
from lobsterdv.ops.locate import locate
from lobsterdv.project import open_project
from lobsterdv.stores.directory import DirectoryStore
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, error_of, settle
from tests.ops.tidying import cache_of, dropped, holds, share, somebody_reads, try_drop, version
from tests.ops.watching import Call, WatchedStore, tree
from tests.servers import Server

SMALL, LARGE, ONE = b"s" * 2000, b"l" * 400_000, b"1" * 9000


@pytest.fixture
def lab_(lab: Lab, tmp_path: Path) -> Lab:
    """A directory and a file, pushed."""
    share(lab, tmp_path / "store")
    version(lab, "run", {"small": SMALL, "sub/large": LARGE})
    version(lab, "one", ONE)
    lab.push()
    return lab


def is_here(lab: Lab) -> bool:
    return all(holds(lab, data) for data in (SMALL, LARGE, ONE))


def refusal(lab: Lab, *paths: str, **options: bool) -> LobsterError:
    """Why it is refused; nothing has changed then."""
    places = [place for place in (cache_of(lab), lab.path("run"), lab.path("one")) if place.exists()]
    before = [tree(place) for place in places]
    error = error_of(try_drop(lab, *paths, **options))
    assert [tree(place) for place in places] == before
    return error


def test_the_cache_is_freed_and_pull_brings_it_back(lab_: Lab) -> None:
    report = dropped(lab_, "run", "one")
    assert {(r.path, r.files, r.freed_bytes, r.data) for r in report.dropped} == {
        ("run", 2, len(SMALL) + len(LARGE), False), ("one", 1, len(ONE), False),
    }  # fmt: skip
    assert not any(holds(lab_, data) for data in (SMALL, LARGE, ONE))
    assert lab_.read("one") == ONE and lab_.state("run").work == "clean"
    assert dropped(lab_, "run").dropped[0].freed_bytes == 0, "may be repeated"
    shutil.rmtree(lab_.path("run"))
    lab_.path("one").unlink()
    lab_.pull()
    assert (lab_.read("run/small"), lab_.read("run/sub/large"), lab_.read("one")) == (SMALL, LARGE, ONE)


def test_data_goes_too(lab_: Lab) -> None:
    assert all(row.data for row in dropped(lab_, "run", "one", data=True).dropped)
    assert not lab_.path("run").exists() and not lab_.path("one").exists()
    assert lab_.path("run.ldv.yaml").exists()
    assert dropped(lab_, "run", "one", data=True).dropped[0].freed_bytes == 0, "may be repeated"
    lab_.pull()
    assert (lab_.read("run/small"), lab_.read("run/sub/large"), lab_.read("one")) == (SMALL, LARGE, ONE)


def test_without_yes_nothing_changes(lab_: Lab) -> None:
    before = tree(cache_of(lab_)), tree(lab_.root / "run")
    plan = dropped(lab_, "run", "one", data=True, yes=False)
    assert (tree(cache_of(lab_)), tree(lab_.root / "run")) == before and is_here(lab_)
    done = dropped(lab_, "run", "one", data=True)
    assert done.dropped == plan.dropped


# What the remote does not hold


def test_a_version_that_was_never_pushed(lab_: Lab) -> None:
    version(lab_, "one", b"new")
    error = refusal(lab_, "one")
    assert isinstance(error, Refused) and error.code == "not-held"


def test_nothing_was_pushed_yet(lab: Lab, tmp_path: Path) -> None:
    share(lab, tmp_path / "store")
    version(lab, "one", ONE)
    error = refusal(lab, "one")
    assert isinstance(error, Refused) and error.code == "not-held"


def test_nothing_but_the_embedded_remote(lab: Lab) -> None:
    version(lab, "one", ONE)
    lab.push()
    error = refusal(lab, "one")
    assert isinstance(error, Refused) and error.code == "only-here"


def test_the_embedded_remote_under_another_name(lab: Lab) -> None:
    """It lies on the same disk, in the same folder: no copy at all."""
    version(lab, "one", ONE)
    lab.push()
    url = lab.project.config.remotes["embedded"].url
    lab.configure(remote="other", remotes={"other": {"url": url}})
    error = refusal(lab, "one")
    assert isinstance(error, Refused) and error.code == "only-here"


@pytest.mark.parametrize("kind", ["objects", "manifests", "catalog"])
def test_a_remote_that_lost_something(lab_: Lab, tmp_path: Path, kind: str) -> None:
    """The index says it was pushed, and it was; only asking tells that it is gone."""
    shutil.rmtree(tmp_path / "store" / kind)
    error = refusal(lab_, "run", data=True)
    assert isinstance(error, Refused) and error.code == "not-held"


def test_a_remote_with_half_an_object(lab_: Lab, tmp_path: Path) -> None:
    for path in [p for p in (tmp_path / "store/objects").rglob("*") if p.is_file()]:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1])
    error = refusal(lab_, "one")
    assert isinstance(error, Refused) and error.code == "not-held"


def rot(folder: Path) -> None:
    """Every object has other bytes, as many as before, and its old times."""
    for path in [p for p in (folder / "objects").rglob("*") if p.is_file()]:
        stat = path.stat()
        path.chmod(0o644)
        path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_remote_that_rotted(lab_: Lab, tmp_path: Path) -> None:
    """Its sizes are right; the only good copy is here."""
    rot(tmp_path / "store")
    for name in ("run", "one"):
        error = refusal(lab_, name)
        assert isinstance(error, Refused) and error.code == "damaged-there"


def test_what_was_read_is_not_read_again(lab_: Lab, tmp_path: Path) -> None:
    """Of a folder it counts for 30 days, as long as nobody touches the file."""
    store = WatchedStore(DirectoryStore(tmp_path / "store", create=False))
    lab_.use(store).reopen()
    dropped(lab_, "one", yes=False)
    assert not reads(store), "looking reads nothing"
    dropped(lab_, "one")
    assert reads(store)
    for days, again in ((29, False), (31, True)):
        lab_.project.now = lambda days=days: time.time() + days * 86400
        lab_.pull("one")
        store.calls.clear()
        dropped(lab_, "one")
        assert bool(reads(store)) == again


@pytest.mark.parametrize("fresh", [False, True])
def test_a_server_vouches_for_what_it_verified(lab: Lab, moto: Server, tmp_path: Path, fresh: bool) -> None:
    """By its etag where this machine sent it, else by its checksum or all bytes; and not for what took its place."""
    share(lab, tmp_path / "store")
    store = moto.store(moto.new_bucket())
    lab.use(store)
    version(lab, "run", {"small": SMALL, "large": LARGE})
    lab.push()
    if fresh:
        lab.project.index.write(lambda connection: connection.execute("delete from verified"))
    dropped(lab, "run")
    lab.pull("run")
    if fresh:
        lab.project.index.write(lambda connection: connection.execute("delete from verified"))
    for stat in list(store.list("objects/")):
        store.put(stat.key, bytes(stat.size))
    error = refusal(lab, "run")
    assert isinstance(error, Refused) and error.code == "damaged-there"


def reads(store: WatchedStore) -> list[Call]:
    found = [call for call in store.calls if call.verb.startswith("read") and call.key.startswith("objects/")]
    store.calls.clear()
    return found


def test_every_object_is_asked_for_in_this_run(lab: Lab, tmp_path: Path) -> None:
    share(lab, tmp_path / "store")
    store = WatchedStore(MemoryStore())
    lab.use(store)
    version(lab, "run", {f"{n}": os.urandom(300_000) for n in range(5)})
    lab.push()
    keys = {call.key for call in store.calls if call.verb in ("put", "upload")} - {"lobsterdv.json"}
    assert {key.split("/")[0] for key in keys} >= {"objects", "manifests", "catalog"}
    store.calls.clear()
    dropped(lab, "run")
    assert keys <= {call.key for call in store.calls if call.verb == "head"}


def test_a_remote_that_cannot_be_asked(lab_: Lab, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "unplugged")
    (tmp_path / "store").write_text("a file")
    with pytest.raises(RemoteError):
        try_drop(lab_, "one")
    assert is_here(lab_)


def test_bytes_that_only_another_version_brought_there(lab_: Lab) -> None:
    """The remote holds the bytes, but a pull of this version would find nothing."""
    version(lab_, "copy", LARGE)
    error = refusal(lab_, "copy")
    assert isinstance(error, Refused) and error.code == "not-held"
    lab_.push()
    assert dropped(lab_, "copy").dropped[0].needed_bytes == len(LARGE), "the work tree is at it under run"


def test_each_dataset_fails_alone(lab_: Lab) -> None:
    version(lab_, "new", b"new")
    report = try_drop(lab_, "run", "new")
    assert [r.path for r in report.dropped] == ["run"] and [f.path for f in report.failures] == ["new"]
    assert holds(lab_, b"new") and not holds(lab_, LARGE)


# Files in the work tree


def modify(lab: Lab) -> None:
    lab.path("run/small").write_bytes(b"work")


def modify_and_restore_the_time(lab: Lab) -> None:
    lab.path("run/small").write_bytes(b"S" * len(SMALL))
    settle(lab.path("run/small"))


def a_new_file(lab: Lab) -> None:
    lab.write("run/sub/notes", "notes")


def a_file_in_place_of_a_link(lab: Lab) -> None:
    lab.path("run/small").unlink()
    lab.path("run/small").symlink_to("sub/large")


def a_folder_in_place_of_a_file(lab: Lab) -> None:
    lab.path("run/small").unlink()
    lab.write("run/small/inside", "work")


def a_file_in_place_of_all(lab: Lab) -> None:
    shutil.rmtree(lab.path("run"))
    lab.write("run", "work")


@pytest.mark.parametrize(
    "change",
    [
        modify,
        modify_and_restore_the_time,
        a_new_file,
        a_file_in_place_of_a_link,
        a_folder_in_place_of_a_file,
        a_file_in_place_of_all,
    ],
)
def test_data_that_is_modified_or_new_is_refused(lab_: Lab, change: Callable[[Lab], None]) -> None:
    change(lab_)
    error = refusal(lab_, "run", data=True)
    assert isinstance(error, WouldOverwrite) and error.exit_code == 5


def test_a_modified_file_is_refused(lab_: Lab) -> None:
    lab_.path("one").write_bytes(b"work")
    assert isinstance(refusal(lab_, "one", data=True), WouldOverwrite)


@pytest.mark.parametrize("name", ["run/small", "one"])
def test_a_file_modified_at_the_last_moment_stays(lab_: Lab, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at all files and the removal of this one."""
    real = drop_module.forget_seen

    def edit(*args: object) -> None:
        lab_.path(name).write_bytes(b"work of this second")
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(drop_module, "forget_seen", edit)
    assert isinstance(error_of(try_drop(lab_, name.split("/")[0], data=True)), WouldOverwrite)
    assert lab_.read(name) == b"work of this second"
    assert is_here(lab_), "and the cache is as it was"


def test_what_is_ignored_inside_stays(lab_: Lab) -> None:
    lab_.write(".lobsterdvignore", "*.log\n")
    lab_.write("run/sub/x.log", "log")
    lab_.reopen()
    dropped(lab_, "run", data=True)
    assert [p.name for p in lab_.path("run").rglob("*") if p.is_file()] == ["x.log"]


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_files_that_are_links_into_the_cache(lab_: Lab, link: str) -> None:
    lab_.reopen(LOBSTERDV_CACHE_LINK=f"{link},copy")
    shutil.rmtree(lab_.path("run"))
    lab_.write("run/twice", LARGE)
    lab_.write("run/sub/large", LARGE)
    lab_.add("run")
    lab_.push()
    shutil.rmtree(lab_.path("run"))
    lab_.checkout("run")
    if link == "symlink":
        error = refusal(lab_, "run")
        assert isinstance(error, Refused) and error.code == "linked"
    else:
        assert dropped(lab_, "run").dropped[0].linked_bytes == len(LARGE)
        assert holds(lab_, LARGE), "deleting one of two names frees nothing"
    plan = dropped(lab_, "run", data=True, yes=False)
    report = dropped(lab_, "run", data=True)
    assert plan.dropped == report.dropped
    assert report.dropped[0].freed_bytes == len(LARGE) and not lab_.path("run").exists()


def test_only_a_part(lab_: Lab) -> None:
    dropped(lab_, "run/sub")
    assert not holds(lab_, LARGE) and holds(lab_, SMALL)
    error = refusal(lab_, "run/small", data=True)
    assert isinstance(error, Refused) and error.code == "whole"


def test_the_versions_of_a_revision(lab_: Lab) -> None:
    lab_.git("tag", "v1")
    version(lab_, "run", {"small": b"new", "sub/large": LARGE})
    report = dropped(lab_, "run", rev="v1")
    assert report.dropped[0].needed_bytes == len(LARGE), "the current version has it too"
    assert not holds(lab_, SMALL) and holds(lab_, LARGE) and lab_.state("run").work == "clean"
    lab_.fetch("run", rev="v1")
    assert holds(lab_, SMALL)


# Others


def test_what_another_worktree_is_at_stays(lab_: Lab) -> None:
    lab_.git("worktree", "add", "-q", "--detach", str(lab_.root.parent / "second"))
    assert dropped(lab_, "one").dropped[0].needed_bytes == len(ONE)
    assert holds(lab_, ONE)


def test_what_another_project_names_stays(lab_: Lab, tmp_path: Path) -> None:
    """Its remote may be another, where nobody pushed it yet: even in its history."""
    lab_.reopen(LOBSTERDV_CACHE_DIR=str(tmp_path / "cache"))
    other = Lab.create(tmp_path / "other", home=tmp_path / "home").reopen(LOBSTERDV_CACHE_DIR=str(tmp_path / "cache"))
    version(other, "theirs", ONE)
    version(other, "theirs", b"newer")
    other.close()
    lab_.add("one", "run")
    assert dropped(lab_, "one").dropped[0].needed_bytes == len(ONE)
    assert holds(lab_, ONE)
    other.root.rename(tmp_path / "unmounted")
    with pytest.raises(Refused):
        try_drop(lab_, "one")
    assert holds(lab_, ONE)


def test_it_waits_for_running_commands_and_gives_up(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_S", 0.3)
    with somebody_reads(lab_), pytest.raises(Busy):
        try_drop(lab_, "one", data=True)
    assert is_here(lab_) and lab_.read("one") == ONE


def test_derived_views_go_with_it(lab_: Lab) -> None:
    """They hold on to the same bytes: freeing the cache alone would free nothing."""
    locate(lab_.project, "run", observer=lab_.observe)
    assert dropped(lab_, "run").dropped[0].linked_bytes == 0
    assert not [p for p in (cache_of(lab_) / "views").rglob("*") if p.is_file()]


def test_a_fresh_clone_has_nothing_to_drop(lab_: Lab, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    lab_.git("clone", "-q", str(lab_.root), str(clone))
    other = Lab(clone, lab_.env, open_project(clone, environment=lab_.env))
    report = try_drop(other, "one")
    assert [(r.files, r.freed_bytes) for r in report.dropped] == [(0, 0)]
    other.close()
