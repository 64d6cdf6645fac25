"""gc, drop and undelete at a shell: what is said before, what is done with --yes, and how it comes back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lobsterdv.ops import choosing
from tests.cli.conftest import Desk


@pytest.fixture(autouse=True)
def _an_hour_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "YOUNG_S", -1)


def orphan(desk: Desk) -> None:
    """One version was pushed and one was not; nothing names either any more."""
    desk.write("counts.csv", "never pushed\n" * 500)
    desk.ldv("add", "counts.csv")
    desk.write("counts.csv", "new")
    desk.ldv("add", "counts.csv")
    desk.git("tag", "-d", "v1")
    desk.git("checkout", "-q", "--orphan", "fresh")
    desk.commit("fresh")
    desk.git("branch", "-q", "-D", "main")
    desk.git("reflog", "expire", "--expire=now", "--all")


def test_gc_shows_then_does(shared: Desk) -> None:
    orphan(shared)
    printed = shared.ldv("gc")
    assert printed.lines[0].startswith("delete        counts.csv") and "unnamed" in printed.lines[0]
    assert printed.lines[1].startswith("to the trash  (dataset unknown)")
    assert "4.0 kB would be deleted: store holds it, asked just now" in printed.out
    assert "6.5 kB would be moved to the trash (on the same disk): not seen at store" in printed.out
    assert printed.lines[-2:] == ["Nothing was changed.", "Next: lobsterdv gc --yes"]
    assert shared.ldv("undelete").lines == ["The trash is empty."]
    done = shared.ldv("gc", "--yes")
    assert "4.0 kB deleted: store holds it" in done.out and "Nothing was changed" not in done.out
    assert done.lines[-1] == "Next: lobsterdv undelete"
    assert shared.ldv("gc").lines[0].startswith("Nothing to take out of the cache (")
    (row,) = shared.json("undelete")["report"]["trash"]
    assert row["size"] == 6500 and row["why"] == "gc"
    listed = shared.ldv("undelete")
    assert row["entry"] in listed.out and listed.lines[-1] == "Next: lobsterdv undelete ENTRY"
    assert "in the cache again" in shared.ldv("undelete", row["digest"][7:19]).out
    assert shared.ldv("undelete").lines == ["The trash is empty."]


def test_gc_as_json(shared: Desk) -> None:
    orphan(shared)
    report = shared.json("gc")["report"]
    assert report["acted"] is False
    assert (report["freed_bytes"], report["trashed_bytes"]) == (4000, 6500)
    assert {row["fate"] for row in report["collected"]} == {"delete", "trash"}


def test_emptying_the_trash(shared: Desk) -> None:
    orphan(shared)
    shared.ldv("gc", "--yes")
    printed = shared.ldv("gc", "--empty-trash")
    assert "6.5 kB in 1 entry would be deleted from the trash, for good" in printed.out
    assert printed.lines[-1] == "Next: lobsterdv gc --empty-trash --yes"
    shared.ldv("gc", "--empty-trash", "--yes")
    assert shared.ldv("undelete").lines == ["The trash is empty."]


def test_a_project_that_is_gone_is_named_with_the_command_that_forgets_it(
    shared: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOBSTERDV_CACHE_DIR", str(tmp_path / "cache"))
    here = shared.here
    shared.ldv("add", "counts.csv", "raw")
    shared.cd(tmp_path / "other")
    shared.ldv("init", "--yes")
    shared.write("theirs", "theirs")
    shared.ldv("add", "theirs")
    shared.cd(here)
    command = f"lobsterdv gc --unregister {tmp_path / 'other'}"
    assert f"{command} --yes" in shared.ldv("gc", "--unregister", str(tmp_path / "other"), code=1).err
    shutil.rmtree(tmp_path / "other")
    refused = shared.ldv("gc", "--yes", code=1).err
    assert str(tmp_path / "other") in refused and f"{command}/.git" in refused
    assert "Forgot" in shared.ldv("gc", "--unregister", str(tmp_path / "other" / ".git")).out
    shared.ldv("gc", "--yes")


def test_drop_shows_then_does(shared: Desk) -> None:
    printed = shared.ldv("drop", "--data", "counts.csv", "raw")
    assert printed.lines[0].split()[:4] == ["drop", "counts.csv", "4.0", "kB"]
    assert "store holds all of it, asked just now." in printed.lines
    assert printed.lines[-2:] == ["Nothing was changed.", "Next: lobsterdv drop --data counts.csv raw --yes"]
    assert os.path.exists("counts.csv")
    done = shared.ldv("drop", "--data", "counts.csv", "raw", "--yes")
    assert done.lines[0].startswith("dropped  counts.csv") and not os.path.exists("counts.csv")
    assert done.lines[-1] == "To bring it back: lobsterdv pull counts.csv raw"
    shared.ldv("pull", "counts.csv", "raw")
    assert os.path.exists("raw/a.txt")


def test_drop_says_when_there_is_nothing_to_drop(shared: Desk) -> None:
    shared.write("copy.csv", (shared.here / "counts.csv").read_bytes())
    shared.ldv("add", "copy.csv")
    shared.ldv("push")
    for options in ((), ("--yes",)):
        printed = shared.ldv("drop", "copy.csv", *options)
        assert printed.lines[0].startswith("stays  copy.csv  0 B") and "4.0 kB stays: used elsewhere" in printed.out
        assert printed.lines[-1] == "Nothing to drop."


def test_drop_refuses_with_what_to_type(shared: Desk) -> None:
    shared.write("counts.csv", "work")
    refused = shared.ldv("drop", "--data", "--yes", "counts.csv", code=5).err
    assert "lobsterdv add counts.csv" in refused and os.path.getsize("counts.csv") == 4
    shared.ldv("add", "counts.csv")
    refused = shared.ldv("drop", "--yes", "counts.csv", code=1).err
    assert "it is not at " in refused and "fix: lobsterdv push counts.csv" in refused
    assert "--rev about another" in shared.ldv("drop", "--data", "--rev", "v1", "raw", code=2).err


def test_drop_without_a_remote(lab: Desk) -> None:
    lab.write("x", "x")
    lab.ldv("add", "x")
    assert "lobsterdv remote add lab s3://BUCKET/PREFIX" in lab.ldv("drop", "x", "--yes", code=1).err


def test_undelete_of_unsaved_work(shared: Desk) -> None:
    shared.write("raw/a.txt", "unsaved")
    shared.ldv("checkout", "--force", "raw")
    shared.cd(shared.here / "raw")
    refused = shared.ldv("undelete", ".", code=5).err
    assert "something lies at" in refused and "--force" in refused
    assert "in its place again" in shared.ldv("undelete", "--force", ".").out
    assert Path("a.txt").read_text() == "unsaved"
