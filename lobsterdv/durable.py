"""The only way anything is written: temp file, sync, rename, sync the folder. It never reads what it writes.

A final name therefore holds nothing, the old bytes or the new bytes, whole and on disk, whenever the
process or the machine stops. What a crash may leave behind are temps, which ``temps.sweep`` removes.
Where the operating system refuses, LocalIOError is raised and no temp is left; only ``sync_file``,
``sync_folder`` and ``make_folder`` raise the OSError itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lobsterdv.errors import LocalIOError
from lobsterdv.linux_sync import reports_errors, syncfs
from lobsterdv.reading import naming
from lobsterdv.temps import temp_path
from lobsterdv.workers import each
from lobsterdv.writing import write_all

_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SYNCFS_FROM: Final = 1000  # files; one syncfs then costs less than that many fsyncs
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
_DETAILS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EIO: "the disk reports an input/output error",
    errno.EMFILE: "too many files are open in this process (ulimit -n)",
    errno.ENOTDIR: "a file is where a folder should be",
    errno.ELOOP: "a symbolic link is where a file should be",
    errno.EFBIG: "the file is too large for this file system or its limits",
    errno.ESTALE: "the network file system lost this file (stale handle)",
}


@dataclass(frozen=True, slots=True)
class Publication:
    """A written temp, the name it shall get (same file system) and its mode."""

    temp: Path
    final: Path
    mode: int


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Turn an OSError raised inside into LocalIOError about ``path``."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        raise LocalIOError(str(path), _DETAILS.get(number) or error.strerror or str(error), number) from error


def create_temp(folder: Path, *, digest: str = "") -> tuple[int, Path]:
    """Open a new temp (mode 0600) for reading and writing; the folder is made when missing. ``digest`` (64 hex) in
    its name lets another process go on with it.

    The caller closes the descriptor and publishes or removes the temp.
    """
    with translating(folder):
        return _create(folder, 0o600, digest)


def adopt_temp(temp: Path, *, digest: str) -> tuple[int, Path] | None:
    """Take over a temp that a process left (``temps.partials``): of racing ones, one gets it."""
    own = temp_path(temp.parent, digest=digest)
    try:
        temp.rename(own)
        return os.open(own, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), own
    except OSError:
        return None


def link_temp(source: Path, folder: Path) -> Path:
    """Give a file (same file system) a second name: a temp in ``folder``, which is made when missing."""
    temp = temp_path(folder)
    with translating(source):
        try:
            os.link(source, temp, follow_symlinks=False)
        except FileNotFoundError:
            if not folder.is_dir():
                make_folder(folder)
            os.link(source, temp, follow_symlinks=False)  # again too when somebody has just made the folder
    return temp


def write(path: Path, data: bytes | memoryview, *, mode: int | None = 0o444, temps: Path | None = None) -> None:
    """Make ``path`` hold exactly ``data``, durably, in place of whatever file was there. The temp lies beside it, or in
    ``temps`` (same file system).

    ``mode`` None is for files that belong to the user: the mode of the file replaced, else what the
    umask gives. Racing writers leave the bytes of one of them.
    """
    with translating(path):
        temp = _written(path, data, mode, temps or path.parent)
        try:
            temp.replace(path)
        except BaseException:
            _remove(temp)
            raise
        sync_folder(path.parent)


def write_new(path: Path, data: bytes | memoryview, *, mode: int = 0o444) -> bool:
    """As ``write``, but keeps a file that is there already and then returns False.

    Of racing writers one gets True, except on file systems without hard links, where several may.
    """
    if os.path.lexists(path):
        return False
    with translating(path):
        temp = _written(path, data, mode, path.parent)
        try:
            link_or_rename(temp, path)
        except FileExistsError:
            return False
        finally:
            _remove(temp)
        sync_folder(path.parent)
    return True


def link_or_rename(source: Path, path: Path) -> None:
    """Give a file a name that is free; where the file system has no hard links it loses its old one, and racing callers
    may replace each other. Raises FileExistsError, OSError."""
    try:
        os.link(source, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        source.rename(path)


def publish(publications: Iterable[Publication], *, jobs: int = 8) -> None:
    """Give many written temps their final names, paying for few syncs.

    All temps are synced before the first rename, so an interruption leaves every final name old or
    new, and whole. Missing folders of final names are made. On failure the temps not yet renamed are
    removed; names already given stay. May be repeated with fresh temps.
    """
    batch = list(publications)
    if not batch:
        return
    renamed = 0
    try:
        for publication in batch:
            with translating(publication.final):
                _chmod(publication.temp, publication.mode)
        sync_all([publication.temp for publication in batch], jobs=jobs)
        made: set[Path] = set()
        for publication in batch:
            final = publication.final
            with translating(final):
                try:
                    publication.temp.rename(final)
                except FileNotFoundError:
                    if final.parent in made:
                        raise
                    make_folder(final.parent, sync=False)  # all of them together below
                    made.add(final.parent)
                    publication.temp.rename(final)
            renamed += 1
    except BaseException:
        for publication in batch[renamed:]:
            _remove(publication.temp)
        raise
    # The parents too: a fan-out folder may be as new as the file in it.
    folders = {publication.final.parent for publication in batch}
    sync_all(sorted(folders | {folder.parent for folder in folders}), jobs=jobs)


def make_folder(folder: Path, *, sync: bool = True) -> None:
    """Make ``folder`` and its parents where missing, each synced into its parent; without ``sync`` the caller syncs
    the last. May be raced."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    except FileNotFoundError:
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
    if sync:
        sync_folder(folder.parent)


