"""add --move: which files of an addition become the cache's own, and what is left to do once they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from lobsterdv import durable
from lobsterdv.blobs.handover import hand_over, refuse_to_share
from lobsterdv.blobs.intake import Intake
from lobsterdv.digest import Digest
from lobsterdv.formats.listing import EntryType
from lobsterdv.index.rows import SeenFile
from lobsterdv.ops.addition import Addition
from lobsterdv.ops.context import Project
from lobsterdv.signature import signature_of
from lobsterdv.worktree.scan import Found


def can_be_shared(addition: Addition, item: Found) -> bool:
    """Small files of directories rest in packs; an executable one may not share its mode with the cache."""
    return (
        item.type is EntryType.FILE
        and item.signature.size > 0
        and item.path not in addition.linked
        and not addition.is_small(item)
    )


def not_shared(project: Project, addition: Addition) -> list[str]:
    """Files that the index vouches for and that could be the cache's own, but are not. Two stats each."""
    memory = addition.memory
    return [
        item.path
        for item in addition.found
        if memory is not None
        and can_be_shared(addition, item)
        and (known := memory.trusts(item.path, item.signature)) is not None
        and not _is_cached(project, addition.source(item), known.digest)
    ]


def choose(project: Project, addition: Addition) -> None:
    """Note which unread files are to be handed over. Raises Refused or Busy, before any is touched."""
    for item in map(addition.found.__getitem__, addition.unread()):
        if can_be_shared(addition, item):
            refuse_to_share(project.cache, addition.source(item), name=_name(addition, item.path))
            addition.handed[item.path] = None


def share(
    project: Project, addition: Addition, intake: Intake, item: Found, *, progress: Callable[[int], None]
) -> SeenFile:
    """Hand one file over, and note its mode for ``give_back``."""
    source = addition.source(item)
    name = _name(addition, item.path)
    done = hand_over(project.cache, intake, source, seen=item.signature, name=name, progress=progress)
    addition.handed[item.path] = done.mode if done.is_shared else None
    return SeenFile(done.kept.signature, done.kept.digest, done.kept.checksum)


def settle(project: Project, addition: Addition) -> None:
    """After the batch was committed, which changed the files' ctime: remember them as they are now, and count those
    that are the cache's own."""
    for path, mode in addition.handed.items():
        known, place = addition.record(path), _place(addition, path)
        with durable.translating(place):
            if not _is_cached(project, place, known.digest):
                _set_mode(place, mode)  # another process kept the same bytes at the same time
            else:
                addition.shared_files += 1
            now = signature_of(place.lstat())
        if now[:4] == known.signature[:4]:
            addition.touched(path, now)


def give_back(additions: Iterable[Addition]) -> None:
    """After the batch failed: files that did not become the cache's are as writable as they were."""
    for addition in additions:
        for path, mode in addition.handed.items():
            _set_mode(_place(addition, path), mode)


def _set_mode(place: Path, mode: int | None) -> None:
    try:
        if mode is not None and place.lstat().st_nlink == 1:
            os.chmod(place, mode)
    except OSError:
        pass  # it is gone, or on a disk that failed: the error that brought us here is the news


def _is_cached(project: Project, place: Path, digest: Digest) -> bool:
    try:
        return os.path.samestat(place.lstat(), project.cache.plain_path(digest).lstat())
    except FileNotFoundError:
        return False


def _place(addition: Addition, path: str) -> Path:
    return addition.place / path if path else addition.place


def _name(addition: Addition, path: str) -> str:
    return f"{addition.path}/{path}" if path else addition.path
