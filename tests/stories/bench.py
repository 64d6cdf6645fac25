"""A bench for stories: a git server, a shelf for data, and people at shells in their clones, who type real commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import lobsterdv
from tests.ops.lab import environment


@dataclass
class Person:
    """Someone at a shell in their clone."""

    root: Path
    env: dict[str, str]

    def run(self, *command: str, code: int | None = 0, folder: str = ".", stdin: str | None = None) -> str:
        """Standard output and errors together, as they stand on a screen."""
        done = subprocess.run(
            command, cwd=self.root / folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, input=stdin or "",
        )  # fmt: skip
        assert code is None or done.returncode == code, (command, done)
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def git(self, *args: str, code: int | None = 0, folder: str = ".") -> str:
        return self.run("git", *args, code=code, folder=folder)

    def ldv(self, *args: str, code: int | None = 0) -> str:
        return self.run("lobsterdv", *args, code=code)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def version(self, name: str, text: str, message: str = "work") -> None:
        """A file changed, added and committed."""
        self.write(name, text)
        self.ldv("add", "-q", name.split("/")[0], "-m", message)
        self.git("commit", "-q", "-m", message)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every test of a module has its bench: what is copied there finds itself at the paths it was made with."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


def made_once(bench: Path, template: Path, make: Callable[[], object]) -> None:
    """The bench as ``make`` leaves it: the first test makes it, the others get a copy."""
    if not template.exists():
        make()
        shutil.copytree(bench, template, symlinks=True)
        return
    shutil.rmtree(bench)
    shutil.copytree(template, bench, symlinks=True)


@pytest.fixture
def bench(ground: Path) -> Path:
    """A folder with a git server, a shelf for data and lobsterdv on the PATH."""
    shutil.rmtree(ground)
    program = ground / "bin" / "lobsterdv"
    program.parent.mkdir(parents=True)
    source = Path(lobsterdv.__file__).parents[1]
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{source}" exec "{sys.executable}" -m lobsterdv "$@"\n')
    program.chmod(0o755)
    for name in ("home", "shelf"):
        (ground / name).mkdir()
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(ground / "hub")], check=True)
    return ground


def person(bench: Path, name: str, *, with_lobsterdv: bool = True) -> Person:
    env = environment(bench / "home")
    env["GIT_CEILING_DIRECTORIES"] = str(bench)
    if with_lobsterdv:
        env["PATH"] = f"{bench / 'bin'}{os.pathsep}{env['PATH']}"
    root = bench / name
    if not root.exists():
        subprocess.run(["git", "clone", "-q", str(bench / "hub"), str(root)], env=env, check=True, capture_output=True)
    return Person(root, env)


@pytest.fixture
def ada(bench: Path, templates: Path) -> Person:
    """Her first version is committed, nothing is pushed."""
    made_once(bench, templates / "ada", lambda: _ada(bench))
    return person(bench, "ada")


@pytest.fixture
def ben(bench: Path, templates: Path, ada: Person) -> Person:
    """He has what she pushed."""
    made_once(bench, templates / "ben", lambda: _ben(bench, ada))
    return person(bench, "ben")


def _ada(bench: Path) -> None:
    ada = person(bench, "ada")
    ada.ldv("init", "--remote", str(bench / "shelf"))
    ada.ldv("hooks", "install")
    ada.git("commit", "-q", "-m", "start")
    for name in "abcd":
        ada.write(f"raw/{name}.txt", name)
    ada.write("counts.csv", "1\n" * 1000)
    ada.ldv("add", "raw", "counts.csv")
    ada.git("commit", "-q", "-m", "data")


def _ben(bench: Path, ada: Person) -> None:
    ada.git("push", "-q", "-u", "origin", "main")
    ben = person(bench, "ben")
    ben.ldv("hooks", "install")
    ben.ldv("pull")
