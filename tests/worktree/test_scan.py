"""scan, ignore rules and look: what there is, at one stat a file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lobsterdv.errors import ChangedMeanwhile, LocalIOError
from lobsterdv.formats.listing import EntryType
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.look import read_file
from lobsterdv.worktree.scan import Scan, scan
from tests.ops.watching import opened_below


def scanned(root: Path, *, ignore: Ignore | None = None) -> Scan:
    return scan(root, ignore=ignore or Ignore(), relative=root.name, nested_suffix=".ldv.yaml")


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_text(name)


def test_every_kind_is_told_apart(tmp_path: Path) -> None:
    make(tmp_path, "a", "deep/er/b", "hollow/in/", "tool", ".hidden", ".DS_Store", "deep/.DS_Store")
    (tmp_path / "tool").chmod(0o700)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "folder-link").symlink_to("deep")
    (tmp_path / "dangling").symlink_to("nothing")
    os.mkfifo(tmp_path / "deep" / "pipe")
    result = scanned(tmp_path)
    assert {f.path: (f.type.name, f.target) for f in result.found} == {
        "a": ("FILE", None),
        "deep/er/b": ("FILE", None),
        "hollow/in": ("FOLDER", None),
        "tool": ("EXECUTABLE", None),
        ".hidden": ("FILE", None),
        "link": ("LINK", "a"),
        "folder-link": ("LINK", "deep"),
        "dangling": ("LINK", "nothing"),
    }
    assert result.special == ["deep/pipe"]


def test_a_file_alone(tmp_path: Path) -> None:
    make(tmp_path, "a")
    (found,) = scanned(tmp_path / "a").found
    assert (found.path, found.type) == ("", EntryType.FILE)


def test_no_file_is_opened(tmp_path: Path) -> None:
    make(tmp_path, "a", "deep/b")
    with opened_below(tmp_path) as opened:
        scanned(tmp_path)
    assert [path for path in opened if not Path(path).is_dir()] == []


def test_a_link_to_a_parent_is_no_endless_walk(tmp_path: Path) -> None:
    make(tmp_path, "deep/a")
    (tmp_path / "deep" / "up").symlink_to("..")
    assert {f.path for f in scanned(tmp_path).found} == {"deep/a", "deep/up"}


def test_pointers_and_repositories_inside_are_told(tmp_path: Path) -> None:
    make(tmp_path, "x.ldv.yaml", "tool/.git/config", "sub/.git")
    assert sorted(scanned(tmp_path).nested) == ["sub/.git", "tool/.git", "x.ldv.yaml"]


def test_deep_trees(tmp_path: Path) -> None:
    """No recursion limit: 1,500 folders into each other."""
    here = os.open(tmp_path, os.O_RDONLY)
    top = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    os.close(top)
    try:
        assert [f.path.count("/") for f in scanned(tmp_path).found] == [1499]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # too deep for pytest to clean up


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scanned(tmp_path / "nothing")


@pytest.mark.parametrize(("rules", "ignored"), [
    ("*.tmp", {"a.tmp", "deep/b.tmp"}),
    ("/a.tmp", {"a.tmp"}),
    ("deep/", {"deep/b.tmp", "deep/c", "deep/er/d"}),
    ("deep/*\n!deep/c", {"deep/b.tmp", "deep/er/d"}),
    ("**/er", {"deep/er/d"}),
    ("# comment\n\n\\#hash", {"#hash"}),
    ("deep/er/\n!deep/er/d", {"deep/er/d"}),
])  # fmt: skip
def test_ignore_rules_are_gits(tmp_path: Path, rules: str, ignored: set[str]) -> None:
    names = {"a.tmp", "c", "deep/b.tmp", "deep/c", "deep/er/d", "#hash"}
    make(tmp_path / "run", *names)
    (tmp_path / "run" / ".lobsterdvignore").write_text(rules)
    found = {f.path for f in scanned(tmp_path / "run").found}
    assert names - found == ignored


def test_rules_above_and_deeper_ones_win(tmp_path: Path) -> None:
    make(tmp_path, "data/run/a.log", "data/run/b.log", "data/run/sub/a.log")
    (tmp_path / ".lobsterdvignore").write_text("*.log\n")
    (tmp_path / "data" / ".lobsterdvignore").write_text("!a.log\n")
    ignore = Ignore.above(tmp_path, "data/run")
    found = scan(tmp_path / "data" / "run", ignore=ignore, relative="data/run", nested_suffix=".ldv.yaml").found
    assert {f.path for f in found} == {"a.log", "sub/a.log"}


def test_a_folder_of_which_all_is_ignored_is_an_empty_one(tmp_path: Path) -> None:
    make(tmp_path / "run", "logs/x.log")
    (tmp_path / "run" / ".lobsterdvignore").write_text("*.log\n")
    assert {f.path: f.type.name for f in scanned(tmp_path / "run").found}["logs"] == "FOLDER"


def test_reading_a_pipe_or_a_missing_file_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ChangedMeanwhile):
        read_file(tmp_path / "pipe")
    with pytest.raises(LocalIOError):
        read_file(tmp_path / "nothing")
