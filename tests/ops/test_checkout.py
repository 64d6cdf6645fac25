"""checkout makes the work tree what the version is, in whatever shape it was before."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv.errors import MissingContent, NotTracked, UnknownRevision
from lobsterdv.events import silent
from lobsterdv.ops.checkout import checkout
from lobsterdv.project import open_project
from tests.ops.lab import Lab, checked, error_of
from tests.ops.watching import opened_below, temps_below, tree


def put(root: Path, shape: dict[str, str | None]) -> None:
    """Make ``root`` exactly this: text is a file, ``->x`` a link, None an empty folder; ``x!`` is executable; the
    path '' means that ``root`` is itself the file."""
    if root.is_dir() and not root.is_symlink():
        shutil.rmtree(root)
    else:
        root.unlink(missing_ok=True)
    if "" not in shape:
        root.mkdir(parents=True)
    for name, value in shape.items():
        path = root / name.rstrip("!") if name else root
        path.parent.mkdir(parents=True, exist_ok=True)
        if value is None:
            path.mkdir()
        elif value.startswith("->"):
            path.symlink_to(value[2:])
        else:
            path.write_text(value)
            os.utime(path, (1, 1))
            path.chmod(0o755 if name.endswith("!") else 0o644)


SHAPES: dict[str, dict[str, str | None]] = {
    "flat": {"a": "1", "b": "2"},
    "edited": {"a": "other", "b": "2"},
    "nested": {"a/x": "1", "a/y/z": "2"},
    "swapped": {"a/x/deep": "1", "a/y": "2", "b/c": "3"},
    "executable": {"a!": "1", "b": "2"},
    "links": {"a": "->b", "b": "2", "c": "->a"},
    "folder-is-link": {"a": "->real", "real/x": "1"},
    "empty-folders": {"a": None, "b/c": None},
    "empty": {},
    "file": {"": "just one file"},
    "other-file": {"": "another file"},
    "large": {"a": "x" * 300_000, "b": "2"},
}


@pytest.mark.parametrize("start", SHAPES)
def test_every_shape_becomes_every_other(lab: Lab, start: str) -> None:
    """Files that become folders, folders that become files, links in between: nothing is left over, nothing missing."""
    place = lab.path("data/it")
    for name, shape in SHAPES.items():
        put(place, shape)
        lab.add("data/it")
        lab.commit(name, tag=name)
    for name, shape in SHAPES.items():
        lab.checkout(rev=start)
        lab.checkout(rev=name)
        expected = lab.root.parent / "expected"
        put(expected, shape)
        assert tree(place) == tree(expected), (start, name)
        assert lab.state("data/it").work == "clean", (start, name)
    assert temps_below(lab.root) == []


@pytest.fixture
def run(lab: Lab) -> Lab:
    lab.write("run/a", "a1")
    lab.write("run/sub/b", "b1")
    lab.write("run/sub/large", b"x" * 400_000)
    lab.add("run")
    lab.commit(tag="v1")
    lab.write("run/a", "a2")
    lab.add("run")
    lab.commit(tag="v2")
    return lab


def test_nothing_to_do_costs_stats(run: Lab) -> None:
    run.checkout()
    with opened_below(run.path("run")) as opened:
        (row,) = run.checkout().checked_out
    assert (row.written, row.removed) == (0, 0)
    assert [p for p in opened if not Path(p).is_dir()] == []


def test_right_files_are_left_alone(run: Lab) -> None:
    before = run.path("run/sub/large").stat()
    (row,) = run.checkout(rev="v1").checked_out
    assert (row.written, row.new_bytes) == (1, 2)
    assert run.path("run/sub/large").stat() == before


def test_one_time_for_all_files_and_none_is_racy(run: Lab) -> None:
    """A .bai must not look older than its .bam; and the next status reads nothing."""
    shutil.rmtree(run.path("run"))
    started = time.time()
    run.checkout()
    times = {path.stat().st_mtime_ns for path in run.path("run").rglob("*") if path.is_file()}
    assert len(times) == 1
    assert started - 4 < times.pop() / 1e9 < started - 2
    with opened_below(run.path("run")) as opened:
        assert run.state("run").work == "clean"
    assert [p for p in opened if not Path(p).is_dir()] == []


def test_files_are_the_users_own(run: Lab) -> None:
    """Writable, and not the cache's inode: an edit in place must not reach the cache."""
    shutil.rmtree(run.path("run"))
    run.checkout()
    path = run.path("run/sub/large")
    assert (path.stat().st_nlink, path.stat().st_mode & 0o200) == (1, 0o200)


