"""report: the lineage of everything that the work tree's pointers name."""

from __future__ import annotations

from pathlib import Path

from lobsterdv import durable
from lobsterdv.events import Observer
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import pointers
from lobsterdv.ops.lineage import LineageReport
from lobsterdv.ops.lineage_index import up_to_date
from lobsterdv.ops.staleness import reasons
from lobsterdv.ops.tracing import Tracer, facts_of, key_of


def project_lineage(project: Project, *, observer: Observer) -> LineageReport:
    """What all current versions were made from, however indirectly."""
    work = pointers(project, None)
    starts = [key_of(dataset) for dataset in work.good.values()]
    report = LineageReport(starts, "up")
    stale = reasons(project, work.good)
    with up_to_date(project, observer=observer).reading() as connection:
        report.links = Tracer(connection, work.good).links(starts, down=False)
        keys = dict.fromkeys([*starts, *(key for link in report.links for key in (link.made, link.used))])
        facts = facts_of(project, connection, list(keys), work.good, stale)
    report.versions = [facts[key] for key in keys]
    return report


def write_page(folder: str, text: str) -> Path:
    """Write ``lineage.html`` in a folder, which is made if need be; what was there is replaced whole. Raises
    LocalIOError."""
    place = Path(folder)
    durable.make_folder(place)
    path = place / "lineage.html"
    durable.write(path, text.encode(), mode=None)
    return path
