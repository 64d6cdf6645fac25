"""Staging folders: whose they are. A home that several machines share has checkouts of all of them under way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lobsterdv import temps
from lobsterdv.ops.journal import interrupted, staging_folder, tidy, write_journal

NOW = 1_700_000_000.0
DAY_S = 86400


def a_pid_that_is_gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work/data"


def staged(state: Path, place: Path, owner: str, *, age_s: float) -> Path:
    """A staging folder with a file in it, and its journal, as ``owner`` (node and pid) left them."""
    stage = staging_folder(state, place)
    other = stage.with_name(f".lobsterdv-stage-{owner}-0123456789ab")
    stage.rename(other)
    (other / "0").write_text("half")
    os.utime(other, (NOW - age_s, NOW - age_s))
    write_journal(state, "data", other, NOW - age_s)
    return other


def test_another_machine_s_stage_is_left_alone_for_a_day(tmp_path: Path, place: Path) -> None:
    """Its process cannot be asked for here: a running checkout lost its files."""
    state, owner = tmp_path / "state", f"elsewhere-{a_pid_that_is_gone()}"
    stage = staged(state, place, owner, age_s=DAY_S - 60)
    assert interrupted(state, now=NOW) == []
    tidy(state, "data", place, now=NOW)
    assert (stage / "0").exists() and list((state / "journal").iterdir())
    assert interrupted(state, now=NOW + 120) == ["data"]
    tidy(state, "data", place, now=NOW + 120)
    assert not stage.exists() and not list((state / "journal").iterdir())


@pytest.mark.parametrize("node", [f"{temps.node()}-", ""], ids=["now", "before nodes were in the name"])
def test_of_this_machine_the_process_tells(tmp_path: Path, place: Path, node: str) -> None:
    state = tmp_path / "state"
    mine = staged(state, place, f"{node}{os.getpid()}", age_s=90 * DAY_S)
    gone = staged(state, place, f"{node}{a_pid_that_is_gone()}", age_s=0)
    assert interrupted(state, now=NOW) == ["data"]
    tidy(state, "data", place, now=NOW)
    assert mine.exists() and not gone.exists()


def test_a_name_tells_whose_it_is(tmp_path: Path, place: Path) -> None:
    stage = staging_folder(tmp_path / "state", place)
    assert stage.name.startswith(f".lobsterdv-stage-{temps.node()}-{os.getpid()}-")
    assert stage.stat().st_mode & 0o777 == 0o700
