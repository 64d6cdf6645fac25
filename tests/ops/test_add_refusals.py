"""What add refuses, by which rule, and that everything else in the same call is still kept."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lobsterdv.errors import LocalIOError
from tests.ops.lab import Lab, error_of


def test_data_that_git_tracks(lab: Lab) -> None:
    """Two tools would own one file, and git would keep every version of it for ever."""
    lab.write("data/a.csv", "1")
    lab.git("add", "data/a.csv")
    assert lab.refusal("data/a.csv") == "git-tracked"
    assert lab.refusal("data") == "git-tracked"
    assert not lab.path("data.ldv.yaml").exists()


def test_overlapping_datasets(lab: Lab) -> None:
    lab.write("data/run/a.csv", "1")
    lab.add("data/run")
    assert lab.refusal("data") == "overlap"
    lab.write("file", "1")
    lab.add("file")
    lab.path("file").unlink()
    lab.write("file/inside", "1")
    assert lab.refusal("file/inside") == "overlap"


def test_overlapping_in_one_call(lab: Lab) -> None:
    lab.write("data/run/a.csv", "1")
    report = lab.try_add("data", "data/run")
    assert [row.path for row in report.added] == ["data"]
    assert [(f.path, getattr(f.error, "code", "")) for f in report.failures] == [("data/run", "overlap")]


@pytest.mark.parametrize("path", ["../outside", "data/../../outside", "/etc/passwd", "data/./x", "a//b", ".git/config"])
def test_paths_outside(lab: Lab, path: str) -> None:
    assert lab.refusal(path) == "UnsafePath"


@pytest.mark.parametrize("path", [".", ""])
def test_the_whole_project(lab: Lab, path: str) -> None:
    assert lab.refusal(path) == "whole-project"


def test_missing(lab: Lab) -> None:
    assert lab.refusal("nothing/here") == "not-found"
    assert lab.refusal("*.h5ad") == "not-found"


@pytest.mark.parametrize("in_directory", [False, True])
def test_pipes_and_sockets(lab: Lab, in_directory: bool) -> None:
    """Opening a pipe would wait for ever."""
    lab.path("run").mkdir()
    name = "run/special" if in_directory else "special"
    os.mkfifo(lab.path(name))
    assert lab.refusal("run" if in_directory else name) == "special-file"
    lab.path(name).unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(lab.path(name).parent)  # a socket's path may have 107 bytes
        try:
            listener.bind("special")
        finally:
            os.chdir(here)
        assert lab.refusal("run" if in_directory else name) == "special-file"


def test_a_symlink_itself(lab: Lab) -> None:
    lab.write("real", "1")
    lab.path("link").symlink_to("real")
    assert lab.refusal("link") == "symlink"


def test_below_a_symlinked_folder(lab: Lab, tmp_path: Path) -> None:
    """The bytes lie outside the project; the pointer would say otherwise."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_text("1")
    lab.path("link").symlink_to(tmp_path / "elsewhere")
    assert lab.refusal("link/a") == "through-link"


def test_a_pointer_or_a_repository_inside(lab: Lab) -> None:
    lab.write("run/a", "1")
    lab.write("run/old.ldv.yaml", "not tracked by anything")
    assert lab.refusal("run") == "overlap"
    lab.path("run/old.ldv.yaml").unlink()
    lab.path("run/tool/.git").mkdir(parents=True)
    assert lab.refusal("run") == "overlap"


def test_one_failing_path_does_not_stop_the_others(lab: Lab) -> None:
    lab.write("a", "1")
    lab.write("c/x", "1")
    lab.path("b").symlink_to("a")
    report = lab.try_add("a", "b", "missing", "../out", "c")
    assert [row.path for row in report.added] == ["a", "c"]
    assert [f.path for f in report.failures] == ["b", "missing", "../out"]
    assert {"a.ldv.yaml", "c.ldv.yaml"} <= set(lab.staged())


def test_globs_take_data_and_leave_pointers(lab: Lab) -> None:
    for name in ("a.h5", "b.h5", "sub/c.h5"):
        lab.write(name, name)
    assert [row.path for row in lab.add("*.h5").added] == ["a.h5", "b.h5"]
    assert [row.path for row in lab.add("*").added] == ["a.h5", "b.h5", "sub"]
    assert [row.path for row in lab.add("**/*.h5").added] == ["a.h5", "b.h5", "sub"]


def test_a_file_that_cannot_be_read(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bad sector must not cost the other datasets their pointers."""
    lab.write("bad/a", "1")
    lab.write("good", "1")
    real = os.open

    def failing(path: object, *args: object, **kwargs: object) -> int:
        if str(path).endswith("bad/a"):
            raise OSError(5, "Input/output error")
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", failing)
    report = lab.try_add("bad", "good")
    assert [row.path for row in report.added] == ["good"]
    error = error_of(report)
    assert isinstance(error, LocalIOError)
    assert error.path.endswith("bad/a")
