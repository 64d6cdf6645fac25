"""remote gc: what it deletes wrongly is lost for everybody, what it never deletes is paid for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv.blobs.remote_lock import RemoteLock
from lobsterdv.errors import Busy, Denied, Refused
from lobsterdv.index.pushed import load_all_pushed, save_pushed
from lobsterdv.ops.gc_remote import collect_remote, undo_retirements
from lobsterdv.ops.verify import verify_remote
from lobsterdv.stores.base import Stat, Store
from lobsterdv.stores.directory import DirectoryStore
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, checked, error_of
from tests.ops.remote_life import DAY, START, Years, collect, dangling, look
from tests.ops.watching import Call, WatchedStore
from tests.server import Server


@pytest.fixture
def store(lab: Lab) -> WatchedStore:
    made = WatchedStore(MemoryStore())
    lab.use(made)
    return made


@pytest.fixture
def years(lab: Lab, store: WatchedStore) -> Years:
    assert isinstance(store.inner, MemoryStore)
    return Years(store.inner, [lab])


def abandon(lab: Lab, name: str = "data", data: bytes = b"old" * 5000) -> None:
    """Push a version on a branch that is deleted without a trace; its commit stays in the clone."""
    lab.git("checkout", "-qb", "side")
    lab.write(name, data)
    lab.add(name)
    lab.commit("abandoned")
    lab.push()
    lab.git("checkout", "-qf", "main")
    lab.git("branch", "-qD", "side")
    lab.git("reflog", "expire", "--expire=now", "--all")


def no_delete(prefix: str, *, first: bool = False) -> Callable[[Call], None]:
    """Nobody may delete what lies there; with ``first`` the first deletion passes."""
    allowed = [first]

    def refuse(call: Call) -> None:
        if call.verb in ("delete", "delete_exact") and call.key.startswith(prefix):
            if not allowed[0]:
                raise Denied("memory:", "s3:DeleteObject", call.key)
            allowed[0] = False

    return refuse


def objects(store: WatchedStore) -> list[str]:
    return store.keys("objects/")


def test_the_life_of_an_abandoned_version(lab: Lab, store: WatchedStore, years: Years) -> None:
    """44 days: 30 in which it can be brought back, then the grace."""
    lab.write("kept", b"k" * 9000)
    lab.add("kept")
    lab.commit()
    lab.push()
    kept = set(objects(store))
    abandon(lab)
    told = look(lab)
    assert [row.path for row in told.retired] == ["data"] and told.retired_bytes > 0 and not told.acted
    assert not store.keys("marks/") and not store.keys("locks/"), "a look writes nothing"
    assert [row.path for row in collect(lab).retired] == ["data"]
    assert len(store.keys("catalog/")) == 2, "a record and a retirement"
    for days in (1, 14, 14.9):
        years.pass_days(days)
        report = collect(lab)
        assert [row.path for row in report.waiting] == ["data"] and not report.deleted_items
    years.pass_days(0.2)
    report = collect(lab)
    assert [row.path for row in report.expired] == ["data"] and report.unnamed_items == 2 and not report.ripe_items
    years.pass_days(13.9)
    assert not collect(lab).deleted_items
    years.pass_days(0.2)
    told = look(lab)
    assert told.ripe_items == 2 and [row.path for row in told.deleted] == ["data"]
    report = collect(lab)
    assert report.deleted_items == 2 and report.deleted_bytes == told.ripe_bytes
    assert set(objects(store)) == kept and not store.keys("locks/")
    assert not dangling(lab, years.store)
    lab.lose_cache()
    years.join(lab)
    lab.pull()


@pytest.mark.parametrize("place", ["stash", "reflog", "index", "work tree", "worktree", "tag", "history"])
def test_what_git_still_reaches_is_not_retired(lab: Lab, store: WatchedStore, years: Years, place: str) -> None:
    lab.write("data", b"1")
    lab.add("data")
    lab.commit()
    lab.write("data", b"2")
    lab.add("data")
    pointer = lab.read("data.ldv.yaml")
    if place == "stash":
        lab.push()
        lab.git("stash")
    elif place == "reflog":
        lab.commit()
        lab.push()
        lab.git("reset", "-q", "--hard", "HEAD~1")
    elif place == "index":
        lab.push()
        lab.git("checkout", "-q", "HEAD~0", "--", ".")
        lab.write("data.ldv.yaml", pointer)
        lab.git("add", "data.ldv.yaml")
    elif place == "work tree":
        lab.push()
        lab.git("reset", "-q")
    elif place == "worktree":
        lab.push()
        lab.git("worktree", "add", "-q", "-b", "second", str(lab.root.parent / "second"))
        (lab.root.parent / "second" / "data.ldv.yaml").write_bytes(pointer)
        lab.git("reset", "-q", "--hard")
    elif place == "tag":
        lab.commit(tag="v2")
        lab.push()
        lab.git("reset", "-q", "--hard", "HEAD~1")
        lab.git("reflog", "expire", "--expire=now", "--all")
    else:
        lab.commit()
        lab.push()
        lab.git("rm", "-q", "data.ldv.yaml")
        lab.commit()
    assert not collect(lab).retired


def test_what_a_colleague_pushed_from_an_unknown_commit_stays(lab: Lab, store: WatchedStore, years: Years) -> None:
    lab.write("data", b"1")
    lab.add("data")
    lab.commit()
    lab.push()
    other = lab.clone(lab.root.parent / "fork")
    years.join(other)
    other.write("data", b"theirs" * 999)
    other.add("data")
    other.commit()
    other.push()
    for _ in range(4):
        assert not collect(lab).retired
        years.pass_days(20)
    other.lose_cache()
    years.join(other)
    other.pull()
    other.close()


def test_a_shallow_clone_is_refused(lab: Lab, store: WatchedStore, years: Years) -> None:
    abandon(lab)
    shallow = lab.root.parent / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{lab.root}", str(shallow)], env=lab.env, check=True)
    other = Lab(shallow, lab.env, lab.clone(lab.root.parent / "whole").project)
    other.project.close()
    from lobsterdv.project import open_project

    other.project = open_project(shallow, environment=lab.env)
    other.use(store)
    years.join(other)
    with pytest.raises(Refused, match="shallow"):
        collect(other)
    other.close()


def test_a_retirement_is_undone(lab: Lab, store: WatchedStore, years: Years) -> None:
    abandon(lab)
    records = store.keys("catalog/")
    collect(lab)
    years.pass_days(29)
    report = checked(undo_retirements(lab.project, ["data"]))
    assert [row.path for row in report.restored] == ["data"]
    assert set(records) < set(store.keys("catalog/"))
    for _ in range(3):
        years.pass_days(20)
        assert not look(lab).expired
    collect(lab)
    years.pass_days(31)
    assert getattr(error_of(undo_retirements(lab.project)), "code", "") == "expired"


def test_a_retired_version_that_is_pushed_again_counts_again(lab: Lab, store: WatchedStore, years: Years) -> None:
    """As an old version too, which a push takes for known without asking."""
    lab.git("checkout", "-qb", "side")
    for data in (b"old" * 5000, b"new" * 5000):
        lab.write("data", data)
        lab.add("data")
        lab.commit()
    other = lab.clone(lab.root.parent / "colleague")
    years.join(other)
    lab.push()
    other.pull()
    other.push()
    lab.git("checkout", "-qf", "main")
    lab.git("branch", "-qD", "side")
    lab.git("reflog", "expire", "--expire=now", "--all")
    assert len(collect(lab).retired) == 2
    other.push()
    for _ in range(5):
        years.pass_days(20)
        lab.project.index.write(lambda connection: connection.execute("delete from pushed"))
        for row in collect(other).retired:
            pytest.fail(str(row))
    assert len(objects(store)) == 2 and not dangling(other, years.store)
    other.close()


def test_a_second_collection_waits_for_the_first(lab: Lab, store: WatchedStore, years: Years) -> None:
    abandon(lab)
    with RemoteLock(store, holder="Bob", now=START), pytest.raises(Busy, match="Bob"):
        collect(lab)
    collect(lab)


@pytest.mark.parametrize("first", ["1", "3"])
def test_of_two_that_ask_at_once_never_both_go_on(first: str) -> None:
    """All moments at which the second can come, before each request of the first until it has what it wants."""
    went = set()
    for moment in range(20):
        store = MemoryStore()
        watched = WatchedStore(store)
        second = RemoteLock(store, holder="second", now=0, name="2")
        got: list[str] = []

        def come(call: Call, moment: int = moment, watched: WatchedStore = watched,
                 second: RemoteLock = second, got: list[str] = got) -> None:  # fmt: skip
            if len(watched.calls) == moment + 1 and "first" not in got:
                try:
                    second.__enter__()
                    got.append("second")
                except Busy:
                    pass

        watched.before = come
        try:
            with RemoteLock(watched, holder="first", now=0, name=first):
                got.append("first")
        except Busy:
            pass
        assert len(got) < 2, (moment, got)
        went.update(got)
    assert went == {"first", "second"}


def test_a_lock_that_nobody_renews_counts_for_nothing_after_an_hour(
    lab: Lab, store: WatchedStore, years: Years
) -> None:
    abandon(lab)
    RemoteLock(store, holder="killed", now=START).__enter__()
    with pytest.raises(Busy):
        collect(lab)
    years.pass_days(1)
    collect(lab)


class LastAnswered(MemoryStore):
    """Its clock is that of its last answer, as S3's is."""

    answered = 0.0

    def head(self, key: str) -> Stat:
        self.answered = self.now
        return super().head(key)

    def clock(self) -> float:
        return self.answered


