"""checkout: put versions from the cache into the work tree. Atomic per file, nothing good lost on the way.

Everything that is needed is verified to be here first; new files are written and synced in a staging
folder; only then do they take their places, one rename each. Unsaved changes are refused, or, with
``force``, moved to the trash. Killed anywhere, every file is whole, old or new; the next checkout goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lobsterdv.digest import Digest
from lobsterdv.errors import LobsterError, MissingContent
from lobsterdv.events import Finished, Observer, Started
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.formats.pointer import encode_pointer
from lobsterdv.index.rows import SeenTable
from lobsterdv.index.seen import Seen, save_seen
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Selected, pointers, select, work_pointers, write_pointer
from lobsterdv.ops.exchange import exchange
from lobsterdv.ops.gitfiles import ignore_dataset
from lobsterdv.ops.journal import tidy
from lobsterdv.ops.plan import Plan, make_plan
from lobsterdv.ops.resolve import Versions, entries_below
from lobsterdv.ops.room import require_room_for, require_room_to_check_out
from lobsterdv.ops.using import uses_cache


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """One selection: files written and removed (0 and 0 when all was right), and where unsaved ones went."""

    path: str
    digest: Digest
    written: int
    removed: int
    new_bytes: int
    trash: str | None
    pointer_changed: bool


@dataclass
class CheckoutReport:
    rev: str | None
    checked_out: list[CheckedOut] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@uses_cache
def checkout(
    project: Project,
    paths: Sequence[str] = (),
    *,
    rev: str | None = None,
    force: bool = False,
    ignore_missing: bool = False,
    selected: Sequence[tuple[Selected, Sequence[Entry]]] | None = None,
    tight: bool | None = None,
    observer: Observer,
) -> CheckoutReport:
    """Make the work tree hold what the pointers name, or, with ``rev``, what they named there (the pointers
    of whole datasets are then written too, like ``git checkout REV -- PATH`` does).

    Each selection fails alone, before anything of it is changed. ``selected`` hands over selections whose
    entries are known already, ``tight`` whether room is short. Raises NoSpace before anything is written when
    there is too little. May be repeated.
    """
    report = CheckoutReport(rev)
    if selected is None:
        chosen, report.failures = select(pointers(project, rev), paths, rev=rev)
        selected = []
        versions = Versions(project)
        for selection in chosen:
            try:
                entries = versions.entries(selection.dataset)
                selected.append((selection, entries_below(entries, selection.below, selection.dataset.path)))
            except LobsterError as error:
                if not (ignore_missing and isinstance(error, MissingContent)):
                    report.failures.append(Failure(selection.dataset.path, error))
    if tight is None:
        tight = require_room_to_check_out(project, dict(selected))
    observer(Started("checking out", sum(Entries.of(entries).size for _, entries in selected)))
    for selection, entries in selected:
        try:
            report.checked_out.append(_one(project, selection, entries, rev, force, tight, observer))
        except LobsterError as error:
            if not (ignore_missing and isinstance(error, MissingContent)):
                report.failures.append(Failure(selection.dataset.path, error))
    observer(Finished("checking out"))
    return report


def _one(
    project: Project,
    selection: Selected,
    entries: Sequence[Entry],
    rev: str | None,
    force: bool,
    tight: bool,
    observer: Observer,
) -> CheckedOut:
    dataset, below = selection
    pointer = dataset.pointer
    started = project.now()
    plan = make_plan(project, dataset.path, entries, is_directory=pointer.is_directory, below=below)
    missing = project.cache.missing(plan.write.file_digests())
    if missing:
        size = sum(e.size for e in plan.write if e.digest in set(missing))
        raise MissingContent(dataset.path, str(pointer.digest), "the cache", size)
    if not force:
        plan.refuse_unsaved()
    if tight:
        require_room_for(project, selection, plan)
    trash = exchange(project, plan, started=started, observer=observer)
    changed = False
    if rev is not None and not below:
        old = work_pointers(project).good.get(dataset.path)
        if old is None or old.pointer != pointer:
            write_pointer(project, dataset.path, encode_pointer(pointer))
            changed = True
        ignore_dataset(project.root, dataset.path)
    _remember(project, plan, entries, below, pointer.digest, int(started * 1e9))
    tidy(project.state, dataset.path, plan.place, now=project.now())
    path = f"{dataset.path}/{below}" if below else dataset.path
    return CheckedOut(
        path,
        pointer.digest,
        len(plan.write),
        len(plan.remove),
        plan.write.size,
        str(trash) if trash else None,
        changed,
    )


def _remember(
    project: Project, plan: Plan, entries: Sequence[Entry], below: str, digest: Digest, started_ns: int
) -> None:
    """Note what lies there now; of a part of a directory, beside what is known of the rest."""
    memory = plan.memory
    if plan.changes_nothing and memory is not None and memory.digest == digest and not plan.read_any:
        return
    files, plan.right = plan.right.rows(), SeenTable()  # of a million files 180 MB, which nobody needs any more
    others = Entries.of(entries).others()
    whole = not below or (memory is not None and memory.whole and memory.digest == digest)
    if below and memory is not None:
        gone = set(plan.remove)
        carried = memory.carried()
        past = (at for path in sorted(gone) if (at := carried.paths.find(path)) >= 0)
        files = carried.without(past).merged(files)
        others = {path: target for path, target in memory.others.items() if path not in gone} | others
    save_seen(project.index, str(plan.place), Seen(started_ns, digest, files, others, whole))
