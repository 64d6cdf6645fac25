"""What a verification finds: damages, by the names people know, and how far it came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lobsterdv.digest import Digest
from lobsterdv.errors import GitFailed
from lobsterdv.ops.context import Project
from lobsterdv.ops.wishes import Wish

State = Literal["missing", "corrupt", "unreadable"]
Place = Literal["cache", "work tree", "remote"]
What = Literal["content", "listing", "pack index", "object", "manifest", "segment", "record"]


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of one version that is not as it should be.

    ``name`` is the digest or key of what is damaged and ``size`` its bytes (0 where unknown). Of the version's files
    ``files`` are touched, ``file`` is the first (empty for a dataset that is a file, and for all of a version). A pack
    index belongs to no dataset: its ``path`` is empty. ``rev`` names the version in git, by tag where there is one;
    empty while no commit names it. After a repair ``healed`` tells where the good bytes came from (empty: nowhere),
    and ``remedy`` where they may still come from.
    """

    path: str
    version: Digest | None
    rev: str
    file: str
    files: int
    place: Place
    what: What
    name: str
    state: State
    detail: str
    size: int = 0
    healed: str = ""
    remedy: str = ""


@dataclass
class Area:
    """How much of one place was looked at: items and bytes in this run, ``earlier`` items by an interrupted run that
    this one went on with, ``left`` items that there was no time for."""

    place: Place
    items: int = 0
    bytes: int = 0
    earlier: int = 0
    left: int = 0


def damage_of(wish: Wish, place: Place, what: What, name: object, state: State, detail: str, **more: object) -> Damage:
    """A damage of a wished version, whose ``rev`` is its commit until ``with_revs`` finds a tag."""
    row = Damage(wish.path, wish.pointer.digest, wish.commit or "", "", 0, place, what, str(name), state, detail)
    return replace(row, **more)  # type: ignore[arg-type]


def with_revs(project: Project, damages: Iterable[Damage]) -> list[Damage]:
    """Damages with their versions named by tags (``v1``, or ``v1~2`` for two commits before it), else by short commits.
    One git process, none without damages."""
    rows = list(damages)
    commits = list(dict.fromkeys(row.rev for row in rows if len(row.rev) >= 40))
    try:
        names = project.git.tags_for(commits)
    except GitFailed:
        names = {}
    return [replace(row, rev=names.get(row.rev) or row.rev[:10]) if row.rev in commits else row for row in rows]
