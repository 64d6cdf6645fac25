"""Names of unfinished files: they tell whose they are, so that what a killed process left is swept, or gone on with.

``.tmp-<node>-<pid>-<16 hex>``, and for a content that arrives in parts ``.<64 hex>`` after it: its digest. The node is
``<host>.<machine>.<start>.<processes>``: two machines of one name, or two containers, may share a cache, and a process
of the one is not gone because the other has none of its number.
"""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from lobsterdv.digest import digest_of

PREFIX: Final = ".tmp-"

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NAME: Final = re.compile(
    r"\.tmp-(?P<node>[A-Za-z0-9._]*)-(?P<pid>[0-9]{1,10})-[0-9a-f]{16}"
    r"(?:\.(?P<digest>[0-9a-f]{64})|\u00e9|e\u0301)?",  # with an accent: worktree.ground.folds_forms
    re.ASCII,
)
_MACHINE: Final = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_START: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES: Final = Path("/proc/self/ns/pid")
_FOREIGN_FACTOR: Final = 30  # a temp of another machine may belong to a live process: wait this much longer
_PARTIAL_FACTOR: Final = 14  # what arrived in part is worth keeping for longer


def temp_path(folder: Path, *, digest: str = "", is_mine: bool = True) -> Path:
    """A fresh name for a temp in ``folder``; nothing is created. ``digest`` (64 hex) is the content that it will be;
    one that is not mine may be taken over by anybody."""
    owner = os.getpid() if is_mine else 0
    return folder / f"{PREFIX}{node()}-{owner}-{os.urandom(8).hex()}{'.' if digest else ''}{digest}"


def is_digest(name: str) -> bool:
    """Whether a temp can have ``name`` for its digest."""
    return _DIGEST.fullmatch(name) is not None


def sweep(folder: Path, *, now: float, older_than_s: float = 86400) -> int:
    """Remove temps directly in ``folder`` that are old and whose process is gone; returns how many.

    ``now`` is in seconds since 1970. Contents that arrived in part go when they are 14 times as old; those of whom
    nobody here knows whether it lives (``is_gone``) when they are 30 times as old. What cannot be removed is left. A
    missing folder is empty.
    """
    removed = 0
    for entry, name in _temps(folder):
        gone = is_gone(name["node"], int(name["pid"]))
        if gone is False:
            continue
        factor = _FOREIGN_FACTOR if gone is None else _PARTIAL_FACTOR if name["digest"] else 1
        try:
            info = entry.stat(follow_symlinks=False)
            # A second name has its file's mtime, which may be years old; giving it changed the ctime.
            age = now - (info.st_ctime if info.st_nlink > 1 else info.st_mtime)
            if stat.S_ISDIR(info.st_mode) or age <= older_than_s * factor:
                continue
            os.unlink(entry.path)
        except OSError:
            continue
        removed += 1
    return removed


def partials(folder: Path) -> Iterator[tuple[str, Path]]:
    """What was left, on this machine, of contents that arrived in parts: digest (64 hex) and temp, if its process is
    gone or gave it up. A content may come several times."""
    for entry, name in _temps(folder):
        if name["digest"] and is_gone(name["node"], int(name["pid"])) and not entry.is_symlink():
            yield name["digest"], Path(entry.path)


def drop_links(folder: Path, info: os.stat_result) -> bool:
    """Remove the temps in ``folder`` that are names of the file with this stat and whose process is gone; True when
    there are others, of a process that lives or of another machine. Raises OSError."""
    in_use = False
    for entry, name in _temps(folder):
        with suppress(FileNotFoundError):  # gone meanwhile: it was another thread's
            if not os.path.samestat(entry.stat(follow_symlinks=False), info):
                continue
            if is_gone(name["node"], int(name["pid"])):
                os.unlink(entry.path)
            else:
                in_use = True
    return in_use


def _temps(folder: Path) -> Iterator[tuple[os.DirEntry[str], re.Match[str]]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        name = _NAME.fullmatch(entry.name)
        if name is not None:
            yield entry, name


@functools.cache
def node() -> str:
    """What this machine is called in the names of temps until it is started again, and in this container: without
    ``-``. Where the system does not tell, that part is 0."""
    host = re.sub(r"[^A-Za-z0-9._]", "_", os.uname().nodename)[:64]
    machine = next(filter(None, map(_text_of, _MACHINE)), "")
    try:
        processes = os.readlink(_PROCESSES)
    except OSError:
        processes = ""
    return ".".join([host, *(_short(part) for part in (machine, _text_of(_START), processes))])


def is_gone(owner: str, pid: int) -> bool | None:
    """Whether a process is gone, by the node and the number in a name. None where it cannot be told: that of another
    machine, or of another container on this one."""
    if pid == 0 or owner == node():
        return not is_alive(pid)
    host, *their = owner.rsplit(".", 3)
    mine = node().rsplit(".", 3)
    if len(their) != 3 or [host, their[0]] != mine[:2] or "0" in (mine[1], mine[2], their[1]):
        return None
    return True if their[1] != mine[2] else None  # the machine was started again since


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace").strip()
    except OSError:
        return ""


def _short(fact: str) -> str:
    return digest_of(fact.encode()).hex()[:8] if fact else "0"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs; 0 is none."""
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # or no number that a process can have
        return False
    except OSError:
        return True
    return True
