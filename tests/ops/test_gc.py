"""gc: what anything names stays, what no remote holds is only moved to the trash, and nothing happens unasked."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv import locks
from lobsterdv.blobs import tenants
from lobsterdv.digest import digest_of
from lobsterdv.errors import Busy, FormatError, GitFailed, Refused, RemoteError
from lobsterdv.ops.alone import alone_in
from lobsterdv.ops.gc import gc, unregister_project
from tests.damage.oracle import load
from tests.ops.lab import Lab
from tests.ops.tidying import (
    DAYS,
    HOURS,
    cache_of,
    collect,
    forget_history,
    holds,
    later,
    share,
    somebody_reads,
    undeleted,
    version,
)
from tests.ops.watching import tree

OLD, NEW = b"old " * 1000, b"new " * 1000


@pytest.fixture
def shared(lab: Lab, tmp_path: Path) -> Lab:
    return share(lab, tmp_path / "store")


def in_trash(lab: Lab) -> list[str]:
    """Names of contents, listings and packs in the cache's trash."""
    trash = lab.project.cache.trash
    return sorted(p.name for p in trash.glob("*/*/*")) if trash.is_dir() else []


def nothing(lab: Lab) -> None:
    pass


def stage(lab: Lab) -> None:
    version(lab, "x", NEW, commit=False)


# Each leaves OLD named by one thing only, and NEW (or nothing) by the rest.


def a_branch(lab: Lab) -> None:
    lab.git("branch", "side")
    version(lab, "x", NEW)
    forget_history(lab)


def a_tag(lab: Lab) -> None:
    lab.git("tag", "-a", "v1", "-m", "v1")
    version(lab, "x", NEW)
    forget_history(lab)


def a_remote_branch(lab: Lab) -> None:
    lab.git("update-ref", "refs/remotes/origin/work", "HEAD")
    version(lab, "x", NEW)
    forget_history(lab)


def an_old_commit(lab: Lab) -> None:
    version(lab, "x", NEW)


def a_removed_dataset(lab: Lab) -> None:
    lab.git("rm", "-q", "--cached", "x.ldv.yaml")
    lab.path("x.ldv.yaml").unlink()
    lab.commit()


def the_reflog(lab: Lab) -> None:
    version(lab, "x", NEW)
    lab.git("reset", "-q", "--soft", lab.git("commit-tree", "-m", "squashed", lab.git("write-tree")))


def the_stash(lab: Lab) -> None:
    lab.git("rm", "-q", "--cached", "x.ldv.yaml")
    lab.git("commit", "-qm", "without")
    lab.git("add", "x.ldv.yaml")
    lab.git("stash", "-q")
    forget_history(lab)
    lab.git("update-ref", "refs/stash", lab.git("rev-parse", "refs/stash"))


def the_index(lab: Lab) -> None:
    lab.git("rm", "-q", "--cached", "x.ldv.yaml")
    lab.git("commit", "-qm", "without")
    forget_history(lab)
    lab.git("add", "x.ldv.yaml")
    lab.path("x.ldv.yaml").unlink()


def the_work_tree(lab: Lab) -> None:
    lab.git("rm", "-q", "--cached", "x.ldv.yaml")
    lab.git("commit", "-qm", "without")
    forget_history(lab)


def an_ignored_pointer(lab: Lab) -> None:
    the_work_tree(lab)
    (lab.root / ".git/info/exclude").write_text("*.ldv.yaml\n")


def a_conflicted_pointer(lab: Lab) -> None:
    ours = lab.read("x.ldv.yaml").decode()
    the_work_tree(lab)
    lab.write("x.ldv.yaml", f"<<<<<<< ours\n{ours}=======\n{ours}>>>>>>> theirs\n")


def another_worktree(lab: Lab) -> None:
    lab.git("worktree", "add", "-q", "--detach", str(lab.root.parent / "second"), "HEAD")
    version(lab, "x", NEW)
    forget_history(lab)


