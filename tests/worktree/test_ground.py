"""Ground: files get their places and leave them, and no link on the way is ever followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lobsterdv.errors import LocalIOError
from lobsterdv.worktree.ground import Ground, folds_case, folds_forms
from tests.ops.watching import tree


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a").write_text("theirs")
    return folder


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("old")
    (folder / "link").symlink_to(outside)
    return folder


def finished(tmp_path: Path, text: str = "new") -> Path:
    path = tmp_path / "finished"
    path.write_text(text)
    return path


def test_put_replaces_and_makes_folders(root: Path, tmp_path: Path) -> None:
    with Ground(root) as ground:
        ground.put(finished(tmp_path), "deep/a")
        ground.put(finished(tmp_path), "x/y/z")
        ground.make_folder("empty/one")
    assert (root / "deep" / "a").read_text() == (root / "x/y/z").read_text() == "new"
    assert (root / "empty" / "one").is_dir()


@pytest.mark.parametrize("act", ["put", "make_folder", "take", "remove"])
def test_nothing_goes_through_a_link(root: Path, tmp_path: Path, outside: Path, act: str) -> None:
    with Ground(root) as ground, pytest.raises(LocalIOError):
        if act == "put":
            ground.put(finished(tmp_path), "link/a")
        elif act == "make_folder":
            ground.make_folder("link/new")
        elif act == "take":
            ground.take("link/a", tmp_path / "taken")
        else:
            ground.remove("link/a")
    assert tree(outside) == {"a": ("file", b"theirs")}


def test_a_link_itself_is_replaced_taken_and_removed(root: Path, tmp_path: Path, outside: Path) -> None:
    with Ground(root) as ground:
        ground.put(finished(tmp_path), "link")
    assert (root / "link").read_text() == "new"
    (root / "second").symlink_to(outside)
    with Ground(root) as ground:
        ground.take("second", tmp_path / "taken")
        ground.remove("deep/nothing")
    assert os.readlink(tmp_path / "taken") == str(outside)
    assert tree(outside) == {"a": ("file", b"theirs")}


def test_a_folder_swapped_for_a_link_meanwhile(root: Path, tmp_path: Path, outside: Path) -> None:
    """The folder that was opened is written to, wherever it is now; the link is not followed."""
    with Ground(root) as ground:
        ground.put(finished(tmp_path), "deep/b")
        (root / "deep").rename(tmp_path / "moved")
        (root / "deep").symlink_to(outside)
        ground.put(finished(tmp_path), "deep/a")
    assert tree(outside) == {"a": ("file", b"theirs")}


def test_prune_stops_at_what_is_not_empty(root: Path) -> None:
    (root / "x" / "y" / "z").mkdir(parents=True)
    (root / "x" / "kept").write_text("1")
    with Ground(root) as ground:
        ground.prune("x/y/z")
        ground.prune("deep")
    assert (root / "x" / "kept").exists()
    assert not (root / "x" / "y").exists()
    assert (root / "deep" / "a").exists()


def test_many_folders_do_not_use_up_descriptors(root: Path, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with Ground(root) as ground:
        for number in range(300):
            ground.put(finished(tmp_path), f"many/{number}/deep/er/file")
        if before:
            assert len(os.listdir("/proc/self/fd")) - before < 80
    assert len(list((root / "many").iterdir())) == 300


def test_whether_case_is_folded_is_tried_out(tmp_path: Path) -> None:
    (tmp_path / "probe").write_text("")
    assert folds_case(tmp_path) == (tmp_path / "PROBE").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["probe"]


def test_whether_forms_are_folded_is_tried_out(tmp_path: Path) -> None:
    (tmp_path / "prob\u00e9").write_text("")
    assert folds_forms(tmp_path) == (tmp_path / "probe\u0301").exists()
    assert [p.name for p in tmp_path.iterdir()] == [p.name for p in tmp_path.glob("prob*")]
