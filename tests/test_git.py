"""Git in real repositories. If these fail, versions are looked up under wrong names or revisions, or every command
pays for more processes than it must."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lobsterdv import git as module
from lobsterdv.errors import Busy, GitFailed, NoGit, UnknownRevision
from lobsterdv.git import Git, git_version

ODD = ["a b", "-rf", "--all", "é", "e\u0301", "🦞", "'q' \"d\"", "a\tb", "new\nline", "x*y?", "[a]", ":(top)c", "a\\b",
       " lead", "trail ", "%41", "#c", "~t", "$(x)", "!n"]  # fmt: skip
POINTERS = "*.ldv.yaml"


class Repository:
    """A git repository, driven by plain git; ``git`` is the object under test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(root.parent), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada B", "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada B", "GIT_COMMITTER_EMAIL": "ada@example.org",
        }  # fmt: skip
        root.mkdir(parents=True)
        Git.create(root, environment=self.environment)
        self.run("symbolic-ref", "HEAD", "refs/heads/main")
        self.git = self.open(root)

    def open(self, folder: Path) -> Git:
        return Git.find(folder, environment=self.environment)

    def run(self, *args: str, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.root, env=self.environment, check=check, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, name: str, text: str = "x") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, message: str = "m") -> str:
        self.run("add", "-A")
        self.run("commit", "--quiet", "--allow-empty", "-m", message)
        return self.run("rev-parse", "HEAD")

    def calls(self) -> list[str]:
        """What was called since the last time."""
        seen = list(self.git.calls)
        self.git.calls.clear()
        return seen


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "a repository é")
    made.calls()
    return made


def test_a_repository_is_found_from_any_folder_in_it(repository: Repository) -> None:
    inside = repository.root / "x" / "y"
    inside.mkdir(parents=True)
    found = repository.open(inside)
    assert (found.root, found.git_dir) == (repository.root, repository.root / ".git")
    assert found.common_dir == (repository.root / ".git").resolve() and found.calls == ["rev-parse"]


def test_outside_of_git_is_said_so(tmp_path: Path, repository: Repository) -> None:
    for folder in (tmp_path, repository.root / ".git"):
        with pytest.raises(NoGit):
            repository.open(folder)
    with pytest.raises((NoGit, GitFailed)):
        repository.open(tmp_path / "missing")


def test_worktrees_share_one_common_folder(repository: Repository, tmp_path: Path) -> None:
    repository.commit()
    repository.run("worktree", "add", "--quiet", str(tmp_path / "second"), "-b", "other")
    second = repository.open(tmp_path / "second")
    assert second.root == tmp_path / "second" and second.git_dir != repository.git.git_dir
    assert second.common_dir == repository.git.common_dir


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_names_are_found_staged_and_read(repository: Repository, name: str) -> None:
    pointer = name + ".ldv.yaml"
    repository.write(pointer, "one")
    assert repository.git.work_files(POINTERS) == [pointer] == repository.git.untracked()
    repository.git.stage([pointer])
    (row,) = repository.git.staged(POINTERS)
    assert (row.path, row.stage) == (pointer, 0) and repository.git.tracked_below([pointer]) == [pointer]
    commit = repository.git.commit("add it")
    assert repository.git.files_at(commit, ".ldv.yaml") == {pointer: row.blob}
    assert [(c.commit, c.path, c.blob) for c in repository.git.history(POINTERS)] == [(commit, pointer, row.blob)]
    assert repository.git.read([row.blob]) == {row.blob: b"one"}


def test_names_that_are_not_utf8_do_not_stop_the_others(repository: Repository) -> None:
    (repository.root / os.fsdecode(b"\xff.ldv.yaml")).write_bytes(b"x")
    repository.write("good.ldv.yaml")
    names = repository.git.work_files(POINTERS)
    assert names == ["good.ldv.yaml", os.fsdecode(b"\xff.ldv.yaml")]
    repository.git.stage(names)
    assert len(repository.git.staged(POINTERS)) == 2


