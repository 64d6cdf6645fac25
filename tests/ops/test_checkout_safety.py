"""checkout never loses work that nobody has kept, and never writes where a link leads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv.errors import LocalIOError, Refused, WouldOverwrite
from lobsterdv.ops import exchange as exchange_module
from lobsterdv.ops import plan as plan_module
from tests.ops.lab import Lab, error_of, settle
from tests.ops.watching import temps_below, tree


@pytest.fixture
def run(lab: Lab) -> Lab:
    lab.write("run/a", "a1")
    lab.write("run/sub/b", "b1")
    lab.write("run/old", "only in v1")
    lab.add("run")
    lab.commit(tag="v1")
    lab.write("run/a", "a2")
    lab.write("run/sub/b", "b2")
    lab.path("run/old").unlink()
    lab.write("run/new", "only in v2")
    lab.add("run")
    lab.commit(tag="v2")
    return lab


def edit(lab: Lab) -> bytes:
    lab.path("run/a").write_bytes(b"unsaved work")
    return b"unsaved work"


def edit_and_restore_the_time(lab: Lab) -> bytes:
    lab.path("run/a").write_bytes(b"UN")
    settle(lab.path("run/a"))
    return b"UN"


def edit_what_would_go(lab: Lab) -> bytes:
    lab.path("run/new").write_bytes(b"unsaved work")
    return b"unsaved work"


def a_new_file_where_one_comes(lab: Lab) -> bytes:
    lab.path("run/old").write_bytes(b"unsaved work")
    return b"unsaved work"


def a_new_file_elsewhere(lab: Lab) -> bytes:
    lab.path("run/sub/notes").write_bytes(b"unsaved work")
    return b"unsaved work"


def a_folder_where_a_file_comes(lab: Lab) -> bytes:
    lab.path("run/old").mkdir()
    lab.path("run/old/notes").write_bytes(b"unsaved work")
    return b"unsaved work"


def a_file_where_a_folder_comes(lab: Lab) -> bytes:
    shutil.rmtree(lab.path("run/sub"))
    lab.path("run/sub").write_bytes(b"unsaved work")
    return b"unsaved work"


def a_file_where_the_dataset_comes(lab: Lab) -> bytes:
    shutil.rmtree(lab.path("run"))
    lab.path("run").write_bytes(b"unsaved work")
    return b"unsaved work"


UNSAVED = [edit, edit_and_restore_the_time, edit_what_would_go, a_new_file_where_one_comes, a_new_file_elsewhere,
           a_folder_where_a_file_comes, a_file_where_a_folder_comes, a_file_where_the_dataset_comes]  # fmt: skip


@pytest.mark.parametrize("change", UNSAVED, ids=[c.__name__ for c in UNSAVED])
def test_unsaved_work_is_refused_and_nothing_touched(run: Lab, change: Callable[[Lab], bytes]) -> None:
    change(run)
    before, pointer = tree(run.path("run")), run.path("run.ldv.yaml").read_bytes()
    error = error_of(run.try_checkout(rev="v1"))
    assert isinstance(error, WouldOverwrite)
    assert error.exit_code == 5
    assert tree(run.path("run")) == before
    assert run.path("run.ldv.yaml").read_bytes() == pointer
    assert not (run.project.state / "trash").exists()
    assert temps_below(run.root) == []


@pytest.mark.parametrize("change", UNSAVED, ids=[c.__name__ for c in UNSAVED])
def test_force_moves_it_to_the_trash_with_every_byte(run: Lab, change: Callable[[Lab], bytes]) -> None:
    unsaved = change(run)
    (row,) = run.checkout(rev="v1", force=True).checked_out
    assert row.trash is not None
    trash = Path(row.trash)
    kept = [trash] if trash.is_file() else [p for p in trash.rglob("*") if p.is_file()]
    assert [p.read_bytes() for p in kept] == [unsaved]
    expected = {"a": ("file", b"a1"), "sub/b": ("file", b"b1"), "old": ("file", b"only in v1")}
    assert tree(run.path("run")) == expected
    assert run.state("run").work == "clean"


@pytest.mark.parametrize("moment", ["stage_files", "write_journal"])
@pytest.mark.parametrize("change", UNSAVED, ids=[c.__name__ for c in UNSAVED])
def test_work_saved_while_checking_out_stays(
    run: Lab, change: Callable[[Lab], bytes], moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staging large files takes minutes, and an editor does not wait for them."""
    real = getattr(exchange_module, moment)
    saved: list[bytes] = []

    def meanwhile(*args: object, **more: object) -> object:
        done = real(*args, **more)
        saved.append(change(run))
        return done

    with monkeypatch.context() as patch:
        patch.setattr(exchange_module, moment, meanwhile)
        report = run.try_checkout(rev="v1")
    is_in_the_way = change is not a_new_file_elsewhere
    assert [isinstance(f.error, (WouldOverwrite, LocalIOError)) for f in report.failures] == [True] * is_in_the_way
    assert saved == contents(run.path("run"), saved[0])
    run.checkout(rev="v1", force=True)
    assert run.state("run").work == "clean"
    assert saved == contents(run.path("run"), saved[0]) + contents(run.project.state / "trash", saved[0])


