"""Where each content of a version lies, as far as that is known: in the columns of an older table, or newly placed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from lobsterdv.digest import Digest, Digests
from lobsterdv.formats.contents import Content, Contents
from lobsterdv.formats.entries import FILES, Entries

_NOWHERE = -1
_LONG_RUN = 8


class Placement:
    """The contents of ``entries``, numbered in order of first use. One thread at a time."""

    def __init__(self, entries: Entries) -> None:
        self._numbers: dict[bytes, int] = {}
        for kind, digest in zip(entries.types, Digests(entries.digests).plain(), strict=True):
            if kind < FILES:
                self._numbers.setdefault(digest, len(self._numbers))
        self._source = array("h", [_NOWHERE]) * len(self._numbers)
        self._position = array("I", [0]) * len(self._numbers)
        self._new = Contents()
        self._columns = [self._new]
        self._unplaced = len(self._numbers)

    @property
    def is_complete(self) -> bool:
        return not self._unplaced

    def find_in(self, contents: Contents) -> None:
        """Place what is still nowhere as this table places it."""
        if self.is_complete:
            return
        source = len(self._columns)
        self._columns.append(contents)
        for position, digest in enumerate(Digests(contents.digests).plain()):
            number = self._numbers.get(digest)
            if number is not None and self._source[number] == _NOWHERE:
                self._source[number], self._position[number] = source, position
                self._unplaced -= 1

    def put(self, contents: Contents) -> None:
        """Place contents anew."""
        for position, digest in enumerate(Digests(contents.digests).plain(), start=len(self._new)):
            number = self._numbers[digest]
            self._unplaced -= self._source[number] == _NOWHERE
            self._source[number], self._position[number] = 0, position
        self._new.extend(contents)

    def withdraw(self, digests: Iterable[Digest]) -> None:
        """These are nowhere after all."""
        for digest in digests:
            number = self._numbers[digest]
            self._unplaced += self._source[number] != _NOWHERE
            self._source[number] = _NOWHERE

    def lacks(self, digest: bytes) -> bool:
        return self._source[self._numbers[digest]] == _NOWHERE

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
            else:
                made.extend(self._columns[source].take(range(first, first + count)))
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
