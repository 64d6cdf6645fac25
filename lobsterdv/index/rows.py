"""Files as they were when last read, a row each, in sorted columns: 100 bytes and the path, where a dict of records
takes 700. Nothing here knows the database."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Final, NamedTuple

from lobsterdv.compact import Texts, interleaved, remaining
from lobsterdv.digest import DIGEST_BYTES, Digest
from lobsterdv.signature import Signature

CHECKSUM_BYTES: Final = 16
FIELDS: Final = 5
"""Numbers of a signature."""
_ROW: Final = 8 * FIELDS


class SeenFile(NamedTuple):
    """A file as it was when it was last read."""

    signature: Signature
    digest: Digest
    checksum: bytes


class SeenFiles(Mapping[str, SeenFile]):
    """Rows sorted by path, never changed; a record is built when it is asked for, soonest when they are asked for in
    order."""

    def __init__(
        self, paths: Texts, numbers: memoryview[int], digests: bytes | memoryview, checksums: bytes | memoryview
    ) -> None:
        self.paths = paths
        self.numbers = numbers
        self.digests = digests
        self.checksums = checksums
        self._last = -1

    @classmethod
    def of(cls, files: Mapping[str, SeenFile]) -> SeenFiles:
        """Any files as columns."""
        if isinstance(files, SeenFiles):
            return files
        if isinstance(files, SeenTable):
            return files.rows()
        table = SeenTable()
        table.update(files)
        return table.rows()

    def __getitem__(self, path: str) -> SeenFile:
        return self.at(self.position(path))

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __contains__(self, path: object) -> bool:
        try:
            return isinstance(path, str) and self.position(path) >= 0
        except KeyError:
            return False

    def position(self, path: str) -> int:
        """Where a path stands. Raises KeyError."""
        following = self._last + 1
        if not (following < len(self.paths) and self.paths[following] == path):
            following = self.paths.find(path)
            if following < 0:
                raise KeyError(path)
        self._last = following
        return following

    def at(self, position: int) -> SeenFile:
        """The record at a position."""
        return SeenFile(
            Signature(*self.row(position)),
            Digest(bytes(self.digests[position * DIGEST_BYTES : (position + 1) * DIGEST_BYTES])),
            bytes(self.checksums[position * CHECKSUM_BYTES : (position + 1) * CHECKSUM_BYTES]),
        )

    def row(self, position: int) -> memoryview[int]:
        """The numbers of one signature."""
        return self.numbers[position * FIELDS : (position + 1) * FIELDS]

    def merged(self, more: SeenFiles) -> SeenFiles:
        """These and those of ``more``, also in the place of old ones."""
        return _joined(part for old, new in interleaved(self.paths, more.paths) for part in ((self, old), (more, new)))

    def without(self, positions: Iterable[int]) -> SeenFiles:
        """These without the ones at ``positions``, which ascend."""
        return _joined((self, rows) for rows in remaining(len(self), positions))

    def without_signatures(self, positions: Iterable[int]) -> SeenFiles:
        """The same, but at these positions no signature that any file could have."""
        numbers = array("q", self.numbers)
        for at in positions:
            numbers[at * FIELDS : (at + 1) * FIELDS] = array("q", bytes(_ROW))
        return SeenFiles(self.paths, memoryview(numbers), self.digests, self.checksums)


class SeenTable(MutableMapping[str, SeenFile]):
    """Rows that may be replaced; 180 bytes each while they come sorted by path and nobody asks for one, 290 then."""

    def __init__(self) -> None:
        self._paths: list[str] = []
        self._numbers = array("q")
        self._digests = bytearray()
        self._checksums = bytearray()
        self._positions: dict[str, int] | None = None

    def __setitem__(self, path: str, known: SeenFile) -> None:
        checksum = known.checksum.ljust(CHECKSUM_BYTES, b"\0")
        at = None
        if self._positions is not None or (self._paths and self._paths[-1] >= path):
            at = self._by_path().setdefault(str(path), len(self._paths))
        if at is None or at == len(self._paths):
            self._paths.append(str(path))
            self._numbers.extend(known.signature)
            self._digests += known.digest
            self._checksums += checksum
        else:
            self._numbers[at * FIELDS : (at + 1) * FIELDS] = array("q", known.signature)
            self._digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES] = known.digest
            self._checksums[at * CHECKSUM_BYTES : (at + 1) * CHECKSUM_BYTES] = checksum

    def __getitem__(self, path: str) -> SeenFile:
        at = self._by_path()[path]
        return SeenFile(
            Signature(*self._numbers[at * FIELDS : (at + 1) * FIELDS]),
            Digest(bytes(self._digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES])),
            bytes(self._checksums[at * CHECKSUM_BYTES : (at + 1) * CHECKSUM_BYTES]),
        )

    def __delitem__(self, path: str) -> None:
        del self._by_path()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths if self._positions is None else self._positions)

    def __len__(self) -> int:
        return len(self._paths if self._positions is None else self._positions)

    def rows(self) -> SeenFiles:
        """All of them as sorted columns."""
        if self._positions is None:
            numbers = memoryview(self._numbers[:])
            return SeenFiles(Texts.of(self._paths), numbers, bytes(self._digests), bytes(self._checksums))
        paths = sorted(self._positions)
        order = [self._positions[path] for path in paths]
        moved = bytearray()
        with memoryview(self._numbers) as items, items.cast("B") as view:
            for at in order:
                moved += view[at * _ROW : (at + 1) * _ROW]
        return SeenFiles(
            Texts.of(paths),
            memoryview(moved).cast("q"),
            _picked(self._digests, order, DIGEST_BYTES),
            _picked(self._checksums, order, CHECKSUM_BYTES),
        )

    def _by_path(self) -> dict[str, int]:
        if self._positions is None:
            self._positions = {path: at for at, path in enumerate(self._paths)}
        return self._positions


def _joined(parts: Iterable[tuple[SeenFiles, slice]]) -> SeenFiles:
    paths, numbers, digests, checksums = bytearray(), bytearray(), bytearray(), bytearray()
    for files, rows in parts:
        start, end = rows.start, rows.stop
        if start < end:
            paths += files.paths[start:end].bytes
            numbers += files.numbers[start * FIELDS : end * FIELDS].cast("B")
            digests += files.digests[start * DIGEST_BYTES : end * DIGEST_BYTES]
            checksums += files.checksums[start * CHECKSUM_BYTES : end * CHECKSUM_BYTES]
    return SeenFiles(Texts(bytes(paths)), memoryview(numbers).cast("q"), bytes(digests), bytes(checksums))


def _picked(data: bytearray, order: Iterable[int], width: int) -> bytes:
    picked = bytearray()
    for at in order:
        picked += data[at * width : (at + 1) * width]
    return bytes(picked)
