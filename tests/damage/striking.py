"""Somebody changes a file between two of our calls of the system, at each place in turn: nothing sleeps, nothing races.

The calls are those by which a file is looked at and read. ``Strike`` counts the ones that concern one file, and before
the one that it is told to, lets something happen to it.
"""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BY_PATH = ("open", "stat", "lstat", "readlink", "chmod", "link")
BY_DESCRIPTOR = ("read", "pread", "preadv", "fstat", "fchmod", "close")
SECRET = b"what lies beside the project is nobody's business. " * 100


class Strike:
    """Before the call number ``at`` (from 1; 0 is never) that concerns ``path`` or is made for its bytes, ``blow`` is
    done to it. ``calls`` are all those that there were, by name."""

    def __init__(self, path: Path, blow: Callable[[Path], object], at: int) -> None:
        self.calls: list[str] = []
        self._path, self._blow, self._at = path, blow, at
        self._descriptors: set[int] = set()
        self._is_striking = False

    def into(self, patch: pytest.MonkeyPatch) -> Strike:
        for name in BY_PATH:
            patch.setattr(os, name, self._by_path(name, getattr(os, name)))
        for name in BY_DESCRIPTOR:
            patch.setattr(os, name, self._by_descriptor(name, getattr(os, name)))
        return self

    def _by_path(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            concerns = isinstance(path, str | Path) and str(path) == str(self._path)
            if concerns:
                self._count(name)
            made = real(path, *args, **options)
            if name == "open":
                self._descriptors.discard(made)
                if concerns and not self._is_striking:
                    self._descriptors.add(made)
            return made

        return call

    def _by_descriptor(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *args: Any, **options: Any) -> Any:
            if descriptor in self._descriptors:
                self._count(name)
                if name == "close":
                    self._descriptors.discard(descriptor)
            return real(descriptor, *args, **options)

        return call

    def _count(self, name: str) -> None:
        if self._is_striking:
            return
        self.calls.append(name)
        if len(self.calls) == self._at:
            self._is_striking = True
            try:
                self._blow(self._path)
            finally:
                self._is_striking = False


def overwrite(path: Path) -> None:
    """In place, through a map: a program that is still at work."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        for at in range(0, len(view), 4096):
            view[at] = 0xEE
        view.flush()
    os.utime(path)  # memory file systems do not tell of writes through maps


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    """By a file of the same size and times."""
    info = path.stat()
    other = path.parent.parent / "other"
    other.write_bytes(b"\xee" * info.st_size)
    os.utime(other, ns=(info.st_atime_ns, info.st_mtime_ns))
    other.replace(path)


def unlink(path: Path) -> None:
    path.unlink()


def link_outside(path: Path) -> None:
    path.unlink()
    path.symlink_to(outside(path))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_bytes(b"inside")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder_link(path: Path) -> None:
    """The folder that it lies in becomes a link to one outside, where a file has its name."""
    other = outside(path).parent
    (other / path.name).write_bytes(SECRET)
    path.parent.rename(path.parent.with_name("was-here"))
    path.parent.symlink_to(other)


def outside(path: Path) -> Path:
    """A file that must never be read, beside the project."""
    place = next(parent for parent in path.parents if (parent / ".git").exists()).parent / "outside"
    place.mkdir(exist_ok=True)
    (place / "secret").write_bytes(SECRET)
    return place / "secret"


def undo_folder_link(path: Path) -> None:
    if path.parent.is_symlink():
        path.parent.unlink()
        path.parent.with_name("was-here").rename(path.parent)


def clear(path: Path) -> None:
    """Whatever a blow left there goes."""
    undo_folder_link(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


BLOWS = (overwrite, truncate, append, replace, unlink, link_outside, folder, pipe, folder_link)
