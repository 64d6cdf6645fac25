"""set_aside(): where unsaved files go before something else takes their place. Then the trash is kept in its bounds."""

from __future__ import annotations

from pathlib import Path

from lobsterdv.blobs.trash import TrashEntry, new_entry, purge
from lobsterdv.ops.context import Project


def set_aside(project: Project, dataset: str, why: str, *, now: float) -> Path:
    """The path, not there yet, that a dataset's unsaved files shall be moved to. Raises LocalIOError."""
    about = {"why": why, "root": str(project.root), "path": dataset}
    return new_entry(project.state / "trash", now=now, about=about) / dataset


def keep_trash_bounded(project: Project, *, act: bool = True) -> list[TrashEntry]:
    """Delete what `trash.days` and `trash.max` have out, of both trashes; returns it. Raises LocalIOError."""
    days, most = project.config.number("trash.days"), project.config.number("trash.max")
    gone = []
    for trash in project.trashes:
        gone += purge(trash, now=project.now(), most_bytes=most, most_s=days * 86400, act=act)
    return gone