def test_an_unborn_branch_has_no_history_and_no_revision(repository: Repository) -> None:
    repository.write("a.ldv.yaml")
    assert repository.git.history(POINTERS) == [] == repository.git.history(POINTERS, everything=True)
    with pytest.raises(UnknownRevision):
        repository.git.commit_of("HEAD")
    assert repository.git.work_files(POINTERS) == ["a.ldv.yaml"]


def test_revisions_are_whatever_git_takes_and_never_options(repository: Repository) -> None:
    first = repository.commit("first")
    second = repository.commit("second")
    repository.run("tag", "-a", "v1", "-m", "x", first)
    for rev, commit in (("HEAD", second), ("HEAD~1", first), ("v1", first), ("main", second), (first[:10], first),
                        ("HEAD^{/first}", first), ("@", second)):  # fmt: skip
        assert repository.git.commit_of(rev) == commit
    for rev in ("nope", "--all", "-x", "HEAD:missing", "", " ", "HEAD~9", "a..b", "\n"):
        with pytest.raises(UnknownRevision):
            repository.git.commit_of(rev)


def test_revisions_by_message_are_found(repository: Repository) -> None:
    first = repository.commit("first")
    repository.commit("second")
    assert repository.git.commit_of(":/first") == first


def test_history_knows_changes_removals_branches_and_merges(repository: Repository) -> None:
    write, commit = repository.write, repository.commit
    write("a.ldv.yaml", "1")
    write("other.txt", "1")
    one = commit("one")
    repository.run("checkout", "--quiet", "-b", "side")
    write("a.ldv.yaml", "2")
    two = commit("two")
    repository.run("checkout", "--quiet", "main")
    write("b.ldv.yaml", "b")
    three = commit("three")
    repository.run("merge", "--quiet", "--no-edit", "side")
    merge = repository.run("rev-parse", "HEAD")
    (repository.root / "b.ldv.yaml").unlink()
    commit("four")
    repository.run("checkout", "--quiet", "-b", "unmerged", one)
    write("c.ldv.yaml", "c")
    five = commit("five")
    repository.run("checkout", "--quiet", "main")
    changes = repository.git.history(POINTERS)
    contents = repository.git.read(c.blob for c in changes)
    found = [(c.commit, c.path, contents[c.blob].decode()) for c in changes]
    assert set(found) == {
        (one, "a.ldv.yaml", "1"), (two, "a.ldv.yaml", "2"), (three, "b.ldv.yaml", "b"),
        (merge, "a.ldv.yaml", "2"), (merge, "b.ldv.yaml", "b"),
    }  # fmt: skip
    assert found[-1][0] == one and found[0][0] == merge, "newest first"
    everywhere = {c.commit for c in repository.git.history(POINTERS, everything=True)}
    assert everywhere == {one, two, three, merge, five}


def test_a_renamed_pointer_keeps_both_names_in_history(repository: Repository) -> None:
    repository.write("a.ldv.yaml", "same")
    repository.commit()
    repository.run("mv", "a.ldv.yaml", "b.ldv.yaml")
    repository.commit()
    assert [c.path for c in repository.git.history(POINTERS)] == ["b.ldv.yaml", "a.ldv.yaml"]


def test_a_conflict_shows_its_stages(repository: Repository) -> None:
    repository.write("a.ldv.yaml", "base\n")
    repository.commit()
    repository.run("checkout", "--quiet", "-b", "side")
    repository.write("a.ldv.yaml", "theirs\n")
    repository.commit()
    repository.run("checkout", "--quiet", "main")
    repository.write("a.ldv.yaml", "ours\n")
    repository.commit()
    repository.run("merge", "side", check=False)
    rows = repository.git.staged(POINTERS)
    contents = repository.git.read(row.blob for row in rows)
    assert [(row.stage, contents[row.blob]) for row in rows] == [(1, b"base\n"), (2, b"ours\n"), (3, b"theirs\n")]
    assert repository.git.work_files(POINTERS) == ["a.ldv.yaml"], "once, not once a stage"