def contents(place: Path, data: bytes) -> list[bytes]:
    """``data``, as often as a file at or below ``place`` holds it."""
    files = [p for p in [place, *place.rglob("*")] if p.is_file()]
    return [data for p in files if p.read_bytes() == data]


def test_a_new_link_is_unsaved_too(run: Lab) -> None:
    run.path("run/a").unlink()
    run.path("run/a").symlink_to("sub/b")
    assert isinstance(error_of(run.try_checkout(rev="v1")), WouldOverwrite)
    (row,) = run.checkout(rev="v1", force=True).checked_out
    assert os.readlink(Path(str(row.trash)) / "a") == "sub/b"
    assert tree(run.path("run"))["sub/b"] == ("file", b"b1"), "what the link pointed at was not written through it"


def test_ignored_files_stay(run: Lab) -> None:
    run.write(".lobsterdvignore", "*.log\nscratch/\n")
    run.write("run/today.log", "log")
    run.write("run/scratch/x", "x")
    run.checkout(rev="v1")
    assert (run.read("run/today.log"), run.read("run/scratch/x")) == (b"log", b"x")


def plant(run: Lab, name: str, victim: Path) -> None:
    """Put a link to a folder outside in place of a folder of the dataset."""
    place = run.path(name)
    shutil.rmtree(place)
    place.symlink_to(victim)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "b").write_text("somebody else's")
    return folder


def test_a_link_in_place_of_a_folder_is_never_written_through(run: Lab, victim: Path) -> None:
    plant(run, "run/sub", victim)
    assert isinstance(error_of(run.try_checkout(rev="v1")), WouldOverwrite)
    run.checkout(rev="v1", force=True)
    assert tree(victim) == {"b": ("file", b"somebody else's")}
    assert tree(run.path("run/sub")) == {"b": ("file", b"b1")}


def test_a_link_in_place_of_the_dataset(run: Lab, victim: Path) -> None:
    plant(run, "run", victim)
    run.try_checkout(rev="v1")
    run.try_checkout(rev="v1", force=True)
    assert tree(victim) == {"b": ("file", b"somebody else's")}


def test_a_link_above_the_dataset(lab: Lab, victim: Path) -> None:
    lab.write("folder/b", "mine")
    lab.add("folder/b")
    (lab.root.parent / "kept").mkdir()
    pointer = lab.path("folder/b.ldv.yaml").read_bytes()
    shutil.rmtree(lab.path("folder"))
    lab.path("folder").symlink_to(victim)
    (victim / "b.ldv.yaml").write_bytes(pointer)
    report = lab.try_checkout("folder/b", force=True)
    assert all(isinstance(f.error, Refused) or f.path == "folder/b" for f in report.failures)
    assert report.failures
    assert (victim / "b").read_text() == "somebody else's"


def test_a_link_planted_while_checking_out(run: Lab, victim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the write the folder is swapped: an error, never a detour."""
    real = exchange_module._place_files

    def swap(*args: object) -> None:
        plant(run, "run/sub", victim)
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(exchange_module, "_place_files", swap)
    report = run.try_checkout(rev="v1")
    assert isinstance(error_of(report), LocalIOError)
    assert tree(victim) == {"b": ("file", b"somebody else's")}


def test_a_pipe_in_the_way(run: Lab) -> None:
    run.path("run/a").unlink()
    os.mkfifo(run.path("run/a"))
    error = error_of(run.try_checkout(rev="v1", force=True))
    assert (type(error), getattr(error, "code", "")) == (Refused, "special-file")


def test_work_in_another_dataset_does_not_hold_up_the_rest(run: Lab) -> None:
    run.write("one", "1")
    run.add("one")
    run.commit()
    run.write("one", "unsaved")
    shutil.rmtree(run.path("run"))
    report = run.try_checkout()
    assert [f.path for f in report.failures] == ["one"]
    assert run.read("run/a") == b"a2"
    assert run.read("one") == b"unsaved"


@pytest.mark.parametrize(
    ("names", "case", "forms", "refused"),
    [
        (["A", "a"], True, False, True),
        (["A", "a"], False, True, False),
        (["\u00e9", "e\u0301"], False, True, True),
        (["\u00e9", "e\u0301"], False, False, False),
        (["\u00c9", "\u00e9", "e\u0301"], False, True, True),
    ],
)
def test_alike_names_are_refused_where_the_data_lies(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, names: list[str], case: bool, forms: bool, refused: bool
) -> None:
    """The data may lie on another disk than git's folder: one file would have taken the place of the other."""
    lab.version("deep/run", dict.fromkeys(names, "x"), "alike")
    shutil.rmtree(lab.path("deep/run"))
    asked: set[Path] = set()

    def answer(folds: bool) -> Callable[[Path], bool]:
        def ask(folder: Path) -> bool:
            asked.add(folder)
            return folds

        return ask

    monkeypatch.setattr(plan_module, "folds_case", answer(case))
    monkeypatch.setattr(plan_module, "folds_forms", answer(forms))
    report = lab.try_checkout("deep/run")
    assert asked == {lab.path("deep")}
    assert lab.path("deep/run").exists() != refused
    if refused:
        assert getattr(error_of(report), "code", "") == "collision"
