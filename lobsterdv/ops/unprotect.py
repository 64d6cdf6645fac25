"""unprotect: files that are links into the cache, or read-only, become writable files of their own."""

from __future__ import annotations

import os
import shutil
import stat as stat_module
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv import copying, durable
from lobsterdv.errors import ChangedMeanwhile, LobsterError, NotTracked
from lobsterdv.events import Observer
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, place_of, select, work_pointers
from lobsterdv.ops.journal import staging_folder
from lobsterdv.ops.room import require_room_to_copy
from lobsterdv.signature import signature_of
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.links import linked_digest
from lobsterdv.worktree.scan import scan


@dataclass
class UnprotectReport:
    """Files that were links or read-only, by dataset, and are plain writable files now."""

    files: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def unprotect(project: Project, paths: Sequence[str], *, observer: Observer) -> UnprotectReport:
    """Replace each such file by a writable copy of the same bytes, in one step. Each dataset fails alone, with
    NoSpace before anything of it is copied. May be repeated."""
    report = UnprotectReport()
    selected, report.failures = select(work_pointers(project), paths)
    for dataset, below in selected:
        try:
            report.files[dataset.path] = _unprotect_one(project, dataset, below)
        except LobsterError as error:
            report.failures.append(Failure(dataset.path, error))
    return report


def _unprotect_one(project: Project, dataset: Dataset, below: str) -> int:
    place = place_of(project, dataset.path)
    target = place / below if below else place
    relative = f"{dataset.path}/{below}" if below else dataset.path
    try:
        found = scan(target, ignore=Ignore.above(project.root, relative), relative=relative, nested_suffix=SUFFIX).found
    except FileNotFoundError:
        raise NotTracked(relative) from None
    protected: list[tuple[Path, os.stat_result]] = []
    for item in found:
        path = target / item.path if item.path else target
        with durable.translating(path):
            stat = path.lstat()
            if linked_digest(item.target, project.cache.folder / "files") is not None:
                protected.append((path, path.stat()))
            elif stat_module.S_ISREG(stat.st_mode) and (stat.st_nlink > 1 or not stat.st_mode & 0o200):
                protected.append((path, stat))
    if not protected:
        return 0
    require_room_to_copy(project, place, protected[0][0], sum(stat.st_size for _, stat in protected))
    stage = staging_folder(project.state, place)
    try:
        for path, stat in protected:
            with durable.translating(path):
                _copy_in_place(path, stage / "copy", executable=bool(stat.st_mode & 0o100))
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return len(protected)


def _copy_in_place(path: Path, temp: Path, *, executable: bool) -> None:
    """Replace a file, or a link to one, by a writable copy of the same bytes, in one step."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        before = os.fstat(source)
        descriptor = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777 if executable else 0o666)
        try:
            if not copying.clone(source, descriptor):
                copying.copy(source, descriptor, before.st_size)
            changed = signature_of(os.fstat(source)) != signature_of(before)
            if changed or os.fstat(descriptor).st_size != before.st_size:
                raise ChangedMeanwhile(str(path))
            durable.sync_file(descriptor)
        finally:
            os.close(descriptor)
    finally:
        os.close(source)
    temp.replace(path)
