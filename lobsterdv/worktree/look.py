"""What changed in a dataset since a version: stats first, bytes only where a stat cannot be trusted."""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from lobsterdv import durable
from lobsterdv.digest import DIGEST_BYTES, Digest, Hasher
from lobsterdv.errors import ChangedMeanwhile
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.signature import Signature, signature_of
from lobsterdv.worktree.scan import Finds

_STEP_BYTES = 8 << 20
_BLOCK = 256  # rows that are compared at once where nothing changed


class Memory(Protocol):
    """What the index remembers of a dataset (``index.seen.Seen``)."""

    def vouched(self, found: Finds) -> tuple[bytearray, bytearray]: ...


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
    found: Finds,
    version: Entries,
    memory: Memory | None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Changes:
    """Compare what was found at ``root`` with a version's entries, both sorted (a file dataset has the path '').

    A file whose signature is trusted costs nothing; one of another size is modified without reading.
    Raises ChangedMeanwhile, LocalIOError.
    """
    changes = Changes()
    trusted, digests = memory.vouched(found) if memory is not None else (bytearray(len(found)), bytearray())

    def is_same(at: int, entry: Entry) -> bool:
        item = found[at]
        if item.type is not entry.type or item.target != entry.target:
            return False
        if entry.digest is None:
            return True
        if trusted[at]:
            return bytes(digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]) == entry.digest
        if item.signature.size != entry.size:
            return False
        read = changes.read[item.path] = read_file(root / item.path if item.path else root, progress=progress)
        return read.digest == entry.digest

    at = row = 0
    while at < len(found) or row < len(version):
        count = min(_BLOCK, len(found) - at, len(version) - row)
        if (
            count > 0
            and trusted[at : at + count] == b"\1" * count
            and found.types[at : at + count] == version.types[row : row + count]
            and digests[at * DIGEST_BYTES : (at + count) * DIGEST_BYTES]
            == version.digests[row * DIGEST_BYTES : (row + count) * DIGEST_BYTES]
            and found.paths[at : at + count] == version.paths.block(row, row + count)
        ):
            at, row = at + count, row + count
            continue
        for _ in range(max(count, 1)):
            path = found.paths[at] if at < len(found) else None
            entry_path = version.paths[row] if row < len(version) else None
            if path is None or (entry_path is not None and entry_path < path):
                if entry_path is None:
                    break
                changes.deleted.append(entry_path)
                row += 1
            elif entry_path is None or path < entry_path:
                changes.new.append(path)
                at += 1
            else:
                if not is_same(at, version[row]):
                    changes.modified.append(path)
                at, row = at + 1, row + 1
    return changes


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