def the_index_of_another_worktree(lab: Lab) -> None:
    second = lab.root.parent / "second"
    lab.git("worktree", "add", "-q", "--detach", str(second), "HEAD~1")
    subprocess.run(["cp", str(lab.path("x.ldv.yaml")), str(second)], check=True)
    subprocess.run(["git", "add", "x.ldv.yaml"], cwd=second, env=lab.env, check=True)
    (second / "x.ldv.yaml").unlink()
    version(lab, "x", NEW)
    forget_history(lab)


def a_rebase_under_way(lab: Lab) -> None:
    old = lab.git("rev-parse", "HEAD")
    version(lab, "x", NEW)
    forget_history(lab)
    folder = lab.root / ".git/rebase-merge"
    folder.mkdir()
    (folder / "orig-head").write_text(old + "\n")


NAMERS: list[Callable[[Lab], None]] = [
    nothing, stage, a_branch, a_tag, a_remote_branch, an_old_commit, a_removed_dataset, the_reflog, the_stash,
    the_index, the_work_tree, an_ignored_pointer, a_conflicted_pointer, another_worktree, the_index_of_another_worktree,
    a_rebase_under_way,
]  # fmt: skip


@pytest.mark.parametrize("name_it", NAMERS)
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_anything_names_stays(lab: Lab, name_it: Callable[[Lab], None], kind: str) -> None:
    """An analysis is published from a tag, a stash, a colleague's work tree: its data must not go."""
    old = version(lab, "x", OLD if kind == "file" else {"a": OLD, "big": b"b" * 300_000})
    if kind == "directory" and name_it in (stage, an_old_commit, the_reflog, a_branch):
        shutil.rmtree(lab.path("x"))  # NEW is a file in its place
        lab.path("x.ldv.yaml").unlink()
    name_it(lab)
    report = collect(lab)
    assert holds(lab, OLD) and (kind == "file" or holds(lab, b"b" * 300_000))
    assert kind == "file" or lab.project.cache.has_listing(old)
    assert not report.collected and not in_trash(lab)


def test_what_nothing_names_and_no_remote_holds_goes_to_the_trash_and_no_further(lab: Lab) -> None:
    old = version(lab, "x", OLD)
    version(lab, "x", NEW)
    forget_history(lab)
    report = collect(lab)
    assert [(row.digest, row.fate, row.size) for row in report.collected] == [(old, "trash", len(OLD))]
    assert not holds(lab, OLD) and holds(lab, NEW)
    assert in_trash(lab) == [old.hex()] and report.freed_bytes == 0
    undeleted(lab, old.hex()[:12])
    assert holds(lab, OLD) and not in_trash(lab)


def test_what_the_remote_is_seen_to_hold_is_deleted(shared: Lab) -> None:
    old = version(shared, "x", {"a": OLD, "big": b"b" * 300_000})
    shared.push()
    version(shared, "x", {"a": NEW})
    forget_history(shared)
    report = collect(shared)
    assert {(r.path, r.digest, r.files, r.fate) for r in report.collected} == {("x", old, 2, "delete")}
    assert report.freed_bytes == len(OLD) + 300_000 and not in_trash(shared)
    assert not holds(shared, OLD) and holds(shared, NEW) and not shared.project.cache.has_listing(old)


@pytest.mark.parametrize("kind", ["objects", "manifests", "catalog"])
@pytest.mark.parametrize("how", ["deleted", "truncated"])
def test_a_remote_that_lost_it_is_no_safe_copy(shared: Lab, tmp_path: Path, kind: str, how: str) -> None:
    """What was pushed once is not believed to be there: deleting on that belief would delete the last copy."""
    old = version(shared, "x", OLD)
    shared.push()
    for path in [p for p in (tmp_path / "store" / kind).rglob("*") if p.is_file()]:
        path.chmod(0o644)
        path.unlink() if how == "deleted" else path.write_bytes(path.read_bytes()[:-1])
    version(shared, "x", NEW)
    forget_history(shared)
    report = collect(shared)
    if (kind, how) == ("catalog", "truncated"):  # a HEAD cannot tell; the manifest and the objects are whole
        assert not holds(shared, OLD)
    else:
        assert report.freed_bytes == 0
        assert in_trash(shared) == [old.hex()]


