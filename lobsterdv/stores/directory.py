"""A store in a folder: one file a key, laid out as in S3, for shared disks and USB drives.

A file under its key is whole and on disk. Folders that are symlinks are refused and links are not listed,
so nothing outside the root is ever read or written. It never makes the root unless told to.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from lobsterdv import durable, temps
from lobsterdv.errors import CorruptContent, Denied, KeyMissing, LocalIOError, Unreachable
from lobsterdv.stores import graves
from lobsterdv.stores.base import Stat
from lobsterdv.stores.directory_upload import DirectoryUpload
from lobsterdv.stores.file_clock import FileClock
from lobsterdv.stores.keys import check_key, check_prefix
from lobsterdv.stores.parts import MIB

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP)


class DirectoryStore:
    """Bytes under ``root``. With ``create`` a missing root is empty, and made by the first write when its
    parent is there; without, it is Unreachable: a disk that is not mounted must not look like a new store.
    """

    def __init__(self, root: Path, *, create: bool, part_size: int = 10 * MIB) -> None:
        self.url = str(root)
        self._root = root
        self._create = create
        self._part_size = part_size
        self._folders: set[Path] = set()  # known to be real folders below the root
        self._tidied: set[Path] = set()
        self._clock = FileClock()

    def head(self, key: str) -> Stat:
        path = self._path(key)
        with self.translating("read", key):
            self._check_folder(path.parent)
            info = path.lstat()
            if not stat.S_ISREG(info.st_mode):
                raise FileNotFoundError(errno.ENOENT, "not a file")
        return _stat(key, info)

    def read(self, key: str, *, start: int, length: int) -> bytes:
        with self._open(key) as fd:
            data = _pread(fd, start, length)
        if len(data) < length:
            raise CorruptContent(key, self.url, f"{length} bytes from {start}", f"{len(data)} bytes")
        return data

    def read_whole(self, key: str, *, limit: int) -> bytes:
        with self._open(key) as fd:
            data = _pread(fd, 0, min(limit, os.fstat(fd).st_size) + 1)
        if len(data) > limit:
            raise CorruptContent(key, self.url, f"at most {limit} bytes", "more")
        return data

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        path = self._path(key)
        with self.translating("write", key):
            self._prepare(path.parent)
            self._tidy(path.parent)
            if if_absent:
                return durable.write_new(path, data)
            durable.write(path, data)
        return True

    def upload(self, key: str, size: int) -> DirectoryUpload:
        path = self._path(key)
        with self.translating("write", key):
            self._prepare(path.parent)
            self._tidy(path.parent)
            return DirectoryUpload(partial(self.translating, "write", key), path, size, part_size=self._part_size)

    def list(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        check_prefix(prefix)
        inside = prefix.rpartition("/")[0]
        top = self._root / inside
        with self.translating("list", prefix):
            self._check_root()
            try:
                self._check_folder(top)
            except FileNotFoundError:
                return
        yield from self._walk(top, inside + "/" if inside else "", prefix, after)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self.translating("delete", key):
            self._check_root()
            with suppress(FileNotFoundError):
                self._check_folder(path.parent)
                path.unlink()

    def clock(self) -> float:
        return self._clock.now(self._root.parent if self._create and not self._root.is_dir() else self._root)

    def refresh(self, key: str) -> bool:
        path = self._path(key)
        with self.translating("read", key):
            self._check_folder(path.parent)
            try:
                os.utime(path, follow_symlinks=False)
            except PermissionError:
                return False  # another user's file: it can be replaced, not touched
            with self._open(key) as fd:
                durable.sync_file(fd)
        return True

    def delete_exact(self, stat: Stat) -> bool:
        """Away from its name first, and then looked at: what was refreshed until then gets its name back."""
        path = self._path(stat.key)
        with self.translating("delete", stat.key):
            self._check_root()
            try:
                self._check_folder(path.parent)
                if _stat(stat.key, path.lstat()) != stat:
                    return False
                self._tidy(path.parent)
                grave = graves.bury(path)
            except FileNotFoundError:
                return False
            if _stat(stat.key, grave.lstat()) == stat:
                grave.unlink()
                return True
            graves.give_back(grave, path)  # unless somebody has sent it anew meanwhile
            return False

    @property
    def is_exact(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _walk(self, folder: Path, keys: str, prefix: str, after: str) -> Iterator[Stat]:
        """Everything below ``folder``, whose keys begin with ``keys``, that starts with ``prefix``."""
        with self.translating("list", keys):
            try:
                with os.scandir(folder) as scan:
                    entries = sorted(scan, key=lambda entry: entry.name)
            except FileNotFoundError:
                self._check_root()  # a folder that gc removed is one thing, a disk that went away another
                return
        for entry in entries:
            key = keys + entry.name
            if entry.name.startswith(temps.PREFIX):
                continue
            if entry.is_dir(follow_symlinks=False):
                below = key + "/"
                if below.startswith(prefix) or prefix.startswith(below):
                    yield from self._walk(folder / entry.name, below, prefix, after)
            elif key.startswith(prefix) and key > after and entry.is_file(follow_symlinks=False):
                with self.translating("list", key):
                    try:
                        info = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                yield _stat(key, info)

    @contextmanager
    def _open(self, key: str) -> Iterator[int]:
        path = self._path(key)
        with self.translating("read", key):
            self._check_folder(path.parent)
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                yield fd
            except IsADirectoryError:
                raise FileNotFoundError(errno.ENOENT, "a folder") from None
            finally:
                os.close(fd)

    def _prepare(self, folder: Path) -> None:
        """Make ``folder`` inside the root; the root itself only with ``create`` and inside its parent."""
        if self._create and not self._root.is_dir() and self._root.parent.is_dir():
            with suppress(FileExistsError):
                self._root.mkdir()
            durable.sync_folder(self._root.parent)
        self._check_root()
        if folder in self._folders:
            return
        try:
            self._check_folder(folder)
        except FileNotFoundError:
            durable.make_folder(folder)
            self._check_folder(folder)

    def _tidy(self, folder: Path) -> None:
        """Once a folder, and the root: what killed processes left in it goes after a day; what one was about to delete
        is back."""
        for place in {folder, self._root} - self._tidied:
            self._tidied.add(place)
            graves.open_old(place)
            temps.sweep(place, now=self._clock.now(folder))

    def _check_root(self) -> None:
        if self._root.is_dir() or (self._create and self._root.parent.is_dir()):
            return
        raise Unreachable(self.url, "open", "there is no such folder; is its disk mounted?")

    def _check_folder(self, folder: Path) -> None:
        """Every folder from the root down to ``folder`` is a folder and no link. Raises OSError."""
        if folder in self._folders or folder == self._root:
            return
        self._check_folder(folder.parent)
        mode = folder.lstat().st_mode
        if not stat.S_ISDIR(mode):
            code = errno.ELOOP if stat.S_ISLNK(mode) else errno.ENOENT
            raise OSError(code, os.strerror(code), str(folder))
        self._folders.add(folder)

    @contextmanager
    def translating(self, action: str, key: str) -> Iterator[None]:
        """Turn what the operating system refuses into the Store's errors."""
        try:
            yield
        except OSError as error:
            if action == "read" and error.errno in (errno.ENOENT, errno.ENOTDIR):
                self._check_root()
                raise KeyMissing(key, self.url) from error
            raise self._refused(action, key, error.errno or 0, error.strerror or str(error)) from error
        except LocalIOError as error:
            raise self._refused(action, key, error.errno, error.detail) from error

    def _refused(self, action: str, key: str, number: int, detail: str) -> Denied | Unreachable:
        return Denied(self.url, action, key) if number in _REFUSED else Unreachable(self.url, action, detail)


def _stat(key: str, info: os.stat_result) -> Stat:
    return Stat(key, info.st_size, info.st_mtime, etag=f"{info.st_ino:x}-{info.st_mtime_ns:x}-{info.st_size:x}")


def _pread(fd: int, start: int, length: int) -> bytes:
    """Up to ``length`` bytes; fewer only at the end of the file."""
    data = os.pread(fd, length, start)
    if len(data) in (length, 0):
        return data
    pieces = [data]
    while data:  # one call gives at most 2 GiB
        length, start = length - len(data), start + len(data)
        data = os.pread(fd, length, start)
        pieces.append(data)
    return b"".join(pieces)
