"""Who uses a cache: the projects registered in it, and the lock that keeps its garbage collection from running verbs.

``projects/<id>.json``, one for every repository whose projects use the cache, written before the first use; so a
collection knows every project whose pointers it must ask for. ``lock`` is an empty file: verbs that rely on what
the cache holds share its lock, ``gc`` and ``drop`` hold it alone, for as long as they remove. Where the file system
has no locks nobody is held up: ``gc`` then keeps what is young, and what it wrongly takes lies in the trash.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lobsterdv import durable, locks
from lobsterdv.digest import digest_of
from lobsterdv.errors import FormatError
from lobsterdv.events import Observer, silent

_NAME_HEX: Final = 32


@dataclass(frozen=True, slots=True)
class Tenant:
    """A registered repository: ``name`` is what it is unregistered by, ``git_dir`` its common git folder."""

    name: str
    git_dir: Path
    project: str


def register(cache: Path, git_dir: Path, project: str) -> None:
    """Note that a repository uses the cache. One stat when that is known; else durable before it returns."""
    where = _where(cache, git_dir)
    path = cache / "projects" / f"{_name(where)}.json"
    if path.is_file():
        return
    durable.make_folder(path.parent)
    durable.write(path, json.dumps({"lobsterdv": 1, "git": where, "project": project}).encode() + b"\n", mode=0o644)


def tenants(cache: Path) -> list[Tenant]:
    """All registered repositories. Raises FormatError for a registration that cannot be read, LocalIOError."""
    folder = cache / "projects"
    with durable.translating(folder):
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith(".json") and not name.startswith("."))
        except FileNotFoundError:
            return []
        found = []
        for name in names:
            try:
                fields = json.loads((folder / name).read_bytes())
                git_dir = Path(os.path.normpath(cache / str(fields["git"])))
                found.append(Tenant(name.removesuffix(".json"), git_dir, str(fields["project"])))
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(str(folder / name), f"no registration of a project: {error}") from error
    return found


def unregister(cache: Path, git_dir: Path) -> bool:
    """Forget a repository; what only it names counts as unnamed from then on. False when it was not known."""
    names = [tenant.name for tenant in tenants(cache) if git_dir in (tenant.git_dir, tenant.git_dir.parent)]
    with durable.translating(cache / "projects"):
        for name in names:
            (cache / "projects" / f"{name}.json").unlink(missing_ok=True)
            durable.sync_folder(cache / "projects")
    return bool(names)


@contextmanager
def in_use(cache: Path, *, wait_s: float | None = None, observer: Observer = silent) -> Iterator[None]:
    """Rely on what the cache holds: nothing is collected meanwhile. Any number of threads and processes at once;
    waits while a collection removes. Raises Busy after ``wait_s`` (locks.WAIT_S)."""
    descriptor = _open(cache)
    try:
        if descriptor is not None:
            what = f"the cache {cache}"
            locks.hold(descriptor, shared=True, what=what, wait_s=wait_s, observer=observer)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def alone(cache: Path, *, wait_s: float | None = None, observer: Observer = silent) -> Iterator[bool]:
    """Nobody else relies on the cache. Gives False where the file system has no locks. Raises Busy after ``wait_s``
    (locks.WAIT_S) for running verbs to end."""
    descriptor = _open(cache)
    what = f"the cache {cache}"
    try:
        yield descriptor is not None and locks.hold(
            descriptor, shared=False, what=what, wait_s=wait_s, observer=observer
        )
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(cache: Path) -> int | None:
    """The lock file, made when missing; None where none can be had: of a read-only cache nothing is removed."""
    path = cache / "lock"
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        pass
    except OSError:
        return None
    try:
        durable.make_folder(cache)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return None


def _where(cache: Path, git_dir: Path) -> str:
    """Relative when the cache lies in the git folder: such a project may be moved with its cache."""
    if cache.is_relative_to(git_dir):
        return os.path.relpath(git_dir, cache)
    return str(git_dir)


def _name(where: str) -> str:
    return digest_of(where.encode(errors="surrogateescape")).hex()[:_NAME_HEX]
