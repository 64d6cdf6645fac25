"""The bytes of a dataset that is being added are read: small files in batches, large ones one by one."""

from __future__ import annotations

import errno
import os
import stat as stat_module
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from lobsterdv import durable, workers
from lobsterdv.blobs.intake import Kept
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.digest import Digest, checksum_of, digest_of
from lobsterdv.errors import ChangedMeanwhile, LocalIOError
from lobsterdv.index.rows import SeenFile
from lobsterdv.ops.addition import Addition
from lobsterdv.ops.context import Project
from lobsterdv.signature import Signature, signature_of
from lobsterdv.worktree.ground import stands_at
from lobsterdv.worktree.scan import Finds, Found

_NO_FILE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EAGAIN})
"""What tells that no file lies any more where one was seen: nothing, a folder, a link, a socket, a pipe."""
_BATCH_BYTES: Final = 4 << 20
_BATCH_FILES: Final = 256
_SLOW_SECONDS: Final = 0.0003
_Rows = list[tuple[int, bytes, SeenFile]]


class Keeper(Protocol):
    """What becomes of the bytes of files that are read: see Intake."""

    def copy_in(
        self, source: Path, *, meant: Callable[[Signature], bool], progress: Callable[[int], None] | None = None
    ) -> Kept: ...
    def keep_verified(self, files: Iterable[tuple[Digest, bytes]]) -> None: ...


def take_in(
    project: Project,
    addition: Addition,
    intake: Keeper,
    *,
    share: Callable[[Found], SeenFile] | None = None,
    progress: Callable[[int], None],
) -> None:
    """Read what must be read into the cache and complete the entries; ``share`` takes the files that are handed over.
    Raises ChangedMeanwhile, LocalIOError."""
    found = addition.found
    big: list[int] = []

    def small() -> Iterator[int]:
        for at in addition.unread():
            is_small = addition.is_directory and found.size(at) < SMALL_BYTES
            if is_small and not (addition.linked and found.paths[at] in addition.linked):
                yield at
            else:
                big.append(at)

    def is_meant(at: int, signature: Signature) -> bool:
        """Whether what was read is the file that was seen, or has taken its place: not what lies behind a link that
        its folder has become."""
        path = found.paths[at]
        if path in addition.linked or (path and signature == found.signature(at)):
            return True
        return stands_at(project.root, f"{addition.path}/{path}" if path else addition.path, signature)

    def read_batch(batch: list[int]) -> _Rows:
        rows = []
        for at in batch:
            path, seen = f"{addition.place}/{found.paths[at]}", found.signature(at)
            data, signature = _read_small(path, seen)
            if signature != seen and not is_meant(at, signature):
                raise ChangedMeanwhile(path)
            rows.append((at, data, SeenFile(signature, digest_of(data), checksum_of(data))))
        return rows

    def copy(at: int) -> tuple[int, SeenFile]:
        if share is not None and found.paths[at] in addition.handed:
            return at, share(found[at])
        source = addition.source(found[at])
        try:
            kept = intake.copy_in(source, meant=partial(is_meant, at), progress=progress)
        except LocalIOError as error:
            if error.errno in _NO_FILE and error.path == str(source):
                raise ChangedMeanwhile(error.path) from error
            raise
        return at, SeenFile(kept.signature, kept.digest, kept.checksum)

    for rows in _spread(project, read_batch, _batches(small(), found)):
        intake.keep_verified((kept.digest, data) for _, data, kept in rows)
        for at, _, kept in rows:
            addition.keep(at, kept)
        progress(sum(len(data) for _, data, _ in rows))
    for at, kept in workers.each(copy, big, jobs=min(4, project.jobs)):
        addition.keep(at, kept)


def _spread(project: Project, read: Callable[[list[int]], _Rows], batches: Iterator[list[int]]) -> Iterator[_Rows]:
    """Read batches of small files: in this thread where a file costs microseconds (threads would only take turns,
    10 % slower, measured), by several threads where the first batch shows that the disk is far away."""
    first = next(batches, None)
    if first is None:
        return
    started = project.now()
    yield read(first)
    is_slow = project.now() - started > _SLOW_SECONDS * len(first)
    yield from workers.each(read, batches, jobs=project.jobs if is_slow else 1)


def _batches(positions: Iterable[int], found: Finds) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for at in positions:
        batch.append(at)
        size += found.size(at)
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read_small(path: str, expected: Signature) -> tuple[bytes, Signature]:
    """A small file's bytes and the signature they were read under; a second try when it changes meanwhile.

    ``expected`` is what the scan saw: equal after the read, nothing changed in between, at the price of one stat.
    """
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in _NO_FILE:
                break
            with durable.translating(Path(path)):
                raise error
        try:
            if expected.size >= SMALL_BYTES:
                break  # it was small when it was scanned
            data = os.read(descriptor, expected.size + 1)
            info = os.fstat(descriptor)
            if not stat_module.S_ISREG(info.st_mode):
                break
            after = signature_of(info)
            if after == expected and len(data) == after.size:
                return data, after
            expected = after
        except OSError as error:
            if error.errno in _NO_FILE:
                break
            with durable.translating(Path(path)):
                raise error
        finally:
            os.close(descriptor)
    raise ChangedMeanwhile(path)
