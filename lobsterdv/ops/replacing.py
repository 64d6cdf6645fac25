"""Putting new data in a dataset's place in the work tree, in one step. Nothing unsaved is lost by it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from lobsterdv import durable
from lobsterdv.events import Observer, Warned
from lobsterdv.ops.context import Project
from lobsterdv.ops.journal import staging_folder
from lobsterdv.ops.plan import make_plan
from lobsterdv.ops.setting_aside import set_aside
from lobsterdv.worktree.ground import carry


def replace_data(
    project: Project, name: str, target: Path, fill: Callable[[Path], object], *, observer: Observer
) -> None:
    """Have ``fill`` write new data to a path that is not there yet, and move it to ``target`` when it is whole.

    What was there is dropped when all of it is kept as versions, else moved to the trash, and the
    observer is told. Raises what ``fill`` raises, and then nothing has changed.
    """
    stage = staging_folder(project.state, target)
    try:
        new = stage / "new"
        fill(new)
        with durable.translating(target):
            if os.path.lexists(target):
                _make_room(project, name, target, stage, observer)
            new.rename(target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def copy_data(source: Path, new: Path) -> None:
    """A copy that is the user's own: writable, and executable if the source is. Raises LocalIOError."""
    with durable.translating(source):
        if source.is_dir():
            shutil.copytree(source, new, symlinks=True)
            return
        shutil.copyfile(source, new)
        if source.stat().st_mode & 0o100:
            mode = new.stat().st_mode
            new.chmod(mode | (mode & 0o444) >> 2)


def _make_room(project: Project, name: str, target: Path, stage: Path, observer: Observer) -> None:
    """Move what is there away: into the stage, which is deleted, when all of it is kept; else into the trash."""
    is_directory = target.is_dir() and not target.is_symlink()
    if not make_plan(project, name, [], is_directory=is_directory).unsaved:
        if is_directory:
            target.rename(stage / "old")
        return
    trash = set_aside(project, name, "save", now=project.now())
    carry(target, trash)
    observer(Warned(f"{name} had unsaved changes; they are in {trash}"))
