"""One dataset that is being added, as it is taken in: what was found of it, and what is known of its bytes by now."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Final

from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.compact import Texts
from lobsterdv.digest import DIGEST_BYTES, Digest
from lobsterdv.formats.entries import FILES, Entries, EntryType
from lobsterdv.index.rows import CHECKSUM_BYTES, FIELDS, SeenFile, SeenFiles
from lobsterdv.index.seen import Seen
from lobsterdv.paths import SafeRelPath
from lobsterdv.signature import Signature
from lobsterdv.worktree.scan import Finds, Found

_READ: Final = 2


@dataclass
class Addition:
    """One dataset on its way: what was found of it, which files' bytes are known, and the rest of a directory of which
    only parts are added (``carried``).

    Columns by position in ``found``: ``known`` is not 0 where the digest and the checksum count, and _READ where the
    file was read now. A dataset that is a file has the one path ''.
    """

    path: SafeRelPath
    place: Path
    is_directory: bool
    found: Finds
    memory: Seen | None = None
    is_unchanged: bool = False
    linked: dict[str, Path] = field(default_factory=dict)
    handed: dict[str, int | None] = field(default_factory=dict)
    """Files that become the cache's own, and the mode they had, once they are handed over."""
    shared_files: int = 0
    carried: Entries | None = None
    carried_files: SeenFiles | None = None
    known: bytearray = field(default_factory=bytearray)
    digests: bytearray = field(default_factory=bytearray)
    checksums: bytearray = field(default_factory=bytearray)
    read_files: int = 0
    read_bytes: int = 0

    def source(self, item: Found) -> Path:
        """Where a file's bytes are: in its place, or in the cache, when it is a link that checkout made."""
        return self.linked.get(item.path) or (self.place / item.path if item.path else self.place)

    def is_small(self, item: Found) -> bool:
        """True for a file that rests in a pack."""
        return self.is_directory and item.signature.size < SMALL_BYTES and item.path not in self.linked

    def unread(self) -> Iterator[int]:
        """Positions of the files that must be read; none of an unchanged dataset."""
        if self.is_unchanged:
            return
        for at, (code, is_known) in enumerate(zip(self.found.types, self.known, strict=True)):
            if code < FILES and not is_known:
                yield at

    @property
    def unread_bytes(self) -> int:
        return sum(map(self.found.size, self.unread()))

    @property
    def unread_files(self) -> int:
        return sum(1 for _ in self.unread())

    @property
    def copied_bytes(self) -> int:
        """Of these, those that are written once more."""
        found = self.found
        return sum(found.size(at) for at in self.unread() if not self.handed or found.paths[at] not in self.handed)

    @property
    def is_executable(self) -> bool:
        return not self.is_directory and self.found[0].type is EntryType.EXECUTABLE

    def keep(self, at: int, kept: SeenFile) -> None:
        """A file was read."""
        self.known[at] = _READ
        self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES] = kept.digest
        self.checksums[at * CHECKSUM_BYTES : (at + 1) * CHECKSUM_BYTES] = kept.checksum
        self.found.numbers[at * FIELDS : (at + 1) * FIELDS] = array("q", kept.signature)
        self.read_files += 1
        self.read_bytes += kept.signature.size

    def record(self, path: str) -> SeenFile:
        """What is remembered of a file that was read."""
        at = self._position(path)
        return SeenFile(
            self.found.signature(at),
            Digest(bytes(self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES])),
            bytes(self.checksums[at * CHECKSUM_BYTES : (at + 1) * CHECKSUM_BYTES]),
        )

    def touched(self, path: str, signature: Signature) -> None:
        """A file that was read has another signature since, and the same bytes."""
        at = self._position(path)
        self.found.numbers[at * FIELDS : (at + 1) * FIELDS] = array("q", signature)

    def read_paths(self) -> Iterator[str]:
        """The files that were read now."""
        return compress(self.found.paths, (state == _READ for state in self.known))

    def read_again(self, path: str) -> None:
        """A file whose bytes are known shall be read all the same."""
        self.known[self._position(path)] = 0

    def _position(self, path: str) -> int:
        return bisect_left(self.found.paths, path)

    def entries(self) -> Entries:
        """All entries of the version, sorted, once everything is read."""
        found = self.found
        sizes = array("Q", found.numbers[2::FIELDS])
        for at in found.others:
            sizes[at] = 0
        targets = {at: target for at, target in found.others.items() if target}
        entries = Entries(Texts.of(found.paths), bytes(found.types), sizes, bytes(self.digests), targets)
        return self.carried.merged(entries) if self.carried is not None else entries

    def seen(self, saved_ns: int, digest: Digest) -> Seen:
        """All of it as the index remembers it. What was known and what was found is let go: of a million files both
        weigh 200 MB, beside what is written."""
        seen = Seen(saved_ns, digest, self.rows(), self.others())
        self.memory, self.found, self.carried, self.carried_files = None, Finds(), None, None
        return seen

    def rows(self) -> SeenFiles:
        """All files as the index remembers them, once everything is read."""
        found = self.found
        numbers = memoryview(found.numbers)
        rows = SeenFiles(Texts.of(found.paths), numbers, memoryview(self.digests), memoryview(self.checksums))
        rows = rows.without(sorted(found.others)) if found.others else rows
        return self.carried_files.merged(rows) if self.carried_files is not None else rows

    def others(self) -> dict[str, str]:
        """Links and empty folders, as the index remembers them."""
        carried = self.carried.others() if self.carried is not None else {}
        return carried | {self.found.paths[at]: target for at, target in self.found.others.items()}
