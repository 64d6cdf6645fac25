"""Putting new data in a dataset's place in the work tree, in one step. Nothing unsaved is lost by it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from lobsterdv import durable
from lobsterdv.events import Observer, Warned
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.ops.context import Project
from lobsterdv.ops.journal import staging_folder
from lobsterdv.ops.plan import make_plan
from lobsterdv.ops.setting_aside import set_aside
from lobsterdv.signature import Signature, signature_of
from lobsterdv.worktree.ground import carry
from lobsterdv.worktree.ignore import ALWAYS, Ignore
from lobsterdv.worktree.scan import scan


def replace_data(
    project: Project, name: str, target: Path, fill: Callable[[Path], object], *, observer: Observer
) -> None:
    """Have ``fill`` write new data to a path that is not there yet, and move it to ``target`` when it is whole.

    What was there is dropped when all of it is kept as versions and nothing was written there since that was found
    out, else moved to the trash, and the observer is told. Raises what ``fill`` raises, and then nothing has changed.
    """
    stage = staging_folder(project.state, target)
    old = stage / "old"
    try:
        new = stage / "new"
        fill(new)
        with durable.translating(target):
            seen = _make_room(project, name, target, old, is_folder=new.is_dir(), observer=observer)
            new.rename(target)
            if seen is not None and os.path.lexists(old) and not _holds_only(old, seen):  # a file, edited just now
                _to_trash(project, name, old, observer)
    except BaseException:
        with suppress(OSError):  # not there, or the new data is, and the old was found to be kept
            old.replace(target)
        raise
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


def _make_room(
    project: Project, name: str, target: Path, old: Path, *, is_folder: bool, observer: Observer
) -> Mapping[str, Signature] | None:
    """Make way for new data: into the trash with what is not all kept; a folder that is, is renamed to ``old``, and a
    file, whose place the new one will take in one step, gets that name too: then its signature is returned, for a last
    look."""
    if not os.path.lexists(target):
        return None
    was_folder = target.is_dir() and not target.is_symlink()
    found = scan(target, ignore=Ignore.above(project.root, name), relative=name, nested_suffix=SUFFIX).found
    seen = {item.path: item.signature for item in found}
    if make_plan(project, name, [], is_directory=was_folder).unsaved or not _holds_only(target, seen):
        _to_trash(project, name, target, observer)
        return None
    if not was_folder and not is_folder:
        with suppress(OSError):  # a file system without hard links: its last look was the one above
            os.link(target, old, follow_symlinks=False)
        return seen
    target.rename(old)
    if not _holds_only(old, seen):
        _to_trash(project, name, old, observer)
    return None


def _holds_only(place: Path, seen: Mapping[str, Signature]) -> bool:
    """Whether all files at or below ``place`` are those, with the same signatures: none is new, edited, or left out of
    versions by ``.lobsterdvignore``."""
    if place.is_symlink() or not place.is_dir():
        return "" in seen and signature_of(place.lstat())[:4] == seen[""][:4]  # a second name changes the ctime
    for folder, folders, files in os.walk(place, onerror=_raise):
        below = [*files, *(name for name in folders if os.path.islink(os.path.join(folder, name)))]
        for name in below:
            path = Path(folder, name)
            if name not in ALWAYS and seen.get(path.relative_to(place).as_posix()) != signature_of(path.lstat()):
                return False
    return True


def _raise(error: OSError) -> None:
    raise error


def _to_trash(project: Project, name: str, place: Path, observer: Observer) -> None:
    trash = set_aside(project, name, "save", now=project.now())
    carry(place, trash)
    observer(Warned(f"{name} had unsaved changes; they are in {trash}"))
