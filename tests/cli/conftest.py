"""A desk: a person at a shell in a fresh git repository, who types commands and reads what is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.cli.main import run

SETTLED_S = 1_600_000_000


@dataclass
class Printed:
    """What a command left on the screen."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document; fails when anything else is on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Desk:
    """``ldv`` runs a command in this process, ``shell`` in one of its own."""

    def __init__(self, home: Path, chdir: Callable[[Path], None], read: Callable[[], tuple[str, str]]) -> None:
        self.home = home
        self.here = home
        self._chdir = chdir
        self._read = read

    def cd(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.here = folder
        self._chdir(folder)

    def ldv(self, *args: str, code: int | None = 0) -> Printed:
        self._read()
        got = run(args)
        out, err = self._read()
        printed = Printed(got, out, err)
        assert "Traceback" not in err + out, err
        assert code is None or got == code, printed
        return printed

    def json(self, *args: str, code: int = 0) -> Any:
        document = self.ldv(*args, "--json", code=code).json
        assert document["exit"] == code
        assert document["ok"] == (code == 0)
        return document

    def shell(self, *args: str, code: int | None = 0, **options: Any) -> Printed:
        command = [sys.executable, "-m", "lobsterdv", *args]
        done = subprocess.run(command, cwd=self.here, capture_output=True, text=True, check=False, **options)
        assert code is None or done.returncode == code, done
        assert "Traceback" not in done.stderr, done.stderr
        return Printed(done.returncode, done.stdout, done.stderr)

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=self.here, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def write(self, name: str, data: str | bytes = "data") -> Path:
        """A file that was last changed long ago."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        os.utime(path, (SETTLED_S, SETTLED_S))
        return path

    def commit(self, message: str = "work") -> None:
        self.git("commit", "-q", "--allow-empty", "-m", message)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    """Outside any repository, with nobody's settings or credentials."""
    for name in [n for n in os.environ if n.startswith(("AWS_", "LOBSTERDV_", "GIT_", "XDG_", "_LOBSTERDV"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    settings = {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "init.defaultBranch",
        "GIT_CONFIG_VALUE_0": "main",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@lab",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@lab",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "80",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def read() -> tuple[str, str]:
        sys.stdout.flush()
        sys.stderr.flush()
        seen = capfd.readouterr()
        return seen.out, seen.err

    made = Desk(home, monkeypatch.chdir, read)
    made.cd(tmp_path / "lab")
    return made


@pytest.fixture
def lab(desk: Desk) -> Desk:
    """In a project whose start is committed; its remote is the embedded one."""
    desk.ldv("init", "--yes")
    desk.commit("start")
    return desk


@pytest.fixture
def shared(lab: Desk, tmp_path: Path) -> Desk:
    """A project with a file and a folder, pushed to a folder that others reach."""
    lab.write("counts.csv", "1,2\n" * 1000)
    lab.write("raw/a.txt", "a")
    lab.write("raw/b.txt", "b")
    lab.ldv("add", "counts.csv", "raw", "-m", "first")
    lab.ldv("remote", "add", "store", str(tmp_path / "store"))
    lab.commit("data")
    lab.git("tag", "v1")
    lab.ldv("push")
    return lab


@pytest.fixture
def clone(shared: Desk, tmp_path: Path) -> Desk:
    """A colleague's fresh clone: pointers, nothing else."""
    shared.git("clone", "-q", str(shared.here), str(tmp_path / "clone"))
    shared.cd(tmp_path / "clone")
    return shared
