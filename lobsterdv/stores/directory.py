"""A store in a folder: one file a key, laid out as in S3, for shared disks and USB drives.

A file under its key is whole and on disk. Folders that are symlinks are refused and links are not listed,
so nothing outside the root is ever read or written. It never makes the root unless told to.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lobsterdv import durable, temps
from lobsterdv.errors import CorruptContent, Denied, KeyMissing, LocalIOError, Unreachable
from lobsterdv.stores.base import Stat
from lobsterdv.stores.file_clock import FileClock
from lobsterdv.stores.keys import check_key, check_prefix
from lobsterdv.stores.parts import MIB, check_all_sent, check_part, count_parts

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
            if if_absent:
                return durable.write_new(path, data)
            durable.write(path, data)
        return True

    def upload(self, key: str, size: int) -> DirectoryUpload:
        path = self._path(key)
        count = count_parts(size, part_size=self._part_size)
        with self.translating("write", key):
            self._prepare(path.parent)
            return DirectoryUpload(self, key, path, size, part_size=self._part_size, part_count=count)

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
            grave = temps.temp_path(path.parent)
            try:
                self._check_folder(path.parent)
                if _stat(stat.key, path.lstat()) != stat:
                    return False
                path.rename(grave)
            except FileNotFoundError:
                return False
            if _stat(stat.key, grave.lstat()) == stat:
                grave.unlink()
                return True
            with suppress(FileExistsError):  # somebody has sent it anew meanwhile
                os.link(grave, path)
            durable.sync_folder(path.parent)
            grave.unlink()
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


class DirectoryUpload:
    """Parts go to their places in a temp, which gets its name at the end."""

    def __init__(
        self, store: DirectoryStore, key: str, path: Path, size: int, *, part_size: int, part_count: int
    ) -> None:
        self.part_size = part_size
        self.part_count = part_count
        self._store = store
        self._key = key
        self._path = path
        self._size = size
        self._sent: set[int] = set()
        self._lock = threading.Lock()
        self._fd, self._temp = durable.create_temp(path.parent)
        try:
            os.truncate(self._fd, size)
        except OSError:
            self.abort()
            raise

    def send(self, number: int, data: bytes | memoryview) -> None:
        check_part(number, len(data), size=self._size, part_size=self.part_size)
        with self._store.translating("write", self._key):
            rest = memoryview(data)
            offset = number * self.part_size
            while rest:
                written = os.pwrite(self._fd, rest, offset)
                rest, offset = rest[written:], offset + written
        with self._lock:
            self._sent.add(number)

    def complete(self) -> None:
        check_all_sent(self._sent, self.part_count)
        self._close()
        with self._store.translating("write", self._key):
            durable.publish([durable.Publication(self._temp, self._path, 0o444)])

    def abort(self) -> None:
        self._close()
        with suppress(OSError):
            self._temp.unlink()

    def suspend(self) -> None:
        self.abort()

    def _close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


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