@pytest.mark.parametrize("others", [False, True])
def test_who_was_halted_for_long_deletes_nothing_more(others: bool) -> None:
    store, steady = LastAnswered(), [0.0]
    with RemoteLock(store, holder="halted", now=0, name="1", steady=lambda: steady[0]) as lock:
        lock.renew()
        steady[0] = store.now = 2 * 3600.0
        if others:
            with RemoteLock(store, holder="next", now=store.now, name="2"):
                pass
            store.delete("locks/1.held")
        with pytest.raises(Busy, match="taken away" if others else "halted for too long"):
            lock.renew()


def test_who_may_not_delete_is_told_and_leaves_nothing_behind(lab: Lab, store: WatchedStore, years: Years) -> None:
    """It ended well, and its lock kept everybody else out for an hour."""
    abandon(lab)
    before = store.keys()
    store.before = no_delete("")
    with pytest.raises(Denied, match="DeleteObject"):
        collect(lab)
    assert store.keys() == before
    store.before = lambda call: None
    collect(lab)
    assert not store.keys("locks/")


@pytest.mark.parametrize("what", ["objects/", "locks/"])
def test_what_may_not_be_deleted_is_a_failure(lab: Lab, store: WatchedStore, years: Years, what: str) -> None:
    """Of objects: told, the rest goes. Of the lock, whose right was lost meanwhile: its keys are named."""
    abandon(lab)
    for days in (31, 15):
        collect(lab)
        years.pass_days(days)
    store.before = no_delete(what, first=what == "locks/")
    report = collect_remote(lab.project, yes=True, observer=lab.observe)
    store.before = lambda call: None
    assert [type(failure.error) for failure in report.failures] == [Denied] * (1 if what == "objects/" else 2)
    assert [failure.path for failure in report.failures] == sorted(store.keys(what))
    assert report.deleted_items == (1 if what == "objects/" else 2)


