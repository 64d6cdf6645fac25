"""Names of versions: ``PATH@REV``, and what REV may be besides a git revision.

In this order: the git tag ``PATH@REV`` (an alias of this dataset alone); ``latest``, which is HEAD; whatever git takes;
the alias of any one dataset; a day or moment in ISO 8601 (what HEAD's history said at its end); the beginning of a
digest, at least 4 hex digits.
"""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from lobsterdv.errors import UnknownRevision
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.git_history import commit_before, tips
from lobsterdv.ops.context import Project

LATEST: Final = "latest"
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:?\d\d)?")
_DIGEST: Final = re.compile(r"(?:blake3:)?([0-9a-f]{4,64})")


class Named(NamedTuple):
    """What a name means: a path, and a revision when it had one."""

    path: str
    rev: str | None


def split_name(project: Project, text: str) -> Named:
    """``PATH@REV`` in two. A path that has an @ in its own name, and is there or tracked, is left whole."""
    path, at, rev = text.rpartition("@")
    if not at or not path or not rev:
        return Named(text, None)
    place = project.root / text
    if os.path.lexists(place) or os.path.lexists(f"{place}{SUFFIX}"):
        return Named(text, None)
    return Named(path, rev)


def alias(dataset: str, name: str) -> str:
    """The git tag that names a version of one dataset."""
    return f"{dataset.removesuffix(SUFFIX)}@{name}"


def commit_of(project: Project, rev: str, dataset: str | None = None) -> str:
    """The commit that a revision means, of ``dataset`` where one is meant. Raises UnknownRevision, also for the
    beginning of several digests. One git process for what git knows."""
    if dataset and _tagged(project, own := alias(dataset, rev)):
        rev = f"refs/tags/{own}"
    try:
        return project.git.commit_of("HEAD" if rev == LATEST else rev)
    except UnknownRevision:
        found = _by_alias(project, rev) or _by_date(project, rev) or _by_digest(project, rev, dataset)
        if found is None:
            raise
        return found


def revision(project: Project, named: Named) -> str | None:
    """The revision of a name as git can take it: its tag where that is an alias of the path, the commit where it is
    the beginning of a digest that this dataset had (another may have one that begins so too)."""
    if named.rev is None:
        return None
    own = alias(named.path, named.rev)
    if _tagged(project, own):
        return own
    if _DIGEST.fullmatch(named.rev):
        try:
            project.git.commit_of(named.rev)
        except UnknownRevision:
            return _by_digest(project, named.rev, named.path.removesuffix(SUFFIX)) or named.rev
    return named.rev


def is_digest(rev: str) -> str | None:
    """The hex digits of a revision that is the beginning of a digest, else None."""
    match = _DIGEST.fullmatch(rev)
    return match[1] if match else None


def _tagged(project: Project, name: str) -> bool:
    try:
        project.git.commit_of(f"refs/tags/{name}")
    except UnknownRevision:
        return False
    return True


def _by_alias(project: Project, rev: str) -> str | None:
    """By the aliases of any datasets, when all that are called so mean one commit."""
    named = {ref: oid for ref, oid in tips(project.git).items() if ref.startswith("refs/tags/")}
    commits = {oid for ref, oid in named.items() if ref.endswith(f"@{rev}")}
    if len(commits) > 1:
        raise UnknownRevision(f"{rev}, a tag of several datasets; PATH@{rev} names one")
    return commits.pop() if commits else None


def _by_date(project: Project, rev: str) -> str | None:
    if _DAY.fullmatch(rev):
        return commit_before(project.git, f"{rev} 23:59:59", "HEAD")
    if _MOMENT.fullmatch(rev):
        return commit_before(project.git, rev, "HEAD")
    return None


def _by_digest(project: Project, rev: str, dataset: str | None) -> str | None:
    match = _DIGEST.fullmatch(rev)
    if match is None:
        return None
    from lobsterdv.index.graph import Key, digests_like, naming_commits  # noqa: PLC0415 - start-up time
    from lobsterdv.index.lineage import NoLineage  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.lineage_index import up_to_date  # noqa: PLC0415 - start-up time

    lineage = up_to_date(project, observer=project.observer)
    try:
        with lineage.reading() as connection:
            versions = digests_like(connection, f"blake3:{match[1]}", dataset)
            if len({key.digest for key in versions}) > 1:
                raise UnknownRevision(f"{rev}, which begins several digests")
            commits = [commit for key in versions for commit in naming_commits(connection, Key(*key))]
    except NoLineage:
        return None
    return commits[0] if commits else None
