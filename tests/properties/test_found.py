"""What the state machine found, each told as the shortest story: what the user lost, and does not lose any more."""

from __future__ import annotations

import shutil

import pytest

from lobsterdv.errors import WouldOverwrite
from lobsterdv.events import silent
from lobsterdv.ops.moving import remove
from tests.ops.lab import Lab


def lose_cache(lab: Lab) -> None:
    shutil.rmtree(lab.project.cache.folder)
    lab.reopen()


def test_removing_a_pointer_that_git_never_saw_stages_nothing(lab: Lab) -> None:
    """The dataset was removed, but the command failed and left the user wondering."""
    lab.version("d", {"x": b"1"}, "one", tag="v1")
    remove(lab.project, ["d"], observer=silent)
    lab.checkout("d", rev="v1")
    assert not remove(lab.project, ["d"], observer=silent).failures
    assert not lab.path("d.ldv.yaml").exists()


@pytest.mark.parametrize("link", [False, True])
def test_a_file_in_the_place_of_a_directory_goes_to_the_trash(lab: Lab, link: bool) -> None:
    """``checkout --force`` failed, again and again."""
    lab.version("d", {"x": b"1"}, "one")
    shutil.rmtree(lab.path("d"))
    if link:
        lab.path("d").symlink_to("elsewhere")
    else:
        lab.write("d", b"unsaved")
    with pytest.raises(WouldOverwrite):
        lab.checkout("d")
    (row,) = lab.checkout("d", force=True).checked_out
    assert lab.read("d/x") == b"1" and row.trash
    trash = lab.project.state / "trash"
    assert link or [p.read_bytes() for p in trash.rglob("d") if p.is_file()] == [b"unsaved"]


@pytest.mark.parametrize("name", ["f.bin", "d/f"])
def test_the_only_copy_of_a_version_is_not_overwritten(lab: Lab, name: str) -> None:
    """The cache was lost, nothing was pushed: what lay in the work tree was all there was, and went."""
    dataset = name.split("/")[0]
    for text in (b"one", b"two"):
        lab.write(name, text)
        lab.add(dataset)
        lab.commit(tag=text.decode())
        if text == b"one":
            lab.push()
    lose_cache(lab)
    with pytest.raises(WouldOverwrite):
        lab.pull(dataset, rev="one")
    assert lab.read(name) == b"two"
    assert lab.pull(dataset, rev="one", force=True).checkout.checked_out[0].trash
    assert lab.read(name) == b"one"


def test_remove_data_keeps_the_only_copy_in_the_trash(lab: Lab) -> None:
    lab.version("d", {"x": b"1"}, "one")
    lose_cache(lab)
    report = remove(lab.project, ["d"], data=True, observer=silent)
    assert "d" in report.trash and not lab.path("d").exists()


def test_remove_data_leaves_what_was_never_kept(lab: Lab) -> None:
    """Files that ``.lobsterdvignore`` leaves out are in no version: they were deleted with the rest."""
    lab.write(".lobsterdvignore", "*.tmp\n")
    lab.version("d", {"x": b"1", "deep/y": b"2", "notes.tmp": b"precious"}, "one")
    (lab.path("d/empty/inner")).mkdir(parents=True)
    lab.add("d")
    assert not remove(lab.project, ["d"], data=True, observer=silent).failures
    assert [p.name for p in lab.path("d").rglob("*")] == ["notes.tmp"]
