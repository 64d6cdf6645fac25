"""drop: give up local copies of what a remote verifiably holds. The pointer stays; `pull` brings the data back.

Every object behind a version is asked for by HEAD in this run, and its bytes are proved before anything goes
(``ops.proofs``); a version that is not held whole is refused. Then,
with nobody else relying on the cache: the work tree's files (with ``data``, and only unmodified ones), views, and
the cache's contents, but for those that another dataset, work tree or project is at. Killed in between, what is
left is whole, and dropping once more goes on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from lobsterdv import durable
from lobsterdv.blobs import collect
from lobsterdv.blobs.tenants import alone
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, LobsterError, Refused, WouldOverwrite
from lobsterdv.events import Finished, Observer, Started, Warned
from lobsterdv.formats.entries import Entries, EntryType
from lobsterdv.index.seen import forget_seen
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Selected, place_of, pointers, select, work_pointers
from lobsterdv.ops.guard import Guard
from lobsterdv.ops.holding import Holding, ask, is_embedded
from lobsterdv.ops.old_views import linked_by, remove_views, views_of
from lobsterdv.ops.plan import Plan, make_plan
from lobsterdv.ops.resolve import entries_below, entries_of
from lobsterdv.ops.roots import live, roots_of
from lobsterdv.signature import Signature
from lobsterdv.worktree.ground import Ground
from lobsterdv.worktree.links import linked_digest


@dataclass(frozen=True, slots=True)
class Dropped:
    """``freed_bytes`` in ``files`` were deleted from the cache (and, if ``data``, the work tree's files too).
    ``needed_bytes`` stay for other datasets, work trees or projects, ``linked_bytes`` because the work tree's files are
    those of the cache: deleting one of two names frees nothing."""

    path: str
    digest: Digest
    files: int
    freed_bytes: int
    needed_bytes: int
    linked_bytes: int
    data: bool


@dataclass
class DropReport:
    """Without ``acted`` it is what would be."""

    acted: bool
    remote: str | None
    dropped: list[Dropped] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def drop(
    project: Project,
    paths: Sequence[str],
    *,
    rev: str | None = None,
    data: bool = False,
    yes: bool = False,
    remote: str | None = None,
    jobs: int | None = None,
    observer: Observer,
) -> DropReport:
    """Delete the cache's copies of these datasets (of the versions at ``rev``), and, with ``data``, their files.
    Without ``yes`` everything is asked and checked, and nothing is deleted.

    Each dataset fails alone, before anything of it is deleted: Refused when the remote does not hold all of it, when
    there is no remote but the embedded one, or when the work tree's files are links into the cache and would break;
    WouldOverwrite when files that would go are modified. Raises RemoteError, Busy, and Refused for a registered
    project that cannot be read. May be repeated.
    """
    report = DropReport(yes, None)
    chosen, report.failures = select(pointers(project, rev), paths, rev=rev)
    if not chosen:
        return report
    observer(Started("checking", total_items=len(chosen)))
    holding = ask(project, remote, [project.project_id], proved=yes, jobs=jobs, observer=observer)
    report.remote = None if holding is None else project.remote(remote).name
    ready: list[tuple[Selected, Set[bytes]]] = []
    for selection in chosen:
        try:
            if holding is None:
                raise _nowhere(project, selection.dataset.path, remote)
            ready.append((selection, _held(project, selection, holding, data=data)))
        except LobsterError as error:
            report.failures.append(Failure(selection.dataset.path, error))
    observer(Finished("checking"))
    if not ready:
        return report
    versions = {(selection.dataset.path, selection.dataset.pointer.digest) for selection, _ in ready}
    if not yes:
        needed = _needed(project, versions)
        report.dropped = [
            give_up(project, s, contents, needed, data=data, yes=False, observer=observer) for s, contents in ready
        ]
        return report
    with alone(project.cache.folder, observer=observer):
        needed = _needed(project, versions)
        for selection, contents in ready:
            try:
                report.dropped.append(
                    give_up(project, selection, contents, needed, data=data, yes=True, observer=observer)
                )
            except LobsterError as error:
                report.failures.append(Failure(selection.dataset.path, error))
    return report


def _nowhere(project: Project, name: str, remote: str | None) -> Refused:
    config = project.remote(remote)
    if is_embedded(project, config):
        return Refused(name, "its only copies are on this machine: this remote lies beside the cache", "only-here")
    return Refused(name, f"nothing was pushed to {config.url} yet", "not-held")


def _held(project: Project, selection: Selected, holding: Holding, *, data: bool) -> Set[bytes]:
    """The contents of a selection, all of them at the remote."""
    dataset, below = selection
    if data and below:
        raise Refused(f"{dataset.path}/{below}", f"only all files of {dataset.path} can be removed", "whole")
    entries = Entries.of(entries_of(project, dataset.path, dataset.pointer))
    contents = set(entries_below(entries, below, dataset.path).file_digests().plain())
    missing = holding.lacking(dataset.pointer.digest, contents)
    if missing and holding.proofs is not None and holding.proofs.damaged:
        count = len(holding.proofs.damaged)
        what = "an object" if count == 1 else f"{count:,} objects"
        raise Refused(dataset.path, f"{what} at {holding.room.url} is not what its name says", "damaged-there")
    if missing is None or missing:
        some = missing is not None and len(contents) > 1
        which = f"{len(missing or ()):,} of its {len(contents):,} files are" if some else "it is"
        raise Refused(dataset.path, f"{which} not at {holding.room.url}, and would be gone", "not-held")
    place = place_of(project, dataset.path)
    if data:
        _refuse_modified(project, selection, entries)
    elif _has_links(place, project.cache.folder / "files"):
        raise Refused(dataset.path, "its files are links into the cache, which would lead nowhere", "linked")
    return contents


def _refuse_modified(project: Project, selection: Selected, entries: Entries) -> Plan:
    """What lies in the dataset's place must be of this version, or not be there. Raises WouldOverwrite."""
    dataset = selection.dataset
    plan = make_plan(project, dataset.path, entries, is_directory=dataset.pointer.is_directory)
    wrong = [*plan.unsaved, *plan.remove]
    wrong += [e.path for e in plan.write if os.path.lexists(plan.place / e.path if e.path else plan.place)]
    if wrong:
        first = f"{dataset.path}/{wrong[0]}" if wrong[0] else dataset.path
        raise WouldOverwrite(dataset.path, f"{first} is not as the version has it", len(wrong))
    return plan


def _needed(project: Project, dropped: Set[tuple[str, Digest]]) -> Set[bytes]:
    """Contents that other work trees are at, that other repositories name (their remote may be another), and that this
    work tree's other datasets are at."""
    needed = live(project.cache, roots_of(project, elsewhere=True)).contents
    for dataset in work_pointers(project).good.values():
        if (dataset.path, dataset.pointer.digest) not in dropped:
            try:
                entries = entries_of(project, dataset.path, dataset.pointer)
            except ContentError:
                continue  # not here
            needed.update(Entries.of(entries).file_digests().plain())
    return needed


def give_up(
    project: Project,
    selection: Selected,
    contents: Set[bytes],
    needed: Set[bytes],
    *,
    data: bool = False,
    yes: bool,
    observer: Observer,
) -> Dropped:
    """Delete from the cache those ``contents`` of a version that are not ``needed``; its caller holds the cache alone.
    Without ``yes`` only what that would free. Raises WouldOverwrite (with ``data``), LocalIOError."""
    cache = project.cache
    if data and yes:
        _remove_files(project, selection)
    row, delete = _weigh(project, selection, contents, needed, data=data)
    if not yes:
        return row
    remove_views(views_of(cache, {*(contents - needed), bytes(selection.dataset.pointer.digest)}))
    damaged = 0
    for pack in collect.packs(cache):
        gone = {bytes(p.digest): p.size for p in pack.rows if p.digest in contents and p.digest not in needed}
        if gone and not collect.thin_pack(cache, pack.rows, delete=gone.keys(), trash=set(), entry=None):
            damaged += sum(gone.values())
            observer(Warned(f"pack {pack.rows.pack.short} of the cache is damaged and was left as it is"))
    collect.delete_plain(cache, delete)
    return replace(row, freed_bytes=row.freed_bytes - damaged)


def _weigh(
    project: Project, selection: Selected, contents: Set[bytes], needed: Set[bytes], *, data: bool
) -> tuple[Dropped, list[Digest]]:
    """What dropping frees, and the plain files it deletes. With ``data`` names in the work tree count as gone."""
    dataset, cache = selection.dataset, project.cache
    free = contents - needed
    place = [place_of(project, dataset.path)] if data else []
    going = linked_by([*views_of(cache, {*free, bytes(dataset.pointer.digest)}), *place])
    files = freed = linked = kept = 0
    delete: list[Digest] = []
    for digest in map(Digest, contents):
        try:
            stat = cache.plain_path(digest).lstat()
        except FileNotFoundError:
            continue
        if digest not in free:
            kept += stat.st_size
        elif stat.st_nlink - going[stat.st_dev, stat.st_ino] > 1:
            linked += stat.st_size
        else:
            delete.append(digest)
            files, freed = files + 1, freed + stat.st_size
    for pack in collect.packs(cache):
        for packed in pack.rows:
            if packed.digest in free:
                files, freed = files + 1, freed + packed.size
            elif packed.digest in contents:
                kept += packed.size
    return Dropped(dataset.path, dataset.pointer.digest, files, freed, kept, linked, data), delete


def _remove_files(project: Project, selection: Selected) -> bool:
    """Delete a dataset's files; looked at once more, now that nobody else may be at it, and each again just before it
    goes. Raises WouldOverwrite, and then what is left is whole."""
    dataset = selection.dataset
    entries = Entries.of(entries_of(project, dataset.path, dataset.pointer))
    plan = _refuse_modified(project, selection, entries)
    if not plan.exists:
        return False
    forget_seen(project.index, str(plan.place))
    guard = _guard(plan)
    if not plan.is_directory:
        with durable.translating(plan.place), Ground(plan.place.parent) as ground:
            guard.require("")
            ground.remove(plan.place.name)
            durable.sync_folder(plan.place.parent)
        return True
    with durable.translating(plan.place):
        with Ground(plan.place) as ground:
            for entry in sorted(entries, key=lambda entry: entry.path, reverse=True):
                if entry.type is EntryType.FOLDER:
                    ground.prune(entry.path)
                elif os.path.lexists(plan.place / entry.path):
                    if entry.type is not EntryType.LINK:  # compared by its target
                        guard.require(entry.path)
                    ground.remove(entry.path)
                    ground.prune(entry.path.rpartition("/")[0])
        with Ground(plan.place.parent) as ground:
            ground.prune(plan.place.name)
        durable.sync_folder(plan.place.parent)
    return True


def _guard(plan: Plan) -> Guard:
    """Files must be as they were when they were found unmodified."""

    def known(path: str) -> Signature | None:
        seen = plan.right.get(path) or (plan.memory.files.get(path) if plan.memory is not None else None)
        return seen.signature if seen is not None else None

    return Guard(plan.dataset, plan.place, known)


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
