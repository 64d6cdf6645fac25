"""Which pushed versions are in use: the newest of every path in every project, what git names at its tips, and recent
ones. Age is that of a version's pushes, never of its objects: an old object may be part of the newest version."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lobsterdv.blobs.grace import DAY_S
from lobsterdv.blobs.remote_look import Filed
from lobsterdv.digest import Digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.pointer import SUFFIX, parse_pointer
from lobsterdv.git_history import tips
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import PATTERN, work_pointers

_NO_TIME: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Window:
    """The newest ``versions`` of a path are in use, and those pushed in the last ``days``; at least the newest one."""

    versions: int = 1
    days: float = 0


def split(
    filed: Iterable[Filed], window: Window, *, named: Collection[Digest], now: float
) -> tuple[list[Filed], list[Filed]]:
    """Records in use, and the others, oldest first. ``named`` versions are in use whatever their age, and so are those
    whose time cannot be read; ``now`` is seconds since 1970. Pure."""
    rows = sorted(filed, key=_order, reverse=True)
    newest: dict[tuple[str, str], list[Digest]] = {}
    used, others = [], []
    for row in rows:
        record = row.record
        latest = newest.setdefault((row.project_id, str(record.path)), [])
        at = _seconds(record.at)
        if at < _NO_TIME and record.pointer.digest not in latest and len(latest) < max(window.versions, 1):
            latest.append(record.pointer.digest)
        is_recent = now - at <= window.days * DAY_S
        if record.pointer.digest in latest or record.pointer.digest in named or is_recent:
            used.append(row)
        else:
            others.append(row)
    return used, others[::-1]


def named_at_tips(project: Project) -> set[Digest]:
    """Versions that the work tree, the index, HEAD, or the tip of any branch, remote branch or tag of this clone
    names. A git process for each different commit."""
    found = {dataset.pointer.digest for dataset in work_pointers(project).good.values()}
    blobs = {row.blob for row in project.git.staged(PATTERN)}
    for commit in sorted(set(tips(project.git).values())):
        blobs.update(project.git.files_at(commit, SUFFIX).values())
    for blob, data in project.git.read(sorted(blobs)).items():
        try:
            found.add(parse_pointer(data, what=blob).digest)
        except FormatError:
            continue  # a conflicted one: both its sides are tips
    return found


def _order(row: Filed) -> tuple[float, Digest]:
    return _seconds(row.record.at), row.name


def _seconds(at: str) -> float:
    """A record's time; one that cannot be read is of the future, so that it counts as recent."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return _NO_TIME
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
