"""What the verbs do about archived objects: see which a version needs, and say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import Digest
from lobsterdv.errors import Archived, KeyMissing
from lobsterdv.formats.contents import StoredObject
from lobsterdv.formats.layout import object_key
from lobsterdv.index.archives import Kept
from lobsterdv.ops.archive_states import note
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Dataset
from lobsterdv.stores.base import RESTORING, Stat


@dataclass(frozen=True, slots=True)
class Archive:
    """A version, or part of one, of which ``archived`` objects wait to be restored, ``restoring`` are on their way, and
    ``restored`` can be read until a day. Sizes are in the stats."""

    archived: list[Stat]
    restoring: list[Stat]
    restored: list[Stat]

    def kept(self, version: Digest) -> Kept | None:
        """How it is remembered; None when all of it can be read as ever."""
        if self.archived:
            return Kept(version, "archived")
        if self.restoring:
            return Kept(version, "being restored")
        if self.restored:
            return Kept(version, "restored", min(stat.restored for stat in self.restored))
        return None


def look_at(room: Remote, objects: Iterable[StoredObject]) -> Archive:
    """Ask for each object, by a HEAD. One that is missing is nobody's archive. Raises RemoteError."""

    def ask(item: StoredObject) -> Stat | None:
        try:
            return room.store.head(object_key(item.digest))
        except KeyMissing:
            return None

    return sorted_out(stat for stat in workers.each(ask, list(dict.fromkeys(objects)), jobs=room.jobs) if stat)


def sorted_out(stats: Iterable[Stat]) -> Archive:
    found = Archive([], [], [])
    for stat in stats:
        if stat.archived:
            (found.restoring if stat.restored == RESTORING else found.archived).append(stat)
        elif stat.restored:
            found.restored.append(stat)
    return found


def archived_error(project: Project, room: Remote, dataset: Dataset, error: Archived) -> Archived:
    """The error of a fetch with what its object's HEAD tells besides; noted for `status`."""
    try:
        stat = room.store.head(error.key)
    except KeyMissing:
        return error
    version, on_its_way = dataset.pointer.digest, stat.restored == RESTORING
    note(project, room, {version: Kept(version, "being restored" if on_its_way else "archived")})
    return Archived(error.url, error.key, str(dataset.path), on_its_way)
