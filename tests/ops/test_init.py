"""init, opening projects, and doctor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lobsterdv.errors import ConfigError, FormatError, NoGit, NotAProject
from lobsterdv.events import silent
from lobsterdv.git import Git
from lobsterdv.ops.doctor import DoctorReport, doctor
from lobsterdv.ops.init import init
from lobsterdv.project import CONFIG_NAME, open_project
from tests.ops.lab import Lab, environment
from tests.ops.watching import tree


def test_init_writes_two_files_and_stages_them(lab: Lab) -> None:
    assert sorted(lab.git("ls-files").split()) == [".gitattributes", ".lobsterdv.yaml"]
    assert lab.read(".gitattributes") == b"*.ldv.yaml text eol=lf merge=lobsterdv\n"
    assert len(lab.project.project_id) == 32


def test_init_again_keeps_what_is_there(lab: Lab) -> None:
    """The id ties the catalog in every remote to this project: another one would orphan them."""
    lab.path(".gitattributes").write_text("*.png binary\n")
    lab.path(CONFIG_NAME).write_text(lab.path(CONFIG_NAME).read_text() + "x-lab:\n  room: 7\n")
    before = lab.project.project_id
    report = init(lab.project.git, CONFIG_NAME, project_id="f" * 32, observer=silent)
    assert (report.created, report.project_id, report.written) == (False, before, [".gitattributes"])
    assert lab.read(".gitattributes").startswith(b"*.png binary\n*.ldv.yaml")
    assert b"room: 7" in lab.read(CONFIG_NAME)
    again = init(lab.project.git, CONFIG_NAME, project_id="e" * 32, observer=silent)
    assert again.written == []


def test_init_with_a_remote(lab: Lab, tmp_path: Path) -> None:
    init(lab.project.git, CONFIG_NAME, project_id="f" * 32, remote=("shelf", {"url": str(tmp_path)}), observer=silent)
    assert lab.reopen().project.remote().url == str(tmp_path)


def test_from_any_folder_below(lab: Lab) -> None:
    lab.write("deep/er/file", "1")
    for folder in ("deep/er", "deep", "."):
        project = open_project(lab.path(folder), environment=lab.env)
        assert project.root == lab.root
        project.close()


def test_no_git_and_no_project(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with pytest.raises(NoGit):
        open_project(tmp_path, environment=env)
    Git.create(tmp_path, environment=env)
    with pytest.raises(NotAProject):
        open_project(tmp_path, environment=env)


def test_opening_and_looking_writes_nothing_into_the_work_tree(lab: Lab) -> None:
    def work_tree() -> dict[str, object]:
        return {path: leaf for path, leaf in tree(lab.root).items() if not path.startswith(".git/")}

    before = work_tree()
    lab.reopen().status()
    assert work_tree() == before


@pytest.mark.parametrize(("text", "error"), [
    ("lobsterdv: 99\nproject: x\n", FormatError),
    ("lobsterdv: 1\nproject: short\n", ConfigError),
    ("lobsterdv: 1\nremote: [a, b]\n", ConfigError),
    ("lobsterdv: 1\ncache:\n  dir: /somewhere\n", ConfigError),
    ("a: &a [x]\nb: *a\n", FormatError),
    ("\x00\xff", FormatError),
])  # fmt: skip
def test_a_bad_configuration_is_one_clear_error(lab: Lab, text: str, error: type[Exception]) -> None:
    lab.path(CONFIG_NAME).write_text(text, encoding="latin-1")
    with pytest.raises(error) as caught:
        open_project(lab.root, environment=lab.env)
    assert "\n" not in str(caught.value)


def findings(report: DoctorReport) -> dict[str, str]:
    return {finding.name: finding.state for finding in report.findings}


def test_doctor_of_a_healthy_project(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    lab.configure(remote="shelf", remotes={"shelf": {"url": str(tmp_path / "shelf")}})
    before = {path for path in tree(lab.root) if not path.startswith(".git/")}
    report = doctor(lab.project, version="1", observer=silent)
    states = findings(report)
    assert report.healthy
    assert {states[name] for name in ("python", "git", "chunker", "project", "links", "remote shelf")} == {"ok"}
    assert {path for path in tree(lab.root) if not path.startswith(".git/")} == before


def test_doctor_finds_what_is_wrong_and_says_what_helps(lab: Lab, tmp_path: Path) -> None:
    lab.path(".gitattributes").unlink()
    quarantine = lab.project.cache.folder / "quarantine"
    quarantine.mkdir(parents=True)
    (quarantine / "ab.1234").write_text("damaged")
    lab.configure(remotes={"gone": {"url": str(tmp_path / "not-mounted")}})
    report = doctor(lab.project, version="1", observer=silent)
    states = findings(report)
    assert not report.healthy
    assert (states[".gitattributes"], states["quarantine"], states["remote gone"]) == ("warning", "warning", "failed")
    assert all(finding.fix for finding in report.findings if finding.state != "ok")


def test_doctor_outside_of_a_project() -> None:
    assert findings(doctor(None, version="1", observer=silent))["project"] == "warning"


def test_doctor_with_a_cache_that_cannot_be_written(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    lab.reopen(LOBSTERDV_CACHE_DIR=os.fspath(tmp_path / "file" / "cache"))
    report = doctor(lab.project, version="1", observer=silent)
    assert findings(report)["cache"] == "failed"