def test_clocks_that_are_apart_are_refused(lab: Lab, store: WatchedStore, years: Years) -> None:
    abandon(lab)
    for ahead in (-400, 400, 2 * DAY):
        lab.project.now = lambda ahead=ahead: years.store.now + ahead
        for verb in (look, collect):
            with pytest.raises(Refused, match="clock"):
                verb(lab)
    assert not store.keys("locks/")


@pytest.mark.parametrize("harm", ["flipped", "unknown event", "manifest gone"])
def test_a_root_that_cannot_be_read_ends_it(lab: Lab, store: WatchedStore, years: Years, harm: str) -> None:
    lab.write("data", b"1")
    lab.add("data")
    lab.commit()
    lab.push()
    (key,) = store.keys("catalog/")
    if harm == "flipped":
        store.inner.put(key, store.read_whole(key, limit=1 << 20)[:-1])
    elif harm == "unknown event":
        from lobsterdv.digest import digest_of

        data = b"lobsterdv: 1\nevent: dance\n"
        store.put(f"{key.rpartition('/')[0]}/{digest_of(data).hex()}.yaml", data)
    else:
        store.delete(store.keys("manifests/")[0])
        lab.lose_cache()
        years.join(lab)
    with pytest.raises(Refused) as refused:
        collect(lab)
    assert refused.value.code == "unreadable-root"