def test_a_remote_that_rotted_is_no_safe_copy(shared: Lab, tmp_path: Path) -> None:
    """Its sizes are as they should be."""
    old = version(shared, "x", OLD)
    shared.push()
    for path in [p for p in (tmp_path / "store/objects").rglob("*") if p.is_file()]:
        path.chmod(0o644)
        path.write_bytes(bytes(path.stat().st_size))
    version(shared, "x", NEW)
    forget_history(shared)
    assert collect(shared).freed_bytes == 0
    assert in_trash(shared) == [old.hex()]


def test_a_remote_that_cannot_be_asked_stops_it(shared: Lab, tmp_path: Path) -> None:
    version(shared, "x", OLD)
    shared.push()
    version(shared, "x", NEW)
    forget_history(shared)
    (tmp_path / "store").rename(tmp_path / "unplugged")
    (tmp_path / "store").write_text("a file")
    with pytest.raises(RemoteError):
        collect(shared)
    assert holds(shared, OLD) and not in_trash(shared)


def test_without_yes_nothing_changes(shared: Lab) -> None:
    version(shared, "x", OLD)
    shared.push()
    version(shared, "x", {"a": b"never pushed"}, commit=False)
    version(shared, "x", NEW)
    forget_history(shared)
    later(shared, 2 * HOURS)
    before = tree(cache_of(shared))
    plan = gc(shared.project, observer=shared.observe)
    assert tree(cache_of(shared)) == before
    assert (plan.freed_bytes, plan.trashed_bytes) == (len(OLD), len(b"never pushed"))
    done = collect(shared)
    assert [(r.digest, r.fate) for r in done.collected] == [(r.digest, r.fate) for r in plan.collected]
    assert (done.freed_bytes, done.trashed_bytes) == (plan.freed_bytes, plan.trashed_bytes)


def test_what_is_young_stays(lab: Lab) -> None:
    """Where the file system has no locks, an add that has not written its pointer yet is safe all the same."""
    version(lab, "x", OLD)
    version(lab, "x", NEW)
    forget_history(lab)
    report = collect(lab, at_once=True)
    assert holds(lab, OLD) and report.young_bytes == len(OLD)


def test_a_version_goes_to_the_trash_whole_though_the_remote_holds_a_part(shared: Lab) -> None:
    """A file that another version shares is at the remote, the version is not: only together are they of use."""
    version(shared, "x", {"a": OLD, "b": b"1" * 300_000})
    shared.push()
    half = version(shared, "x", {"a": OLD, "b": b"1" * 300_000, "c": b"only here"})
    version(shared, "x", NEW)
    forget_history(shared)
    collect(shared)
    undeleted(shared, half.hex())
    assert holds(shared, OLD) and holds(shared, b"1" * 300_000) and holds(shared, b"only here")
    assert shared.project.cache.has_listing(half)


def test_packs_are_thinned(shared: Lab) -> None:
    """Small files lie together: those that stay are moved to a new pack, verified, before the old one goes."""
    files = {f"{n:03}": f"file {n} ".encode() * 50 for n in range(100)}
    version(shared, "run", files)
    kept = dict(list(files.items())[:20])
    version(shared, "run", kept)
    forget_history(shared)
    report = collect(shared)
    assert report.trashed_bytes == sum(len(data) for name, data in files.items() if name not in kept)
    for name, data in files.items():
        assert holds(shared, data) == (name in kept)
    assert shared.state("run").work == "clean"


def test_a_damaged_pack_is_left_alone(lab: Lab) -> None:
    files = {f"{n:03}": f"file {n} ".encode() * 50 for n in range(100)}
    version(lab, "run", files)
    version(lab, "run", dict(list(files.items())[:20]))
    forget_history(lab)
    (pack,) = [p for p in (cache_of(lab) / "packs").glob("*.pack") if p.stat().st_size > 30_000]
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[10] ^= 1
    pack.write_bytes(data)
    later(lab)
    gc(lab.project, yes=True, observer=lab.observe)
    assert pack.read_bytes() == data and any("damaged" in text for text in lab.warnings)


