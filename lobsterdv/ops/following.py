"""What follows git: after it moved pointers, the data that is here and unmodified moves along. Never destructive, no
network; what needs more is only told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from lobsterdv.errors import ContentError, LobsterError, MissingContent
from lobsterdv.events import Observer
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.git_changes import changed, sizes
from lobsterdv.index.seen import Seen, load_seen
from lobsterdv.ops.checkout import checkout
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import PATTERN, Dataset, Selected, dataset_of, place_of, work_pointers
from lobsterdv.ops.resolve import entries_of
from lobsterdv.ops.status import found_at
from lobsterdv.worktree.look import read_file
from lobsterdv.worktree.scan import Finds

_READ_BYTES: Final = 256 << 20
"""So many bytes are read at most to prove a dataset unmodified where its times do not: some tenths of a second."""
Fate = Literal["right", "move", "modified", "missing", "unknown"]


@dataclass
class FollowReport:
    """Datasets whose pointers git changed: put at the new version; ``needed``, of which content is not here;
    ``modified``, left alone because of unsaved changes (or too large to tell quickly)."""

    checked_out: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def follow(project: Project, old: str, new: str, *, observer: Observer) -> FollowReport:
    """Bring the datasets whose pointers differ between two commits to where the pointers are now, as far as the cache
    has the bytes and the files are as some version left them. An unknown ``old`` (zeros: a new clone or worktree)
    means that all are new. Datasets that were not checked out stay so, unless their pointer is new."""
    before = old if old.strip("0") and sizes(project.git, [old]) else None
    letters = {dataset_of(path): letter for path, letter in changed(project.git, before, new, PATTERN).items()}
    report = FollowReport()
    if all(letter == "D" for letter in letters.values()):
        return report
    known = work_pointers(project)
    moves: list[tuple[Selected, Sequence[Entry]]] = []
    for name, dataset in known.good.items():
        if letters.get(name, "D") == "D":
            continue
        try:
            fate, entries = _fate(project, dataset, is_new=letters[name] == "A")
        except LobsterError as error:
            report.failures.append(Failure(name, error))
            continue
        if fate == "move":
            moves.append((Selected(dataset, ""), entries))
        elif fate == "missing":
            report.needed.append(name)
        elif fate == "modified":
            report.modified.append(name)
    if moves:
        placed = checkout(project, selected=moves, observer=observer)
        report.checked_out = [row.path for row in placed.checked_out]
        report.needed += [f.path for f in placed.failures if isinstance(f.error, MissingContent)]
        report.failures += [f for f in placed.failures if not isinstance(f.error, MissingContent)]
    return report


def _fate(project: Project, dataset: Dataset, *, is_new: bool) -> tuple[Fate, Sequence[Entry]]:
    """What is to become of one dataset, and the entries of the version that its pointer names."""
    place = place_of(project, dataset.path)
    memory = load_seen(project.index, str(place))
    found = found_at(project, dataset)
    if found is not None and memory is not None and memory.digest == dataset.pointer.digest:
        return "right", ()
    if found is None and not is_new:
        return "unknown", ()
    if found is not None and not _is_as_left(project, dataset, memory, found):
        return "modified", ()
    try:
        entries = entries_of(project, dataset.path, dataset.pointer)
    except ContentError:
        return "missing", ()
    return ("missing" if project.cache.missing(Entries.of(entries).file_digests()) else "move"), entries


def _is_as_left(project: Project, dataset: Dataset, memory: Seen | None, found: Finds) -> bool:
    """True when the files are as the version that was last there: by their times, else, when that is quick, by their
    bytes."""
    if memory is None or not memory.whole:
        return False
    if memory.is_unchanged(found):
        return True
    others = {found.paths[at]: target for at, target in found.others.items()}
    if others != memory.others or len(found) != len(memory.files) + len(others):
        return False
    trusted, _ = memory.vouched(found)
    doubtful = [found[at] for at in range(len(found)) if not trusted[at] and at not in found.others]
    if sum(item.signature.size for item in doubtful) > _READ_BYTES:
        return False
    place = place_of(project, dataset.path)
    for item in doubtful:
        known = memory.files.get(item.path)
        if known is None or known.signature.size != item.signature.size:
            return False
        if read_file(place / item.path if item.path else place).digest != known.digest:
            return False
    return True
