"""What earlier pushes claim to have placed at a remote: the catalog's records, and whether all of it is still there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote, documents, read_manifest, read_table, records, retired
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, FormatError, KeyMissing
from lobsterdv.formats.layout import object_key, record_key
from lobsterdv.formats.table import StoredObject, Table
from lobsterdv.index.pushed import Pushed, load_pushed, save_pushed
from lobsterdv.ops.context import Project
from lobsterdv.ops.wishes import Wish

ALL_HEADS: Final = 1000
"""Up to so many objects of a version are all asked for; of more, an even sample of as many."""


def known_pushes(project: Project, room: Remote, wanted: Sequence[Wish]) -> dict[tuple[str, Digest], Pushed]:
    """What the catalog says was pushed, by path and version, oldest first: from memory, and, when a wanted version
    is not in it, from the records that this machine has not read yet."""
    shelf = f"{room.marker.store_id}/{project.project_id}"
    rows = load_pushed(project.index, shelf)
    known = {(row.path, row.version): row for row in rows}
    if any(wish.key not in known for wish in wanted):
        new = [
            Pushed(record.path, record.pointer.digest, record.manifest, digest, record.at)
            for digest, record in records(room, project.project_id, known=(row.record for row in rows))
        ]
        save_pushed(project.index, shelf, new)
        known = {(row.path, row.version): row for row in sorted([*rows, *new], key=lambda row: row.at)}
    return known


def retired_pushes(room: Remote, project_id: str, known: Iterable[Pushed]) -> set[Pushed]:
    """Those that were retired: not in the catalog any more, although what they placed may still be there. One listing;
    a retirement that was undone left its record there."""
    rows = list(known)
    names = retired(room, project_id)

    def is_gone(row: Pushed) -> bool:
        try:
            room.store.head(record_key(project_id, row.record))
        except KeyMissing:
            return True
        return False

    doubtful = [row for row in rows if row.record in names]
    return {row for row, gone in zip(doubtful, workers.each(is_gone, doubtful, jobs=room.jobs), strict=True) if gone}


def still_complete(room: Remote, claims: Sequence[tuple[Wish, Pushed]], *, project_id: str) -> set[tuple[str, Digest]]:
    """Ask for everything these pushes claim; returns the keys of those that are not whole at the remote."""
    heads: dict[str, tuple[int | None, set[tuple[str, Digest]]]] = {}
    incomplete = set()
    for wish, row in claims:
        try:
            heads.setdefault(record_key(project_id, row.record), (None, set()))[1].add(wish.key)
            for key, size in _claimed(room, wish, row):
                heads.setdefault(key, (size, set()))[1].add(wish.key)
        except (ContentError, FormatError, KeyMissing):
            incomplete.add(wish.key)

    def absent(key: str) -> set[tuple[str, Digest]]:
        size, needed_by = heads[key]
        try:
            stat = room.store.head(key)
        except KeyMissing:
            return needed_by
        return needed_by if stat.archived or (size is not None and stat.size != size) else set()

    for lost in workers.each(absent, heads, jobs=room.jobs):
        incomplete |= lost
    return incomplete


def is_plain(room: Remote, wish: Wish, row: Pushed) -> bool:
    """True when this push stored every file as an object of its own. Raises what reading a manifest raises."""
    return all(c.is_verbatim for c in claimed_table(room, wish.path, row.version, row.manifest).contents if c.size)


def _claimed(room: Remote, wish: Wish, row: Pushed) -> Iterable[tuple[str, int | None]]:
    """Every key a push wrote or relied on, with its size."""
    objects: dict[StoredObject, None] = {}
    for key, stored, named in documents(room, row.version, row.manifest, name=wish.path):
        yield key, len(stored)
        objects |= dict.fromkeys(named)
    step = max(1, len(objects) // ALL_HEADS)
    for item in islice(objects, None, None, step):
        yield object_key(item.digest), item.size


def claimed_table(room: Remote, name: str, version: Digest, manifest: Digest) -> Table:
    return read_table(room, read_manifest(room, version, manifest, name=name), name=name)
