"""SIGKILL at every step of merge: both sides' versions stay, every file is whole, once more finishes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lobsterdv.errors import ConflictedPointer
from lobsterdv.formats.pointer import Pointer
from lobsterdv.ops.status import Conflict
from tests.damage import canaries
from tests.damage.counting import Counters
from tests.damage.killing import Nursery
from tests.damage.oracle import check_cache
from tests.ops.lab import Lab

BEFORE = {name: f"{name} at first" * 900 for name in ("same", "ours", "theirs", "deleted", "sub/deep")}
OURS = BEFORE | {"ours": "by us", "sub/new": "by us too"}
THEIRS = {name: text for name, text in BEFORE.items() if name != "deleted"} | {"theirs": "by them" * 99_999}
MERGED = {name: text for name, text in OURS.items() if name != "deleted"} | {"theirs": THEIRS["theirs"]}


def replace_tree(lab: Lab, files: dict[str, str]) -> None:
    shutil.rmtree(lab.path("tree"), ignore_errors=True)
    for name, text in files.items():
        lab.write(f"tree/{name}", text)
    lab.add("tree")
    lab.commit()


def tree(lab: Lab) -> dict[str, str]:
    root = lab.path("tree")
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def conflicted(tmp_path: Path) -> Lab:
    """A merge that git gave up on; what the other side made is at the remote only."""
    here = tmp_path / "here"
    here.mkdir()
    lab = Lab.create(here / "lab", home=here / "home")
    replace_tree(lab, BEFORE)
    lab.git("switch", "-q", "-c", "other")
    replace_tree(lab, THEIRS)
    lab.push()
    lab.git("switch", "-q", "main")
    lab.lose_cache()
    replace_tree(lab, OURS)
    with pytest.raises(subprocess.CalledProcessError):
        lab.git("merge", "-q", "other")
    lab.close()
    canaries.plant(lab.root, lab.env)
    subprocess.run(["cp", "-a", str(here), str(tmp_path / "template")], check=True)
    return lab


def state(lab: Lab) -> Pointer | None:
    """The pointer, None while it is in conflict."""
    try:
        return lab.pointer("tree")
    except ConflictedPointer:
        return None


@pytest.mark.parametrize("each", [9, pytest.param(1, marks=pytest.mark.faults)])
def test_killed_here_and_there(
    conflicted: Lab, tmp_path: Path, nursery: Nursery, each: int, counters: Counters
) -> None:
    """At every ``each``-th step; at every one in ``make test-faults``."""
    lab = conflicted

    def again() -> None:
        shutil.rmtree(tmp_path / "here")
        subprocess.run(["cp", "-a", str(tmp_path / "template"), str(tmp_path / "here")], check=True)

    whole = nursery.run(lab.root, lab.env, "merge", ["tree"])
    assert not whole.failures and tree(lab) == MERGED
    merged = state(lab)
    assert merged is not None and whole.steps > 20
    what = "kill -9 at every step of merge" if each == 1 else "kill -9 at a step of merge"
    for point in range(whole.steps, 0, -each):
        with counters.trying(what) as attempt:
            again()
            ended = nursery.run(lab.root, lab.env, "merge", ["tree"], kill_at=point)
            attempt.times = int(ended.killed)
            check_cache(lab.root / ".git/lobsterdv/cache")
            for name, text in tree(lab).items():
                assert text in (OURS.get(name), MERGED.get(name)), f"killed at {point}: {name}"
            assert state(lab) in (None, merged), f"killed at {point}"
            if state(lab) == merged:
                assert tree(lab) == MERGED, "the pointer came before the files"
            if ended.killed:
                finished = nursery.run(lab.root, lab.env, "merge", ["tree"])
                assert not finished.failures, f"killed at {point}, then {finished.failures}"
            assert (state(lab), tree(lab)) == (merged, MERGED), f"killed at {point}"
    lab.reopen()
    report = lab.status()
    assert report.conflicts == list[Conflict]() and not report.interrupted
    lab.close()
