"""Writing a checkout's new files, verified and synced, into its staging folder. The work tree is not touched."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, overload

from lobsterdv import durable, workers
from lobsterdv.digest import checksum_of
from lobsterdv.events import Advanced, Observer
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.index.rows import SeenFile
from lobsterdv.ops.context import Project
from lobsterdv.ops.plan import Plan
from lobsterdv.signature import Signature, signature_of
from lobsterdv.writing import write_all

_BATCH: Final = 128
_LARGE_BYTES: Final = 32 << 20  # files from here on tell their progress themselves


class Staged:
    """The new files of a plan and where they are staged: as the whole tree, or numbered when a tree is there."""

    def __init__(self, plan: Plan, stage: Path, *, whole: bool) -> None:
        self._entries = plan.write
        self._stage = stage
        self._whole = whole

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        for number, entry in enumerate(self._entries):
            yield f"{self._stage}/tree/{entry.path}" if self._whole else f"{self._stage}/{number}", entry


def stage_files(project: Project, plan: Plan, stage: Path, *, mtime_ns: int, whole: bool, observer: Observer) -> Staged:
    """Write every new file, verified, into the staging folder."""
    staged = Staged(plan, stage, whole=whole)
    links = project.config.links
    made = {str(stage): None}  # what is there; the rest is to be synced

    def jobs() -> Iterator[tuple[str, Entry]]:
        for path, entry in staged:
            folder = path if entry.type is EntryType.FOLDER and whole else path.rpartition("/")[0]
            if folder not in made:
                with durable.translating(stage):
                    os.makedirs(folder, exist_ok=True)
                made.update(_folders(folder, stage))
            yield path, entry

    def write(batch: list[tuple[str, Entry]]) -> list[tuple[str, SeenFile]]:
        rows: list[tuple[str, SeenFile]] = []
        for path, entry in batch:
            try:
                if entry.target is not None:
                    os.symlink(entry.target, path)
                elif entry.digest is not None:
                    signature, checksum = _write_file(project, plan, path, entry, links, mtime_ns, observer)
                    rows.append((entry.path, SeenFile(signature, entry.digest, checksum)))
            except OSError:
                with durable.translating(plan.place / entry.path if entry.path else plan.place):
                    raise
        small = [entry.size for _, entry in batch if entry.size < _LARGE_BYTES]
        observer(Advanced("checking out", sum(small), len(batch)))
        return rows

    if whole:
        with durable.translating(stage):
            (stage / "tree").mkdir(exist_ok=True)
    for rows in workers.each(write, _batches(jobs()), jobs=min(2, project.jobs)):
        plan.right.update(rows)
    durable.sync_all(_Synced(staged, plan.write.files, [*made][1:]), jobs=8, together=stage)
    return staged


def _folders(folder: str, stage: Path) -> Iterator[tuple[str, None]]:
    """A folder in the stage and those above it, which were made with it."""
    while folder != str(stage):
        yield folder, None
        folder = folder.rpartition("/")[0]


class _Synced(Sequence[Path]):
    """The paths of the staged regular files, each made when it is asked for, and the folders that hold their names."""

    def __init__(self, staged: Staged, count: int, folders: Sequence[str]) -> None:
        self._staged = staged
        self._count = count
        self._folders = folders

    def __len__(self) -> int:
        return self._count + len(self._folders)

    def __iter__(self) -> Iterator[Path]:
        yield from (Path(path) for path, entry in self._staged if entry.is_file)
        yield from map(Path, self._folders)

    @overload
    def __getitem__(self, at: int) -> Path: ...
    @overload
    def __getitem__(self, at: slice) -> list[Path]: ...
    def __getitem__(self, at: int | slice) -> Path | list[Path]:
        return list(self)[at]


def _write_file(
    project: Project, plan: Plan, path: str, entry: Entry, links: Sequence[str], mtime_ns: int, observer: Observer
) -> tuple[Signature, bytes]:
    """One file by the first of the configured ways, ``links``, that works here; returns what it is then, and its
    checksum."""
    assert entry.digest is not None
    name = f"{plan.dataset}/{entry.path}" if entry.path else plan.dataset
    executable = entry.type is EntryType.EXECUTABLE
    for link in links:
        if link in ("hardlink", "symlink") and not executable and entry.size and project.cache.is_plain(entry.digest):
            source = project.cache.verified_path(entry.digest, name=name)
            try:
                if link == "hardlink":
                    os.link(source, path)
                    project.cache.relinked(entry.digest)
                else:
                    os.symlink(source, path)
            except OSError:
                continue  # too many links, another file system: the next way
            known = project.cache.ledger.look_up(entry.digest.hex())
            return signature_of(os.lstat(path)), known[1] if known else b""
        if link in ("reflink", "copy"):
            break
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777 if executable else 0o666)
    try:
        data = project.cache.read_packed(entry.digest, name=name)
        if data is not None:
            write_all(descriptor, data)
            checksum = checksum_of(data)
        else:
            reflink = "reflink" in links
            tell = partial(_tell, observer) if entry.size >= _LARGE_BYTES else None
            _, checksum = project.cache.copy_out(entry.digest, descriptor, name=name, reflink=reflink, progress=tell)
        os.utime(descriptor, ns=(mtime_ns, mtime_ns))
        return signature_of(os.fstat(descriptor)), checksum
    finally:
        os.close(descriptor)


def _tell(observer: Observer, new_bytes: int) -> None:
    observer(Advanced("checking out", new_bytes))


def _batches(jobs: Iterator[tuple[str, Entry]]) -> Iterator[list[tuple[str, Entry]]]:
    while batch := list(islice(jobs, _BATCH)):
        yield batch
