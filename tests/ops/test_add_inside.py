"""`add dir/file` inside a tracked directory updates that entry, and only that entry."""

from __future__ import annotations

import shutil

import pytest

from lobsterdv.errors import LobsterError
from tests.ops.lab import Lab, error_of
from tests.ops.watching import opened_below, tree


@pytest.fixture
def run(lab: Lab) -> Lab:
    lab.write("run/a.csv", "a1")
    lab.write("run/b.csv", "b1")
    lab.write("run/deep/c.csv", "c1")
    lab.write("run/deep/large.bin", b"x" * 300_000)
    lab.add("run")
    lab.commit()
    return lab


def fresh(lab: Lab) -> dict[str, object]:
    """What the version itself holds, whatever lies in the work tree."""
    shutil.rmtree(lab.path("run"))
    lab.checkout("run")
    return dict(tree(lab.path("run")))


def test_one_edited_file_is_taken_in_and_no_other(run: Lab) -> None:
    """b is edited too, half-finished: it must not slip into the version."""
    run.write("run/a.csv", "a2")
    run.write("run/b.csv", "b2 unfinished")
    with opened_below(run.path("run/b.csv")) as opened:
        (row,) = run.add("run/a.csv").added
    assert (row.path, row.outcome, row.read_files) == ("run", "changed", 1)
    assert opened == []
    state = run.state("run")
    assert (state.work, state.modified) == ("modified", ["b.csv"])
    found = fresh(run)
    assert found["a.csv"] == ("file", b"a2")
    assert found["b.csv"] == ("file", b"b1")


def test_a_deleted_file_leaves_the_version(run: Lab) -> None:
    run.path("run/a.csv").unlink()
    run.path("run/b.csv").unlink()
    run.add("run/a.csv")
    found = fresh(run)
    assert "a.csv" not in found
    assert found["b.csv"] == ("file", b"b1")


def test_a_deleted_folder_leaves_the_version(run: Lab) -> None:
    shutil.rmtree(run.path("run/deep"))
    run.add("run/deep")
    assert set(fresh(run)) == {"a.csv", "b.csv"}


def test_the_last_file_of_a_folder_that_stays(run: Lab) -> None:
    run.write("run/alone/only.csv", "1")
    run.add("run/alone")
    run.path("run/alone/only.csv").unlink()
    run.add("run/alone/only.csv")
    assert run.state("run").work == "clean"
    assert fresh(run)["alone/"] == "folder"


def test_a_new_file_a_new_nested_folder_and_an_empty_one(run: Lab) -> None:
    run.write("run/new.csv", "n")
    run.write("run/x/y/z.csv", "z")
    run.path("run/hollow/in").mkdir(parents=True)
    run.add("run/new.csv")
    assert "x/y/z.csv" not in fresh_listing(run)
    run.path("run/link").symlink_to("new.csv")
    run.add("run/x", "run/hollow", "run/link")
    found = fresh(run)
    assert found["link"] == "link to new.csv"
    assert found["x/y/z.csv"] == ("file", b"z")
    assert found["hollow/in/"] == "folder"


def fresh_listing(lab: Lab) -> set[str]:
    return {entry.path for entry in lab.project.cache.listing(lab.pointer("run").digest, name="run").entries}


def test_a_file_in_place_of_a_folder_and_back(run: Lab) -> None:
    shutil.rmtree(run.path("run/deep"))
    run.write("run/deep", "a file now")
    run.add("run/deep")
    assert fresh_listing(run) == {"a.csv", "b.csv", "deep"}
    run.path("run/deep").unlink()
    run.write("run/deep/again.csv", "1")
    run.add("run/deep")
    assert fresh_listing(run) == {"a.csv", "b.csv", "deep/again.csv"}


def test_a_file_inside_what_was_a_file_before(run: Lab) -> None:
    """`run/a.csv` was a file; now it is a folder of which one file is added: the old entry must go."""
    run.path("run/a.csv").unlink()
    run.write("run/a.csv/part1", "1")
    run.add("run/a.csv/part1")
    assert fresh_listing(run) == {"a.csv/part1", "b.csv", "deep/c.csv", "deep/large.bin"}


def test_a_folder_in_which_an_empty_one_was_recorded(run: Lab) -> None:
    run.path("run/hollow").mkdir()
    run.add("run/hollow")
    run.write("run/hollow/first.csv", "1")
    run.add("run/hollow/first.csv")
    assert {p for p in fresh_listing(run) if p.startswith("hollow")} == {"hollow/first.csv"}


def test_two_parts_in_one_call_both_count(run: Lab) -> None:
    """Both update the version of one dataset: the second must not undo the first."""
    run.write("run/a.csv", "a2")
    run.write("run/b.csv", "b2")
    run.add("run/a.csv", "run/b.csv")
    found = fresh(run)
    assert (found["a.csv"], found["b.csv"]) == (("file", b"a2"), ("file", b"b2"))


def test_part_of_a_directory_whose_listing_is_not_here(run: Lab) -> None:
    """On a fresh clone: without the listing the rest of the version would be lost, so it is an error."""
    run.lose_cache()
    run.write("run/a.csv", "a2")
    before = run.pointer("run")
    assert isinstance(error_of(run.try_add("run/a.csv")), LobsterError)
    assert run.pointer("run") == before


def test_summary_and_size_follow_the_part(run: Lab) -> None:
    run.write("run/a.csv", "longer than it was")
    run.add("run/a.csv")
    pointer = run.pointer("run")
    assert (pointer.files, pointer.size) == (4, 18 + 2 + 2 + 300_000)
