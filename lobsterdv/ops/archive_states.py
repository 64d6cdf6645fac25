"""What this machine remembers of archived versions, for `status` and `list`, which ask no remote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lobsterdv.digest import Digest
from lobsterdv.index.archives import Kept, load_archives, save_archives
from lobsterdv.index.pushed import load_marker
from lobsterdv.ops.context import Project

if TYPE_CHECKING:
    from lobsterdv.blobs.remote import Remote  # start-up time: status needs none of it


def note(project: Project, room: Remote, states: Mapping[Digest, Kept | None]) -> None:
    """Remember what a look told of these versions; None: nothing of them is archived."""
    rows = [row for row in states.values() if row is not None]
    readable = [version for version, row in states.items() if row is None]
    save_archives(project.index, room.marker.store_id, rows, readable=readable)


def note_readable(project: Project, room: Remote, versions: Sequence[Digest]) -> None:
    """What was just read whole is not waiting for anybody; a restored copy stays noted with its day."""
    known = load_archives(project.index, room.marker.store_id) if versions else {}
    waiting = [v for v in versions if v in known and known[v].state != "restored"]
    if waiting:
        save_archives(project.index, room.marker.store_id, [], readable=waiting)


def remembered(project: Project) -> dict[Digest, Kept]:
    """What this machine knows of the default remote, without asking."""
    marker = load_marker(project.index, project.remote().place)
    return {} if marker is None else load_archives(project.index, marker[1])


def told(kept: Kept | None) -> str:
    """In words: ``archived``, ``being restored``, ``restored until 2026-12-04``; empty for what can be read as ever."""
    if kept is None:
        return ""
    return f"restored until {kept.until}" if kept.state == "restored" else kept.state
