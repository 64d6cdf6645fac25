"""The wrong path means the wrong data: what was typed, from where, must name what the user sees there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lobsterdv.cli.paths import project_path
from lobsterdv.errors import Refused, UsageError
from tests.cli.conftest import Desk


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", "sub/x"), ("./x/", "sub/x"), ("..", "."), ("../", "."), (".", "sub"), ("../a/./b", "a/b"),
        ("../sub", "sub"), ("*.h5ad", "sub/*.h5ad"), ("../**/x", "**/x"), ("x.ldv.yaml", "sub/x.ldv.yaml"),
        ("/lab/y", "y"), ("/lab", "."), ("-x", "sub/-x"), ("a\nb", "sub/a\nb"),
    ],
)  # fmt: skip
def test_paths_are_relative_to_the_folder(text: str, expected: str) -> None:
    assert project_path(text, folder="/lab/sub", root="/lab") == expected


@pytest.mark.parametrize("text", ["../..", "../../other", "/", "/laboratory/x", "/etc/passwd"])
def test_paths_outside_are_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        project_path(text, folder="/lab/sub", root="/lab")
    assert caught.value.code == "outside"


def test_the_empty_path_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        project_path("", folder="/lab", root="/lab")


def test_brackets_in_the_folder_s_own_name_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "plate[1]"
    folder.mkdir()
    (folder / "well[2].csv").touch()
    assert project_path("*.csv", folder=str(folder), root=str(tmp_path)) == "plate[[]1]/*.csv"
    assert project_path("well[2].csv", folder=str(folder), root=str(tmp_path)) == "plate[1]/well[2].csv"
    assert project_path("x", folder=str(folder), root=str(tmp_path)) == "plate[1]/x"


def test_a_link_to_the_project_is_the_project(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "alias").symlink_to("lab")
    absolute = os.path.join(tmp_path, "alias", "x")
    assert project_path(absolute, folder=str(tmp_path), root=str(tmp_path / "lab")) == "x"


def test_one_path_outside_does_not_stop_the_others(lab: Desk, tmp_path: Path) -> None:
    outside = lab.home / "x"
    outside.write_text("x")
    lab.write("good.csv")
    printed = lab.ldv("add", str(outside), "good.csv", code=1)
    assert "added  good.csv" in printed.out
    assert f"lobsterdv: {outside}: it is outside the project" in printed.err
    assert "fix: cp -R" in printed.err


def test_only_paths_outside_do_not_mean_everything(shared: Desk) -> None:
    for command in ("push", "pull", "checkout", "status", "fetch"):
        document = shared.json(command, "/etc", code=1)
        assert document["report"] is None
        assert document["errors"][0]["facts"]["code"] == "outside"


def test_below_the_root_paths_are_from_there(lab: Desk) -> None:
    lab.write("sub/x.csv")
    lab.cd(lab.here / "sub")
    assert "added  x.csv" in lab.ldv("add", "x.csv").out
    lab.write("y.csv")
    assert lab.json("add", "y.csv")["report"]["added"][0]["path"] == "sub/y.csv"
    lab.cd(lab.here.parent)
    assert "sub/x.csv" in lab.ldv("list").out


def test_pointers_and_globs_are_good_names(lab: Desk) -> None:
    lab.write("a.csv", "a")
    lab.write("b.csv", "b")
    assert len(lab.json("add", "*.csv")["report"]["added"]) == 2
    report = lab.json("push", "a.csv.ldv.yaml")["report"]
    assert [row["path"] for row in report["versions"]] == ["a.csv"]
    assert len(lab.json("status", "?.csv")["report"]["datasets"]) == 2
