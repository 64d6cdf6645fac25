"""One stat a file: what lies below a path. Reads no file, follows no link, writes nothing."""

from __future__ import annotations

import os
import stat as stat_module
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple, overload

from lobsterdv import durable
from lobsterdv.errors import ChangedMeanwhile
from lobsterdv.formats.entries import FILES, TYPES, EntryType
from lobsterdv.signature import LARGEST, Signature
from lobsterdv.worktree.ignore import ALWAYS, NAME, Ignore

_FIELDS: Final = len(Signature._fields)
_FORMAT: Final = 0o170000  # of st_mode: the type of a file
_REGULAR: Final = stat_module.S_IFREG
_EXECUTABLE: Final = stat_module.S_IXUSR
_CODES: Final = {kind: code for code, kind in enumerate(TYPES)}


class Found(NamedTuple):
    """One file, link or empty folder. ``path`` is relative to what was scanned (empty for itself) and not
    checked yet; ``target`` is a link's."""

    path: str
    type: EntryType
    signature: Signature
    target: str | None = None

    @property
    def is_file(self) -> bool:
        return self.type is EntryType.FILE or self.type is EntryType.EXECUTABLE


class Finds(Sequence[Found]):
    """What a scan found, sorted by path, in columns (130 bytes a file, where a list of Found takes 450): ``types`` are
    positions in TYPES, ``numbers`` five of a signature each, ``others`` links' targets and, for empty folders, an
    empty text, by position."""

    __slots__ = ("numbers", "others", "paths", "types")

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.types = bytearray()
        self.numbers = array("q")
        self.others: dict[int, str] = {}

    @classmethod
    def of(cls, items: Sequence[Found]) -> Finds:
        """Any finds as columns."""
        if isinstance(items, Finds):
            return items
        made = cls()
        for path, kind, signature, target in sorted(items):
            made.add(path, _CODES[kind], signature, target)
        return made

    def add(self, path: str, code: int, numbers: Sequence[int], target: str | None = None) -> None:
        """One more, in order."""
        if code >= FILES:
            self.others[len(self.paths)] = target or ""
        self.paths.append(path)
        self.types.append(code)
        self.numbers.extend(numbers)

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Found]:
        return map(self.__getitem__, range(len(self.paths)))

    @overload
    def __getitem__(self, at: int) -> Found: ...
    @overload
    def __getitem__(self, at: slice) -> list[Found]: ...
    def __getitem__(self, at: int | slice) -> Found | list[Found]:
        if isinstance(at, slice):
            return [self[i] for i in range(len(self))[at]]
        at = range(len(self))[at]
        kind = TYPES[self.types[at]]
        return Found(self.paths[at], kind, self.signature(at), self.others[at] if kind is EntryType.LINK else None)

    @classmethod
    def joined(cls, parts: Iterable[Finds]) -> Finds:
        """Those of several places, none of which lies in another."""
        rows = sorted((part for part in parts if part.paths), key=lambda part: part.paths[0])
        if len(rows) == 1:
            return rows[0]
        if any(a.paths[-1] > b.paths[0] for a, b in pairwise(rows)):
            return cls.of([item for part in rows for item in part])
        made = cls()
        for part in rows:
            made.others.update((len(made.paths) + at, target) for at, target in part.others.items())
            made.paths += part.paths
            made.types += part.types
            made.numbers.extend(part.numbers)
        return made

    def size(self, at: int) -> int:
        """A file's bytes."""
        return self.numbers[at * _FIELDS + 2]

    def signature(self, at: int) -> Signature:
        return Signature(*self.numbers[at * _FIELDS : (at + 1) * _FIELDS])

    def below(self, folder: str) -> Finds:
        """The same, with paths as seen from above ``folder``."""
        self.paths = [f"{folder}/{path}" if path else folder for path in self.paths]
        return self


@dataclass
class Scan:
    """What was found, sorted by path; ``special`` are sockets, pipes and devices, ``nested`` pointers and ``.git``
    folders below."""

    found: Finds = field(default_factory=Finds)
    special: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)