# Projects that share a cache


@pytest.fixture
def two(lab: Lab, tmp_path: Path) -> tuple[Lab, Lab]:
    """Two projects, one cache."""
    other = Lab.create(tmp_path / "other", home=tmp_path / "home")
    for one in (lab, other):
        one.reopen(LOBSTERDV_CACHE_DIR=str(tmp_path / "cache"))
    version(other, "theirs", OLD)
    other.close()
    version(lab, "mine", NEW)
    return lab, other


def test_another_project_keeps_its_own(two: tuple[Lab, Lab]) -> None:
    collect(two[0])
    assert holds(two[0], OLD)


@pytest.mark.parametrize("damage", ["gone", "no git folder", "a damaged ref", "an unreadable pointer"])
def test_a_project_that_cannot_be_read_stops_it(two: tuple[Lab, Lab], damage: str, tmp_path: Path) -> None:
    """A disk that is not mounted is no reason to collect what its projects name."""
    lab, other = two
    if damage == "gone":
        other.root.rename(tmp_path / "elsewhere")
    elif damage == "no git folder":
        shutil.rmtree(other.root / ".git")
        (other.root / ".git").mkdir()
    elif damage == "a damaged ref":
        (commit,) = [p for p in [other.root / ".git/refs/heads/main"] if p.exists()]
        commit.write_text("0" * 39 + "1\n")
    else:
        other.write("theirs.ldv.yaml", b"\0\0\0")
    with pytest.raises(Refused) as caught:
        collect(lab)
    assert caught.value.code == "tenant" and str(other.root / ".git") in str(caught.value)
    assert holds(lab, OLD) and not in_trash(lab)


def test_a_project_that_is_gone_for_good_is_unregistered(two: tuple[Lab, Lab]) -> None:
    lab, other = two
    with pytest.raises(Refused) as caught:
        unregister_project(lab.project, str(other.root))
    assert caught.value.code == "tenant-here", "it is still there"
    with pytest.raises(Refused) as caught:
        unregister_project(lab.project, str(lab.root / "nowhere"))
    assert caught.value.code == "no-tenant"
    shutil.rmtree(other.root)
    unregister_project(lab.project, str(other.root))
    assert collect(lab).trashed_bytes == len(OLD)


def test_a_registration_that_cannot_be_read_stops_it(two: tuple[Lab, Lab]) -> None:
    lab, _ = two
    (cache_of(lab) / "projects" / "x.json").write_text("{")
    with pytest.raises(FormatError):
        collect(lab)
    assert holds(lab, OLD)


def test_a_worktree_that_is_gone_stops_it(lab: Lab) -> None:
    version(lab, "x", OLD)
    another_worktree(lab)
    shutil.rmtree(lab.root.parent / "second")
    with pytest.raises(Refused) as caught:
        collect(lab)
    assert caught.value.code == "worktree"
    lab.git("worktree", "prune")
    assert collect(lab).trashed_bytes == len(OLD)


def test_a_damaged_history_stops_it(lab: Lab) -> None:
    version(lab, "x", OLD)
    version(lab, "x", NEW)
    blob = lab.git("rev-parse", "HEAD~1:")
    (lab.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitFailed):
        collect(lab)
    assert holds(lab, OLD)


# Beside other commands


def test_it_waits_for_running_commands_and_gives_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    version(lab, "x", OLD)
    version(lab, "x", NEW)
    forget_history(lab)
    monkeypatch.setattr(locks, "WAIT_S", 0.3)
    with somebody_reads(lab), pytest.raises(Busy):
        collect(lab)
    assert holds(lab, OLD) and not in_trash(lab)


