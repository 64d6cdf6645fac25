"""Keeping ``lineage.db`` up to date with git, run records and what is known of remotes; rebuilding it from them.

What was indexed is remembered by the tips of all refs: new commits are added, and where something is gone (a deleted
branch, an amended commit) all is built anew, so that the index always says what a rebuild would say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lobsterdv.blobs.remote import records
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import FormatError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.pointer import SUFFIX, parse_pointer
from lobsterdv.git_history import is_behind, steps, tips
from lobsterdv.index.lineage import Lineage
from lobsterdv.index.news import ChangeRow, CommitRow, News, PushRow
from lobsterdv.index.pushed import Pushed, load_all_pushed, load_pushed, save_pushed
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.run_records import kept_run, kept_run_names
from lobsterdv.ops.run_sharing import fetch_runs

_BATCH: Final = 2000  # pointers read and parsed at once


@dataclass
class ReindexReport:
    """How much the index holds now."""

    versions: int = 0
    commits: int = 0
    runs: int = 0
    pushes: int = 0
    failures: list[Failure] = field(default_factory=list)


def lineage_of(project: Project) -> Lineage:
    """The project's lineage file, as it is."""
    return Lineage(project.index.path.with_name("lineage.db"), project.observer)


def up_to_date(project: Project, *, observer: Observer) -> Lineage:
    """The lineage file, with everything in it that git, the cache and the index know. Two git processes when nothing
    is new. May be raced: each writer adds what it knows, in one transaction."""
    lineage = lineage_of(project)
    before = lineage.state()
    now = _State(project)
    if before == now.text:
        return lineage
    old = _loaded(before.get("tips"))
    same_tips = before.get("tips") == now.text["tips"]
    known = [oid for oid in old.values() if isinstance(oid, str)]
    if before and (same_tips or is_behind(project.git, known, now.tips.values())) and now.only_grew(lineage):
        news = _news(project, now, without=known, nothing_new=same_tips, observer=observer)
        if lineage.update(news, now.text):
            return lineage
    rebuild(project, observer=observer)
    return lineage


def rebuild(project: Project, *, remote: str | None = None, observer: Observer) -> ReindexReport:
    """Build the lineage file anew from all there is, and put it in the old one's place. With ``remote`` that one's
    catalog and run records are read first. Raises NotARemote, RemoteError."""
    if remote is not None:
        room = connect(project, project.remote(remote))
        shelf = f"{room.marker.store_id}/{project.project_id}"
        known = [row.record for row in load_pushed(project.index, shelf)]
        new = records(room, project.project_id, known=known)
        save_pushed(project.index, shelf, (
            Pushed(record.path, record.pointer.digest, record.manifest, name, record.at) for name, record in new
        ))  # fmt: skip
        fetch_runs(room)
    now = _State(project)
    news = _news(project, now, without=(), nothing_new=False, observer=observer)
    lineage_of(project).rebuild(news, now.text)
    versions = {(dataset, pointer.digest) for (_, dataset), pointer in news.pointers.items()}
    commits = {change.commit.oid for change in news.changes}
    return ReindexReport(len(versions), len(commits), len(news.runs), len(news.pushes))


class _State:
    """What there is to be indexed, by names alone: tips of refs, run records, pushes."""

    def __init__(self, project: Project) -> None:
        self.tips = tips(project.git)
        self.runs = kept_run_names(project.cache)
        self.pushes = [
            PushRow(store.partition("/")[0], row.path, row.version, row.at, row.record)
            for store, row in load_all_pushed(project.index)
            if store.endswith(f"/{project.project_id}")
        ]

    @property
    def text(self) -> dict[str, str]:
        return {
            "tips": json.dumps(self.tips, sort_keys=True),
            "runs": _fingerprint(self.runs),
            "pushes": _fingerprint(push.record for push in self.pushes),
        }

    def only_grew(self, lineage: Lineage) -> bool:
        """False when the file holds runs or pushes that there are no more."""
        kept = lineage.names()
        return kept <= {str(name) for name in self.runs} | {str(push.record) for push in self.pushes}


def _news(project: Project, now: _State, *, without: Iterable[str], nothing_new: bool, observer: Observer) -> News:
    """What commits that are not behind ``without`` say, and all runs and pushes."""
    news = News(pushes=now.pushes)
    for name in now.runs:
        if (record := kept_run(project.cache, name)) is not None:
            news.runs.append((name, record))
    if nothing_new:
        return news
    found = list(steps(project.git, [f"*{SUFFIX}"], tips=sorted(set(now.tips.values())), without=sorted(set(without))))
    for step in reversed(found):
        if step.path.endswith(SUFFIX):
            oid, at, author, subject = step.commit
            commit = CommitRow(oid, at, _safe(author), _safe(subject))
            news.changes.append(ChangeRow(commit, _safe(step.path.removesuffix(SUFFIX)), step.blob, step.before))
    wanted = dict.fromkeys((blob, c.dataset) for c in news.changes for blob in (c.blob, *c.before) if blob)
    pairs = list(wanted)
    observer(Started("indexing", total_items=len(pairs)))
    for start in range(0, len(pairs), _BATCH):
        some = pairs[start : start + _BATCH]
        contents = project.git.read(blob for blob, _ in some)
        for blob, dataset in some:
            try:
                news.pointers[blob, dataset] = parse_pointer(contents[blob], what=dataset)
            except (FormatError, KeyError):
                continue  # never a pointer that could be used
        observer(Advanced("indexing", 0, len(some)))
    observer(Finished("indexing"))
    return news


def _fingerprint(names: Iterable[Digest]) -> str:
    return str(digest_of(b"".join(sorted(names))))


def _loaded(text: str | None) -> dict[str, object]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _safe(text: str) -> str:
    """Text that SQLite can keep: bytes that are no UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
