"""What earlier pushes claim to have placed at a remote: the catalog's records, and whether all of it is still there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote, read_document, read_table, records, retired
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, FormatError, KeyMissing, MissingContent
from lobsterdv.formats.layout import manifest_key, object_key, record_key, segment_key
from lobsterdv.formats.manifest import Manifest, objects_in, parse_manifest, segments_in
from lobsterdv.formats.table import Table
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
    """Every key a push wrote or relied on, with its size. Of manifest and segments only what names other keys is
    parsed: all of a table of 10,000 files takes 50 ms."""
    key = manifest_key(row.version, row.manifest)
    stored = read_document(room, key, row.manifest, name=f"the manifest of {wish.path}")
    yield key, len(stored)
    objects = objects_in(stored, "manifest", what=key)
    for digest in segments_in(stored, what=key):
        key = segment_key(digest)
        stored = read_document(room, key, digest, name=f"a segment of {wish.path}")
        yield key, len(stored)
        objects += objects_in(stored, "segment", what=key)
    objects = list(dict.fromkeys(objects))
    step = max(1, len(objects) // ALL_HEADS)
    for item in objects[::step]:
        yield object_key(item.digest), item.size


def claimed_table(room: Remote, name: str, version: Digest, manifest: Digest) -> Table:
    return read_table(room, _manifest(room, name, version, manifest), name=name)


def _manifest(room: Remote, name: str, version: Digest, manifest: Digest) -> Manifest:
    key = manifest_key(version, manifest)
    try:
        return parse_manifest(read_document(room, key, manifest, name=f"the manifest of {name}"), what=key)
    except KeyMissing:
        raise MissingContent(f"the manifest of {name}", str(manifest), room.url) from None
