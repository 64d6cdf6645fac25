"""run, and what it was made from, as typed."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import Desk


@pytest.fixture
def raw(lab: Desk) -> Desk:
    lab.write("raw.csv", "a,b\n")
    lab.ldv("add", "raw.csv")
    lab.commit()
    return lab


def test_run(raw: Desk) -> None:
    copy = ("run", "--in", "raw.csv", "--out", "copy.csv", "--param", "seed=1", "--", "cp", "raw.csv", "copy.csv")
    printed = raw.ldv(*copy)
    assert "copy.csv added" in printed.out and "made by cp from 1 input" in printed.out
    assert "Next: git commit -m cp" in printed.out
    pointer = (raw.here / "copy.csv.ldv.yaml").read_text()
    assert "command: cp raw.csv copy.csv" in pointer and "seed: 1" in pointer and "- path: raw.csv" in pointer
    again = raw.ldv("run", "--json", "--if-changed", *copy[1:]).json["report"]
    assert again["skipped"] and again["exit_code"] == 0
    assert "not run" in raw.ldv("run", "--if-changed", *copy[1:]).out


def test_run_exits_as_its_command_did(raw: Desk) -> None:
    assert "exit status 7; nothing is kept" in raw.ldv("run", "--", "sh -c 'exit 7'", code=7).out
    words = ("run", "--out", "raw.csv", "--out", "new.csv", "--", "echo half | tee raw.csv new.csv; exit 3")
    said = raw.ldv(*words, code=3).out
    assert "raw.csv was changed, and is no version" in said and "new.csv was left there, and is no version" in said
    assert "lobsterdv checkout --force raw.csv" in said and "--force raw.csv new.csv" not in said
    assert "cannot be run" in raw.ldv("run", "--", "no-such-program", code=2).err
    assert "NAME=VALUE" in raw.ldv("run", "--param", "seed", "--", "true", code=2).err


def test_run_refuses_inputs_that_are_no_version(raw: Desk) -> None:
    raw.write("raw.csv", "edited\n")
    printed = raw.ldv("run", "--in", "raw.csv", "--", "true", code=1)
    assert "no version names" in printed.err and "fix: lobsterdv add raw.csv" in printed.err


def test_run_below_the_root(raw: Desk) -> None:
    raw.cd(raw.here / "sub")
    raw.ldv("run", "--in", "../raw.csv", "--out", "x.csv", "--", "cp ../raw.csv x.csv")
    assert "folder: sub" in (raw.here / "x.csv.ldv.yaml").read_text()


def test_add_from(raw: Desk) -> None:
    raw.write("made.csv", "x")
    raw.ldv("add", "made.csv", "--from", "raw.csv")
    assert "- path: raw.csv" in (raw.here / "made.csv.ldv.yaml").read_text()
    assert sys.executable not in (raw.here / "made.csv.ldv.yaml").read_text()


def test_what_a_command_prints_does_not_disturb_the_document(raw: Desk) -> None:
    report = raw.shell("run", "--json", "--", "echo hello; echo more >> raw.csv")
    assert report.json["report"]["outputs"][0]["path"] == "raw.csv"
    assert "hello" in report.err