def test_reading_takes_one_process_and_leaves_out_what_is_missing(repository: Repository) -> None:
    for number in range(50):
        repository.write(f"{number}.ldv.yaml", "x\n" * number)
    commit = repository.commit()
    blobs = repository.git.files_at(commit, ".ldv.yaml")
    repository.calls()
    found = repository.git.read([*blobs.values(), "0" * 40, "nonsense", f"{commit}:7.ldv.yaml"])
    assert repository.calls() == ["cat-file"]
    assert {name: found[blob].decode() for name, blob in blobs.items()} == {
        f"{n}.ldv.yaml": "x\n" * n for n in range(50)
    }
    assert len(found) == 51 and found[f"{commit}:7.ldv.yaml"] == b"x\n" * 7


def test_nothing_to_ask_starts_no_process(repository: Repository) -> None:
    assert repository.git.read([]) == {} and repository.git.ignored([]) == [] and repository.git.tracked_below([]) == []
    repository.git.stage([])
    assert repository.calls() == []


def test_ignored_and_tracked_files_are_told_apart(repository: Repository) -> None:
    repository.write(".gitignore", "/data/\n*.tmp\n")
    for name in ("data/x", "a.tmp", "b.txt", "sub/c", "sub d/e"):
        repository.write(name)
    repository.commit()
    repository.write("new")
    assert sorted(repository.git.ignored(["data/x", "a.tmp", "b.txt", "none.tmp"])) == ["a.tmp", "data/x", "none.tmp"]
    assert repository.git.tracked_below(["sub", "b.txt", "data"]) == ["b.txt", "sub/c"]
    assert repository.git.tracked_below(["*.txt"]) == [], "names are names, not patterns"
    assert repository.git.untracked() == ["new"]


def test_removals_are_staged_too_and_ignored_files_are_an_error(repository: Repository) -> None:
    repository.write(".gitignore", "*.tmp\n")
    repository.write("a")
    repository.commit()
    (repository.root / "a").unlink()
    repository.git.stage(["a", "a"])
    assert repository.run("diff", "--cached", "--name-status") == "D\ta"
    repository.write("b.tmp")
    with pytest.raises(GitFailed):
        repository.git.stage(["b.tmp"])


def test_a_busy_index_is_waited_for_and_then_named(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.write("a")
    lock = repository.root / ".git" / "index.lock"
    lock.touch()
    threading.Timer(0.3, lock.unlink).start()
    began = time.monotonic()
    repository.git.stage(["a"])
    assert time.monotonic() - began >= 0.25 and repository.git.tracked_below(["a"]) == ["a"]
    lock.touch()
    monkeypatch.setattr(module, "_INDEX_TRIES", 2)
    with pytest.raises(Busy):
        repository.git.stage(["a"])


def test_who_commits_is_what_git_would_write(repository: Repository) -> None:
    assert repository.git.identity() == "Ada B <ada@example.org>"
    repository.environment.pop("GIT_AUTHOR_NAME")
    repository.run("config", "user.useConfigOnly", "true")
    assert isinstance(repository.open(repository.root).identity(), str), "nobody is no error: a push goes on"


def test_a_failure_names_the_command_in_one_line(repository: Repository) -> None:
    with pytest.raises(GitFailed) as caught:
        repository.git.files_at("nope", "")
    assert "git ls-tree" in str(caught.value) and "\n" not in str(caught.value)


def test_a_machine_without_git_is_told(tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="not installed"):
        Git.find(tmp_path, environment={"PATH": str(tmp_path)})
    assert git_version(environment=os.environ)[0].isdigit()


def test_an_interrupted_git_is_asked_to_end(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, it would leave `.git/index.lock`, and every git command would fail until somebody removes that."""
    started: list[subprocess.Popen[bytes]] = []

    def communicate(process: subprocess.Popen[bytes], given: bytes) -> None:
        started.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
    with pytest.raises(KeyboardInterrupt):
        repository.git.ask("cat-file", "--batch")  # which waits for more to read
    assert [process.returncode for process in started] == [-signal.SIGTERM]
