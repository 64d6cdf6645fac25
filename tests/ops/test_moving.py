"""move and remove: nothing is lost by either, and git learns of all of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lobsterdv.errors import NotTracked, Refused
from lobsterdv.events import silent
from lobsterdv.ops.moving import MoveReport, RemoveReport, move, remove
from tests.ops.lab import Lab, error_of, rot_silently
from tests.ops.watching import opened_below, tree


@pytest.fixture
def run(lab: Lab) -> Lab:
    lab.write("data/run/a", "a1")
    lab.write("data/run/sub/b", "b" * 300_000)
    lab.write("one", "1")
    lab.add("data/run", "one", message="kept")
    lab.commit(tag="v1")
    return lab


def moved(lab: Lab, source: str, target: str, **options: bool) -> MoveReport:
    return move(lab.project, source, target, observer=silent, **options)


def removed(lab: Lab, *paths: str, **options: bool) -> RemoveReport:
    return remove(lab.project, paths, observer=silent, **options)


def test_a_moved_dataset_takes_everything_along(run: Lab) -> None:
    before = tree(run.path("data/run"))
    assert moved(run, "data/run", "results/final").data_moved
    assert tree(run.path("results/final")) == before
    assert not run.path("data/run").exists()
    assert not run.path("data/run.ldv.yaml").exists()
    assert not run.path("data/.gitignore").exists(), "left empty, it goes"
    assert run.pointer("results/final").message == "kept"
    run.commit()
    assert run.git("status", "--porcelain", "--untracked-files=all") == ""


def test_moved_data_is_not_read_again(run: Lab) -> None:
    moved(run, "data/run", "elsewhere")
    with opened_below(run.path("elsewhere")) as opened:
        assert run.state("elsewhere").work == "clean"
    assert [p for p in opened if not Path(p).is_dir()] == []


def test_an_edit_after_the_move_is_noticed(run: Lab) -> None:
    moved(run, "one", "two")
    run.write("two", "2")
    assert run.state("two").work == "modified"


def test_unsaved_changes_move_too(run: Lab) -> None:
    run.write("one", "unsaved")
    moved(run, "one", "two")
    assert run.read("two") == b"unsaved"
    assert run.state("two").work == "modified"


def test_into_a_folder_and_by_its_pointer_name(run: Lab) -> None:
    assert moved(run, "one.ldv.yaml", "data").target == "data/one"
    assert run.read("data/one") == b"1"


def test_without_data_here(run: Lab) -> None:
    run.path("one").unlink()
    assert not moved(run, "one", "two").data_moved
    run.checkout("two")
    assert run.read("two") == b"1"


@pytest.mark.parametrize(("target", "code"), [
    ("data/run/inside", "overlap"), ("data", "exists"), ("taken", "exists"), ("link/x", "through-link"),
])  # fmt: skip
def test_refused_targets(run: Lab, tmp_path: Path, target: str, code: str) -> None:
    run.write("taken", "something else")
    run.write("data/one", "in the way of a move into data")
    run.path("link").symlink_to(tmp_path)
    with pytest.raises(Refused) as caught:
        moved(run, "one", target)
    assert caught.value.code == code
    assert run.read("one") == b"1"
    assert run.state("one").work == "clean"


def test_a_directory_into_itself(run: Lab) -> None:
    with pytest.raises(Refused):
        moved(run, "data/run", "data/run/deeper")
    assert run.state("data/run").work == "clean"


def test_unknown_sources(run: Lab) -> None:
    with pytest.raises(NotTracked):
        moved(run, "nothing", "two")


def test_remove_stops_tracking_and_keeps_the_data(run: Lab) -> None:
    report = removed(run, "one")
    assert (report.removed, report.data_removed) == (["one"], [])
    assert run.read("one") == b"1"
    assert "one.ldv.yaml" in run.staged()
    assert "?? one" in run.git("status", "--porcelain"), "git sees the file again"
    run.checkout("one", rev="v1")
    assert run.state("one").work == "clean"


def test_remove_with_data_deletes_what_is_kept(run: Lab) -> None:
    report = removed(run, "data/run", "one", data=True)
    assert (report.data_removed, report.trash) == (["data/run", "one"], {})
    assert not run.path("one").exists()
    assert not run.path("data/run").exists()
    run.checkout(rev="v1")
    assert run.read("one") == b"1"


def test_unsaved_data_goes_to_the_trash(run: Lab) -> None:
    run.write("one", "unsaved")
    run.write("data/run/new", "unsaved too")
    report = removed(run, "one", "data/run", data=True)
    assert Path(report.trash["one"]).read_bytes() == b"unsaved"
    kept = [p.read_bytes() for p in Path(report.trash["data/run"]).rglob("new")]
    assert kept == [b"unsaved too"]
    assert not run.path("one").exists()


def test_data_whose_bytes_the_cache_lost_goes_to_the_trash(run: Lab) -> None:
    """The pointer names it, status calls it clean, and the only copy is the one about to be deleted."""
    shutil.rmtree(run.project.cache.folder / "files")
    report = removed(run, "one", data=True)
    assert Path(report.trash["one"]).read_bytes() == b"1"


@pytest.mark.parametrize("touched", [False, True])
def test_data_whose_bytes_rotted_in_the_cache_goes_to_the_trash(run: Lab, touched: bool) -> None:
    """The cache has a file of that name, verified lately by its stat; the only good bytes are the user's."""
    rot_silently(run, "one", b"x")
    if touched:
        run.path("one").touch()
    report = removed(run, "one", data=True)
    assert Path(report.trash["one"]).read_bytes() == b"1"


def test_ignored_files_inside_are_not_deleted(run: Lab) -> None:
    """They were never kept by anyone."""
    run.write(".lobsterdvignore", "*.log\n")
    run.write("data/run/today.log", "only copy")
    report = removed(run, "data/run", data=True)
    places = [run.path("data/run"), *map(Path, report.trash.values())]
    assert [p.read_bytes() for place in places for p in place.rglob("today.log")] == [b"only copy"]


def test_a_part_cannot_be_removed_and_others_go_on(run: Lab) -> None:
    report = removed(run, "data/run/a", "one", "nothing")
    assert report.removed == ["one"]
    assert {type(f.error) for f in report.failures} == {Refused, NotTracked}


def test_not_staged_when_told_so(run: Lab) -> None:
    removed(run, "one", staging=False)
    moved(run, "data/run", "elsewhere", staging=False)
    assert run.staged() == []


def test_the_error_names_the_broken_pointer(run: Lab) -> None:
    run.path("one.ldv.yaml").write_text("not: ours\n")
    assert "one.ldv.yaml" in str(error_of(removed(run, "one")))
