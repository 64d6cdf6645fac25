"""Read-only paths into the cache, under names people know: a file under its dataset's name, a directory version as
a derived tree. Made atomically, checked every time they are given out, and rebuilt when anything is off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from lobsterdv import durable
from lobsterdv.blobs.cache import TRUST_SECONDS
from lobsterdv.digest import Digest, checksum_of, digest_of_file
from lobsterdv.errors import CorruptContent, MissingContent, Refused
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.index.rows import SeenFile
from lobsterdv.index.seen import Seen, load_seen, save_seen
from lobsterdv.ops.alone import alone_in
from lobsterdv.ops.context import Project
from lobsterdv.signature import signature_of
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.scan import scan
from lobsterdv.writing import write_all

_MAKING_S: Final = 3600.0
"""How long somebody else's making of the same view is waited for: it copies as many bytes as the version has."""


def view_of(project: Project, digest: Digest, name: str, entries: Sequence[Entry], *, is_directory: bool) -> Path:
    """The path of a version whose content the cache holds; ``name`` is its last part.

    The bytes were verified when the view was made, or in the last 30 days, and its files' signatures are unchanged
    since; else it is made anew. Raises MissingContent, CorruptContent. Several processes may ask at once.
    """
    view = project.cache.views / digest.hex() / name
    known = _unchanged(project, view, digest)
    if known is not None and _is_fresh(project, known):
        return view
    durable.make_folder(view.parent)
    # A view that another has just made is in use: it must not be replaced.
    with alone_in(view.parent, wait_s=_MAKING_S, observer=project.observer):
        known = _unchanged(project, view, digest)
        if known is None or not (_is_fresh(project, known) or _proved(project, view, known)):
            _build(project, view, entries, digest, is_directory=is_directory)
    return view


def _unchanged(project: Project, view: Path, digest: Digest) -> Seen | None:
    """What was noted of a view, if all its signatures are those of then."""
    memory = load_seen(project.index, str(view))
    if memory is None or memory.digest != digest or not os.path.lexists(view):
        return None
    try:
        found = scan(view, ignore=Ignore(), relative=view.name, nested_suffix="\0").found
    except Refused:  # of a file that is not the view's
        return None
    return memory if memory.is_unchanged(found) else None


def _is_fresh(project: Project, known: Seen) -> bool:
    return project.now() - known.saved_ns / 1e9 < TRUST_SECONDS


def _proved(project: Project, view: Path, known: Seen) -> bool:
    """Hash a view's files again, and note it when they are right. What is damaged may be the cache's own files: those
    are set aside, all of them, and CorruptContent is raised."""
    started_ns = int(project.now() * 1e9)
    damaged: list[Digest] = []
    rotten: list[CorruptContent] = []
    for path, file in known.files.items():
        place = view / path if path else view
        with durable.translating(place):
            actual = digest_of_file(place)
        if actual != file.digest:
            damaged.append(file.digest)
    for digest in damaged:
        try:
            project.cache.prove(digest, name=view.name)
        except CorruptContent as error:
            rotten.append(error)
        except MissingContent:
            pass
    if rotten:
        raise rotten[0]
    if damaged:
        return False
    save_seen(project.index, str(view), replace(known, saved_ns=max(started_ns, known.saved_ns)))
    return True


def _build(project: Project, view: Path, entries: Sequence[Entry], digest: Digest, *, is_directory: bool) -> None:
    stage = view.parent / f".making-{os.getpid()}-{os.urandom(6).hex()}"
    started_ns = int(project.now() * 1e9)
    files: dict[str, SeenFile] = {}
    try:
        with durable.translating(view):
            if is_directory:
                stage.mkdir()
            for entry in entries:
                path = stage / entry.path if entry.path else stage
                path.parent.mkdir(parents=True, exist_ok=True)
                if entry.type is EntryType.FOLDER:
                    path.mkdir(parents=True, exist_ok=True)
                elif entry.target is not None:
                    path.symlink_to(entry.target)
                else:
                    files[entry.path] = _put_file(project, path, entry, name=view.name)
            if _is_folder(view):
                old = view.parent / f".old-{os.getpid()}-{os.urandom(6).hex()}"
                view.rename(old)
                shutil.rmtree(old, ignore_errors=True)
            stage.rename(view)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True) if _is_folder(stage) else stage.unlink(missing_ok=True)
        raise
    for path_below, known in files.items():  # a rename changes the ctime of a file
        now = signature_of((view / path_below if path_below else view).lstat())
        files[path_below] = SeenFile(now, known.digest, known.checksum)
    if not is_directory:
        project.cache.relinked(digest)
    others: dict[str, str] = {entry.path: entry.target or "" for entry in entries if entry.digest is None}
    save_seen(project.index, str(view), Seen(max(started_ns, _newest_ns(files) + 3_000_000_000), digest, files, others))


def _put_file(project: Project, path: Path, entry: Entry, *, name: str) -> SeenFile:
    """A hard link to the verified plain file where that works, else a verified copy."""
    assert entry.digest is not None
    executable = entry.type is EntryType.EXECUTABLE
    if project.cache.is_plain(entry.digest) and not executable and entry.size:
        source = project.cache.verified_path(entry.digest, name=name)
        try:
            os.link(source, path)
        except OSError:
            pass  # another file system or too many links: a copy
        else:
            project.cache.relinked(entry.digest)
            known = project.cache.ledger.look_up(entry.digest.hex())
            return SeenFile(signature_of(path.lstat()), entry.digest, known[1] if known else b"\0" * 16)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        data = project.cache.read_packed(entry.digest, name=name)
        if data is not None:
            write_all(descriptor, data)
            checksum = checksum_of(data)
        else:
            _, checksum = project.cache.copy_out(entry.digest, descriptor, name=name)
        os.fchmod(descriptor, 0o555 if executable else 0o444)
    finally:
        os.close(descriptor)
    return SeenFile(signature_of(path.lstat()), entry.digest, checksum)


def _newest_ns(files: dict[str, SeenFile]) -> int:
    """Views are read-only and in the cache: what was just written there is not edited within the same tick."""
    return max((known.signature.mtime_ns for known in files.values()), default=0)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