def test_what_is_named_while_it_looks_stays(lab: Lab) -> None:
    """A pointer that comes between the looking and the removing, as an add beside it writes one."""
    version(lab, "x", OLD)
    text = lab.read("x.ldv.yaml")
    version(lab, "x", NEW)
    forget_history(lab)
    names = threading.Event()

    def held() -> None:
        with somebody_reads(lab):
            names.wait(20)
            lab.write("again.ldv.yaml", text)

    other = threading.Thread(target=held)
    other.start()
    while not (cache_of(lab) / "lock").exists():
        time.sleep(0.01)
    threading.Timer(1.0, names.set).start()
    report = collect(lab)
    other.join()
    assert holds(lab, OLD) and not report.collected and not in_trash(lab)


def test_a_program_that_runs_on_finds_what_was_moved(lab: Lab) -> None:
    """A notebook keeps the cache open for days; packs are replaced under it."""
    files = {f"{n:03}": f"file {n} ".encode() * 50 for n in range(100)}
    version(lab, "run", files)
    kept = dict(list(files.items())[:20])
    notebook = Lab(lab.root, lab.env, lab.project)
    assert holds(notebook, files["000"])
    version(lab, "run", kept)
    forget_history(lab)
    lab.project.close()
    other = Lab(lab.root, lab.env, lab.project).reopen()
    collect(other)
    for name, data in kept.items():
        assert notebook.project.cache.read_small(digest_of(data), name=name) == data
    notebook.close()


# The size limit


def test_the_limit_takes_the_least_recently_used_that_the_remote_holds(shared: Lab) -> None:
    """cache.max: old pushed versions go, oldest use first; what a work tree is at and what is only here stays."""
    contents = [bytes([n]) * 10_000 for n in range(6)]
    for number, data in enumerate(contents):
        if number == 5:
            shared.push()
        version(shared, "x", data)
    later(shared, 10 * DAYS)
    for number, data in enumerate(contents[:4]):  # 3 was used longest ago
        path = shared.project.cache.plain_path(digest_of(data))
        subprocess.run(["touch", "-a", "-d", f"@{int(time.time()) + (9 - number) * DAYS}", str(path)], check=True)
    shared.env["LOBSTERDV_CACHE_MAX"] = "35000"
    now = shared.project.now
    shared.reopen()
    shared.project.now = now
    report = collect(shared)
    stays = [holds(shared, data) for data in contents]
    assert stays == [True, True, False, False, False, True], "4 was never used again, 5 is current and unpushed"
    assert {row.why for row in report.collected} == {"over the limit"} and not in_trash(shared)
    assert report.over_bytes == 0


def test_the_limit_never_takes_what_is_only_here_or_in_use_or_spared(shared: Lab) -> None:
    version(shared, "kept", b"k" * 10_000)
    version(shared, "kept", b"l" * 10_000)
    current = version(shared, "x", b"x" * 10_000)
    shared.push()
    version(shared, "y", b"y" * 10_000)
    version(shared, "y", b"z" * 10_000)
    shared.reopen(LOBSTERDV_CACHE_MAX="1", LOBSTERDV_CACHE_KEEP="kept")
    later(shared, 10 * DAYS)
    report = collect(shared)
    assert not report.collected and report.over_bytes > 40_000
    assert holds(shared, current) and holds(shared, b"y" * 10_000) and holds(shared, b"k" * 10_000)


def test_the_limit_spares_versions_that_no_pull_would_bring_back(shared: Lab) -> None:
    """The bytes are at the remote, in another version's manifest; this version was never pushed."""
    version(shared, "dir", {"f": OLD * 100})
    shared.push()
    version(shared, "x", OLD * 100)
    version(shared, "x", NEW)
    version(shared, "dir", {"f": NEW})
    shared.reopen(LOBSTERDV_CACHE_MAX="1")
    later(shared, 10 * DAYS)
    collect(shared)
    assert holds(shared, OLD * 100)


def test_the_limit_spares_what_other_projects_name(two: tuple[Lab, Lab], tmp_path: Path) -> None:
    """Our remote holds it, but theirs may be another."""
    lab, _ = two
    share(lab, tmp_path / "store")
    version(lab, "mine", OLD)
    lab.push()
    version(lab, "mine", NEW)
    lab.reopen(LOBSTERDV_CACHE_MAX="1")
    later(lab, 10 * DAYS)
    collect(lab)
    assert holds(lab, OLD)


