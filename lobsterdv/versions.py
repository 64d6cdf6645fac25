"""Versions of datasets, as Python is given them: what a pointer says, and the commit that it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lobsterdv.digest import Digest
from lobsterdv.errors import LobsterError, NotTracked
from lobsterdv.formats.pointer import SUFFIX, Pointer, parse_pointer
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import PATTERN, pointers, select
from lobsterdv.ops.names import commit_of


@dataclass(frozen=True)
class Version:
    """One version of a dataset. ``size`` in bytes; ``files`` for directories; ``commit`` the git commit that
    names it, None for the work tree's; ``summary`` shapes and names, never values."""

    name: str
    digest: Digest
    size: int
    kind: str
    files: int | None
    message: str | None
    summary: Mapping[str, Any]
    commit: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.digest.hex()[:12]}"


def version_of(project: Project, path: str, rev: str | None) -> Version:
    """The version that a dataset's path, or one inside a directory, means at ``rev``; None: in the work tree. Raises
    NotTracked, UnknownRevision."""
    selected, failures = select(pointers(project, rev), [path], rev=rev)
    if failures or len(selected) != 1:
        raise failures[0].error if failures else NotTracked(path, rev)
    dataset, below = selected[0]
    version = _version(dataset.path, dataset.pointer, commit_of(project, rev) if rev else None)
    return replace(version, name=f"{dataset.path}/{below}") if below else version


def versions_at(project: Project, rev: str | None) -> list[Version]:
    """Every dataset's version at ``rev``, or in the work tree, by name. Broken pointers are left out."""
    commit = commit_of(project, rev) if rev else None
    return [_version(d.path, d.pointer, commit) for d in pointers(project, rev).good.values()]


def versions_of(project: Project, dataset: str) -> list[Version]:
    """The versions of a dataset in the history of HEAD, newest first, each with the commit that introduced it. Raises
    NotTracked for a name that never was a dataset."""
    changes = [c for c in project.git.history(PATTERN) if c.path == dataset + SUFFIX]
    contents = project.git.read(change.blob for change in changes)
    found: list[Version] = []
    for change in changes:
        try:
            pointer = parse_pointer(contents[change.blob], what=change.path)
        except LobsterError:
            continue
        if found and found[-1].digest == pointer.digest:
            found.pop()  # the same content: the older commit introduced it
        found.append(_version(dataset, pointer, change.commit))
    if not changes and dataset not in pointers(project, None).good:
        raise NotTracked(dataset)
    return found


def _version(name: str, pointer: Pointer, commit: str | None) -> Version:
    return Version(
        name, pointer.digest, pointer.size, pointer.kind, pointer.files, pointer.message, pointer.summary or {}, commit
    )
