"""What changed in a dataset since a version: stats first, bytes only where a stat cannot be trusted."""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from lobsterdv import durable
from lobsterdv.digest import Digest, Hasher
from lobsterdv.errors import ChangedMeanwhile
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.paths import SafeRelPath
from lobsterdv.signature import Signature, signature_of
from lobsterdv.worktree.scan import Found

_STEP_BYTES = 8 << 20


class Known(Protocol):
    """A file as the index remembers it (``index.seen.SeenFile``)."""

    @property
    def signature(self) -> Signature: ...
    @property
    def digest(self) -> Digest: ...
    @property
    def checksum(self) -> bytes: ...


class Memory(Protocol):
    """What the index remembers of a dataset (``index.seen.Seen``)."""

    @property
    def files(self) -> Mapping[str, Known]: ...
    def trusts(self, path: str, signature: Signature) -> Known | None: ...


class Read(NamedTuple):
    """A file whose bytes were read now."""

    signature: Signature
    digest: Digest
    checksum: bytes


@dataclass
class Changes:
    """Paths by what happened to them since the version; ``read`` are the files whose bytes were looked at."""

    modified: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    read: dict[str, Read] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.modified or self.new or self.deleted)

    def paths(self) -> list[str]:
        return sorted([*self.modified, *self.new, *self.deleted])


def look(
    root: Path,
    found: Iterable[Found],
    version: Mapping[str, Entry],
    memory: Memory | None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Changes:
    """Compare what was found at ``root`` with a version's entries (by path; a file dataset has the path '').

    A file whose signature is trusted costs nothing; one of another size is modified without reading.
    Raises ChangedMeanwhile, LocalIOError.
    """
    changes = Changes()
    present = set()
    for item in found:
        present.add(item.path)
        entry = version.get(item.path)
        if entry is None:
            changes.new.append(item.path)
        elif (
            item.type is not entry.type
            or item.target != entry.target
            or (entry.digest is not None and not _same(root, item, entry, memory, changes, progress))
        ):
            changes.modified.append(item.path)
    changes.deleted.extend(path for path in version if path not in present)
    return changes


def _same(
    root: Path,
    item: Found,
    entry: Entry,
    memory: Memory | None,
    changes: Changes,
    progress: Callable[[int], None] | None,
) -> bool:
    if memory is not None and (known := memory.trusts(item.path, item.signature)):
        return known.digest == entry.digest
    if item.signature.size != entry.size:
        return False
    read = read_file(root / item.path if item.path else root, progress=progress)
    changes.read[item.path] = read
    return read.digest == entry.digest


def read_file(path: Path, *, progress: Callable[[int], None] | None = None) -> Read:
    """Hash a file of the user's. Raises ChangedMeanwhile when it changed meanwhile, LocalIOError.

    A link is followed: the only ones that get here lead into the cache (``see_through``), and nothing is written.
    """
    with durable.translating(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            stat = os.fstat(descriptor)
            if not stat_module.S_ISREG(stat.st_mode):
                raise ChangedMeanwhile(str(path))
            before = signature_of(stat)
            hasher = Hasher()
            while data := os.read(descriptor, _STEP_BYTES):
                hasher.update(data)
                if progress:
                    progress(len(data))
            if signature_of(os.fstat(descriptor)) != before or hasher.size != before.size:
                raise ChangedMeanwhile(str(path))
        finally:
            os.close(descriptor)
    return Read(before, hasher.digest(), hasher.checksum())


def entries_by_path(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Entries of a listing as ``look`` wants them."""
    return {entry.path: entry for entry in entries}


def file_entry(digest: Digest, size: int, *, executable: bool = False) -> Entry:
    """The one entry of a dataset that is a file. Its path is empty, which no listing may contain."""
    return Entry(SafeRelPath(""), EntryType.EXECUTABLE if executable else EntryType.FILE, size, digest)
