"""move, remove: changes to what is tracked. No version is lost by either of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lobsterdv import durable
from lobsterdv.errors import ContentError, LobsterError, NotTracked, Refused
from lobsterdv.events import Observer
from lobsterdv.formats.pointer import encode_pointer
from lobsterdv.index.rows import SeenFile
from lobsterdv.index.seen import forget_seen, load_seen, save_seen
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import (
    Dataset,
    dataset_of,
    enclosing,
    place_of,
    pointer_path,
    select,
    work_pointers,
    write_pointer,
)
from lobsterdv.ops.exchange import remove_paths
from lobsterdv.ops.gitfiles import ignore_dataset, stage, unignore_dataset
from lobsterdv.ops.plan import Plan, make_plan
from lobsterdv.ops.setting_aside import set_aside
from lobsterdv.ops.using import uses_cache
from lobsterdv.paths import SafeRelPath, safe_path
from lobsterdv.signature import signature_of
from lobsterdv.worktree.ground import Ground, carry


@dataclass(frozen=True, slots=True)
class MoveReport:
    source: str
    target: str
    data_moved: bool
    failures: list[Failure] = field(default_factory=list)


@dataclass
class RemoveReport:
    """``trash`` tells, per dataset, where data with unsaved changes went."""

    removed: list[str] = field(default_factory=list)
    data_removed: list[str] = field(default_factory=list)
    trash: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def move(project: Project, source: str, target: str, *, staging: bool = True, observer: Observer) -> MoveReport:
    """Rename a dataset: its pointer, its data if it is here, its .gitignore line. A folder as target means
    into it. Raises NotTracked, Refused, LocalIOError. Interrupted, it can be repeated."""
    known = work_pointers(project)
    source = dataset_of(source)
    if source not in known.good:
        raise known.bad.get(source) or NotTracked(source)
    target = dataset_of(target.rstrip("/"))
    if (project.root / target).is_dir() and target not in known.good:
        target = f"{target}/{source.rpartition('/')[2]}"
    safe_path(target)
    dataset = known.good[source]
    old, new = place_of(project, source), place_of(project, target)
    _check_target(project, known.good, source, target, new)
    with durable.translating(new.parent):
        durable.make_folder(new.parent)
    written = [write_pointer(project, target, encode_pointer(dataset.pointer))]
    written += [path for path in [ignore_dataset(project.root, target)] if path]
    moved = os.path.lexists(old)
    if moved:
        with durable.translating(new):
            old.rename(new)
            durable.sync_folder(new.parent)
            durable.sync_folder(old.parent)
        _move_memory(project, old, new)
    written += _untrack(project, source)
    if staging:
        stage(project.git, written, observer=observer)
    return MoveReport(source, target, moved)


@uses_cache
def remove(
    project: Project, paths: Sequence[str], *, data: bool = False, staging: bool = True, observer: Observer
) -> RemoveReport:
    """Stop tracking datasets. Their files stay, unless ``data``: then they are deleted when every byte is kept
    as a version, else moved to the trash."""
    report = RemoveReport()
    selected, report.failures = select(work_pointers(project), paths)
    written: list[SafeRelPath] = []
    for dataset, below in selected:
        try:
            if below:
                raise Refused(f"{dataset.path}/{below}", f"only all of {dataset.path} can be removed", "part")
            if data and os.path.lexists(place_of(project, dataset.path)):
                trash = _remove_data(project, dataset)
                report.data_removed.append(dataset.path)
                if trash is not None:
                    report.trash[dataset.path] = str(trash)
            written += _untrack(project, dataset.path)
            report.removed.append(dataset.path)
        except LobsterError as error:
            report.failures.append(Failure(dataset.path, error))
    if staging and written:
        stage(project.git, written, observer=observer)
    return report


def _check_target(project: Project, known: dict[str, Dataset], source: str, target: str, new: Path) -> None:
    if os.path.lexists(new) or os.path.lexists(project.root / pointer_path(target)):
        raise Refused(target, "it exists already", "exists")
    inside = enclosing(known, target)
    if inside is not None:
        raise Refused(target, f"it would lie inside the dataset {inside}", "overlap")
    if any(name != source and name.startswith(target + "/") for name in known):
        raise Refused(target, "it would hold other datasets", "overlap")


def _move_memory(project: Project, old: Path, new: Path) -> None:
    """A rename changes ctime, so the signatures are taken again where everything else is unchanged."""
    memory = load_seen(project.index, str(old))
    forget_seen(project.index, str(old))
    if memory is None:
        return
    files = {}
    for path, known in memory.files.items():
        try:
            now = signature_of((new / path if path else new).stat())
        except OSError:
            continue
        if now[:4] == known.signature[:4]:
            files[path] = SeenFile(now, known.digest, known.checksum)
    save_seen(project.index, str(new), replace(memory, files=files))


def _untrack(project: Project, dataset: str) -> list[SafeRelPath]:
    pointer = pointer_path(dataset)
    with durable.translating(project.root / pointer):
        (project.root / pointer).unlink()
        durable.sync_folder((project.root / pointer).parent)
    line = unignore_dataset(project.root, dataset)
    return [pointer, *([line] if line else [])]


def _remove_data(project: Project, dataset: Dataset) -> Path | None:
    """Delete a dataset's files when all of them are kept; else move them to the trash, and say where.

    What ``.lobsterdvignore`` leaves out was never kept, and stays.
    """
    pointer = dataset.pointer
    plan = make_plan(project, dataset.path, [], is_directory=pointer.is_directory)
    place = plan.place
    forget_seen(project.index, str(place))
    if plan.unsaved or not _is_proved(project, plan):
        trash = set_aside(project, dataset.path, "remove --data", now=project.now())
        with durable.translating(place):
            carry(place, trash)
            durable.sync_folder(place.parent)
        return trash
    guard = plan.guard()
    with durable.translating(place):
        if place.is_dir() and not place.is_symlink():
            with Ground(place) as ground:
                remove_paths(ground, plan, guard, set(plan.remove))
            with Ground(place.parent) as ground:
                ground.prune(place.name)
        else:
            guard.require("")
            place.unlink()
    return None


def _is_proved(project: Project, plan: Plan) -> bool:
    """Whether the cache's bytes of all that would be deleted are right. Read: these may be the only good ones."""
    try:
        for path, digest in plan.kept.items():
            project.cache.prove(digest, name=f"{plan.dataset}/{path}".rstrip("/"))
    except ContentError:
        return False
    return True
