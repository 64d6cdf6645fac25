"""What one push asks of a remote: is this object there, whole? Each is asked for once; and what the push did."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.storage import Decision
from lobsterdv.errors import CorruptContent, KeyMissing, MissingContent
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import StoredObject

_MOST_DECISIONS: Final = 1000


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
    _there: set[StoredObject] = field(default_factory=set)

    def counting(self, sent: Sent) -> Heads:
        """The same answers, with another count of what is done."""
        return Heads(self.remote, self.jobs, sent, self._there)

    def has(self, item: StoredObject) -> bool:
        """True when the remote holds the object with the right size."""
        if item not in self._there:
            try:
                stat = self.remote.store.head(object_key(item.digest))
            except KeyMissing:
                return False
            if stat.size != item.size or stat.archived:
                return False
            self._there.add(item)
        self.sent.reused.add(item)
        return True

    def absent(self, items: Iterable[StoredObject]) -> set[StoredObject]:
        """Those that the remote does not hold, by one HEAD each, side by side."""
        wanted = list(dict.fromkeys(items))
        return {i for i, there in zip(wanted, workers.each(self.has, wanted, jobs=self.jobs), strict=True) if not there}

    def arrived(self, item: StoredObject, *, name: str) -> None:
        """See an object that was just sent, and count it. Raises MissingContent, CorruptContent."""
        require(self.remote, object_key(item.digest), item.size, name=name)
        self._there.add(item)
        self.sent.add(new_bytes=item.size, new_objects=1)


def require(remote: Remote, key: str, size: int, *, name: str) -> None:
    """HEAD a key: it must be there with ``size`` bytes. Raises MissingContent, CorruptContent."""
    try:
        stat = remote.store.head(key)
    except KeyMissing:
        raise MissingContent(name, key.rpartition("/")[2], remote.url) from None
    if stat.size != size:
        raise CorruptContent(name, f"{remote.url}/{key}", f"{size} bytes", f"{stat.size} bytes")
