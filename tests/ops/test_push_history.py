"""Which versions a push is about: HEAD's history, git's index, the work tree; and what it says of the rest."""

from __future__ import annotations

import pytest

from lobsterdv.digest import digest_of
from lobsterdv.errors import MissingContent
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, error_of
from tests.ops.watching import WatchedStore


@pytest.fixture
def store(lab: Lab) -> WatchedStore:
    watched = WatchedStore(MemoryStore())
    lab.use(watched)
    return watched


def save(lab: Lab, text: str, **options: object) -> None:
    lab.write("a", text)
    lab.add("a", **options)


def pushed(lab: Lab, **options: object) -> list[str]:
    """The texts of the versions that a push sent, in its order."""
    texts = {digest_of(t.encode()): t for t in ("one", "two", "three", "staged", "work", "branch", "stash")}
    return [texts[v.digest] for v in lab.push(**options).versions if v.outcome != "up to date"]


def test_all_of_heads_history_goes(lab: Lab, store: WatchedStore) -> None:
    """Whoever checks out an old commit elsewhere needs its data too."""
    for text in ("one", "two", "three"):
        save(lab, text)
        lab.commit(text)
    assert pushed(lab) == ["one", "two", "three"]


def test_what_is_staged_and_what_only_lies_in_the_work_tree(lab: Lab, store: WatchedStore) -> None:
    save(lab, "one")
    lab.commit()
    save(lab, "staged")
    save(lab, "work", staging=False)
    assert set(pushed(lab)) == {"one", "staged", "work"}


def test_other_branches_only_with_everything(lab: Lab, store: WatchedStore) -> None:
    save(lab, "one")
    lab.commit()
    lab.git("switch", "--quiet", "-c", "idea")
    save(lab, "branch")
    lab.commit()
    lab.git("switch", "--quiet", "main")
    assert pushed(lab) == ["one"]
    assert pushed(lab, everything=True) == ["branch"]


def test_a_merged_branch_is_history(lab: Lab, store: WatchedStore) -> None:
    save(lab, "one")
    lab.commit()
    lab.git("switch", "--quiet", "-c", "idea")
    save(lab, "branch")
    lab.commit()
    lab.git("switch", "--quiet", "main")
    lab.git("merge", "--quiet", "--no-ff", "-s", "ours", "-m", "merge", "idea")
    assert set(pushed(lab)) == {"one", "branch"}


def test_only_what_a_revision_names(lab: Lab, store: WatchedStore) -> None:
    for text in ("one", "two", "three"):
        save(lab, text)
        lab.commit(text, tag=text)
    assert pushed(lab, rev="two") == ["two"]
    assert pushed(lab, rev="HEAD~2") == ["one"]


def test_only_the_paths_that_are_named(lab: Lab, store: WatchedStore) -> None:
    for name in ("data/x/a", "data/y/b", "other"):
        lab.write(name, name)
    lab.add("data/x/a", "data/y/b", "other")
    assert [v.path for v in lab.push("data/x").versions] == ["data/x/a"]
    assert sorted(v.path for v in lab.push("data").versions) == ["data/x/a", "data/y/b"]
    assert sorted(v.path for v in lab.push("*/b", "other.ldv.yaml").versions) == ["data/y/b", "other"]


def test_before_the_first_commit(lab: Lab, tmp_path: object) -> None:
    """`git init; ldv init; ldv add; ldv push`, nothing committed yet."""
    lab.use(MemoryStore())
    save(lab, "one")
    lab.git("update-ref", "-d", "HEAD")
    assert pushed(lab) == ["one"]


def test_the_commit_is_in_the_record(lab: Lab, store: WatchedStore) -> None:
    """Who finds a version in the bucket finds the code that made it."""
    save(lab, "one")
    commit = lab.commit()
    lab.push()
    (key,) = store.keys("catalog/")
    text = store.read_whole(key, limit=1 << 16).decode()
    assert f'commit: "{commit}"' in text or f"commit: {commit}" in text
    assert "Ada <ada@lab>" in text


def lose_cached(lab: Lab, text: str) -> None:
    lab.project.cache.plain_path(digest_of(text.encode())).unlink()


def test_an_old_version_that_is_nowhere_is_a_warning(lab: Lab, store: WatchedStore) -> None:
    """Lost long ago; it must not stop today's work from being shared."""
    for text in ("one", "two"):
        save(lab, text)
        lab.commit()
    lose_cached(lab, "one")
    assert pushed(lab) == ["two"]
    assert any("neither here nor there" in warning for warning in lab.warnings)


def test_a_current_version_that_is_nowhere_is_a_failure(lab: Lab, store: WatchedStore) -> None:
    save(lab, "one")
    lab.write("b", "fine")
    lab.add("b")
    lab.commit()
    lose_cached(lab, "one")
    report = lab.try_push()
    error = error_of(report)
    assert isinstance(error, MissingContent)
    assert (error.exit_code, error.name, error.size) == (3, "a", 3)
    assert [v.path for v in report.versions] == ["b"]
    assert lab.try_push(ignore_missing=True).failures == []
    assert any(" is neither here nor there" in warning for warning in lab.warnings)


def test_a_reverted_version_is_current_again(lab: Lab, store: WatchedStore) -> None:
    save(lab, "one")
    lab.commit("one", tag="one")
    save(lab, "two")
    lab.commit()
    lab.push()
    lab.checkout(rev="one")
    report = lab.push()
    assert {v.digest: v.outcome for v in report.versions}[digest_of(b"one")] == "up to date"
    lab.write("again", "one")
    lab.add("again")
    (version,) = lab.push("again").versions
    assert version.outcome == "pushed"


def test_two_remotes_hold_what_each_was_given(lab: Lab) -> None:
    first, second = WatchedStore(MemoryStore("first")), WatchedStore(MemoryStore("second"))
    remotes = {name: {"url": str(lab.root.parent / name)} for name in ("first", "second")}
    lab.configure(remote="first", remotes=remotes, fallback="off").use({"first": first, "second": second})
    save(lab, "one")
    lab.commit()
    lab.push()
    assert second.keys() == []
    assert pushed(lab, remote="second") == ["one"]
    assert first.keys("objects/") == second.keys("objects/")
    save(lab, "two")
    lab.commit()
    assert pushed(lab, remote="second") == ["two"]
    lab.lose_cache()
    lab.use({"first": first, "second": second})
    lab.path("a").unlink()
    report = lab.try_pull()
    assert isinstance(error_of(report), MissingContent), "the default remote has only the first version"
    lab.pull(remote="second")
    assert lab.read("a") == b"two"
    assert lab.status().remote == "first"


def test_git_processes_of_a_push(lab: Lab, store: WatchedStore) -> None:
    for text in ("one", "two", "three"):
        save(lab, text)
        lab.commit()
    lab.project.git.calls.clear()
    lab.push()
    assert len(lab.project.git.calls) <= 6, lab.project.git.calls
