"""set_aside(): where unsaved files go before something else takes their place; and what leaves the trash in the end."""

from __future__ import annotations

from pathlib import Path

from lobsterdv.blobs.trash import TrashEntry, held_in, new_entry, out_of_bounds, trash_entries
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.listing import parse_listing
from lobsterdv.ops.context import Project
from lobsterdv.ops.roots import Live, Roots


def set_aside(project: Project, dataset: str, why: str, *, now: float) -> Path:
    """The path, not there yet, that a dataset's unsaved files shall be moved to. Raises LocalIOError."""
    about = {"why": why, "root": str(project.root), "path": dataset}
    return new_entry(project.state / "trash", now=now, about=about) / dataset


def expired(project: Project, roots: Roots, kept: Live, *, everything: bool) -> tuple[list[TrashEntry], int]:
    """What `trash.days` and `trash.max` have out of both trashes, or ``everything``; and how many bytes must stay
    because something names them again and the cache does not hold them. Changes nothing; raises LocalIOError."""
    days, most = project.config.number("trash.days"), project.config.number("trash.max")
    gone, wanted = [], 0
    for trash in project.trashes:
        entries = trash_entries(trash)
        old = entries
        if not everything:
            old = out_of_bounds(entries, now=project.now(), most_bytes=most, most_s=days * 86400)
        contents = kept.contents | _listed(entries, roots)
        for entry in old:
            if _is_wanted(project, entry, roots, contents):
                wanted += entry.size
            else:
                gone.append(entry)
    return gone, wanted


def _is_wanted(project: Project, entry: TrashEntry, roots: Roots, contents: set[bytes]) -> bool:
    held = held_in(entry.folder)
    if any(not project.cache.has_listing(digest) for digest in held.listings & roots.named.keys()):
        return True
    return bool(project.cache.missing(Digest(d) for d in held.contents & contents))


def _listed(entries: list[TrashEntry], roots: Roots) -> set[bytes]:
    """The contents of versions that something names, and whose listings lie in the trash."""
    found: set[bytes] = set()
    for entry in entries:
        for digest in held_in(entry.folder).listings & roots.named.keys():
            try:
                listing = parse_listing((entry.folder / "listings" / digest.hex()).read_bytes(), what=entry.name)
            except ContentError:
                continue
            found.update(Entries.of(listing.entries).file_digests().plain())
    return found
