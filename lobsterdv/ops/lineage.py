"""lineage and impact: what a version was made from, what was made of it, and what of that is stale. Offline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lobsterdv.errors import NotTracked, UnknownRevision
from lobsterdv.events import Observer
from lobsterdv.index.graph import Key, Link, versions_of
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, Pointers, dataset_of, pointers, select
from lobsterdv.ops.lineage_index import up_to_date
from lobsterdv.ops.names import commit_of, is_digest, split_name
from lobsterdv.ops.staleness import Reason, reasons
from lobsterdv.ops.tracing import Tracer, VersionFacts, facts_of, key_of, within

if TYPE_CHECKING:
    import networkx

Direction = Literal["up", "down", "both"]


@dataclass
class LineageReport:
    """``versions``: those that were asked for first, then nearest first; ``links`` say which was made from which,
    with the command, the code and the parameters as the pointer of what was made has them."""

    asked: list[Key]
    direction: Direction
    versions: list[VersionFacts] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def graph(self) -> networkx.MultiDiGraph[Key]:
        """The same as a networkx graph: nodes are Keys with their facts as attributes, edges lead from what was used
        to what was made."""
        import networkx  # noqa: PLC0415 - start-up time

        made: networkx.MultiDiGraph[Key] = networkx.MultiDiGraph()
        for version in self.versions:
            made.add_node(version.key, facts=version)
        for link in self.links:
            made.add_edge(link.used, link.made, **_attributes(link))
        return made


@dataclass(frozen=True, slots=True)
class Affected:
    """A dataset of the work tree that was made, however indirectly, from the one asked about; ``steps`` away. An empty
    ``stale`` means that it is up to date."""

    version: VersionFacts
    steps: int
    activity: str | None
    stale: list[Reason]


@dataclass
class ImpactReport:
    """``old`` counts versions downstream that no pointer of the work tree names any more."""

    dataset: str
    affected: list[Affected] = field(default_factory=list)
    old: int = 0
    failures: list[Failure] = field(default_factory=list)


def lineage(
    project: Project, name: str, *, direction: Direction = "up", depth: int | None = None, rev: str | None = None,
    observer: Observer,
) -> LineageReport:  # fmt: skip
    """Where the version that ``name`` means comes from (``up``), what was made of it (``down``), or both.

    A dataset's path, or a path inside one, at ``rev``, at ``PATH@REV``, or in the work tree. Raises NotTracked,
    UnknownRevision.
    """
    work = pointers(project, None)
    start = key_of(version_named(project, name, rev, work))
    report = LineageReport([start], direction)
    stale = reasons(project, work.good)
    with up_to_date(project, observer=observer).reading() as connection:
        tracer = Tracer(connection, work.good)
        for down in [d for d, on in ((False, direction != "down"), (True, direction != "up")) if on]:
            found = tracer.links([start], down=down)
            report.links += found if depth is None else within(found, [start], depth, down=down)
        keys = dict.fromkeys([start, *(key for link in report.links for key in (link.made, link.used))])
        facts = facts_of(project, connection, list(keys), work.good, stale)
    report.versions = [facts[key] for key in keys]
    return report


def impact(project: Project, name: str, *, observer: Observer) -> ImpactReport:
    """Every dataset of the work tree that was made from any version of the one that ``name`` means, nearest first.
    Raises NotTracked."""
    work = pointers(project, None)
    dataset = version_named(project, name, None, work)
    report = ImpactReport(str(dataset.path))
    stale = reasons(project, work.good)
    with up_to_date(project, observer=observer).reading() as connection:
        now = [key_of(work.good[report.dataset])] if report.dataset in work.good else []
        starts = list(dict.fromkeys([*versions_of(connection, report.dataset), key_of(dataset), *now]))
        links = Tracer(connection, work.good).links(starts, down=True)
        steps = dict.fromkeys(starts, 0)
        made_by: dict[Key, str | None] = {}
        for link in links:
            steps.setdefault(link.made, steps[link.used] + 1)
            made_by.setdefault(link.made, link.activity)
        below = [key for key in steps if key.dataset != report.dataset]
        facts = facts_of(project, connection, below, work.good, stale)
    for key in below:
        version = facts[key]
        if version.is_current:
            report.affected.append(Affected(version, steps[key], made_by.get(key), version.stale))
    report.old = len(below) - len(report.affected)
    return report


def version_named(project: Project, name: str, rev: str | None, work: Pointers) -> Dataset:
    """The one dataset that ``name`` (perhaps ``PATH@REV``) means, at its revision or in the work tree (``work``).
    Raises NotTracked, UnknownRevision."""
    named = split_name(project, name) if rev is None else (name, rev)
    path, wanted = named
    where = work
    if wanted is not None:
        try:
            where = pointers(project, commit_of(project, wanted, path))
        except UnknownRevision:
            if not _is_uncommitted(path, wanted, work):
                raise
    selected, failures = select(where, [path], rev=wanted)
    if failures:
        raise failures[0].error
    if len(selected) != 1:
        raise NotTracked(path, wanted)
    return selected[0].dataset


def _is_uncommitted(path: str, rev: str, work: Pointers) -> bool:
    """True when ``rev`` begins the digest of the work tree's version, which no commit has yet."""
    dataset = work.good.get(dataset_of(path))
    begins = is_digest(rev)
    return dataset is not None and begins is not None and dataset.pointer.digest.hex().startswith(begins)


def _attributes(link: Link) -> dict[str, Any]:
    names = ("path", "activity", "command", "folder", "script", "params")
    return {name: getattr(link, name) for name in names}
