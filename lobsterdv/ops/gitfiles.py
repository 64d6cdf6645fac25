"""The lines lobsterdv keeps in ``.gitignore`` and ``.gitattributes``, and staging what it wrote."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from lobsterdv import durable
from lobsterdv.documents import LINES_BYTES, read_document
from lobsterdv.errors import Busy, GitFailed
from lobsterdv.events import Observer, Warned
from lobsterdv.git import Git
from lobsterdv.ops.alone import alone_in
from lobsterdv.paths import SafeRelPath, safe_path

ATTRIBUTES = "*.ldv.yaml text eol=lf merge=lobsterdv"


def ignore_dataset(root: Path, dataset: str) -> SafeRelPath | None:
    """Make git ignore a dataset's data, by a line in the ``.gitignore`` beside it. None when it does already."""
    folder, _, name = dataset.rpartition("/")
    path = f"{folder}/.gitignore" if folder else ".gitignore"
    return _add_line(root, path, _ignore_line(name))


def unignore_dataset(root: Path, dataset: str) -> SafeRelPath | None:
    """Take that line out again; a ``.gitignore`` left empty is removed. None when there was no such line."""
    folder, _, name = dataset.rpartition("/")
    relative = safe_path(f"{folder}/.gitignore" if folder else ".gitignore")
    path = root / relative
    if not os.path.lexists(path):
        return None
    with alone_in(path.parent):
        lines = _read(path, relative).split(b"\n")
        line = _ignore_line(name).encode()
        if line not in lines:
            return None
        kept = b"\n".join(row for row in lines if row != line)
        if kept.strip():
            durable.write(path, kept, mode=None)
        else:
            path.unlink()
    return relative


def add_attributes(root: Path) -> SafeRelPath | None:
    """The line of ``.gitattributes`` that keeps pointers' line ends and names their merge driver."""
    return _add_line(root, ".gitattributes", ATTRIBUTES)


def stage(git: Git, paths: Iterable[SafeRelPath], *, observer: Observer) -> bool:
    """``git add`` what was written. What git ignores, and everything while another process holds git's index,
    is named in a warning, with the way out; False when nothing was staged for that."""
    wanted = sorted(set(paths))
    try:
        try:
            git.stage(wanted)
        except GitFailed:
            ignored = set(git.ignored(wanted))
            # `git add` also refuses a path that is gone and that git never knew: there is nothing to stage.
            gone = {p for p in wanted if not os.path.lexists(git.root / p)}.difference(git.tracked_below(wanted))
            for path in sorted(ignored):
                observer(Warned(f"{path} is ignored by git, so it was not staged; `git add -f {path}` stages it"))
            if not ignored and not gone:
                raise
            git.stage(path for path in wanted if path not in ignored and path not in gone)
    except Busy as error:
        observer(Warned(f"{error}, so nothing was staged; `git add -- {' '.join(map(shlex.quote, wanted))}` does it"))
        return False
    return True


def _add_line(root: Path, relative: str, line: str) -> SafeRelPath | None:
    path = root / relative
    durable.make_folder(path.parent)
    with alone_in(path.parent):
        old = _read(path, relative)
        if line.encode() in (row.rstrip(b"\r") for row in old.split(b"\n")):
            return None
        joint = b"\n" if old and not old.endswith(b"\n") else b""
        durable.write(path, old + joint + line.encode() + b"\n", mode=None)
    return safe_path(relative)


def _read(path: Path, relative: str) -> bytes:
    """What git's file holds, nothing when there is none. Git itself reads no linked one, and what was copied from
    elsewhere would be staged. Raises Refused, FormatError, LocalIOError."""
    with durable.translating(path):
        try:
            return read_document(path, LINES_BYTES, name=relative)
        except FileNotFoundError:
            return b""


def _ignore_line(name: str) -> str:
    return "/" + re.sub(r"([*?\[\\]|\s$)", r"\\\1", name)
