"""Where each content of a version lies, as far as that is known: in the columns of an older table, or newly placed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from lobsterdv.compact import DigestIndex, repeated
from lobsterdv.digest import DIGEST_BYTES, Digest, Digests
from lobsterdv.formats.contents import Content, Contents
from lobsterdv.formats.entries import FILES, Entries

_NOWHERE = -1
_LONG_RUN = 8
_BLOCK = 1024
_LONG_BLOCK = 1 << 16


class Placement:
    """The contents of ``entries``, numbered in order of first use. One thread at a time."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._digests = _once(entries.file_digests())
        self._index: DigestIndex | None = None
        self._last = -1
        count = len(self._digests) // DIGEST_BYTES
        self._source = array("i", [_NOWHERE]) * count
        self._position = array("I", [0]) * count
        self._new = Contents()
        self._columns = [self._new]
        self._unplaced = count

    @property
    def is_complete(self) -> bool:
        return not self._unplaced

    def find_in(self, contents: Contents) -> None:
        """Place what is still nowhere as this table places it."""
        if self.is_complete:
            return
        source, unplaced = len(self._columns), self._unplaced
        for start in range(0, len(contents), _BLOCK):
            digests = contents.digests[start * DIGEST_BYTES : (start + _BLOCK) * DIGEST_BYTES]
            if self._find_row(digests, source, start):
                continue
            for position, digest in enumerate(Digests(digests).plain(), start):
                number = self._number(digest)
                if number >= 0 and self._source[number] == _NOWHERE:
                    self._source[number], self._position[number] = source, position
                    self._unplaced -= 1
        if self._unplaced < unplaced:
            self._columns.append(contents)

    def _find_row(self, digests: bytes | bytearray, source: int, first: int) -> bool:
        """Place many neighbours at once, where they are what follows and still nowhere; False when they are not."""
        at, count = self._last + 1, len(digests) // DIGEST_BYTES
        rows = slice(at, at + count)
        if self._digests[at * DIGEST_BYTES : (at + count) * DIGEST_BYTES] != digests:
            return False
        if self._source[rows].count(_NOWHERE) < count:
            return False
        self._source[rows] = array("i", [source]) * count
        self._position[rows] = array("I", range(first, first + count))
        self._unplaced -= count
        self._last += count
        return True

    def put(self, contents: Contents) -> None:
        """Place contents anew."""
        for position, digest in enumerate(Digests(contents.digests).plain(), start=len(self._new)):
            number = self._number(digest)
            self._unplaced -= self._source[number] == _NOWHERE
            self._source[number], self._position[number] = 0, position
        self._new.extend(contents)

    def withdraw(self, digests: Iterable[Digest]) -> None:
        """These are nowhere after all."""
        for digest in digests:
            number = self._number(digest)
            self._unplaced += self._source[number] != _NOWHERE
            self._source[number] = _NOWHERE

    def lacking(self) -> array[int]:
        """Positions among the entries of contents that are nowhere, once each, where they first come."""
        positions = array("I")
        if len(self._source) == len(self._entries):  # each entry is a content of its own
            positions.extend(at for at, source in enumerate(self._source) if source == _NOWHERE)
            return positions
        new = 0
        for at, kind in enumerate(self._entries.types):
            if kind >= FILES or new == len(self._source):
                continue
            digest = self._entries.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]
            if digest == self._digests[new * DIGEST_BYTES : (new + 1) * DIGEST_BYTES]:
                if self._source[new] == _NOWHERE:
                    positions.append(at)
                new += 1
        return positions

    def _number(self, digest: bytes) -> int:
        """A content's number; -1 for one that is not wanted. Neighbours are asked for one after another."""
        following = (self._last + 1) * DIGEST_BYTES
        if self._digests[following : following + DIGEST_BYTES] == digest:
            self._last += 1
            return self._last
        if self._index is None:
            self._index = DigestIndex(self._digests)
        number = self._index.find(digest)
        if number >= 0:
            self._last = number
        return number

    def contents(self) -> Iterator[Content]:
        """Those that are placed, one by one."""
        for source, position in zip(self._source, self._position, strict=True):
            if source != _NOWHERE:
                yield self._columns[source][position]

    def columns(self) -> Contents:
        """Those that are placed, in order."""
        made = Contents()
        for source, first, count in self._runs():
            if count < _LONG_RUN:
                for position in range(first, first + count):
                    made.append(self._columns[source][position])
                continue
            for start in range(first, first + count, _LONG_BLOCK):  # what is taken is there twice for a moment
                made.extend(self._columns[source].take(range(start, min(start + _LONG_BLOCK, first + count))))
        return made

    def _runs(self) -> Iterator[tuple[int, int, int]]:
        """Neighbours of one table: its number, the first position, how many."""
        source, first, count = _NOWHERE, 0, 0
        for where, position in zip(self._source, self._position, strict=True):
            if where == source and position == first + count:
                count += 1
                continue
            if source != _NOWHERE:
                yield source, first, count
            source, first, count = where, position, 1
        if source != _NOWHERE:
            yield source, first, count


def _once(digests: Digests) -> bytes:
    """Each once, in order of first use."""
    several = repeated(digests)
    if not several:
        return bytes(digests.raw)
    seen: set[bytes] = set()
    kept = bytearray()
    for digest in digests.plain():
        if digest in several:
            if digest in seen:
                continue
            seen.add(digest)
        kept += digest
    return bytes(kept)
