"""What a directory version consists of: one entry a path, held in columns (80 bytes and the path, where a tuple of
Python objects takes 400). Checks order and types of nothing; ``listing`` and ``table`` do."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple, overload

from lobsterdv.compact import Compact, Texts, interleaved, remaining
from lobsterdv.digest import DIGEST_BYTES, Digest, Digests
from lobsterdv.paths import SafeRelPath

BLOCK: Final = 1024
"""So many entries at once are turned from columns into objects and back."""
_NONE: Final = bytes(DIGEST_BYTES)


class EntryType(Enum):
    FILE = "file"
    EXECUTABLE = "exec"
    LINK = "link"
    FOLDER = "dir"


TYPES: Final = (EntryType.FILE, EntryType.EXECUTABLE, EntryType.LINK, EntryType.FOLDER)
FILES: Final = 2  # codes below it are those of regular files
LINK: Final = 2
_CODES: Final = {kind: code for code, kind in enumerate(TYPES)}


class Entry(NamedTuple):
    """One path of a directory version.

    ``size`` (bytes) and ``digest`` belong to regular files, ``target`` to symlinks. A folder is listed
    only when it is empty.
    """

    path: SafeRelPath
    type: EntryType
    size: int = 0
    digest: Digest | None = None
    target: str | None = None

    @property
    def is_file(self) -> bool:
        return self.digest is not None


class Entries(Compact[Entry]):
    """Entries in columns. ``types`` are positions in TYPES, ``digests`` hold zeros for what is no file, ``targets``
    are by position."""

    __slots__ = ("digests", "paths", "sizes", "targets", "types")

    def __init__(
        self, paths: Texts, types: bytes, sizes: array[int], digests: bytes, targets: Mapping[int, str]
    ) -> None:
        self.paths = paths
        self.types = types
        self.sizes = sizes
        self.digests = digests
        self.targets = targets

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Entries:
        """Any entries as columns, in their order; columns as they are."""
        if isinstance(entries, Entries):
            return entries
        rows = entries if isinstance(entries, Sequence) else list(entries)
        return cls(
            Texts.of(e.path for e in rows),
            bytes(_CODES[e.type] for e in rows),
            array("Q", (e.size for e in rows)),
            b"".join(e.digest or _NONE for e in rows),
            {at: e.target for at, e in enumerate(rows) if e.target is not None},
        )

    @classmethod
    def joined(cls, parts: Iterable[Entries]) -> Entries:
        """All entries of several, one after another; each part is only looked at when its turn comes."""
        paths, types, sizes, digests = bytearray(), bytearray(), array("Q"), bytearray()
        targets: dict[int, str] = {}
        for part in parts:
            targets.update((len(sizes) + at, target) for at, target in part.targets.items())
            paths += part.paths.bytes
            types += part.types
            sizes.extend(part.sizes)
            digests += part.digests
        return cls(Texts(bytes(paths)), bytes(types), sizes, bytes(digests), targets)

    def merged(self, more: Entries) -> Entries:
        """These and those of ``more``, both sorted; where both have a path, that of ``more``."""
        parts = ((self[old], more[new]) for old, new in interleaved(self.paths, more.paths))
        return Entries.joined(part for pair in parts for part in pair)

    def without(self, positions: Iterable[int]) -> Entries:
        """These without the ones at ``positions``, which ascend."""
        return Entries.joined(self[rows] for rows in remaining(len(self), positions))

    def __len__(self) -> int:
        return len(self.types)

    def __iter__(self) -> Iterator[Entry]:
        for start in range(0, len(self), BLOCK):
            end = min(start + BLOCK, len(self))
            rows = zip(self.paths.block(start, end), self.types[start:end], self.sizes[start:end], strict=True)
            for at, (path, code, size) in enumerate(rows, start):
                if code < FILES:
                    yield Entry(SafeRelPath(path), TYPES[code], size, self._digest(at))
                else:
                    yield Entry(SafeRelPath(path), TYPES[code], target=self.targets.get(at))

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> Entries: ...
    def __getitem__(self, at: int | slice) -> Entry | Entries:
        rows = range(len(self))[at]
        if not isinstance(rows, range):
            code, path = self.types[rows], SafeRelPath(self.paths[rows])
            if code < FILES:
                return Entry(path, TYPES[code], self.sizes[rows], self._digest(rows))
            return Entry(path, TYPES[code], target=self.targets.get(rows))
        if rows.step != 1:
            return Entries.of([self[i] for i in rows])
        start, end = rows.start, max(rows.start, rows.stop)
        return Entries(
            self.paths[start:end],
            self.types[start:end],
            self.sizes[start:end],
            self.digests[start * DIGEST_BYTES : end * DIGEST_BYTES],
            {p - start: self.targets[p] for p in self.targets if start <= p < end} if self.targets else {},
        )

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes)

    @property
    def files(self) -> int:
        """How many regular files there are."""
        return self.types.count(0) + self.types.count(1)

    def file_digests(self) -> Digests:
        """The digests of the files, in order."""
        if self.files == len(self):
            return Digests(self.digests)
        return Digests(b"".join(self._raw(at) for at, code in enumerate(self.types) if code < FILES))

    def others(self) -> dict[str, str]:
        """Links with their targets and empty folders with an empty text, by path."""
        if self.files == len(self):
            return {}
        return {self.paths[at]: self.targets.get(at, "") for at, code in enumerate(self.types) if code >= FILES}

    def take(self, positions: Sequence[int]) -> Entries:
        """Those at ``positions``, which ascend."""
        runs: list[slice] = []
        for at in positions:
            if runs and runs[-1].stop == at:
                runs[-1] = slice(runs[-1].start, at + 1)
            else:
                runs.append(slice(at, at + 1))
        return self[runs[0]] if len(runs) == 1 else Entries.joined(self[run] for run in runs)

    def find(self, path: str) -> Entry | None:
        """The entry at a path; these must be sorted."""
        at = self.paths.find(path)
        return None if at < 0 else self[at]

    def below(self, path: str) -> Entries:
        """The entries at or below a path; these must be sorted."""
        return self[self.range_below(path)]

    def range_below(self, path: str) -> slice:
        """Where the entries at or below a path stand; these must be sorted."""
        at = self.paths.find(path)
        if at >= 0:
            return slice(at, at + 1)  # nothing lies below a file, a link or an empty folder
        return slice(bisect_left(self.paths, path + "/"), bisect_left(self.paths, path + "0"))  # 0 follows /

    def _digest(self, at: int) -> Digest:
        return Digest(self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES])

    def _raw(self, at: int) -> bytes:
        return self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]
