"""drop: give up local copies of what a remote verifiably holds. The pointer stays; `pull` brings the data back.

Every object behind a version is asked for by HEAD in this run; a version that is not held whole is refused. Then,
with nobody else relying on the cache: the work tree's files (with ``data``, and only unmodified ones), views, and
the cache's contents, but for those that another dataset, work tree or project is at. Killed in between, what is
left is whole, and dropping once more goes on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv import durable
from lobsterdv.blobs import collect
from lobsterdv.blobs.tenants import alone
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, LobsterError, Refused, WouldOverwrite
from lobsterdv.events import Finished, Observer, Started, Warned
from lobsterdv.formats.entries import Entries
from lobsterdv.index.seen import forget_seen
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Selected, place_of, pointers, select, work_pointers
from lobsterdv.ops.exchange import remove_paths
from lobsterdv.ops.holding import Holding, ask
from lobsterdv.ops.old_views import linked_by, remove_views, views_of
from lobsterdv.ops.plan import make_plan
from lobsterdv.ops.resolve import entries_below, entries_of
from lobsterdv.ops.roots import live, roots_of
from lobsterdv.worktree.ground import Ground
from lobsterdv.worktree.links import linked_digest


@dataclass(frozen=True, slots=True)
class Dropped:
    """``freed_bytes`` in ``files`` were deleted from the cache (and, if ``data_removed``, the work tree's files too).
    ``needed_bytes`` stay for other datasets, work trees or projects, ``linked_bytes`` because the work tree's files are
    those of the cache: deleting one of two names frees nothing."""

    path: str
    digest: Digest
    files: int
    freed_bytes: int
    needed_bytes: int
    linked_bytes: int
    data_removed: bool


@dataclass
class DropReport:
    remote: str | None
    dropped: list[Dropped] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def drop(
    project: Project,
    paths: Sequence[str],
    *,
    rev: str | None = None,
    data: bool = False,
    remote: str | None = None,
    jobs: int | None = None,
    observer: Observer,
) -> DropReport:
    """Delete the cache's copies of these datasets (of the versions at ``rev``), and, with ``data``, their files.

    Each dataset fails alone, before anything of it is deleted: Refused when the remote does not hold all of it, when
    there is no remote but the embedded one, or when the work tree's files are links into the cache and would break;
    WouldOverwrite when files that would go are modified. Raises RemoteError, Busy, and Refused for a registered
    project that cannot be read. May be repeated.
    """
    report = DropReport(None)
    chosen, report.failures = select(pointers(project, rev), paths, rev=rev)
    if not chosen:
        return report
    observer(Started("checking", total_items=len(chosen)))
    holding = ask(project, remote, [project.project_id], jobs=jobs)
    report.remote = None if holding is None else project.remote(remote).name
    ready: list[tuple[Selected, Set[bytes]]] = []
    for selection in chosen:
        try:
            ready.append((selection, _held(project, selection, holding, data=data)))
        except LobsterError as error:
            report.failures.append(Failure(selection.dataset.path, error))
    observer(Finished("checking"))
    if not ready:
        return report
    with alone(project.cache.folder):
        needed = _needed(project, {selection.dataset.path for selection, _ in ready})
        for selection, contents in ready:
            try:
                report.dropped.append(_drop(project, selection, contents, needed, data, observer))
            except LobsterError as error:
                report.failures.append(Failure(selection.dataset.path, error))
    return report


def _held(project: Project, selection: Selected, holding: Holding | None, *, data: bool) -> Set[bytes]:
    """The contents of a selection, all of them at the remote."""
    dataset, below = selection
    if holding is None:
        raise Refused(dataset.path, "its only copies are on this machine: no other remote holds anything", "only-here")
    if data and below:
        raise Refused(f"{dataset.path}/{below}", f"only all files of {dataset.path} can be removed", "whole")
    entries = Entries.of(entries_of(project, dataset.path, dataset.pointer))
    contents = set(entries_below(entries, below, dataset.path).file_digests().plain())
    lacking = len(contents) - len(holding.contents(contents))
    if lacking:
        which = f"{lacking:,} of its {len(contents):,} files are" if len(contents) > 1 else "it is"
        raise Refused(dataset.path, f"{which} not at {holding.room.url}, and would be gone", "not-held")
    place = place_of(project, dataset.path)
    if data:
        _refuse_modified(project, selection, entries)
    elif _has_links(place, project.cache.folder / "files"):
        raise Refused(dataset.path, "its files are links into the cache, which would lead nowhere", "linked")
    return contents


def _refuse_modified(project: Project, selection: Selected, entries: Entries) -> None:
    """What lies in the dataset's place must be of this version, or not be there."""
    dataset = selection.dataset
    plan = make_plan(project, dataset.path, entries, is_directory=dataset.pointer.is_directory)
    wrong = [*plan.unsaved, *plan.remove]
    wrong += [e.path for e in plan.write if os.path.lexists(plan.place / e.path if e.path else plan.place)]
    if wrong:
        first = f"{dataset.path}/{wrong[0]}" if wrong[0] else dataset.path
        raise WouldOverwrite(dataset.path, f"{first} is not as the version has it", len(wrong))


def _needed(project: Project, dropped: Set[str]) -> Set[bytes]:
    """Contents that other work trees and projects are at, and this one's other datasets."""
    needed = live(project.cache, roots_of(project, elsewhere=True)).current
    for dataset in work_pointers(project).good.values():
        if dataset.path not in dropped:
            try:
                entries = entries_of(project, dataset.path, dataset.pointer)
            except ContentError:
                continue  # not here
            needed.update(Entries.of(entries).file_digests().plain())
    return needed


def _drop(
    project: Project, selection: Selected, contents: Set[bytes], needed: Set[bytes], data: bool, observer: Observer
) -> Dropped:
    dataset, cache = selection.dataset, project.cache
    removed = data and _remove_files(project, selection)
    free = contents - needed
    views = views_of(cache, {*free, bytes(dataset.pointer.digest)})
    by_views = linked_by(views)
    files = freed = linked = 0
    kept = 0
    delete: list[Digest] = []
    for digest in map(Digest, contents):
        try:
            stat = cache.plain_path(digest).lstat()
        except FileNotFoundError:
            continue
        if digest not in free:
            kept += stat.st_size
        elif stat.st_nlink - by_views[stat.st_dev, stat.st_ino] > 1:
            linked += stat.st_size
        else:
            delete.append(digest)
            files, freed = files + 1, freed + stat.st_size
    remove_views(views)
    for pack in collect.packs(cache):
        rows = [p for p in pack.rows if p.digest in contents]
        kept += sum(p.size for p in rows if p.digest not in free)
        gone = {bytes(p.digest): p.size for p in rows if p.digest in free}
        if not gone:
            continue
        if collect.thin_pack(cache, pack.rows, delete=gone.keys(), trash=set(), entry=None):
            files, freed = files + len(gone), freed + sum(gone.values())
        else:
            observer(Warned(f"pack {pack.rows.pack.short} of the cache is damaged and was left as it is"))
    collect.delete_plain(cache, delete)
    return Dropped(dataset.path, dataset.pointer.digest, files, freed, kept, linked, removed)


def _remove_files(project: Project, selection: Selected) -> bool:
    """Delete a dataset's files; looked at once more, now that nobody else may be at it. Raises WouldOverwrite."""
    dataset = selection.dataset
    is_directory = dataset.pointer.is_directory
    entries = Entries.of(entries_of(project, dataset.path, dataset.pointer))
    _refuse_modified(project, selection, entries)
    plan = make_plan(project, dataset.path, [], is_directory=is_directory)
    if not plan.exists:
        return False
    forget_seen(project.index, str(plan.place))
    with durable.translating(plan.place):
        if plan.place.is_dir() and not plan.place.is_symlink():
            with Ground(plan.place) as ground:
                remove_paths(ground, plan, set(plan.remove) & {entry.path for entry in entries})
            with Ground(plan.place.parent) as ground:
                ground.prune(plan.place.name)
        else:
            plan.place.unlink()
        durable.sync_folder(plan.place.parent)
    return True


def _has_links(place: Path, files: Path) -> bool:
    """True when a file at or below ``place`` is a symbolic link into the cache."""
    if place.is_symlink():
        return linked_digest(os.readlink(place), files) is not None
    for folder, _, names in os.walk(place):
        for name in names:
            path = Path(folder, name)
            if path.is_symlink() and linked_digest(os.readlink(path), files) is not None:
                return True
    return False
