"""Are the bytes behind a name at a remote the right ones? Asked before this machine gives up its own copy.

A HEAD tells that an object is there, and its size, not that its bytes are right. They are taken for right when

- a server verified them as this machine sent them, and still gives the same etag; or
- this machine read them within 30 days, and their stat is the same since; or
- the checksum that the server verified and kept of them is that of this machine's copy.

What none of these tells is read now, all of it. A server's word counts where `remote doctor` saw, within seven days,
that it refuses what does not fit its checksum: many take any, and some tell it back. What was sent and what was read is
remembered in the index, apart: losing it costs time.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Final, Literal

from lobsterdv import workers
from lobsterdv.blobs.proving_remote import crc32_here, prove_object
from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import digest_of
from lobsterdv.errors import Archived, CorruptContent, KeyMissing
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.contents import StoredObject
from lobsterdv.formats.layout import object_key
from lobsterdv.index.database import Index
from lobsterdv.index.verified import Verified, load_verified, save_verified
from lobsterdv.ops.context import Project
from lobsterdv.signature import LARGEST, Signature
from lobsterdv.stores.base import Stat, TellsChecksums

_TRUSTED_S: Final = 30 * 86400
_PHASE: Final = "reading back"
_How = Literal["read", "sent"]


@dataclass
class Proofs:
    """What was proved in this run of one remote. ``damaged`` are those whose bytes are others."""

    project: Project
    room: Remote
    observer: Observer
    damaged: set[StoredObject] = field(default_factory=set)
    _right: set[StoredObject] = field(default_factory=set)

    def wrong(self, items: Set[StoredObject]) -> Set[StoredObject]:
        """Those of ``items`` (all of them there, by HEAD) that are damaged, or gone since. Raises RemoteError."""
        wanted = sorted(items - self._right - self.damaged)
        told = dict(zip(wanted, workers.each(self._ask, wanted, jobs=self.room.jobs), strict=True))
        self._note({item: is_right for item, is_right in told.items() if is_right is not None})
        doubtful = [item for item, is_right in told.items() if is_right is None]
        if doubtful:
            self.observer(Started(_PHASE, sum(item.size for item in doubtful), len(doubtful)))
            read = workers.each(self._read, doubtful, jobs=self.room.jobs)
            rows = dict(zip(doubtful, read, strict=True))
            self._note({item: row is not None for item, row in rows.items()})
            save_verified(self.project.index, [row for row in rows.values() if row is not None])
            self.observer(Finished(_PHASE))
        return items & self.damaged

    def _note(self, found: Mapping[StoredObject, bool]) -> None:
        for item, is_right in found.items():
            (self._right if is_right else self.damaged).add(item)

    def _ask(self, item: StoredObject) -> bool | None:
        """What can be told without reading it; None when nothing can."""
        try:
            stat = self.room.store.head(object_key(item.digest))
            return stat.size == item.size and (self._is_known(item, stat) or self._by_checksum(item) or None)
        except (KeyMissing, CorruptContent):
            return False

    def _read(self, item: StoredObject) -> Verified | None:
        """What is to be remembered; None of what is not right."""
        key = object_key(item.digest)
        try:
            stat = self.room.store.head(key)
            prove_object(self.room.store, item, [], check=lambda: None)
        except (KeyMissing, CorruptContent, Archived):
            return None
        finally:
            self.observer(Advanced(_PHASE, item.size, 1))
        return _row(self.room, item, stat, self.project.now(), "read")

    def _is_known(self, item: StoredObject, stat: Stat) -> bool:
        read = self._remembered(item, stat, "read")
        if read is not None and 0 <= self.project.now() - read.at < _TRUSTED_S:
            return True
        return self._verifier is not None and self._remembered(item, stat, "sent") is not None

    def _remembered(self, item: StoredObject, stat: Stat, how: _How) -> Verified | None:
        found = load_verified(self.project.index, _name(self.room, item, how))
        is_same = found is not None and found.checksum == item.digest and found.signature == _signature(stat)
        return found if is_same else None

    @property
    def _verifier(self) -> TellsChecksums | None:
        """The store, where its server is known to compare what it takes in."""
        store = self.room.store
        return store if isinstance(store, TellsChecksums) and store.checking == "verified" else None

    def _by_checksum(self, item: StoredObject) -> bool:
        """Raises CorruptContent when the checksums differ."""
        verifier = self._verifier
        theirs = verifier.crc32(object_key(item.digest)) if verifier is not None else None
        try:
            ours = crc32_here(self.project.cache, item) if theirs is not None else None
        except (CorruptContent, OSError):
            ours = None
        if ours is None or theirs is None:
            return False
        if ours != theirs:
            raise CorruptContent(object_key(item.digest), self.room.url, f"CRC-32 {ours:08x}", f"{theirs:08x}")
        return True


def remember_sent(index: Index, room: Remote, sent: Mapping[StoredObject, Stat], *, now: float) -> None:
    """Note objects that this run sent, each with what the server said of it afterwards. Only where a checksum went
    along with all of them, and nobody saw that the server does not compare it."""
    if isinstance(room.store, TellsChecksums) and room.store.checking in ("verified", ""):
        save_verified(index, [_row(room, item, stat, now, "sent") for item, stat in sent.items() if stat.etag])


def _row(room: Remote, item: StoredObject, stat: Stat, now: float, how: _How) -> Verified:
    return Verified(_name(room, item, how), _signature(stat), bytes(item.digest), now)


def _name(room: Remote, item: StoredObject, how: _How) -> str:
    return f"{how}/{room.marker.store_id}/{object_key(item.digest)}"


def _signature(stat: Stat) -> Signature:
    """Its size and etag. A folder's etag tells inode and time; a bucket's changes with the bytes."""
    etag = int.from_bytes(bytes(digest_of(stat.etag.encode()))[:8], "big") & LARGEST
    return Signature(0, 0, stat.size, etag, 0)
