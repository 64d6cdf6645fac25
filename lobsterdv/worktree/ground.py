"""Moving finished files into a user's directory, and out of it, without ever following a link on the way.

Folders are opened one by one with O_NOFOLLOW and everything happens relative to them, so a folder that
is swapped for a link meanwhile is an error, never a detour.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from types import TracebackType
from typing import Final

from lobsterdv import durable
from lobsterdv.signature import Signature, signature_of

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FOLDERS: Final = 64


class Ground:
    """A directory whose inside is being changed. Paths are relative, checked and ``/``-separated."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, int] = {}
        self._changed: set[str] = set()

    def __enter__(self) -> Ground:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def put(self, finished: Path, path: str) -> None:
        """Give a finished file (same file system) its place, in one step, over a file that is there."""
        folder, _, name = path.rpartition("/")
        with durable.translating(self._root / path):
            os.rename(finished, name, dst_dir_fd=self._folder(folder, make=True))
        self._changed.add(folder)

    def look(self, path: str) -> os.stat_result:
        """The stat of what lies there, which may be a link. Raises OSError, also for a link on the way."""
        folder, _, name = path.rpartition("/")
        return os.stat(name, dir_fd=self._folder(folder), follow_symlinks=False)

    def make_folder(self, path: str) -> None:
        """Make an empty folder and its parents."""
        with durable.translating(self._root / path):
            self._folder(path, make=True)

    def take(self, path: str, target: Path) -> None:
        """Move a file, link or folder out, to ``target`` (whose folder exists); copies across file systems."""
        folder, _, name = path.rpartition("/")
        with durable.translating(self._root / path):
            try:
                os.rename(name, target, src_dir_fd=self._folder(folder))
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _carry_across(self._root / path, target)

    def remove(self, path: str) -> None:
        """Remove a file or link. No error when it is gone."""
        folder, _, name = path.rpartition("/")
        with durable.translating(self._root / path):
            try:
                os.unlink(name, dir_fd=self._folder(folder))
                self._changed.add(folder)
            except FileNotFoundError:
                pass

    def prune(self, path: str) -> None:
        """Remove a folder if it is empty, then its parents up to (not including) the root."""
        while path:
            folder, _, name = path.rpartition("/")
            self._forget(path)
            try:
                os.rmdir(name, dir_fd=self._folder(folder))
            except OSError:
                return
            self._changed.add(folder)
            path = folder

    def sync(self) -> None:
        """Bring the names of all folders that were changed here to the disk. Raises LocalIOError."""
        there = [self._root / path for path in sorted(self._changed) if (self._root / path).is_dir()]
        durable.sync_all(there, jobs=8)
        self._changed.clear()

    def _folder(self, path: str, *, make: bool = False) -> int:
        known = self._open.get(path)
        if known is not None:
            return known
        if not path:
            descriptor = os.open(self._root, _FOLDER)
        else:
            parent, _, name = path.rpartition("/")
            above = self._folder(parent, make=make)
            try:
                descriptor = os.open(name, _FOLDER, dir_fd=above)
            except FileNotFoundError:
                if not make:
                    raise
                os.mkdir(name, dir_fd=above)
                self._changed.add(parent)
                descriptor = os.open(name, _FOLDER, dir_fd=above)
        if len(self._open) >= _OPEN_FOLDERS:
            for other in [p for p in self._open if p and not path.startswith(p + "/")]:
                self._forget(other)
        self._open[path] = descriptor
        return descriptor

    def _forget(self, path: str) -> None:
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)


def stands_at(root: Path, path: str, signature: Signature) -> bool:
    """Whether the regular file that had this signature lies at ``path`` now, with no link on the way."""
    try:
        with Ground(root) as ground:
            info = ground.look(path)
    except OSError:
        return False
    return stat.S_ISREG(info.st_mode) and signature_of(info) == signature


def carry(source: Path, target: Path) -> None:
    """Move a file, link or folder to ``target``, whose folder is made; its new name is on the disk when this returns.

    Across file systems the copy is on the disk before the original goes. Raises OSError, LocalIOError.
    """
    durable.make_folder(target.parent)
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _carry_across(source, target)
    durable.sync_folder(target.parent)


def _carry_across(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        shutil.copy2(source, target, follow_symlinks=False)
        copied = [] if target.is_symlink() else [target]
    else:
        shutil.copytree(source, target, symlinks=True)
        copied = [target, *(path for path in target.rglob("*") if not path.is_symlink())]
    durable.sync_all([*copied, target.parent], jobs=8)
    if source.is_symlink() or not source.is_dir():
        source.unlink()
    else:
        shutil.rmtree(source)


def folds_case(folder: Path) -> bool:
    """True when the file system under ``folder`` takes ``a`` and ``A`` for one name. Writes one temp there."""
    descriptor, temp = durable.create_temp(folder)
    os.close(descriptor)
    try:
        return temp.with_name(temp.name.swapcase()).exists()
    finally:
        temp.unlink()


def folds_forms(folder: Path) -> bool:
    """True when it takes a letter with its accent, and the two written one after the other (NFC and NFD), for one
    name; False where it takes no such name. Writes one temp there. Raises LocalIOError."""
    descriptor, temp = durable.create_temp(folder)
    os.close(descriptor)
    composed = temp.with_name(temp.name + "\u00e9")
    try:
        temp.rename(composed)
        return temp.with_name(temp.name + "e\u0301").exists()
    except OSError:
        return False
    finally:
        composed.unlink(missing_ok=True)
        temp.unlink(missing_ok=True)
