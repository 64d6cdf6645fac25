"""What must stay in a cache: every version that a project registered in it still names anywhere.

Asked for are all pointers that git reaches (refs, stash, reflogs, an operation under way), those in the indexes
and in the work trees of all worktrees, and what links in the work trees point at. What cannot be read raises: a
root that is passed over is data that is lost.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.tenants import Tenant, tenants
from lobsterdv.digest import Digest, parse_hex
from lobsterdv.documents import read_start
from lobsterdv.errors import ContentError, FormatError, LobsterError, Refused, UnknownRevision
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.pointer import SUFFIX, parse_pointer
from lobsterdv.formats.yamlio import MAX_BYTES
from lobsterdv.git import Git
from lobsterdv.git_reach import reachable, worktrees
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import PATTERN, dataset_of
from lobsterdv.worktree.links import linked_digest

_DIGEST: Final = re.compile(rb"blake3:([0-9a-f]{64})")
_ELSEWHERE: Final = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|PREFIX|NAMESPACE|ALTERNATE.*)"
)
"""Variables that a git hook is run with, and that would show its repository in the place of every other."""


@dataclass(frozen=True, slots=True)
class Root:
    """Why a version stays: a dataset path that names it (of whichever project)."""

    path: str
    is_directory: bool


@dataclass
class Roots:
    """``named`` are all versions that something names; ``current`` those that a work tree, an index or a HEAD does,
    and, as plain content, what links of work trees point at. ``others`` are those that other
    repositories than this one name, whose remote may be another, too. ``projects`` are the ids of all projects."""

    named: dict[Digest, Root] = field(default_factory=dict)
    current: set[Digest] = field(default_factory=set)
    others: set[Digest] = field(default_factory=set)
    projects: list[str] = field(default_factory=list)

    def note(self, digest: Digest, path: str, *, is_directory: bool, current: bool) -> None:
        if digest not in self.named:
            self.named[digest] = Root(path, is_directory)
        if current:
            self.current.add(digest)

    def take(self, found: Roots, *, is_other: bool) -> None:
        """Add another repository's roots."""
        self.named = {**found.named, **self.named}
        self.current |= found.current
        self.others |= found.named.keys() if is_other else set()
        self.projects += [name for name in found.projects if name not in self.projects]


@dataclass
class Live:
    """The contents (and listings) that roots stand for. ``unlisted`` are directory versions whose listing is not in
    the cache: which contents are theirs cannot be told from here."""

    contents: set[bytes] = field(default_factory=set)
    current: set[bytes] = field(default_factory=set)
    others: set[bytes] = field(default_factory=set)
    unlisted: dict[Digest, Root] = field(default_factory=dict)


def roots_of(project: Project, *, elsewhere: bool = False) -> Roots:
    """The roots of all projects that use the cache; with ``elsewhere`` all but this repository's history and this
    work tree. Raises Refused for a registered one that cannot be read, and whatever reading this one raises."""
    roots = Roots()
    own = Tenant("", project.git.common_dir, project.config.text("project") or "")
    others = [t for t in tenants(project.cache.folder) if t.git_dir != own.git_dir]
    environment = {k: v for k, v in project.git.environment.items() if not _ELSEWHERE.fullmatch(k)}
    for tenant in [own, *others]:
        try:
            found = Roots()
            _read(found, tenant, project, environment, elsewhere=elsewhere and tenant is own)
        except (LobsterError, OSError) as error:
            if tenant is own:
                raise
            reason = f"a project there uses this cache, and what it names cannot be read: {error}"
            raise Refused(str(tenant.git_dir), reason, "tenant") from error
        roots.take(found, is_other=tenant is not own)
    return roots


def live(cache: Cache, roots: Roots) -> Live:
    """From versions to contents. A damaged listing is set aside, and counts as not here."""
    found = Live()
    for digest, root in roots.named.items():
        contents: set[bytes] = {digest}
        if cache.has_listing(digest):
            try:
                contents.update(Entries.of(cache.listing(digest, name=root.path).entries).file_digests().plain())
            except ContentError:
                found.unlisted[digest] = root
        elif root.is_directory:
            found.unlisted[digest] = root
        found.contents |= contents
        if digest in roots.current:
            found.current |= contents
        if digest in roots.others:
            found.others |= contents
    return found


def _read(roots: Roots, tenant: Tenant, project: Project, environment: Mapping[str, str], *, elsewhere: bool) -> None:
    if not tenant.git_dir.is_dir():
        raise FileNotFoundError(f"no folder {tenant.git_dir}")
    if tenant.project not in roots.projects:
        roots.projects.append(tenant.project)
    first = Git(tenant.git_dir, tenant.git_dir, tenant.git_dir, {**environment, "GIT_DIR": str(tenant.git_dir)})
    past = {} if elsewhere else reachable(first, PATTERN)
    for blob, data in first.read(past).items():
        _note(roots, data, past[blob], current=False)
    own = [project.root] if tenant.git_dir == project.git.common_dir else []
    for place in dict.fromkeys([*own, *worktrees(first)]):
        if elsewhere and place == project.root:
            continue
        if not place.is_dir():
            raise Refused(str(place), "git knows it as a work tree, and it is not there", "worktree")
        _read_worktree(roots, Git.find(place, environment=environment), project.cache.folder / "files")


def _read_worktree(roots: Roots, git: Git, files: Path) -> None:
    staged = git.staged(PATTERN)
    try:
        head = git.files_at(git.commit_of("HEAD"), SUFFIX)
    except UnknownRevision:
        head = {}  # before the first commit
    names = {row.blob: row.path for row in staged} | {blob: path for path, blob in head.items()}
    for blob, data in git.read(names).items():
        _note(roots, data, names[blob], current=True)
    known = set(git.work_files(PATTERN))
    for name in git.work_files(PATTERN, ignored=True):
        try:
            data = read_start(git.root / name, MAX_BYTES + 1, name=name)
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted in the work tree, still in git's index
        _note(roots, data, name, current=True, is_certain=name in known)
        for digest in _links(git.root / dataset_of(name), files):
            roots.note(digest, dataset_of(name), is_directory=False, current=True)


def _note(roots: Roots, data: bytes, path: str, *, current: bool, is_certain: bool = False) -> None:
    """A pointer names its version. One that cannot be read, a conflicted one say, names every digest in it; if it is
    in a work tree and has none, nobody knows what it meant: raises its FormatError."""
    try:
        pointer = parse_pointer(data, what=path)
    except FormatError:
        found = _DIGEST.findall(data)
        if is_certain and not found:
            raise
        for name in found:
            roots.note(parse_hex(name.decode(), what=path), dataset_of(path), is_directory=False, current=current)
        return
    roots.note(pointer.digest, dataset_of(path), is_directory=pointer.is_directory, current=current)


def _links(place: Path, files: Path) -> Iterator[Digest]:
    """What symbolic links at and below a dataset's place point at in the cache, whatever version they are of."""
    if place.is_symlink():
        digest = linked_digest(os.readlink(place), files)
        if digest is not None:
            yield digest
    elif place.is_dir():
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_symlink() or entry.is_dir(follow_symlinks=False):
                    yield from _links(Path(entry.path), files)
