"""show: everything that is known about one version. Offline."""

from __future__ import annotations

from dataclasses import dataclass, field

from lobsterdv.events import Observer
from lobsterdv.formats.pointer import Pointer
from lobsterdv.index.graph import Link
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, pointers
from lobsterdv.ops.lineage import version_named
from lobsterdv.ops.lineage_index import up_to_date
from lobsterdv.ops.log import tags_by_pointer
from lobsterdv.ops.staleness import reasons
from lobsterdv.ops.tracing import Tracer, VersionFacts, facts_of, key_of, within


@dataclass
class ShowReport:
    """``made_from`` and ``used_by`` are one step away. ``pointer`` is the one that was asked about."""

    version: VersionFacts
    pointer: Pointer
    tags: list[str]
    made_from: list[Link] = field(default_factory=list)
    used_by: list[Link] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def show(project: Project, name: str, *, rev: str | None = None, observer: Observer) -> ShowReport:
    """The version that ``name`` means, at ``rev``, at ``PATH@REV`` or in the work tree. Raises NotTracked,
    UnknownRevision."""
    work = pointers(project, None)
    dataset = version_named(project, name, rev, work)
    key = key_of(dataset)
    stale = reasons(project, work.good)
    with up_to_date(project, observer=observer).reading() as connection:
        facts = facts_of(project, connection, [key], work.good, stale)
        tracer = Tracer(connection, work.good)
        made_from = within(tracer.links([key], down=False), [key], 1, down=False)
        used_by = within(tracer.links([key], down=True), [key], 1, down=True)
    return ShowReport(facts[key], dataset.pointer, _tags(project, dataset), made_from, used_by)


def _tags(project: Project, dataset: Dataset) -> list[str]:
    """The tags at which the dataset was this version."""
    path = str(dataset.path)
    by_pointer = tags_by_pointer(project, {path})
    contents = project.git.read(blob for _, blob in by_pointer)
    digest = f'"{dataset.pointer.digest}"'.encode()
    return sorted(tag for (_, blob), tags in by_pointer.items() if digest in contents.get(blob, b"") for tag in tags)
