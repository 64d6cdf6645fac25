"""log, show, search, lineage and their kin, as typed and as printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Desk


@pytest.fixture
def chain(lab: Desk) -> Desk:
    """raw -> upper -> twice, each committed."""
    lab.write("raw.csv", "a,b\n")
    lab.ldv("add", "raw.csv", "-m", "raw counts")
    lab.commit()
    for source, target, command in (
        ("raw.csv", "upper.csv", "tr a-z A-Z < raw.csv > upper.csv"),
        ("upper.csv", "twice.csv", "cat upper.csv upper.csv > twice.csv"),
    ):
        lab.ldv("run", "-n", f"make-{target[:5]}", "--in", source, "--out", target, "--", command)
        lab.commit()
    return lab


def test_log(chain: Desk) -> None:
    printed = chain.ldv("log").out
    assert printed.index("twice.csv") < printed.index("upper.csv") < printed.index("raw.csv")
    assert "raw counts" in printed and "made by make-upper from raw.csv" in printed
    assert "+message: raw counts" in chain.ldv("log", "-p", "raw.csv").out
    assert chain.ldv("log", "-n", "1").out.count("commit ") == 1
    assert chain.ldv("log", "--graph", "raw.csv").out.startswith("* ")
    rows = chain.json("log", "raw.csv")["report"]["versions"]
    assert [(row["dataset"], row["what"], row["is_here"]) for row in rows] == [("raw.csv", "added", True)]
    assert "not a tracked dataset" in chain.ldv("log", "nix", code=1).err


def test_log_before_there_is_any(lab: Desk) -> None:
    assert "Next: lobsterdv add PATH" in lab.ldv("log").out


def test_lineage_as_a_tree_and_in_other_formats(chain: Desk) -> None:
    lines = chain.ldv("lineage", "twice.csv").out.splitlines()
    assert [line.lstrip("└─ ").split("@")[0] for line in lines] == ["twice.csv", "upper.csv", "raw.csv"]
    assert "by make-twice" in lines[0]
    assert "└─ upper.csv" in chain.ldv("lineage", "raw.csv", "--down").out
    assert "made of it:" in chain.ldv("lineage", "upper.csv", "--both", "--depth", "1").out
    assert "nothing was made of it" in chain.ldv("lineage", "twice.csv", "--down").out
    assert json.loads(chain.ldv("lineage", "twice.csv", "--format", "json").out)["directed"]
    for form, begin in (("dot", "digraph"), ("mermaid", "flowchart"), ("html", "<!doctype"), ("prov", "{")):
        assert chain.ldv("lineage", "twice.csv", "--format", form).out.startswith(begin)
    report = chain.json("lineage", "twice.csv")["report"]
    assert report["links"][0]["made"]["dataset"] == "twice.csv"


def test_stale_impact_and_reproduce(chain: Desk) -> None:
    assert "Nothing is stale; 2 datasets" in chain.ldv("stale").out
    chain.write("raw.csv", "c,d\n")
    chain.ldv("add", "raw.csv")
    stale = chain.ldv("stale", "--exit-code", code=7).out
    assert "stale: raw.csv is" in stale and "stale: upper.csv is stale" in stale
    assert "Next: lobsterdv reproduce --dry-run" in stale
    assert "2 steps" in chain.ldv("impact", "raw.csv").out
    assert "[stale: raw.csv is" in chain.ldv("lineage", "upper.csv").out
    assert "make-twice: would run" in chain.ldv("reproduce", "-n").out
    done = chain.ldv("reproduce")
    assert "make-upper: ran" in done.out and "Next: git commit -m reproduced" in done.out
    assert (chain.here / "twice.csv").read_text() == "C,D\nC,D\n"
    assert "Everything is up to date" in chain.ldv("reproduce").out
    assert "Nothing here was made from twice.csv" in chain.ldv("impact", "twice.csv").out


def test_what_comes_out_the_same_of_newer_data_is_to_be_committed(chain: Desk) -> None:
    chain.write("raw.csv", "A,b\n")
    chain.ldv("add", "raw.csv")
    done = chain.ldv("reproduce", "upper.csv")
    assert "make-upper: ran" in done.out and "nothing changed" in done.out
    assert done.lines[-1] == "Next: git commit -m reproduced"
    assert "M  upper.csv.ldv.yaml" in chain.git("status", "--short").splitlines()


def test_reproduce_exits_as_the_command_that_failed(chain: Desk) -> None:
    chain.ldv("run", "--in", "raw.csv", "--out", "odd.csv", "--", "grep a raw.csv > odd.csv")
    chain.write("raw.csv", "b\n")
    chain.ldv("add", "raw.csv")
    printed = chain.ldv("reproduce", "odd.csv", code=1)
    assert "failed (exit status 1)" in printed.out


def test_names_in_every_command(chain: Desk, tmp_path: Path) -> None:
    tagged = chain.ldv("tag", "raw.csv", "v1")
    assert "raw.csv@v1 is version" in tagged.out and "Next: git push --tags" in tagged.out
    chain.write("raw.csv", "new\n")
    chain.ldv("add", "raw.csv", "-m", "newer")
    chain.commit()
    assert "raw counts" in chain.ldv("show", "raw.csv@v1").out and "newer" in chain.ldv("show", "raw.csv").out
    assert Path(chain.ldv("path", "raw.csv@v1").out.strip()).read_text() == "a,b\n"
    assert "raw.csv" in chain.ldv("list", "raw.csv@v1").out
    chain.ldv("checkout", "raw.csv@v1")
    assert (chain.here / "raw.csv").read_text() == "a,b\n"
    chain.ldv("pull", "raw.csv@latest")
    assert (chain.here / "raw.csv").read_text() == "new\n"
    assert "names a revision" in chain.ldv("path", "raw.csv@v1", "--rev", "main", code=2).err
    assert "one revision" in chain.ldv("pull", "raw.csv@v1", "upper.csv@main", code=2).err
    assert "raw.csv@v1" in chain.ldv("tag").out
    assert "lobsterdv tag --force raw.csv NAME" in chain.ldv("tag", "raw.csv", "v1", code=1).err
    assert "no name any more" in chain.ldv("tag", "-d", "raw.csv", "v1").out
    assert "No dataset has a tag" in chain.ldv("tag").out
    assert "raw.csv has no tag" in chain.ldv("tag", "raw.csv").out
    assert "which name" in chain.ldv("tag", "-d", "raw.csv", code=2).err


def test_a_name_before_the_first_commit(desk: Desk) -> None:
    desk.git("init", "-q")
    desk.ldv("init", "--yes")
    desk.write("raw.csv")
    desk.ldv("add", "raw.csv")
    refused = desk.ldv("tag", "raw.csv", "v1", code=1).err
    assert "nothing is committed yet" in refused and "fix: git commit -m MESSAGE" in refused


def test_revert(chain: Desk) -> None:
    chain.write("raw.csv", "worse\n")
    chain.ldv("add", "raw.csv")
    chain.commit()
    printed = chain.ldv("revert", "raw.csv", "--to", "HEAD~1")
    assert "raw.csv is what it was at HEAD~1" in printed.out and "Next: git commit" in printed.out
    assert (chain.here / "raw.csv").read_text() == "a,b\n"
    assert "was already" in chain.ldv("revert", "raw.csv", "--to", "HEAD~1").out
    chain.write("raw.csv", "unsaved\n")
    assert (
        "fix: lobsterdv revert raw.csv --to HEAD --force" in chain.ldv("revert", "raw.csv", "--to", "HEAD", code=5).err
    )


def test_search(chain: Desk) -> None:
    assert chain.ldv("search", "counts").out.startswith("raw.csv@")
    assert "No committed version of which that was said" in chain.ldv("search", "nothing").out
    assert [hit["version"]["dataset"] for hit in chain.json("search", "tr")["report"]["hits"]] == ["upper.csv"]


def test_show_says_how_it_was_made(chain: Desk) -> None:
    shown = chain.ldv("show", "upper.csv").out
    said = (
        "made by    make-upper",
        "tr a-z A-Z",
        "made from  raw.csv",
        "used by    twice.csv",
        "where      here",
        "run  ",
    )
    for words in said:
        assert words in shown, words


def test_report_and_reindex(chain: Desk, tmp_path: Path) -> None:
    printed = chain.ldv("report", "-o", str(tmp_path / "out" / "page"))
    assert "3 versions, 2 links" in printed.out
    assert "upper.csv" in (tmp_path / "out" / "page" / "lineage.html").read_text()
    assert "Indexed 3 versions, 3 commits, 2 runs" in chain.ldv("reindex").out


def test_forget_and_repack(chain: Desk) -> None:
    chain.ldv("push")
    chain.write("raw.csv", "new\n")
    chain.ldv("add", "raw.csv")
    chain.commit()
    chain.ldv("push")
    dry = chain.ldv("forget", "raw.csv@HEAD~1", "--reason", "consent withdrawn")
    assert "Would forget raw.csv@" in dry.out and "--yes" in dry.out
    done = chain.ldv("forget", "raw.csv@HEAD~1", "--reason", "consent withdrawn", "--yes")
    assert "Forgot raw.csv@" in done.out and "not before" in done.out
    refused = chain.ldv("pull", "raw.csv@HEAD~1", code=3)
    assert "was forgotten on" in refused.err and "consent withdrawn" in refused.err
    assert "which version?" in chain.ldv("forget", "raw.csv", "--reason", "x", code=2).err
    assert "names now" in chain.ldv("forget", "raw.csv@HEAD", "--reason", "x", code=1).err
    assert "no object is mostly waste" in chain.ldv("repack").out
