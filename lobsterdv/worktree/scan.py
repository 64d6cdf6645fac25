"""One stat a file: what lies below a path. Reads no file, follows no link, writes nothing."""

from __future__ import annotations

import os
import stat as stat_module
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lobsterdv import durable
from lobsterdv.formats.listing import EntryType
from lobsterdv.signature import Signature, signature_of
from lobsterdv.worktree.ignore import ALWAYS, NAME, Ignore


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


@dataclass
class Scan:
    """What was found, in no promised order; ``special`` are sockets, pipes and devices, ``nested`` pointers
    and ``.git`` folders below."""

    found: list[Found] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)


def scan(root: Path, *, ignore: Ignore, relative: str, nested_suffix: str) -> Scan:
    """Everything at or below ``root``, which lies at ``relative`` in its project.

    Raises LocalIOError for folders that cannot be read; FileNotFoundError when ``root`` is not there.
    """
    result = Scan()
    stat = root.lstat()
    if stat_module.S_ISDIR(stat.st_mode):
        _scan_folder(str(root), "", relative + "/", ignore, nested_suffix, result)
    else:
        _add(result, "", stat, str(root))
    return result


def _scan_folder(root: str, prefix: str, relative: str, ignore: Ignore, nested_suffix: str, result: Scan) -> None:
    pending = [prefix]
    while pending:
        prefix = pending.pop()
        folder = f"{root}/{prefix}" if prefix else root
        kept = False
        with durable.translating(Path(folder)):
            with os.scandir(folder) as entries:
                rows = list(entries)
            names = {entry.name for entry in rows}
            if NAME in names:
                ignore.enter(Path(folder), (relative + prefix).rstrip("/"))
            for entry in rows:
                name = entry.name
                path = prefix + name
                is_folder = entry.is_dir(follow_symlinks=False)
                if name in ALWAYS or (ignore and relative + path + ("/" if is_folder else "") in ignore):
                    continue
                kept = True
                if is_folder:
                    if name == ".git":
                        result.nested.append(path)
                    pending.append(path + "/")
                else:
                    if name.endswith(nested_suffix) or name == ".git":
                        result.nested.append(path)
                    _add(result, path, entry.stat(follow_symlinks=False), entry.path)
        if not kept and prefix:
            stat = os.lstat(folder)
            result.found.append(Found(prefix[:-1], EntryType.FOLDER, signature_of(stat)))


def _add(result: Scan, path: str, stat: os.stat_result, full: str) -> None:
    mode = stat.st_mode
    if stat_module.S_ISREG(mode):
        kind = EntryType.EXECUTABLE if mode & stat_module.S_IXUSR else EntryType.FILE
        result.found.append(Found(path, kind, signature_of(stat)))
    elif stat_module.S_ISLNK(mode):
        result.found.append(Found(path, EntryType.LINK, signature_of(stat), os.readlink(full)))
    else:
        result.special.append(path)
