"""What one push asks of a remote: is this object there, whole, and will it stay? And what the push did.

Each object is asked for once, and again when a quarter of the grace has passed (grace.py). One that is old is refreshed
before it is answered for: whoever collects garbage meanwhile takes it for new.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.grace import is_old, require_no_sweep, took_long
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.storage import Decision
from lobsterdv.digest import digest_of
from lobsterdv.errors import CorruptContent, KeyMissing, MissingContent
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import StoredObject
from lobsterdv.stores.base import Stat

_MOST_DECISIONS: Final = 1000
_READ_BYTES: Final = 64 << 20
"""Up to so many are read and written again where the server cannot copy; larger ones are sent from here."""


@dataclass
class Sent:
    """What an upload did. ``new_bytes`` of ``new_objects`` went over; ``packed_bytes`` are what these hold, before
    zstd; ``reused_bytes`` of the contents were there. Threads share it."""

    new_bytes: int = 0
    new_objects: int = 0
    packed_bytes: int = 0
    reused_bytes: int = 0
    reused: set[StoredObject] = field(default_factory=set)
    decisions: list[Decision] = field(default_factory=list)
    """How large files and those with older relatives were stored; at most 1,000."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reused_objects(self) -> int:
        return len(self.reused)

    def add(self, *, new_bytes: int = 0, new_objects: int = 0, packed_bytes: int = 0, reused_bytes: int = 0) -> None:
        with self._lock:
            self.new_bytes += new_bytes
            self.new_objects += new_objects
            self.packed_bytes += packed_bytes
            self.reused_bytes += reused_bytes

    def decided(self, decision: Decision) -> None:
        with self._lock:
            if len(self.decisions) < _MOST_DECISIONS:
                self.decisions.append(decision)


@dataclass
class Heads:
    """Answers of one run, by HEAD; threads share it. An archived object counts as absent: nobody could read it."""

    remote: Remote
    jobs: int
    sent: Sent = field(default_factory=Sent)
    arrivals: dict[StoredObject, Stat] = field(default_factory=dict)
    """What this run sent, as the store told of it then."""
    _there: dict[StoredObject, float] = field(default_factory=dict)  # when, by the store's clock
    _touched: set[StoredObject] = field(default_factory=set)

    def counting(self, sent: Sent) -> Heads:
        """The same answers, with another count of what is done."""
        return Heads(self.remote, self.jobs, sent, self.arrivals, self._there, self._touched)

    def has(self, item: StoredObject) -> bool:
        """True when the remote holds the object with the right size, and will for a while."""
        if item not in self._there or self._is_long_ago(item):
            self._there.pop(item, None)
            try:
                stat = self.remote.store.head(object_key(item.digest))
            except KeyMissing:
                return False
            if stat.size != item.size or stat.archived:
                self._touched.add(item)  # something is written over it
                return False
            if not self._stays(item, stat):
                return False
            self._there[item] = self.remote.store.clock()
        self.sent.reused.add(item)
        return True

    def still(self, items: Iterable[StoredObject]) -> bool:
        """To be asked when what names ``items`` is about to be written, and when it was: true when every one was seen
        lately. Costs no request unless they were seen long ago, or were refreshed in a store that a collection may hit
        all the same; raises Busy while there is one."""
        wanted = list(dict.fromkeys(items))
        doubtful = [item for item in wanted if item not in self._there or self._is_long_ago(item)]
        touched = [item for item in wanted if item in self._touched]
        if touched and not self.remote.store.is_exact:
            require_no_sweep(self.remote.store)
            for item in touched:
                self._there.pop(item, None)
            doubtful += touched
        self._touched.difference_update(touched)
        return not self.absent(doubtful)

    def _is_long_ago(self, item: StoredObject) -> bool:
        return took_long(self._there[item], self.remote.store.clock(), self.remote.grace_s)

    def _stays(self, item: StoredObject, stat: Stat) -> bool:
        """Refresh an object that is old; False when it must be sent anew."""
        if not self._is_old(stat):
            return True
        self._touched.add(item)
        store = self.remote.store
        try:
            if store.refresh(stat.key) and not self._is_old(store.head(stat.key)):
                return True
            if item.size > _READ_BYTES:
                return False
            data = store.read_whole(stat.key, limit=item.size)
        except (KeyMissing, CorruptContent):
            return False
        if digest_of(data) != item.digest:
            return False
        store.put(stat.key, data)
        return not self._is_old(store.head(stat.key))

    def _is_old(self, stat: Stat) -> bool:
        return is_old(stat.modified, self.remote.store.clock(), self.remote.grace_s)

    def absent(self, items: Iterable[StoredObject]) -> set[StoredObject]:
        """Those that the remote does not hold, by one HEAD each, side by side."""
        wanted = list(dict.fromkeys(items))
        return {i for i, there in zip(wanted, workers.each(self.has, wanted, jobs=self.jobs), strict=True) if not there}

    def arrived(self, item: StoredObject, *, name: str) -> None:
        """See an object that was just sent, and count it. Raises MissingContent, CorruptContent."""
        stat = require(self.remote, object_key(item.digest), item.size, name=name)
        # The time of a value that was sent in parts is that of its first part, which may be weeks ago.
        if not self._stays(item, stat):
            raise MissingContent(name, str(item.digest), self.remote.url)
        self._there[item] = self.remote.store.clock()
        self.arrivals[item] = stat
        self.sent.add(new_bytes=item.size, new_objects=1)


def require(remote: Remote, key: str, size: int, *, name: str) -> Stat:
    """HEAD a key: it must be there with ``size`` bytes. Raises MissingContent, CorruptContent."""
    try:
        stat = remote.store.head(key)
    except KeyMissing:
        raise MissingContent(name, key.rpartition("/")[2], remote.url) from None
    if stat.size != size:
        raise CorruptContent(name, f"{remote.url}/{key}", f"{size} bytes", f"{stat.size} bytes")
    return stat
