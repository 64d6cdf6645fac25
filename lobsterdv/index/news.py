"""What there is to add to ``lineage.db``: commits, pointers, runs and pushes that it does not know yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from lobsterdv.digest import Digest
from lobsterdv.formats.pointer import Pointer
from lobsterdv.formats.runs import RunRecord


class CommitRow(NamedTuple):
    """A commit that changed a pointer; ``at`` in seconds since 1970."""

    oid: str
    at: int
    author: str
    subject: str


class ChangeRow(NamedTuple):
    """A commit gave a dataset a pointer (git's blob id), or none; ``before`` are those its parents had."""

    commit: CommitRow
    dataset: str
    blob: str | None
    before: tuple[str, ...]


class PushRow(NamedTuple):
    """A remote's catalog says that it holds a version."""

    remote: str
    dataset: str
    digest: Digest
    at: str
    record: Digest


@dataclass
class News:
    """What there is to add. ``pointers`` by git's blob id and dataset; changes oldest first."""

    pointers: dict[tuple[str, str], Pointer] = field(default_factory=dict)
    changes: list[ChangeRow] = field(default_factory=list)
    runs: list[tuple[Digest, RunRecord]] = field(default_factory=list)
    pushes: list[PushRow] = field(default_factory=list)
