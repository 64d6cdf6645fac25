"""Writing a checkout's new files, verified and synced, into its staging folder. The work tree is not touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from lobsterdv import durable, workers
from lobsterdv.digest import checksum_of
from lobsterdv.events import Advanced, Observer
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.index.rows import SeenFile
from lobsterdv.ops.context import Project
from lobsterdv.ops.plan import Plan
from lobsterdv.signature import signature_of

_BATCH: Final = 128
_LARGE_BYTES: Final = 32 << 20  # files from here on tell their progress themselves


def stage_files(
    project: Project, plan: Plan, stage: Path, *, mtime_ns: int, whole: bool, observer: Observer
) -> list[tuple[str, Entry]]:
    """Every new file, verified, in the staging folder: as the whole tree, or numbered when a tree is there."""
    jobs: list[tuple[str, Entry]] = []
    made = {str(stage)}
    with durable.translating(stage):
        if whole:
            (stage / "tree").mkdir(exist_ok=True)
        for number, entry in enumerate(plan.write):
            path = f"{stage}/tree/{entry.path}" if whole else f"{stage}/{number}"
            folder = path if entry.type is EntryType.FOLDER and whole else path.rpartition("/")[0]
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            jobs.append((path, entry))

    def write(batch: list[tuple[str, Entry]]) -> None:
        for path, entry in batch:
            try:
                if entry.target is not None:
                    os.symlink(entry.target, path)
                elif entry.digest is not None:
                    checksum = _write_file(project, plan, path, entry, mtime_ns, observer)
                    plan.right[entry.path] = SeenFile(signature_of(os.lstat(path)), entry.digest, checksum)
            except OSError:
                with durable.translating(plan.place / entry.path if entry.path else plan.place):
                    raise
        small = [entry.size for _, entry in batch if entry.size < _LARGE_BYTES]
        observer(Advanced("checking out", sum(small), len(batch)))

    for _ in workers.each(write, _batches(jobs), jobs=min(2, project.jobs)):
        pass
    files = [Path(path) for path, entry in jobs if entry.is_file]
    durable.sync_all(files, jobs=8, together=stage)
    return jobs


def _write_file(project: Project, plan: Plan, path: str, entry: Entry, mtime_ns: int, observer: Observer) -> bytes:
    """One file by the first configured way that works here; returns its checksum."""
    assert entry.digest is not None
    name = f"{plan.dataset}/{entry.path}" if entry.path else plan.dataset
    executable = entry.type is EntryType.EXECUTABLE
    for link in project.config.links:
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
            return known[1] if known else b""
        if link in ("reflink", "copy"):
            break
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777 if executable else 0o666)
    try:
        data = project.cache.read_packed(entry.digest, name=name)
        if data is not None:
            view = memoryview(data)
            while view:  # a disk that is nearly full takes a part, and says so only the next time
                view = view[os.write(descriptor, view) :]
            checksum = checksum_of(data)
        else:
            reflink = "reflink" in project.config.links
            tell = partial(_tell, observer) if entry.size >= _LARGE_BYTES else None
            _, checksum = project.cache.copy_out(entry.digest, descriptor, name=name, reflink=reflink, progress=tell)
        os.utime(descriptor, ns=(mtime_ns, mtime_ns))
    finally:
        os.close(descriptor)
    return checksum


def _tell(observer: Observer, new_bytes: int) -> None:
    observer(Advanced("checking out", new_bytes))


def _batches(jobs: list[tuple[str, Entry]]) -> Iterator[list[tuple[str, Entry]]]:
    for start in range(0, len(jobs), _BATCH):
        yield jobs[start : start + _BATCH]