def test_a_list_that_leaves_out_a_record_ends_it(lab: Lab, store: WatchedStore, years: Years) -> None:
    """minio#11724: a short page that says it is the last."""
    for name in ("one", "two"):
        lab.write(name, name.encode())
    lab.add("one", "two")
    lab.commit()
    lab.push()
    collect(lab)
    hidden = store.keys("catalog/")[0]

    class Lying(WatchedStore):
        def list(self, prefix, *, after=""):  # type: ignore[no-untyped-def]
            return (stat for stat in self.inner.list(prefix, after=after) if stat.key != hidden)

    for known in (True, False):
        if not known:
            lab.project.index.write(lambda connection: connection.execute("delete from pushed"))
        lab.use(Lying(store.inner)).reopen()
        years.join(lab)
        with pytest.raises(Refused) as refused:
            collect(lab)
        assert refused.value.code == "list", "by what this machine knows, or by the last mark"


@pytest.mark.parametrize("how", ["repaired", "pushed anew", "given up"])
def test_a_record_that_is_gone_ends_it_until_it_is_repaired_or_given_up(
    lab: Lab, store: WatchedStore, years: Years, how: str
) -> None:
    """One of many, lost by rot: its objects look like garbage, and whoever has the version can restore it."""
    for name in "abcdefghijkl":
        lab.write(name, name.encode() * 5000)
    lab.add(*"abcdefghijkl")
    lab.commit()
    lab.push()
    collect(lab)
    store.delete(store.keys("catalog/")[0])
    known = load_all_pushed(lab.project.index)
    if how == "pushed anew":  # by somebody of whom this machine knows nothing
        lab.project.index.write(lambda connection: connection.execute("delete from pushed"))
    before = store.keys()
    for verb in (look, collect):
        with pytest.raises(Refused) as refused:
            verb(lab)
        assert refused.value.code == "lost" and store.keys() == before
    if how == "repaired":
        verify_remote(lab.project, everything=True, repair=True, observer=lab.observe)
        assert collect(lab).lost == 0, "the version is known to have another record"
        return
    years.pass_days(0.1)
    if how == "pushed anew":
        lab.push()
        with pytest.raises(Refused):
            collect(lab)
    assert collect(lab, accept_lost=True).lost == 1
    assert collect(lab).lost == 0, "from then on"
    if how == "pushed anew":
        for shelf, row in known:
            save_pushed(lab.project.index, shelf, [row])
        assert collect(lab).lost == 0, "by what another machine knows, too"


def test_what_was_touched_since_the_first_mark_is_spared(lab: Lab, store: WatchedStore, years: Years) -> None:
    abandon(lab)
    collect(lab)
    years.pass_days(31)
    collect(lab)
    years.pass_days(5)
    (key,) = objects(store)
    store.refresh(key)
    years.pass_days(10)
    report = collect(lab)
    assert report.deleted_items == 1 and objects(store) == [key], "the manifest alone"
    years.pass_days(15)
    assert collect(lab).deleted_items == 1 and not objects(store)


@pytest.mark.parametrize("place", ["folder", "bucket", "bucket that keeps versions"])
def test_on_real_stores(lab: Lab, moto: Server, tmp_path: Path, place: str) -> None:
    """With a grace of two seconds: what a killed push left goes, what is named stays, and nothing else lies there."""
    made: Store
    if place == "folder":
        made = DirectoryStore(tmp_path / "store", create=True)
    else:
        bucket = moto.new_bucket()
        if place != "bucket":
            moto.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        made = moto.store(bucket)
    store = WatchedStore(made)
    lab.use(store)
    lab.write("kept", b"k" * 9000)
    lab.add("kept")
    lab.commit()
    lab.push()
    kept = store.keys()
    abandon(lab)
    for key in set(store.keys("catalog/")).difference(kept):
        store.delete(key)
    lab.project.index.write(lambda connection: connection.execute("delete from pushed"))
    assert not collect(lab, grace_s=2).deleted_items
    time.sleep(3.2)
    assert look(lab, grace_s=2).ripe_items == 2
    assert collect(lab, grace_s=2).deleted_items == 2
    left = store.keys()
    assert [key for key in left if not key.startswith("marks/")] == kept
    lab.lose_cache()
    lab.path("kept").unlink()
    lab.pull()
    assert lab.read("kept") == b"k" * 9000