# The trash


def trashed(lab: Lab, data: bytes) -> Path:
    """A version that went to the trash; its entry."""
    version(lab, "x", data)
    version(lab, "x", b"current")
    forget_history(lab)
    report = collect(lab)
    assert report.trash is not None
    return Path(report.trash)


def test_the_trash_is_bounded_by_days_and_size_but_never_within_a_day(lab: Lab) -> None:
    first = trashed(lab, OLD)
    later(lab, 23 * HOURS)
    assert collect(lab.reopen(LOBSTERDV_TRASH_MAX="1"), at_once=True).purged_bytes == 0
    assert first.exists()
    later(lab, 2 * DAYS)
    assert gc(lab.project, observer=lab.observe).purged == [first.name]
    assert first.exists(), "only asked"
    assert collect(lab, at_once=True).purged == [first.name]
    assert not first.exists() and not first.with_name(first.name + ".json").exists()
    second = trashed(lab.reopen(LOBSTERDV_TRASH_MAX="1GB"), NEW)
    later(lab, 29 * DAYS)
    assert collect(lab, at_once=True).purged == []
    later(lab, 31 * DAYS)
    assert collect(lab, at_once=True).purged == [second.name]


@pytest.mark.parametrize("files", [{"": OLD}, {"a": OLD, "big": b"b" * 300_000}])
def test_what_is_named_again_leaves_the_trash_only_for_the_cache(lab: Lab, files: dict[str, bytes]) -> None:
    """A branch comes back from a colleague: its data lies in the trash, and that is the only copy."""
    old = version(lab, "x", files.get("", files))
    pointer = lab.read("x.ldv.yaml")
    if "" not in files:
        shutil.rmtree(lab.path("x"))
        lab.path("x.ldv.yaml").unlink()
    version(lab, "x", b"current")
    forget_history(lab)
    entry = Path(collect(lab).trash or "")
    lab.write("again.ldv.yaml", pointer)
    later(lab, 40 * DAYS)
    report = collect(lab, at_once=True, empty_trash=True)
    assert report.purged == [] and report.wanted_bytes > 0 and entry.exists()
    undeleted(lab, old.hex())
    assert all(holds(lab, data) for data in files.values())
    lab.checkout("again")


def test_empty_trash_deletes_all_of_it(lab: Lab) -> None:
    trashed(lab, OLD)
    assert collect(lab, at_once=True, empty_trash=True).purged_bytes == len(OLD)
    assert not in_trash(lab)


def test_the_oracle_agrees_that_the_remote_still_restores(shared: Lab, tmp_path: Path) -> None:
    """gc of the cache never touches the remote."""
    version(shared, "x", OLD)
    shared.push()
    before = load(tmp_path / "store")
    version(shared, "x", NEW)
    forget_history(shared)
    collect(shared)
    assert load(tmp_path / "store") == before


def test_a_halted_collection_is_waited_for_and_named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stopped a gc with Ctrl-Z found that no command of any project with this cache ever ended."""
    monkeypatch.setattr(locks, "WAIT_S", 0.2)
    monkeypatch.setattr(locks, "TELL_S", 0.1)
    lab.write("x", OLD)
    with tenants.alone(cache_of(lab)), pytest.raises(Busy) as raised:
        lab.add("x")
    assert raised.value.exit_code == 6
    assert not lab.path("x.ldv.yaml").exists()
    assert [warning for warning in lab.warnings if "waiting for it" in warning]
    lab.add("x")
    assert holds(lab, OLD)


def test_a_halted_writer_of_a_gitignore_holds_nobody_up_for_ever(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_S", 0.2)
    lab.write("x", OLD)
    with alone_in(lab.root):
        report = lab.try_add("x")
    assert [type(failure.error) for failure in report.failures] == [Busy]
    lab.add("x")
    assert lab.state("x").work == "clean"
