"""What a remote verifiably holds: contents that a catalog record, its manifest and every object behind it vouch for,
each asked for by HEAD in this run, and proved where that decides what is deleted: objects as ``ops.proofs`` says,
documents, which are small, by reading them. What is not asked for counts as not held."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from lobsterdv import workers
from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.remote import Remote, documents, records
from lobsterdv.digest import Digest, Digests, digest_of
from lobsterdv.errors import Archived, ContentError, CorruptContent, FormatError, KeyMissing, NotARemote
from lobsterdv.events import Observer, silent
from lobsterdv.formats.columns import MAX_BODY_BYTES
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.contents import Contents, StoredObject
from lobsterdv.formats.layout import name_in_key, object_key, record_key
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.index.pushed import Pushed, load_pushed, save_pushed
from lobsterdv.ops.claims import claimed_table
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Project
from lobsterdv.ops.proofs import Proofs


class _Document(NamedTuple):
    """``digest`` is its name and that of its bytes; ``size`` None where nothing here tells."""

    key: str
    digest: Digest
    size: int | None


@dataclass
class Holding:
    """One remote, asked for as long as this lives; each object once. ``paths`` tell under which dataset a version was
    pushed. With ``proofs`` an object or document whose bytes are not the right ones is not held."""

    room: Remote
    rows: list[tuple[str, Pushed]]
    proofs: Proofs | None = None
    _heads: Heads = field(init=False)
    _whole: dict[Digest, bool] = field(default_factory=dict)
    _damaged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._heads = Heads(self.room, self.room.jobs)

    @property
    def damage(self) -> list[str]:
        """Keys of all that was found damaged so far."""
        objects = self.proofs.damaged if self.proofs is not None else ()
        return sorted({*self._damaged, *(object_key(item.digest) for item in objects)})

    @property
    def paths(self) -> dict[Digest, str]:
        return {row.version: row.path for _, row in self.rows}

    def contents(self, wanted: Iterable[bytes]) -> set[bytes]:
        """Those of ``wanted`` that the remote holds, whole. Raises RemoteError."""
        left, held = set(wanted), set()
        for project_id, row in self.rows:
            if not left:
                break
            found = self._found(project_id, row, left)
            held |= found
            left -= found
        return held

    def lacking(self, version: Digest, wanted: Set[bytes]) -> set[bytes] | None:
        """Those of a version's contents that a pull of this very version would not bring back; None when the remote
        does not know the version, or its documents are not whole. Raises RemoteError."""
        best = None
        for project_id, row in self.rows:
            if row.version == version and self._is_whole(project_id, row):
                left = set(wanted) - self._found(project_id, row, wanted)
                if best is None or len(left) < len(best):
                    best = left
                if not best:
                    break
        return best

    def names_of(self, version: Digest) -> set[bytes] | None:
        """All contents of a version, by any of its manifests, whether or not they are there; None without one."""
        for _, row in self.rows:
            if row.version == version:
                columns = self._columns(row)
                if columns is not None:
                    return set(Digests(columns.digests).plain())
        return None

    def listings(self, versions: Iterable[Digest]) -> set[Digest]:
        """Those directory versions whose listing the remote's documents tell. Raises RemoteError."""
        wanted = set(versions)
        return {
            row.version for project_id, row in self.rows if row.version in wanted and self._is_whole(project_id, row)
        }

    def _columns(self, row: Pushed) -> Contents | None:
        try:
            return Contents.of(claimed_table(self.room, row.path, row.version, row.manifest).contents)
        except (ContentError, FormatError, KeyMissing):
            return None

    def _found(self, project_id: str, row: Pushed, wanted: Set[bytes]) -> set[bytes]:
        """Those of ``wanted`` that this push placed, and that are there."""
        columns = self._columns(row)
        if columns is None:
            return set()
        hits = [(at, d) for at, d in enumerate(Digests(columns.digests).plain()) if d in wanted]
        if not hits or not self._is_whole(project_id, row):
            return set()
        behind = [(digest, {extent.object for extent in columns[at].extents}) for at, digest in hits]
        asked = _all(objects for _, objects in behind)
        absent = self._heads.absent(asked)
        if self.proofs is not None:
            absent |= self.proofs.wrong(asked - absent)
        return {digest for digest, objects in behind if not objects & absent}

    def _is_whole(self, project_id: str, row: Pushed) -> bool:
        """The record, the manifest and its segments are there, with their sizes; with ``proofs``, with their bytes."""
        if row.record not in self._whole:
            try:
                wanted = [_Document(record_key(project_id, row.record), row.record, None), *self._documents(row)]
                is_right = self._is_there if self.proofs is None else self._is_proved
                self._whole[row.record] = all(workers.each(is_right, wanted, jobs=self.room.jobs))
            except (ContentError, FormatError, KeyMissing):
                self._whole[row.record] = False
        return self._whole[row.record]

    def _documents(self, row: Pushed) -> list[_Document]:
        """The manifest and its segments, as this machine keeps them; what it does not keep is read."""
        kept = documents(self.room, row.version, row.manifest, name=row.path)
        return [_Document(key, name_in_key(key, what=key), len(stored)) for key, stored, _ in kept]

    def _is_there(self, wanted: _Document) -> bool:
        try:
            stat = self.room.store.head(wanted.key)
        except KeyMissing:
            return False
        return not stat.archived and (wanted.size is None or stat.size == wanted.size)

    def _is_proved(self, wanted: _Document) -> bool:
        """Read from the remote, now, whatever this machine keeps of it."""
        try:
            data = self.room.store.read_whole(wanted.key, limit=MAX_BODY_BYTES)
        except (KeyMissing, Archived):
            return False
        except CorruptContent:
            data = b""
        if digest_of(data) != wanted.digest:
            self._damaged.add(wanted.key)
            return False
        return True


