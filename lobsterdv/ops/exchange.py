"""Carrying out a checkout's plan: stage, sync, then exchange."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Final

from lobsterdv import durable, workers
from lobsterdv.digest import checksum_of
from lobsterdv.events import Advanced, Observer
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.index.seen import SeenFile
from lobsterdv.ops.context import Project
from lobsterdv.ops.plan import Plan
from lobsterdv.signature import signature_of
from lobsterdv.worktree.ground import Ground

_BATCH: Final = 128
_STAGE: Final = ".lobsterdv-stage-"
_BACKDATE_S: Final = 3
"""Files get this much less than the time at which the checkout began, one time for all: nothing is racy
afterwards, and no index file looks older than the file it belongs to."""


def exchange(project: Project, plan: Plan, *, started: float, observer: Observer) -> Path | None:
    """Do what the plan says; its ``right`` then covers every file. Returns the trash folder, if one was needed.

    Raises CorruptContent or MissingContent while staging, before anything of the user's is touched;
    LocalIOError at any time, and then every file is whole.
    """
    if plan.changes_nothing:
        return None
    stage = _staging_folder(project, plan)
    fresh = plan.is_directory and not _is_folder(plan.place)
    mtime_ns = int((started - _BACKDATE_S) * 1e9)
    try:
        staged = _write_files(project, plan, stage, mtime_ns, fresh, observer)
        durable.sync_all([path for path, entry in staged if entry.is_file], jobs=8)
        journal = _write_journal(project, plan, stage, started)
        trash = _set_unsaved_aside(project, plan, started)
        if fresh:
            _place_tree(plan, stage)
        elif plan.is_directory:
            _place_files(plan, staged)
            _note_written(plan)
        else:
            _place_one(plan, staged)
            _note_written(plan)
        durable.sync_folder(plan.place.parent)
        journal.unlink()
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return trash


def interrupted(state: Path) -> list[str]:
    """Datasets whose checkout was interrupted during the exchange, from the journals that were left."""
    return sorted({fields["dataset"] for _, fields in _left_journals(state)})


def tidy(state: Path, dataset: str, place: Path) -> None:
    """After a checkout that went well: forget interrupted ones of the dataset, and remove what processes that
    are gone had staged."""
    for path, fields in _left_journals(state):
        if fields["dataset"] == dataset:
            path.unlink(missing_ok=True)
    for home in (state / "stage", place.parent):
        for stage in home.glob(f"{_STAGE}*"):
            if not _is_in_use(stage):
                shutil.rmtree(stage, ignore_errors=True)


def _left_journals(state: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    for path in sorted((state / "journal").glob("*.json")):
        try:
            fields = json.loads(path.read_bytes())
            dataset, stage = str(fields["dataset"]), str(fields["stage"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if not _is_in_use(Path(stage)):
            yield path, {"dataset": dataset, "stage": stage}


def _is_in_use(stage: Path) -> bool:
    """True while the process that made a staging folder is at work in it."""
    pid = stage.name.removeprefix(_STAGE).partition("-")[0]
    if not pid.isdecimal() or not stage.is_dir():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _staging_folder(project: Project, plan: Plan) -> Path:
    """A private folder on the file system of the dataset: in the git folder, or beside the dataset."""
    parent = plan.place.parent
    with durable.translating(parent):
        parent.mkdir(parents=True, exist_ok=True)
        durable.make_folder(project.state / "stage")
        home = project.state / "stage"
        target = plan.place if plan.place.is_dir() else parent
        if home.stat().st_dev != target.stat().st_dev:
            home = parent
        stage = home / f"{_STAGE}{os.getpid()}-{secrets.token_hex(6)}"
        stage.mkdir(mode=0o700)
    return stage


def _write_files(
    project: Project, plan: Plan, stage: Path, mtime_ns: int, whole: bool, observer: Observer
) -> list[tuple[Path, Entry]]:
    """Every new file, verified, in the staging folder: as the whole tree, or numbered when a tree is there."""
    jobs: list[tuple[Path, Entry]] = []
    made = {stage}
    for number, entry in enumerate(plan.write):
        path = stage / "tree" / entry.path if whole else stage / str(number)
        folder = path if entry.type is EntryType.FOLDER and whole else path.parent
        if folder not in made:
            with durable.translating(folder):
                folder.mkdir(parents=True, exist_ok=True)
            made.add(folder)
        jobs.append((path, entry))
    if whole:
        (stage / "tree").mkdir(exist_ok=True)

    def write(batch: list[tuple[Path, Entry]]) -> None:
        for path, entry in batch:
            with durable.translating(plan.place / entry.path if entry.path else plan.place):
                if entry.target is not None:
                    os.symlink(entry.target, path)
                elif entry.digest is not None:
                    checksum = _write_file(project, plan, path, entry, mtime_ns)
                    plan.right[entry.path] = SeenFile(signature_of(path.lstat()), entry.digest, checksum)
        observer(Advanced("checking out", sum(entry.size for _, entry in batch), len(batch)))

    for _ in workers.each(write, _batches(jobs), jobs=min(2, project.jobs)):
        pass
    return jobs


def _write_file(project: Project, plan: Plan, path: Path, entry: Entry, mtime_ns: int) -> bytes:
    """One file by the first configured way that works here; returns its checksum."""
    assert entry.digest is not None
    name = f"{plan.dataset}/{entry.path}" if entry.path else plan.dataset
    executable = entry.type is EntryType.EXECUTABLE
    for link in project.config.links:
        if link in ("hardlink", "symlink") and not executable and entry.size and project.cache.is_plain(entry.digest):
            source = project.cache.verified_path(entry.digest, name=name)
            try:
                if link == "hardlink":
                    os.link(source, path)
                    project.cache.relinked(entry.digest)
                else:
                    path.symlink_to(source)
            except OSError:
                continue  # too many links, another file system: the next way
            known = project.cache.ledger.look_up(entry.digest.hex())
            return known[1] if known else b""
        if link in ("reflink", "copy"):
            break
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777 if executable else 0o666)
    try:
        data = project.cache.read_packed(entry.digest, name=name)
        if data is not None:
            view = memoryview(data)
            while view:  # a disk that is nearly full takes a part, and says so only the next time
                view = view[os.write(descriptor, view) :]
            checksum = checksum_of(data)
        else:
            _, checksum = project.cache.copy_out(
                entry.digest, descriptor, name=name, reflink="reflink" in project.config.links
            )
        os.utime(descriptor, ns=(mtime_ns, mtime_ns))
    finally:
        os.close(descriptor)
    return checksum


def _write_journal(project: Project, plan: Plan, stage: Path, started: float) -> Path:
    """From here on an interruption may leave old and new files side by side; say of what."""
    folder = project.state / "journal"
    durable.make_folder(folder)
    path = folder / f"{stage.name.removeprefix(_STAGE)}.json"
    fields = {"dataset": plan.dataset, "stage": str(stage), "started": started}
    durable.write(path, json.dumps(fields).encode() + b"\n", mode=0o600)
    return path


def _set_unsaved_aside(project: Project, plan: Plan, started: float) -> Path | None:
    if not plan.unsaved:
        return None
    trash = project.state / "trash" / f"{int(started)}-{secrets.token_hex(4)}" / plan.dataset
    with durable.translating(trash):
        _move_to(trash, plan)
    return trash


def _move_to(trash: Path, plan: Plan) -> None:
    if _is_folder(plan.place):  # whatever the version is: a file or a link in its place is taken as it is
        with Ground(plan.place) as ground:
            for path in plan.unsaved:
                (trash / path).parent.mkdir(parents=True, exist_ok=True)
                ground.take(path, trash / path)
    else:
        trash.parent.mkdir(parents=True, exist_ok=True)
        with Ground(plan.place.parent) as ground:
            ground.take(plan.place.name, trash)


def _place_tree(plan: Plan, stage: Path) -> None:
    with Ground(plan.place.parent) as ground:
        ground.remove(plan.place.name)  # a file whose bytes are saved, where the dataset is a directory now
        ground.put(stage / "tree", plan.place.name)


def _place_files(plan: Plan, staged: list[tuple[Path, Entry]]) -> None:
    """Removals that stand in the way, then renames, then the other removals."""
    new = {entry.path for _, entry in staged}
    above = {"/".join(path.split("/")[:depth]) for path in new for depth in range(1, path.count("/") + 1)}
    replaced = set(plan.remove) - new
    first = {path for path in replaced if path in above or any(path.startswith(n + "/") for n in _prefixes(path, new))}
    with Ground(plan.place) as ground:
        remove_paths(ground, plan, first)
        for path, entry in staged:
            if entry.type is EntryType.FOLDER:
                if not _is_folder(plan.place / entry.path):
                    ground.remove(entry.path)
                ground.make_folder(entry.path)
            else:
                if _is_folder(plan.place / entry.path):
                    ground.prune(entry.path)
                ground.put(path, entry.path)
        remove_paths(ground, plan, replaced - first)
        for entry in plan.chmod:
            mode = (plan.place / entry.path).lstat().st_mode
            on = entry.type is EntryType.EXECUTABLE
            (plan.place / entry.path).chmod(mode | (mode & 0o444) >> 2 if on else mode & ~0o111, follow_symlinks=True)


def _prefixes(path: str, new: Set[str]) -> Iterator[str]:
    parts = path.split("/")
    for depth in range(1, len(parts)):
        if (prefix := "/".join(parts[:depth])) in new:
            yield prefix


def remove_paths(ground: Ground, plan: Plan, paths: set[str]) -> None:
    """Remove files, links and empty folders, and the folders that this leaves empty."""
    for path in sorted(paths, reverse=True):
        if _is_folder(plan.place / path):
            ground.prune(path)
        else:
            ground.remove(path)
            if path.rpartition("/")[0]:
                ground.prune(path.rpartition("/")[0])


def _place_one(plan: Plan, staged: list[tuple[Path, Entry]]) -> None:
    with Ground(plan.place.parent) as ground:
        if _is_folder(plan.place):
            with Ground(plan.place) as inside:
                remove_paths(inside, plan, {path for path in plan.remove if path})
            ground.prune(plan.place.name)
        for path, _ in staged:
            ground.put(path, plan.place.name)
    for entry in plan.chmod:
        mode = plan.place.lstat().st_mode
        on = entry.type is EntryType.EXECUTABLE
        plan.place.chmod(mode | (mode & 0o444) >> 2 if on else mode & ~0o111)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _note_written(plan: Plan) -> None:
    """The signatures as they are now: a rename changes ctime."""
    for entry in [*plan.write, *plan.chmod]:
        if entry.digest is not None:
            path = plan.place / entry.path if entry.path else plan.place
            old = plan.right[entry.path]
            plan.right[entry.path] = SeenFile(signature_of(path.stat()), old.digest, old.checksum)


def _batches(jobs: list[tuple[Path, Entry]]) -> Iterator[list[tuple[Path, Entry]]]:
    for start in range(0, len(jobs), _BATCH):
        yield jobs[start : start + _BATCH]
