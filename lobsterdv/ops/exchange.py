"""Carrying out a checkout's plan: stage, sync, then exchange."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Set
from itertools import chain
from pathlib import Path
from typing import Final

from lobsterdv import durable
from lobsterdv.events import Observer
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.index.rows import SeenFile
from lobsterdv.ops.context import Project
from lobsterdv.ops.guard import Guard
from lobsterdv.ops.journal import staging_folder, write_journal
from lobsterdv.ops.plan import Plan
from lobsterdv.ops.setting_aside import set_aside
from lobsterdv.ops.staging import stage_files
from lobsterdv.signature import signature_of
from lobsterdv.worktree.ground import Ground

_BACKDATE_S: Final = 3
"""Files get this much less than the time at which the checkout began, one time for all: nothing is racy
afterwards, and no index file looks older than the file it belongs to."""


def exchange(project: Project, plan: Plan, *, started: float, observer: Observer) -> Path | None:
    """Do what the plan says; its ``right`` then covers every file. Returns the trash folder, if one was needed.

    Raises CorruptContent or MissingContent while staging, before anything of the user's is touched, and
    WouldOverwrite for what was modified or made since the plan; LocalIOError at any time. Every file is whole then.
    """
    if plan.changes_nothing:
        return None
    stage = staging_folder(project.state, plan.place)
    fresh = plan.is_directory and not _is_folder(plan.place)
    mtime_ns = int((started - _BACKDATE_S) * 1e9)
    try:
        staged = stage_files(project, plan, stage, mtime_ns=mtime_ns, whole=fresh, observer=observer)
        guard = plan.guard()
        guard.require_all([""] if fresh else _touched(plan))
        journal = write_journal(project.state, plan.dataset, stage, started)
        trash = _set_unsaved_aside(project, plan, started)
        if fresh:
            _place_tree(plan, guard, stage)
        elif plan.is_directory:
            _place_files(plan, guard, staged)
            _note_written(plan)
        else:
            _place_one(plan, guard, staged)
            _note_written(plan)
        durable.sync_folder(plan.place.parent)
        journal.unlink()
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return trash


def _touched(plan: Plan) -> Iterator[str]:
    unsaved = set(plan.unsaved)
    paths = chain(plan.write.paths, plan.remove, (entry.path for entry in plan.chmod))
    return (path for path in paths if path not in unsaved)


def _set_unsaved_aside(project: Project, plan: Plan, started: float) -> Path | None:
    if not plan.unsaved:
        return None
    trash = set_aside(project, plan.dataset, "checkout --force", now=started)
    with durable.translating(trash):
        _move_to(trash, plan)
    return trash


def _move_to(trash: Path, plan: Plan) -> None:
    """Their names there are on the disk before anything takes their place here."""
    folders = {(trash / path).parent for path in plan.unsaved} if _is_folder(plan.place) else {trash.parent}
    for folder in sorted(folders):
        durable.make_folder(folder)
    if _is_folder(plan.place):  # whatever the version is: a file or a link in its place is taken as it is
        with Ground(plan.place) as ground:
            for path in plan.unsaved:
                ground.take(path, trash / path)
    else:
        with Ground(plan.place.parent) as ground:
            ground.take(plan.place.name, trash)
    durable.sync_all(sorted(folders), jobs=8)


def _place_tree(plan: Plan, guard: Guard, stage: Path) -> None:
    with Ground(plan.place.parent) as ground:
        guard.require("")
        ground.remove(plan.place.name)  # a file whose bytes are saved, where the dataset is a directory now
        ground.put(stage / "tree", plan.place.name)


def _place_files(plan: Plan, guard: Guard, staged: Iterable[tuple[str, Entry]]) -> None:
    """Removals that stand in the way, then renames, then the other removals."""
    new = {entry.path for _, entry in staged}
    above = {"/".join(path.split("/")[:depth]) for path in new for depth in range(1, path.count("/") + 1)}
    replaced = set(plan.remove) - new
    first = {path for path in replaced if path in above or any(path.startswith(n + "/") for n in _prefixes(path, new))}
    with Ground(plan.place) as ground:
        remove_paths(ground, plan, guard, first)
        for path, entry in staged:
            guard.require(entry.path)
            if entry.type is EntryType.FOLDER:
                if not _is_folder(plan.place / entry.path):
                    ground.remove(entry.path)
                ground.make_folder(entry.path)
            else:
                if _is_folder(plan.place / entry.path):
                    ground.prune(entry.path)
                ground.put(Path(path), entry.path)
        remove_paths(ground, plan, guard, replaced - first)
        for entry in plan.chmod:
            mode = (plan.place / entry.path).lstat().st_mode
            on = entry.type is EntryType.EXECUTABLE
            (plan.place / entry.path).chmod(mode | (mode & 0o444) >> 2 if on else mode & ~0o111, follow_symlinks=True)
        ground.sync()


def _prefixes(path: str, new: Set[str]) -> Iterator[str]:
    parts = path.split("/")
    for depth in range(1, len(parts)):
        if (prefix := "/".join(parts[:depth])) in new:
            yield prefix


def remove_paths(ground: Ground, plan: Plan, guard: Guard, paths: set[str]) -> None:
    """Remove files, links and empty folders, and the folders that this leaves empty. Raises WouldOverwrite."""
    for path in sorted(paths, reverse=True):
        if _is_folder(plan.place / path):
            ground.prune(path)
        else:
            guard.require(path)
            ground.remove(path)
            if path.rpartition("/")[0]:
                ground.prune(path.rpartition("/")[0])


def _place_one(plan: Plan, guard: Guard, staged: Iterable[tuple[str, Entry]]) -> None:
    with Ground(plan.place.parent) as ground:
        if _is_folder(plan.place):
            with Ground(plan.place) as inside:
                remove_paths(inside, plan, guard, {path for path in plan.remove if path})
            ground.prune(plan.place.name)
        for path, _ in staged:
            guard.require("")
            ground.put(Path(path), plan.place.name)
    for entry in plan.chmod:
        mode = plan.place.lstat().st_mode
        on = entry.type is EntryType.EXECUTABLE
        plan.place.chmod(mode | (mode & 0o444) >> 2 if on else mode & ~0o111)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _note_written(plan: Plan) -> None:
    """The signatures as they are now: a rename changes ctime."""
    for entry in chain(plan.write, plan.chmod):
        if entry.digest is not None:
            path = plan.place / entry.path if entry.path else plan.place
            old = plan.right[entry.path]
            plan.right[entry.path] = SeenFile(signature_of(path.stat()), old.digest, old.checksum)
