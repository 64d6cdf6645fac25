"""What a push is about: the versions that HEAD's history, git's index and the work tree's pointers name."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lobsterdv.digest import Digest
from lobsterdv.errors import ConflictedPointer, FormatError, LobsterError, NotTracked
from lobsterdv.formats.pointer import SUFFIX, Pointer, parse_pointer
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import PATTERN, dataset_of, work_pointers
from lobsterdv.ops.names import commit_of
from lobsterdv.paths import SafeRelPath, safe_path


@dataclass(frozen=True, slots=True)
class Wish:
    """A version that the remote should hold. ``current`` ones are named by HEAD itself, the index or the work
    tree; ``commit`` is the newest commit that names it, None when none does."""

    path: SafeRelPath
    pointer: Pointer
    commit: str | None
    current: bool

    @property
    def key(self) -> tuple[str, Digest]:
        return self.path, self.pointer.digest


def wishes(
    project: Project, paths: Sequence[str], *, rev: str | None = None, everything: bool = False
) -> tuple[list[Wish], list[Failure]]:
    """Versions to push, oldest first, each (path, digest) once; bad pointers and unknown paths are Failures.

    With ``rev`` only what that revision names; with ``everything`` the history of all refs. At most five
    git processes.
    """
    current: dict[str, str | None] = {}  # blob -> commit
    if rev is not None:
        commit = commit_of(project, rev)
        named = [(path, blob, commit) for path, blob in project.git.files_at(commit, SUFFIX).items()]
        current = {blob: commit for _, blob, _ in named}
        work, staged = None, []
    else:
        changes = project.git.history(PATTERN, everything=everything)
        head = project.git.files_at("HEAD", SUFFIX) if changes else {}
        named = [(change.path, change.blob, change.commit) for change in changes]
        current = dict.fromkeys(head.values())
        staged = [row for row in project.git.staged(PATTERN) if row.stage == 0]
        current.update(dict.fromkeys(row.blob for row in staged))
        work = work_pointers(project)
    contents = project.git.read([blob for _, blob, _ in named] + [row.blob for row in staged])
    found: dict[tuple[str, Digest], Wish] = {}
    failures: dict[str, LobsterError] = {}

    def consider(path: str, blob: str, commit: str | None) -> None:
        dataset = dataset_of(path)
        if blob not in contents or not matches(dataset, paths):
            return
        try:
            pointer = parse_pointer(contents[blob], what=f"{path} at {(commit or 'the index')[:12]}")
            _note(found, Wish(safe_path(dataset), pointer, commit, blob in current))
        except FormatError as error:
            if blob in current and not isinstance(error, ConflictedPointer):
                failures[dataset] = error

    for path, blob, commit in named:
        consider(path, blob, commit)
    for row in staged:
        consider(row.path, row.blob, None)
    if work is not None:
        for dataset in work.good.values():
            if matches(dataset.path, paths):
                same = found.get((dataset.path, dataset.pointer.digest))
                # Its words are the latest: message, lineage, `storage`.
                wish = Wish(dataset.path, dataset.pointer, same.commit if same else None, True)
                found[wish.key] = wish
        failures.update((path, error) for path, error in work.bad.items() if matches(path, paths))
    for path in paths:
        if not any(matches(name, [path]) for name in [*(w.path for w in found.values()), *failures]):
            failures[path] = NotTracked(path, rev)
    return list(found.values())[::-1], [Failure(path, error) for path, error in failures.items()]


def _note(found: dict[tuple[str, Digest], Wish], wish: Wish) -> None:
    """Newest first: the first to name a version gives its commit; any may make it current."""
    old = found.get(wish.key)
    if old is None:
        found[wish.key] = wish
    elif wish.current and not old.current:
        found[wish.key] = Wish(old.path, old.pointer, old.commit, True)


def matches(dataset: str, paths: Sequence[str]) -> bool:
    """True when one of ``paths`` means the dataset (its name, pointer, a folder above it, a glob), or there is none."""
    if not paths:
        return True
    for path in map(dataset_of, paths):
        if dataset == path or path in ("", ".") or dataset.startswith(path + "/"):
            return True
        if re.search(r"[*?\[]", path) and fnmatch.fnmatchcase(dataset, path):
            return True
    return False
