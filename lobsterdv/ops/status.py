"""status: what changed, what is not kept, not here or not shared. Reads no network, takes no lock, and bytes only
where a stat cannot be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lobsterdv.digest import Digest
from lobsterdv.errors import ConflictedPointer, CorruptContent, FormatError, LobsterError, MissingContent
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.entries import Entries, EntryType
from lobsterdv.formats.pointer import SUFFIX, Pointer, parse_pointer
from lobsterdv.index.rows import SeenFile, SeenFiles
from lobsterdv.index.seen import Seen, digests_of, load_seen, save_seen
from lobsterdv.ops.archive_states import remembered, told
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, enclosing, place_of, select, work_pointers
from lobsterdv.ops.journal import interrupted
from lobsterdv.ops.presence import Presence
from lobsterdv.ops.resolve import entries_of
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.links import see_through
from lobsterdv.worktree.look import Changes, look
from lobsterdv.worktree.scan import Finds, scan

_UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
WorkState = Literal["clean", "modified", "outdated", "absent", "partial", "unknown"]


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """One dataset against its pointer.

    ``work``: ``clean``; ``modified``; ``outdated`` (as some version was put there, but the pointer names another
    one by now: after `git pull`, say); ``absent`` (not checked out); ``partial`` (some of a directory is
    checked out, unmodified); ``unknown`` (there is something, but the version's listing is not here).
    ``missing_files`` are contents of the version that the cache lacks; None when not even the listing is
    here. ``pushed`` is by what this machine knows of the default remote; None when it knows nothing. ``storage`` is
    what it knows of its archives: ``archived``, ``being restored``, ``restored until`` a day; else empty.
    """

    path: str
    digest: Digest
    size: int
    files: int | None
    kind: str
    work: WorkState
    modified: list[str]
    new: list[str]
    deleted: list[str]
    missing_files: int | None
    pushed: bool | None
    storage: str = ""

    @property
    def is_lost(self) -> bool:
        """Neither here nor known to be at the remote."""
        return self.missing_files != 0 and self.pushed is False


@dataclass(frozen=True, slots=True)
class Conflict:
    """A pointer with git's merge markers, and the two versions it was merged from (empty when unreadable)."""

    path: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Untracked:
    """A large file that neither git nor lobsterdv tracks. ``size`` in bytes."""

    path: str
    size: int


@dataclass
class StatusReport:
    remote: str
    datasets: list[DatasetStatus] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    untracked: list[Untracked] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def has_changes(self) -> bool:
        """What ``--exit-code`` asks: anything modified, conflicted, lost or interrupted."""
        return bool(
            self.conflicts
            or self.interrupted
            or any(d.work in ("modified", "outdated", "unknown") or d.is_lost for d in self.datasets)
        )


def status(project: Project, paths: Sequence[str] = (), *, observer: Observer) -> StatusReport:
    """Look at the datasets that ``paths`` mean (all without paths). Three git processes at most."""
    known = work_pointers(project)
    selected, failures = select(known, paths)
    report = StatusReport(project.remote().name)
    for failure in failures:
        if isinstance(failure.error, ConflictedPointer):
            report.conflicts.append(Conflict(failure.path, failure.error.ours, failure.error.theirs))
        else:
            report.failures.append(failure)
    report.conflicts += _open_conflicts(project, {conflict.path for conflict in report.conflicts})
    presence, archives = Presence(project), remembered(project)
    observer(Started("looking", sum(s.dataset.pointer.size for s in selected)))
    for dataset in dict.fromkeys(s.dataset for s in selected):
        try:
            row = _one(project, dataset, presence, observer)
            kept = archives.get(row.digest)
            report.datasets.append(row if kept is None else replace(row, storage=told(kept)))
        except LobsterError as error:
            report.failures.append(Failure(dataset.path, error))
    observer(Finished("looking"))
    report.untracked = _big_untracked(project, known.good, paths)
    report.interrupted = interrupted(project.state, now=project.now())
    return report


def _open_conflicts(project: Project, known: set[str]) -> list[Conflict]:
    """Pointers that git holds open without markers: one side changed what the other removed. Asked for only while
    git is in the middle of something."""
    if not any((project.git.git_dir / name).exists() for name in _UNDER_WAY):
        return []
    rows = [row for row in project.git.staged("*" + SUFFIX) if row.stage > 1]
    contents = project.git.read(row.blob for row in rows)
    sides: dict[str, dict[int, str]] = {}
    for row in rows:
        try:
            named = str(parse_pointer(contents[row.blob], what=row.path).digest)
        except (KeyError, FormatError):
            named = ""
        sides.setdefault(row.path.removesuffix(SUFFIX), {})[row.stage] = named
    return [Conflict(path, s.get(2, ""), s.get(3, "")) for path, s in sides.items() if path not in known]


def _one(project: Project, dataset: Dataset, presence: Presence, observer: Observer) -> DatasetStatus:
    pointer = dataset.pointer
    started_ns = int(project.now() * 1e9)
    place = place_of(project, dataset.path)
    memory = load_seen(project.index, str(place))
    found = found_at(project, dataset)
    untouched = found is not None and memory is not None and memory.whole and memory.is_unchanged(found)
    if untouched and memory is not None and memory.digest == pointer.digest and _fits(pointer, found):
        lost = len(project.cache.missing(digests_of(memory)))
        pushed = presence.of(dataset.path, pointer.digest, is_ours=True)
        return _row(dataset, "clean", Changes(), lost, pushed)
    entries: Entries | None
    missing: int | None
    try:
        entries = Entries.of(entries_of(project, dataset.path, pointer))
        missing = len(project.cache.missing(entries.file_digests()))
    except (MissingContent, CorruptContent):
        entries, missing = None, None
    changes = Changes()
    work: WorkState = "absent" if found is None else "unknown"
    if found is not None and entries is not None:
        if untouched and memory is not None and memory.digest != pointer.digest:
            return _row(dataset, "outdated", changes, missing, presence.of(dataset.path, pointer.digest, is_ours=False))
        changes = look(place, found, entries, memory, progress=lambda n: observer(Advanced("looking", n)))
        work = _judge(changes, memory)
        if changes.read and memory is not None:
            _refresh(project, str(place), memory, found, changes, started_ns)
        elif memory is None and work == "clean":
            _note(project, str(place), pointer, found, changes, started_ns)
    is_ours = missing == 0 or (memory is not None and memory.digest == pointer.digest)
    pushed = presence.of(dataset.path, pointer.digest, is_ours=is_ours)
    return _row(dataset, work, changes, missing, pushed)


def _fits(pointer: Pointer, found: Finds | None) -> bool:
    """True when the executable bit of a dataset that is a file is as the pointer says."""
    return pointer.is_directory or bool(found and (found[0].type is EntryType.EXECUTABLE) == pointer.executable)


def _note(project: Project, place: str, pointer: Pointer, found: Finds, changes: Changes, started_ns: int) -> None:
    """Remember a dataset that nothing was known of and that proved right: its bytes were all just read."""
    files = {path: SeenFile(read.signature, read.digest, read.checksum) for path, read in changes.read.items()}
    others = {found.paths[at]: target for at, target in found.others.items()}
    save_seen(project.index, place, Seen(started_ns, pointer.digest, files, others))


def _row(
    dataset: Dataset,
    work: WorkState,
    changes: Changes,
    missing: int | None,
    pushed: bool | None,
) -> DatasetStatus:
    pointer = dataset.pointer
    return DatasetStatus(
        dataset.path,
        pointer.digest,
        pointer.size,
        pointer.files,
        pointer.kind,
        work,
        sorted(changes.modified),
        sorted(changes.new),
        sorted(changes.deleted),
        missing,
        pushed,
    )


def found_at(project: Project, dataset: Dataset) -> Finds | None:
    """What lies in the dataset's place; None when nothing does."""
    place = project.root / dataset.path
    try:
        seen = scan(place, ignore=Ignore.above(project.root, dataset.path), relative=dataset.path, nested_suffix=SUFFIX)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return see_through(seen.found, place, project.cache.folder / "files")


def _judge(changes: Changes, memory: Seen | None) -> WorkState:
    """Where only parts were checked out, what never was is absent, not deleted."""
    if memory is not None and not memory.whole:
        changes.deleted[:] = [p for p in changes.deleted if p in memory.files or p in memory.others]
        return "modified" if changes else "partial"
    return "modified" if changes else "clean"


def _refresh(project: Project, place: str, memory: Seen, found: Finds, changes: Changes, started_ns: int) -> None:
    """Remember what was read, so that the next look at these files costs a stat."""
    wrong = set(changes.modified)
    right = {
        path: SeenFile(read.signature, read.digest, read.checksum)
        for path, read in changes.read.items()
        if path not in wrong
    }
    old = SeenFiles.of(memory.files)
    past = bytearray(b"\1" * len(old))
    for run in memory.unchanged(found):
        past[run.seen : run.seen + run.length] = bytes(run.length)
    files = old.without(at for at, is_past in enumerate(past) if is_past).merged(SeenFiles.of(right))
    save_seen(project.index, place, replace(memory, saved_ns=started_ns, files=files))


def _big_untracked(project: Project, datasets: Mapping[str, Dataset], paths: Sequence[str]) -> list[Untracked]:
    least = project.config.number("big_file")
    big = []
    for path in project.git.untracked():
        if paths and not any(path == p or path.startswith(p.rstrip("/") + "/") for p in paths):
            continue
        if path in datasets or enclosing(dict(datasets), path):
            continue
        try:
            size = (project.root / path).lstat().st_size
        except OSError:
            continue
        if size >= least:
            big.append(Untracked(path, size))
    return sorted(big, key=lambda u: u.path)
