"""If these fail, unsaved work that is set aside on another disk is lost on the way there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lobsterdv import durable
from lobsterdv.worktree.ground import Ground, carry
from tests.properties.trees import picture


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/sub/x").write_bytes(b"x")
    (tmp_path / "tree/run").write_bytes(b"run")
    (tmp_path / "tree/run").chmod(0o755)
    (tmp_path / "tree/link").symlink_to("sub/x")
    return tmp_path / "tree"


@pytest.fixture(params=[False, True], ids=["one file system", "two file systems"])
def apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    if request.param:
        monkeypatch.setattr(os, "rename", refuse)
    return bool(request.param)


def test_a_folder_a_file_and_a_link_arrive(tree: Path, apart: bool) -> None:
    before = picture(tree)
    carry(tree, tree.with_name("new") / "deep" / "tree")
    assert picture(tree.with_name("new") / "deep" / "tree") == before and not tree.exists()
    for name in ("run", "link"):
        carry(tree.with_name("new") / "deep" / "tree" / name, tree.with_name(name))
    assert picture(tree.with_name("run")) == {"": ("exec", b"run")}
    assert os.readlink(tree.with_name("link")) == "sub/x"


def test_out_of_a_ground(tree: Path, apart: bool) -> None:
    with Ground(tree) as ground:
        ground.take("sub", tree.with_name("sub"))
    assert (tree.with_name("sub") / "x").read_bytes() == b"x" and not (tree / "sub").exists()


def test_what_did_not_reach_the_disk_there_stays_here(tree: Path, apart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    if apart:
        monkeypatch.setattr(durable, "sync_all", fail)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            carry(tree / "run", tree.with_name("away"))
        assert (tree / "run").read_bytes() == b"run"
    else:
        carry(tree / "run", tree.with_name("away"))
        assert tree.with_name("away").read_bytes() == b"run"
