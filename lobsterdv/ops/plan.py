"""What a checkout would do to one dataset: files to write, to remove, to leave, and unsaved changes in the way."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import eq
from pathlib import Path
from typing import cast

from lobsterdv.digest import Digest
from lobsterdv.errors import LobsterError, Refused, WouldOverwrite
from lobsterdv.formats.entries import FILES, Entries, Entry, EntryType
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.index.rows import SeenFile, SeenFiles, SeenTable
from lobsterdv.index.seen import Seen, digests_of, load_seen
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import place_of
from lobsterdv.ops.guard import Guard
from lobsterdv.paths import folding_collisions
from lobsterdv.signature import Signature
from lobsterdv.space import existing
from lobsterdv.worktree.ground import folds_case, folds_forms
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.links import see_through
from lobsterdv.worktree.look import read_file
from lobsterdv.worktree.scan import Finds, Found, scan


@dataclass
class Plan:
    """For one dataset at ``place``. Paths are below the dataset; a dataset that is a file has the path ''.

    ``right`` are files that stay, with what the index shall remember of them. ``unsaved`` hold bytes that
    nobody has kept: they are in the way of ``write`` or ``remove``. ``met`` is what lay where something is to be
    written, removed or changed.
    """

    dataset: str
    place: Path
    is_directory: bool
    exists: bool
    write: Entries = field(default_factory=lambda: Entries.of(()))
    remove: list[str] = field(default_factory=list)
    chmod: list[Entry] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)
    met: Finds = field(default_factory=Finds)
    right: SeenTable = field(default_factory=SeenTable)
    memory: Seen | None = None
    read_any: bool = False

    @property
    def changes_nothing(self) -> bool:
        return not (self.write or self.remove or self.chmod) and (self.exists or not self.is_directory)

    def guard(self) -> Guard:
        """For the last look before what was met goes."""

        def known(path: str) -> Signature | None:
            at = bisect_left(self.met.paths, path)
            is_met = at < len(self.met) and self.met.paths[at] == path
            return self.met.signature(at) if is_met else None

        return Guard(self.dataset, self.place, known)

    def refuse_unsaved(self) -> None:
        """Raises WouldOverwrite when unsaved changes are in the way."""
        if self.unsaved:
            first = f"{self.dataset}/{self.unsaved[0]}" if self.unsaved[0] else self.dataset
            more = f" (and {len(self.unsaved) - 1} more)" if len(self.unsaved) > 1 else ""
            raise WouldOverwrite(self.dataset, f"unsaved changes in {first}{more} are in the way", len(self.unsaved))


def make_plan(project: Project, dataset: str, entries: Sequence[Entry], *, is_directory: bool, below: str = "") -> Plan:
    """Compare what is there with what shall be there; with ``below`` only at and below that path.

    Stats decide where the index vouches for a file; other files are read. Raises Refused for a symlinked
    or special file in the dataset's place, LocalIOError, ChangedMeanwhile.
    """
    place = place_of(project, dataset)
    memory = load_seen(project.index, str(place))
    plan = Plan(dataset, place, is_directory, os.path.lexists(place), memory=memory)
    found = _found(project, plan, below)
    if is_directory:
        _refuse_collisions(dataset, entries, place)
    wanted = Entries.of(entries)
    if _is_as_wanted(memory, found, wanted):
        return plan
    vouched: dict[str, Digest] = {}
    write: list[int] = []
    for at, row in _side_by_side(found.paths, wanted.paths):
        if at is None:
            write.append(cast(int, row))
            continue
        item, path = found[at], found.paths[at]
        entry = wanted[row] if row is not None else None
        state, signature = _state(project, plan, item, entry, vouched)
        if state == "right":
            continue
        plan.met.add(path, found.types[at], signature, item.target)
        if state == "mode" and entry is not None:
            if (plan.place / path if path else plan.place).lstat().st_nlink > 1:
                write.append(cast(int, row))  # a link to the cache's file, whose mode it would change
                del plan.right[path]
            else:
                plan.chmod.append(entry)
            continue
        if state == "unsaved":
            plan.unsaved.append(path)
        if row is None:
            plan.remove.append(path)
        else:
            write.append(row)
    plan.write = wanted.take(write)
    # The index knows these bytes, but a cache that lost them would make this their only copy.
    lost = set(project.cache.missing(vouched.values()))
    plan.unsaved.extend(path for path, digest in vouched.items() if digest in lost)
    return plan


def _is_as_wanted(memory: Seen | None, found: Finds, wanted: Entries) -> bool:
    """True when stats alone tell that nothing is to be done."""
    if memory is None or len(found) != len(wanted) or found.types != wanted.types:
        return False
    paths = compress(wanted.paths, (code < FILES for code in wanted.types))
    return (
        digests_of(memory) == wanted.file_digests()
        and memory.others == wanted.others()
        and all(map(eq, SeenFiles.of(memory.files), paths))
        and memory.is_unchanged(found)
    )


def _side_by_side(found: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[int | None, int | None]]:
    """Two sorted columns of paths, row by row: positions, None for a path that only the other has."""
    at = row = 0
    while at < len(found) or row < len(wanted):
        if row == len(wanted) or (at < len(found) and found[at] < wanted[row]):
            yield at, None
            at += 1
        elif at == len(found) or wanted[row] < found[at]:
            yield None, row
            row += 1
        else:
            yield at, row
            at, row = at + 1, row + 1


def _found(project: Project, plan: Plan, below: str) -> Finds:
    target = plan.place / below if below else plan.place
    relative = f"{plan.dataset}/{below}" if below else plan.dataset
    try:
        seen = scan(target, ignore=Ignore.above(project.root, relative), relative=relative, nested_suffix=SUFFIX)
    except (FileNotFoundError, NotADirectoryError):
        return Finds()
    if seen.special:
        raise Refused(
            f"{relative}/{seen.special[0]}".rstrip("/"), "a socket, pipe or device is in the way", "special-file"
        )
    found = see_through(seen.found, target, project.cache.folder / "files")
    if below:
        return found.below(below)
    return found


def _state(
    project: Project, plan: Plan, item: Found, entry: Entry | None, vouched: dict[str, Digest]
) -> tuple[str, Signature]:
    """``right``, ``mode`` (only the executable bit differs), ``saved`` or ``unsaved``, and the signature with which it
    is so. Saved only by what the index says, it is in ``vouched`` too."""
    signature = item.signature
    if item.type is EntryType.FOLDER:
        return ("right" if entry is not None and entry.type is EntryType.FOLDER else "saved"), signature
    if item.type is EntryType.LINK:
        if entry is not None and entry.type is EntryType.LINK and entry.target == item.target:
            return "right", signature
        # A link's target is all its content; one that the last version had is in that version's listing.
        was = plan.memory is not None and _was_link(project, plan, item)
        return "saved" if was else "unsaved", signature
    known = plan.memory.trusts(item.path, item.signature) if plan.memory is not None else None
    read = None
    if known is None:
        if item.signature.size == 0 and entry is None:
            return "saved", signature  # an empty file holds nothing to lose
        read = read_file(plan.place / item.path if item.path else plan.place)
        known = SeenFile(read.signature, read.digest, read.checksum)
        signature = read.signature
        plan.read_any = True
        saved = project.cache.has(read.digest)
    else:
        saved = True
    if entry is not None and entry.digest == known.digest:
        plan.right[item.path] = known
        return "right" if entry.type is item.type else "mode", signature
    if read is None and item.signature.size:
        vouched[item.path] = known.digest
    return "saved" if saved else "unsaved", signature


def _was_link(project: Project, plan: Plan, item: Found) -> bool:
    assert plan.memory is not None
    try:
        listing = project.cache.listing(plan.memory.digest, name=plan.dataset)
    except LobsterError:
        return False
    return any(e.path == item.path and e.target == item.target for e in listing.entries)


def _refuse_collisions(dataset: str, entries: Sequence[Entry], place: Path) -> None:
    """Asked is the file system, and the folder, that the files shall lie on. Writes temps there, if names are alike."""
    paths = Entries.of(entries).paths
    pairs = folding_collisions(paths)
    if not pairs:
        return
    folder = existing(place if place.is_dir() and not place.is_symlink() else place.parent)
    if not folds_case(folder):
        pairs = folding_collisions(paths, case=False) if folds_forms(folder) else []
    if pairs:
        first, second = pairs[0]
        raise Refused(dataset, f"{first!r} and {second!r} are one file on this file system", "collision")