def scan(root: Path, *, ignore: Ignore, relative: str, nested_suffix: str) -> Scan:
    """Everything at or below ``root``, which lies at ``relative`` in its project.

    Raises LocalIOError for folders that cannot be read, ChangedMeanwhile when something goes while it is looked at;
    FileNotFoundError when ``root`` is not there.
    """
    result = Scan()
    stat = root.lstat()
    if stat_module.S_ISDIR(stat.st_mode):
        _scan_folders(str(root), relative + "/", ignore, nested_suffix, result)
    else:
        _add(result, "", stat, str(root))
    return result


def _scan_folders(root: str, relative: str, ignore: Ignore, nested_suffix: str, result: Scan) -> None:
    """All folders, each when its turn comes among its neighbours: so paths come sorted without being sorted."""
    pending = [_Folder(root, "", relative, ignore, nested_suffix, result)]
    while pending:
        folder = pending[-1].add_files()
        if folder is None:
            pending.pop()
        else:
            pending.append(_Folder(root, folder + "/", relative, ignore, nested_suffix, result))
    if "" in result.found.others.values():  # an empty folder stands where its files would, not by its own name
        result.found = Finds.of(list(result.found))


class _Folder:
    """A folder that is being gone through."""

    __slots__ = ("_folders", "_ignore", "_nested_suffix", "_relative", "_result", "_rows", "kept", "path", "prefix")

    def __init__(self, root: str, prefix: str, relative: str, ignore: Ignore, nested_suffix: str, result: Scan) -> None:
        self.path = f"{root}/{prefix}" if prefix else root
        self.prefix = prefix
        self.kept = False
        self._relative = relative + prefix
        self._ignore = ignore
        self._nested_suffix = nested_suffix
        self._result = result
        with _still_there(self.path), os.scandir(self.path) as entries:
            rows = sorted(entries, key=attrgetter("name"), reverse=True)
            if NAME in [row.name for row in rows]:
                ignore.enter(Path(self.path), self._relative.rstrip("/"))
            folders = {row.name for row in rows if row.is_dir(follow_symlinks=False)}
        if folders:  # "a/b" comes after "a.txt", as "/" comes after "."
            rows.sort(key=lambda row: row.name + "/" if row.name in folders else row.name, reverse=True)
        self._folders = folders
        self._rows: list[os.DirEntry[str]] = rows

    def add_files(self) -> str | None:
        """Add what comes up to the next folder below; returns that folder, None after the last row."""
        rows, result, prefix, relative, folders = self._rows, self._result, self.prefix, self._relative, self._folders
        suffix, ignore = self._nested_suffix, self._ignore if self._ignore else ()
        paths, types, numbers = result.found.paths, result.found.types, result.found.numbers
        with _still_there(self.path):
            while rows:
                entry = rows.pop()
                name = entry.name
                is_folder = name in folders
                if name in ALWAYS or (ignore and relative + name + ("/" if is_folder else "") in ignore):
                    continue
                self.kept = True
                path = prefix + name
                if name == ".git" or (name.endswith(suffix) and not is_folder):
                    result.nested.append(path)
                if is_folder:
                    return path
                stat = entry.stat(follow_symlinks=False)
                mode = stat.st_mode
                if mode & _FORMAT == _REGULAR:  # as _add does, without the calls: a million times
                    paths.append(path)
                    types.append(1 if mode & _EXECUTABLE else 0)
                    numbers.extend(
                        (stat.st_dev & LARGEST, stat.st_ino & LARGEST, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
                    )
                else:
                    _add(result, path, stat, entry.path)
            if not self.kept and prefix:
                result.found.add(prefix[:-1], _CODES[EntryType.FOLDER], _numbers(os.lstat(self.path)))
        return None


@contextmanager
def _still_there(folder: str) -> Iterator[None]:
    """What was in a folder when it was listed, and is gone now, was taken away meanwhile."""
    with durable.translating(Path(folder)):
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ChangedMeanwhile(str(error.filename or folder)) from error


def _add(result: Scan, path: str, stat: os.stat_result, full: str) -> None:
    mode = stat.st_mode
    if stat_module.S_ISREG(mode):
        result.found.add(path, 1 if mode & stat_module.S_IXUSR else 0, _numbers(stat))
    elif stat_module.S_ISLNK(mode):
        result.found.add(path, _CODES[EntryType.LINK], _numbers(stat), os.readlink(full))
    else:
        result.special.append(path)


def _numbers(stat: os.stat_result) -> tuple[int, ...]:
    """As ``signature_of``, without the object."""
    return stat.st_dev & LARGEST, stat.st_ino & LARGEST, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