def ask(
    project: Project,
    remote: str | None,
    projects: Iterable[str],
    *,
    proved: bool = False,
    jobs: int | None = None,
    observer: Observer = silent,
) -> Holding | None:
    """What ``projects`` (their ids) pushed to a remote; None for the embedded one, which lies on the same disk, and for
    one where nothing was pushed yet. With ``proved`` its bytes are looked at too. Raises ConfigError, RemoteError."""
    config = project.remote(remote)
    if is_embedded(project, config):
        return None
    try:
        room = connect(project, config, jobs=jobs)
    except NotARemote as error:
        if not error.is_empty:
            raise
        return None
    return held_at(project, room, projects, proofs=Proofs(project, room, observer) if proved else None)


def held_at(project: Project, room: Remote, projects: Iterable[str], *, proofs: Proofs | None = None) -> Holding:
    """As ``ask``, of any remote that is open. Raises RemoteError."""
    rows = [(project_id, row) for project_id in projects if project_id for row in _pushes(project, room, project_id)]
    return Holding(room, sorted(rows, key=lambda pair: pair[1].at, reverse=True), proofs)


def is_embedded(project: Project, remote: RemoteConfig) -> bool:
    """By whichever name: it lies beside the cache, and is no second copy."""
    return remote.name == EMBEDDED or remote.url == project.config.remotes[EMBEDDED].url


def _pushes(project: Project, room: Remote, project_id: str) -> list[Pushed]:
    shelf = f"{room.marker.store_id}/{project_id}"
    rows = load_pushed(project.index, shelf)
    new = [
        Pushed(record.path, record.pointer.digest, record.manifest, digest, record.at)
        for digest, record in records(room, project_id, known=(row.record for row in rows))
    ]
    save_pushed(project.index, shelf, new)
    return [*rows, *new]


def _all(groups: Iterable[set[StoredObject]]) -> set[StoredObject]:
    return set().union(*groups)