def sync_file(fd: int) -> None:
    """Bring an open file to the disk itself. A failed sync is never tried again: the pages may be gone."""
    sys.audit("lobsterdv.sync", fd)  # a point where tests count, kill and fail us
    if sys.platform == "darwin":  # there fsync stops at the drive's cache
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
    os.fsync(fd)


def sync_folder(path: Path) -> None:
    """Bring a folder's names to disk. EINVAL is ignored: some file systems cannot sync folders."""
    _open_and(sync_file, path)


def _create(folder: Path, mode: int, digest: str = "") -> tuple[int, Path]:
    temp = temp_path(folder, digest=digest)
    try:
        return os.open(temp, _CREATE, mode), temp
    except FileNotFoundError:
        make_folder(folder)
        return os.open(temp, _CREATE, mode), temp


def _written(path: Path, data: bytes | memoryview, mode: int | None, folder: Path) -> Path:
    """A synced temp in ``folder`` that holds ``data`` and has the final mode of ``path``."""
    # The kernel applies the umask to 0666 itself: reading it would mean setting it, for all threads.
    fd, temp = _create(folder, 0o600 if mode is not None else 0o666)
    try:
        try:
            write_all(fd, data)
            _chmod(fd, _mode_of(path) if mode is None else mode)
            sync_file(fd)
        finally:
            os.close(fd)
    except BaseException:
        _remove(temp)
        raise
    return temp


def _mode_of(path: Path) -> int | None:
    try:
        info = path.lstat()
    except FileNotFoundError:
        return None
    return stat.S_IMODE(info.st_mode) if stat.S_ISREG(info.st_mode) else None


def _chmod(file: int | Path, mode: int | None) -> None:
    """Modes are a courtesy, never a proof: a file system that refuses them is tolerated."""
    if mode is None:
        return
    try:
        os.chmod(file, mode)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise


def sync_all(paths: Sequence[Path], *, jobs: int, together: Path | None = None) -> None:
    """Bring files or folders to disk: one by one when few, by file system when many. ``together`` is a folder on
    whose file system all of them lie, if the caller knows one: that saves a stat each."""
    if not paths:
        return
    if len(paths) >= _SYNCFS_FROM and reports_errors():
        devices: dict[int, Path] = {}
        for path in paths if together is None else [together]:
            with translating(path):
                devices.setdefault(path.stat().st_dev, path)
        for path in devices.values():
            with translating(path.parent):
                _open_and(syncfs, path)
        return

    def one(path: Path) -> None:
        with translating(path):
            _open_and(sync_file if sys.platform != "darwin" else os.fsync, path)

    for _ in each(one, paths, jobs=jobs):
        pass
    if sys.platform == "darwin":  # one full flush empties the drive's cache of all of them (git does the same)
        with translating(paths[-1]):
            _open_and(sync_file, paths[-1])


def _open_and(sync: Callable[[int], None], path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # folders may be links: a cache on another disk
    try:
        with naming(path):
            sync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(fd)


def _remove(temp: Path) -> None:
    with suppress(OSError):
        temp.unlink()