def test_rev_writes_the_pointer_as_git_would(run: Lab) -> None:
    run.checkout("run", rev="v1")
    assert run.path("run.ldv.yaml").read_text().strip() == run.git("show", "v1:run.ldv.yaml")
    assert run.read("run/a") == b"a1"
    assert run.state("run").work == "clean"


@pytest.mark.parametrize("rev", ["v1", "HEAD~1", "main@{0}~1", "v2^"])
def test_any_revision_that_git_takes(run: Lab, rev: str) -> None:
    run.checkout(rev=rev)
    assert run.read("run/a") == b"a1"


@pytest.mark.parametrize("rev", ["nothing", "--help", "-q", ""])
def test_unknown_revisions(run: Lab, rev: str) -> None:
    with pytest.raises(UnknownRevision):
        run.checkout(rev=rev)


def test_a_dataset_that_was_removed_since(run: Lab) -> None:
    run.git("rm", "--quiet", "run.ldv.yaml")
    run.commit()
    shutil.rmtree(run.path("run"))
    run.path(".gitignore").unlink()
    run.checkout("run", rev="v1")
    assert run.read("run/a") == b"a1"
    assert "?? run/" not in run.git("status", "--porcelain"), "its data is ignored again"


def test_a_part_alone(run: Lab) -> None:
    shutil.rmtree(run.path("run"))
    run.checkout("run/sub")
    assert set(tree(run.path("run"))) == {"sub/b", "sub/large"}


def test_unknown_paths_and_missing_content_fail_alone(run: Lab) -> None:
    run.write("one", "1")
    run.add("one")
    run.project.cache.plain_path(run.pointer("one").digest).unlink()
    run.path("one").unlink()
    shutil.rmtree(run.path("run"))
    report = run.try_checkout("one", "run", "nothing")
    assert {f.path: type(f.error) for f in report.failures} == {"one": MissingContent, "nothing": NotTracked}
    assert run.read("run/a") == b"a2"
    assert run.try_checkout("one", ignore_missing=True).failures == []


def test_nothing_of_a_directory_is_touched_when_one_file_is_missing(run: Lab) -> None:
    run.checkout(rev="v1")
    before = tree(run.path("run"))
    for pack in (run.project.cache.folder / "packs").iterdir():
        pack.unlink()
    run.reopen()
    assert isinstance(error_of(run.try_checkout(rev="v2")), MissingContent)
    assert tree(run.path("run")) == before


def test_from_a_folder_below_and_a_second_worktree(run: Lab, tmp_path: Path) -> None:
    """Worktrees share the cache; each has its own files and its own pointers."""
    run.git("worktree", "add", "--quiet", str(tmp_path / "second"), "v1")
    (tmp_path / "second" / "deep").mkdir()
    second = open_project(tmp_path / "second" / "deep", environment=run.env)
    assert (second.root, second.state) == (tmp_path / "second", run.project.state)
    checked(checkout(second, observer=silent))
    assert (tmp_path / "second" / "run" / "a").read_bytes() == b"a1"
    assert run.read("run/a") == b"a2"
    assert run.state("run").work == "clean"
    second.close()


@pytest.mark.parametrize("edit", [lambda p: p.write_text("a3"), lambda p: p.unlink(), lambda p: p.chmod(0o755)])
def test_saved_states_are_replaced_without_asking(run: Lab, edit: Callable[[Path], None]) -> None:
    """What the cache holds is not lost: deleted files come back, saved versions give way."""
    edit(run.path("run/a"))
    if run.path("run/a").exists() and run.read("run/a") == b"a3":
        run.add("run")
    run.checkout(rev="v1")
    assert tree(run.path("run"))["a"] == ("file", b"a1")
