"""tag: names for versions of one dataset, kept as git tags ``PATH@NAME`` and shared as git tags are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from lobsterdv.errors import GitFailed, Refused, UnknownRevision, UsageError
from lobsterdv.events import Observer
from lobsterdv.git_history import tips
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import dataset_of, pointers, select
from lobsterdv.ops.names import LATEST, alias, commit_of

_TAGS: Final = "refs/tags/"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True, slots=True)
class Tag:
    """``PATH@NAME`` means ``digest``, the version at ``commit``; None when the dataset is not there."""

    dataset: str
    name: str
    commit: str
    digest: str | None


@dataclass
class TagReport:
    """``change`` is what was done to the one tag of ``tags``, or ``listed``."""

    tags: list[Tag] = field(default_factory=list)
    change: str = "listed"
    failures: list[Failure] = field(default_factory=list)


def tag(
    project: Project, path: str | None = None, name: str | None = None, *, rev: str | None = None,
    delete: bool = False, move: bool = False, observer: Observer,
) -> TagReport:  # fmt: skip
    """Name the committed version of ``path`` (at ``rev``, else HEAD) ``name``; without a name list those of ``path``,
    or of all datasets; with ``delete`` remove one. ``move`` lets a name that exists mean another version.

    Raises NotTracked, UnknownRevision, UsageError for a name that git or a reader of ``PATH@NAME`` would take for
    something else, and Refused when the work tree's version is not committed.
    """
    dataset = dataset_of(path) if path is not None else None
    if name is None or dataset is None:
        return TagReport(_tags(project, dataset))
    if delete:
        found = [row for row in _tags(project, dataset) if row.name == name]
        if not found:
            raise UnknownRevision(alias(dataset, name))
        project.git.ask("tag", "--delete", "--", alias(dataset, name))
        return TagReport(found, "deleted")
    if not _NAME.fullmatch(name) or name == LATEST or re.fullmatch(r"[0-9a-f]{4,}|\d{4}-\d\d-\d\d.*", name):
        raise UsageError(f"{name}: a name is letters, digits and . _ + -, and neither a date, a digest nor `latest`")
    commit = commit_of(project, rev or "HEAD", dataset)
    selected, failures = select(pointers(project, commit), [dataset], rev=rev or "HEAD")
    if failures:
        raise failures[0].error
    digest = selected[0].dataset.pointer.digest
    if rev is None:
        work = pointers(project, None).good.get(dataset)
        if work is not None and work.pointer.digest != digest:
            raise Refused(dataset, "its version is not committed yet, and a tag names a commit", "uncommitted-tag")
    try:
        project.git.ask("tag", *(["--force"] if move else []), "--", alias(dataset, name), commit)
    except GitFailed as error:
        if "already exists" not in error.detail:
            raise
        raise Refused(dataset, f"{alias(dataset, name)} names a version already", "tag-exists") from None
    return TagReport([Tag(dataset, name, commit, str(digest))], "tagged")


def _tags(project: Project, dataset: str | None) -> list[Tag]:
    found = []
    at: dict[str, dict[str, str]] = {}
    for ref, commit in sorted(tips(project.git).items()):
        if not ref.startswith(_TAGS):
            continue
        path, separator, name = ref.removeprefix(_TAGS).rpartition("@")
        if not separator or (dataset is not None and path != dataset):
            continue
        if commit not in at:
            good = pointers(project, commit).good
            at[commit] = {known: str(row.pointer.digest) for known, row in good.items()}
        found.append(Tag(path, name, commit, at[commit].get(path)))
    return found
