"""The work tree's part of a verification: every file that should be as its pointer says is hashed, whatever its stat.

Other bytes under a changed stat are somebody's edit, which is no damage. Other bytes under the very stat with which
the file was seen as the version's are rot: nobody wrote them.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lobsterdv import workers
from lobsterdv.digest import digest_of
from lobsterdv.errors import ChangedMeanwhile, ContentError, LobsterError, LocalIOError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.index.seen import Seen, load_seen
from lobsterdv.ops.context import Project
from lobsterdv.ops.damage import Area, Damage, damage_of
from lobsterdv.ops.datasets import place_of
from lobsterdv.ops.resolve import entries_of
from lobsterdv.ops.rounds import Clock, OutOfTime, Round
from lobsterdv.ops.wishes import Wish
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.links import see_through
from lobsterdv.worktree.look import read_file
from lobsterdv.worktree.scan import Found, scan

Verdict = Literal["right", "edited", "rotten", "unreadable", "late"]


@dataclass
class WorkFindings:
    """``edited`` are files that differ and whose stat says that somebody changed them, with their datasets."""

    area: Area = field(default_factory=lambda: Area("work tree"))
    damages: list[Damage] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)


def check_work_tree(
    project: Project, wanted: Sequence[Wish], proved: Round, clock: Clock, *, jobs: int, observer: Observer
) -> WorkFindings:
    """Hash the files of these datasets, which the work tree's pointers name. Writes nothing. Stops when time is up."""
    findings = WorkFindings()
    observer(Started("checking the work tree", sum(wish.pointer.size for wish in wanted)))
    for wish in wanted:
        try:
            entries = Entries.of(entries_of(project, wish.path, wish.pointer))
            _check(project, wish, entries, findings, proved, clock, jobs, observer)
        except (ContentError, OSError):
            continue  # without its listing nothing can be said, which the cache's part tells
        except LocalIOError as error:
            findings.damages.append(
                damage_of(wish, "work tree", "content", wish.pointer.digest, "unreadable", str(error))
            )
        except LobsterError:
            continue  # a link in its place: status tells
    observer(Finished("checking the work tree"))
    return findings


def _check(
    project: Project,
    wish: Wish,
    entries: Entries,
    findings: WorkFindings,
    proved: Round,
    clock: Clock,
    jobs: int,
    observer: Observer,
) -> None:
    place, area = place_of(project, wish.path), findings.area
    memory = load_seen(project.index, str(place))
    try:
        seen = scan(place, ignore=Ignore.above(project.root, wish.path), relative=wish.path, nested_suffix=SUFFIX)
    except (FileNotFoundError, NotADirectoryError):
        return
    todo: list[tuple[Found, Entry, bytes]] = []
    for item in see_through(seen.found, place, project.cache.folder / "files"):
        entry = entries.find(item.path) if wish.pointer.is_directory else entries[0]
        if not item.is_file or entry is None or entry.digest is None:
            continue
        name = digest_of(f"{place}\0{item.path}\0{item.signature}\0{entry.digest}".encode(errors="surrogateescape"))
        if proved.was_proved(name):
            area.earlier += 1
        else:
            todo.append((item, entry, name))

    def look(row: tuple[Found, Entry, bytes]) -> tuple[Verdict, str]:
        try:
            return _look(place, row[0], row[1], memory, clock)
        except OutOfTime:
            return "late", ""

    for (item, entry, label), (verdict, detail) in zip(todo, workers.each(look, todo, jobs=jobs), strict=True):
        if verdict == "late":
            area.left += 1
            continue
        area.items += 1
        area.bytes += item.signature.size if verdict in ("right", "rotten") else 0
        observer(Advanced("checking the work tree", item.signature.size, 1))
        if verdict == "right":
            proved.proved(label)
        elif verdict == "edited":
            findings.edited.append(f"{wish.path}/{item.path}" if item.path else str(wish.path))
        else:
            findings.damages.append(
                damage_of(
                    wish, "work tree", "content", entry.digest, "corrupt" if verdict == "rotten" else "unreadable",
                    detail, file=item.path, files=1, size=entry.size,
                )
            )  # fmt: skip


def _look(place: Path, item: Found, entry: Entry, memory: Seen | None, clock: Clock) -> tuple[Verdict, str]:
    known = memory.trusts(item.path, item.signature) if memory is not None else None
    vouched = known is not None and known.digest == entry.digest
    if not vouched and item.signature.size != entry.size:
        return "edited", ""
    clock.check()
    try:
        read = read_file(place / item.path if item.path else place, progress=lambda _: clock.check())
    except ChangedMeanwhile:
        return "edited", ""
    except LocalIOError as error:
        return ("edited", "") if error.errno == errno.ENOENT else ("unreadable", error.detail)
    if read.digest == entry.digest:
        return "right", ""
    if vouched and read.signature == item.signature:
        return "rotten", f"nothing shows that it was written to, but its bytes are those of {read.digest.short}"
    return "edited", ""
