"""undelete brings back exactly the bytes, verified, and never over something newer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lobsterdv.errors import ContentError, NotTracked, Refused, WouldOverwrite
from lobsterdv.events import silent
from lobsterdv.ops.undelete import UndeleteReport, undelete
from lobsterdv.project import open_project
from tests.ops.lab import Lab, error_of
from tests.ops.tidying import collect, forget_history, holds, undeleted, version
from tests.ops.watching import tree


def listed(lab: Lab) -> list[tuple[str, str, int]]:
    return [(row.path, row.why, row.size) for row in undeleted(lab).trash]


def refused(lab: Lab, *names: str, force: bool = False) -> Exception:
    return error_of(undelete(lab.project, names, force=force, observer=silent))


# Unsaved files


@pytest.fixture
def aside(lab: Lab) -> Lab:
    """Unsaved changes of a directory and of a file that a checkout --force moved to the trash."""
    lab.write("run/a", "a1")
    lab.write("run/sub/b", "b1")
    lab.write("one", "1")
    lab.add("run", "one")
    lab.commit()
    lab.write("run/a", "unsaved a")
    lab.write("run/sub/b", "unsaved b", mode=0o755)
    lab.write("one", "unsaved 1")
    lab.checkout(force=True)
    return lab


def test_the_trash_is_listed(aside: Lab) -> None:
    assert sorted(listed(aside)) == [("one", "checkout --force", 9), ("run", "checkout --force", 18)]


def test_never_over_what_is_there_now(aside: Lab) -> None:
    """What lies in the place may be newer work."""
    before = tree(aside.path("run"))
    error = refused(aside, "run")
    assert isinstance(error, WouldOverwrite) and error.exit_code == 5 and error.count == 2
    assert tree(aside.path("run")) == before and len(listed(aside)) == 2


def test_back_in_place_bytes_and_modes(aside: Lab) -> None:
    for name in ("run/a", "run/sub/b", "one"):
        aside.path(name).unlink()
    aside.write("run/new", "made since")
    undeleted(aside, "run", "one")
    assert (aside.read("run/a"), aside.read("run/sub/b"), aside.read("one")) == (
        b"unsaved a", b"unsaved b", b"unsaved 1",
    )  # fmt: skip
    assert os.access(aside.path("run/sub/b"), os.X_OK) and aside.read("run/new") == b"made since"
    assert listed(aside) == []


def test_force_moves_what_is_in_the_way_to_the_trash(aside: Lab) -> None:
    aside.write("one", "newer work")
    undeleted(aside, "one", force=True)
    assert aside.read("one") == b"unsaved 1"
    undeleted(aside, "one", force=True)
    assert aside.read("one") == b"newer work", "and back again"


def test_of_several_things_the_latest(aside: Lab) -> None:
    aside.project.now = lambda: 4_000_000_000.0
    aside.write("one", "later work")
    aside.checkout("one", force=True)
    aside.path("one").unlink()
    report = undeleted(aside, "one")
    assert aside.read("one") == b"later work"
    entry = next(row.entry for row in report.trash if row.path == "one")
    aside.path("one").unlink()
    undeleted(aside, entry)
    assert aside.read("one") == b"unsaved 1"


def test_what_was_brought_back_by_half_goes_on(aside: Lab) -> None:
    """Killed between two files, or between giving a file its place and taking it from the trash."""
    (entry,) = [row.place for row in undeleted(aside).trash if row.path == "run"]
    for name in ("run/a", "run/sub/b"):
        aside.path(name).unlink()
    os.link(entry / "a", aside.path("run/a"))
    undeleted(aside, "run")
    assert (aside.read("run/a"), aside.read("run/sub/b")) == (b"unsaved a", b"unsaved b")
    assert aside.path("run/a").stat().st_nlink == 1 and [row[0] for row in listed(aside)] == ["one"]


def test_never_through_a_link(aside: Lab, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    for name in ("run/a", "run/sub/b"):
        aside.path(name).unlink()
    aside.path("run/sub").rmdir()
    aside.path("run/sub").symlink_to(tmp_path / "outside")
    assert isinstance(refused(aside, "run"), Refused)
    assert os.listdir(tmp_path / "outside") == []
    aside.path("run/sub").unlink()
    undeleted(aside, "run")
    assert (aside.read("run/a"), aside.read("run/sub/b")) == (b"unsaved a", b"unsaved b")


def test_a_note_that_names_a_place_outside_is_refused(aside: Lab) -> None:
    (entry,) = [row for row in undeleted(aside).trash if row.path == "one"]
    note = entry.place.parent.with_name(entry.entry + ".json")
    note.write_text(note.read_text().replace('"one"', '"../../outside"'))
    assert undelete(aside.project, [entry.entry], observer=silent).failures
    assert not (aside.root.parent.parent / "outside").exists() and entry.place.exists()


def test_files_of_another_worktree_go_back_there(aside: Lab) -> None:
    second = aside.root.parent / "second"
    aside.git("worktree", "add", "-q", "--detach", str(second))
    other = Lab(second, aside.env, open_project(second, environment=aside.env))
    error = refused(other, "one")
    assert isinstance(error, Refused) and error.code == "other-worktree" and error.path == str(aside.root)
    other.close()


def test_what_is_not_there(lab: Lab) -> None:
    assert isinstance(refused(lab, "nothing"), NotTracked)
    assert listed(lab) == []


# Versions


FILES = {"a": b"a" * 2000, "b": b"b" * 400_000, "sub/c": b"c" * 500_000, "d": b"d" * 10}


@pytest.fixture
def gone(lab: Lab) -> Lab:
    """A directory version, plain files and packed ones, that gc took out."""
    version(lab, "x", FILES)
    lab.write("pointer", lab.read("x.ldv.yaml"))
    version(lab, "x", {"other": b"other"})
    forget_history(lab)
    collect(lab)
    assert not any(holds(lab, data) for data in FILES.values())
    return lab


def digest_in(lab: Lab) -> str:
    return next(line.split('"')[1] for line in lab.read("pointer").decode().splitlines() if line.startswith("digest"))


def test_a_version_comes_back_whole(gone: Lab) -> None:
    undeleted(gone, digest_in(gone))
    assert listed(gone) == [] and os.listdir(gone.project.cache.trash) == []
    gone.write("back.ldv.yaml", gone.read("pointer"))
    gone.checkout("back")
    assert {name: gone.read(f"back/{name}") for name in FILES} == FILES


def test_an_entry_comes_back_whole(gone: Lab) -> None:
    (entry,) = {row.entry for row in undeleted(gone).trash}
    undeleted(gone, entry)
    assert all(holds(gone, data) for data in FILES.values()) and listed(gone) == []


@pytest.mark.parametrize("kind", ["files", "packs", "listings"])
def test_damaged_bytes_stay_in_the_trash(gone: Lab, kind: str) -> None:
    path = next(p for p in gone.project.cache.trash.glob(f"*/{kind}/*") if p.suffix != ".idx")
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert isinstance(refused(gone, digest_in(gone)), ContentError)
    assert path.read_bytes() == data and undeleted(gone).trash


def test_a_version_that_two_killed_collections_split(gone: Lab) -> None:
    """Its files lie in two entries, its listing in one of them."""
    trash = gone.project.cache.trash
    (entry,) = [p for p in trash.iterdir() if p.is_dir()]
    second = entry.with_name(entry.name.replace("-", "1-"))
    (second / "files").mkdir(parents=True)
    second.with_name(second.name + ".json").write_bytes(entry.with_name(entry.name + ".json").read_bytes())
    moved = sorted((entry / "files").iterdir())[0]
    moved.rename(second / "files" / moved.name)
    undeleted(gone, digest_in(gone))
    assert all(holds(gone, data) for data in FILES.values()) and listed(gone) == []


def test_a_pack_of_which_only_the_index_went(gone: Lab) -> None:
    """Killed between the two renames."""
    (pack,) = gone.project.cache.trash.glob("*/packs/*.pack")
    pack.rename(gone.project.cache.packs.folder / pack.name)
    undeleted(gone, digest_in(gone))
    assert all(holds(gone, data) for data in FILES.values()) and listed(gone) == []


def test_an_entry_that_lost_its_note(gone: Lab) -> None:
    for note in gone.project.cache.trash.glob("*.json"):
        note.unlink()
    (row,) = undeleted(gone).trash
    assert row.path == "" and row.size > 900_000
    undeleted(gone, row.entry)
    assert all(holds(gone, data) for data in FILES.values())


def test_versions_that_share_files(lab: Lab) -> None:
    """Each comes back whole, whichever is asked for."""
    shared = {"common": b"c" * 300_000}
    one = version(lab, "x", {**shared, "own": b"1" * 300_000})
    two = version(lab, "x", {**shared, "own": b"2" * 300_000})
    version(lab, "x", {"other": b"other"})
    forget_history(lab)
    collect(lab)
    report: UndeleteReport = undeleted(lab, two.hex())
    assert holds(lab, b"2" * 300_000) and holds(lab, shared["common"]) and not holds(lab, b"1" * 300_000)
    assert [row.digest for row in report.trash] == [one]
    undeleted(lab, one.hex())
    assert holds(lab, b"1" * 300_000) and lab.project.cache.has_listing(one) and listed(lab) == []
