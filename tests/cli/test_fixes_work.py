"""A remedy that does not work is worse than none: what is suggested is run by a shell, and then the command goes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Desk

REPLACED = {"OTHER": "embedded", "NEW-NAME": "renamed.csv"}


def fixed(desk: Desk, *args: str, number: int = 0) -> str:
    """Let a command fail, run the remedy of that number, and let the command succeed. Returns the remedy."""
    failed = desk.ldv(*args, code=None)
    assert failed.code not in (0, 2), failed
    remedy = follow(desk, failed.err, number)
    desk.ldv(*args)
    return remedy


def follow(desk: Desk, err: str, number: int = 0) -> str:
    """Run a suggested command as the shell would."""
    suggestions = re.findall(r"^(?:  fix|   or): (.*?)(?:   \(.*\))?$", err, re.MULTILINE)
    command = suggestions[number]
    for word, value in REPLACED.items():
        command = command.replace(word, value)
    script = f'lobsterdv() {{ {sys.executable} -m lobsterdv "$@"; }}; {command}'
    done = subprocess.run(["bash", "-ec", script], cwd=desk.here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return str(suggestions[number])


def test_no_git(desk: Desk) -> None:
    fixed(desk, "status")


def test_no_project(desk: Desk) -> None:
    desk.git("init", "-q")
    fixed(desk, "status")


def test_init_without_git(desk: Desk) -> None:
    fixed(desk, "init")


@pytest.mark.parametrize("name", ["data.csv", "with space/it's.csv"])
def test_what_git_tracks(lab: Desk, name: str) -> None:
    lab.write(name)
    lab.git("add", name)
    lab.commit()
    fixed(lab, "add", name)


def test_what_git_tracks_from_below_the_root(lab: Desk) -> None:
    lab.write("sub/data.csv")
    lab.git("add", "sub/data.csv")
    lab.cd(lab.here / "sub")
    fixed(lab, "add", "data.csv")


def test_what_git_tracks_seen_from_elsewhere(lab: Desk, tmp_path: Path) -> None:
    lab.write("my data/x.csv")
    lab.git("add", "my data")
    lab.cd(tmp_path)
    failed = lab.ldv("-C", "lab", "add", "my data", code=1)
    follow(lab, failed.err)
    lab.ldv("-C", "lab", "status", "my data")


def test_a_pipe_in_a_folder(lab: Desk) -> None:
    lab.write("raw/a.csv")
    os.mkfifo(lab.here / "raw/pipe")
    fixed(lab, "add", "raw")


def test_a_link_to_data(lab: Desk) -> None:
    lab.write("data.csv")
    (lab.here / "link.csv").symlink_to("data.csv")
    failed = lab.ldv("add", "link.csv", code=1)
    follow(lab, failed.err)
    assert [row["path"] for row in lab.json("list")["report"]["datasets"]] == ["data.csv"]


def test_data_outside(lab: Desk) -> None:
    (lab.home / "x.csv").write_text("x")
    failed = lab.ldv("add", str(lab.home / "x.csv"), code=1)
    follow(lab, failed.err)
    lab.ldv("add", "x.csv")


def test_a_folder_for_a_remote(lab: Desk, tmp_path: Path) -> None:
    fixed(lab, "remote", "add", "store", str(tmp_path / "not/there"))


def test_a_remote_of_that_name(lab: Desk, tmp_path: Path) -> None:
    lab.ldv("remote", "add", "store", str(tmp_path / "a"))
    fixed(lab, "remote", "add", "store", str(tmp_path / "b"))


def test_a_dataset_where_one_shall_be_moved(shared: Desk) -> None:
    failed = shared.ldv("move", "counts.csv", "raw/counts.csv", code=1)
    follow(shared, failed.err)


def test_a_part_of_a_folder_cannot_be_removed_alone(shared: Desk) -> None:
    failed = shared.ldv("remove", "raw/a.txt", code=1)
    follow(shared, failed.err)
    assert [row["path"] for row in shared.json("list", "raw")["report"]["files"]] == ["b.txt"]


def test_content_that_is_not_here(clone: Desk) -> None:
    fixed(clone, "checkout", "counts.csv")


@pytest.mark.parametrize("number", [0, 1], ids=["keep", "set aside"])
@pytest.mark.parametrize("command", ["checkout", "pull"])
def test_unsaved_changes(shared: Desk, command: str, number: int) -> None:
    shared.write("counts.csv", "mine")
    remedy = fixed(shared, command, "counts.csv", number=number)
    assert remedy.startswith(f"lobsterdv {'add' if number == 0 else command + ' --force'} ")


def test_a_broken_pointer(shared: Desk) -> None:
    (shared.here / "counts.csv.ldv.yaml").write_text("nonsense")
    fixed(shared, "checkout", "counts.csv")


def test_a_broken_project_file(shared: Desk) -> None:
    (shared.here / ".lobsterdv.yaml").write_text("]")
    fixed(shared, "status")


def test_a_dataset_that_is_not_tracked(lab: Desk) -> None:
    lab.write("x.csv")
    fixed(lab, "push", "x.csv")


def test_an_unknown_remote(lab: Desk) -> None:
    follow(lab, lab.ldv("push", "--remote", "x", code=1).err)


def test_a_setting_from_the_environment(lab: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBSTERDV_JOBS", "many")
    assert follow(lab, lab.ldv("status", code=1).err) == "unset LOBSTERDV_JOBS"


def test_a_corrupt_cache(shared: Desk) -> None:
    digest = shared.json("list", "counts.csv")["report"]["datasets"][0]["digest"][7:]
    (kept,) = [p for p in (shared.here / ".git/lobsterdv/cache/files").rglob("*") if p.name == digest]
    kept.chmod(0o644)
    kept.write_bytes(b"x" * kept.stat().st_size)
    (shared.here / "counts.csv").unlink()
    fixed(shared, "checkout", "counts.csv")
    assert (shared.here / "counts.csv").read_text() == "1,2\n" * 1000
