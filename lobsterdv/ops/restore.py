"""restore: ask for the archived objects of versions, and no others, to be made readable for some days.

The server takes minutes to days. Nothing is fetched; a `pull` afterwards goes on where it stopped. It may be repeated:
what is on its way is not asked for again, and what is readable already stays longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote, manifests, read_table
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, LobsterError, RemoteError, UsageError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.contents import Contents, StoredObject
from lobsterdv.formats.manifest import Manifest
from lobsterdv.formats.prices import Prices
from lobsterdv.ops.archive_states import note
from lobsterdv.ops.archives import Archive, look_at
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Selected, pointers, select
from lobsterdv.ops.price_table import PriceSource, read_prices
from lobsterdv.ops.resolve import entries_below
from lobsterdv.stores.base import Stat
from lobsterdv.stores.tiered import RestoreTier, TierCalls, Tiered

LOOK_EACH_S = 60.0
"""With ``pause``: so long between two looks."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A version, or a part of one: how many ``objects`` it needs, with ``archived_bytes`` in those that were archived
    when it was looked at. ``asked`` were asked for now, ``waiting`` are on their way (these among them), ``ready`` are
    readable copies, which stay until the day ``until``."""

    path: str
    digest: Digest
    objects: int
    archived_bytes: int
    asked: int
    waiting: int
    ready: int
    until: str


@dataclass
class RestoreReport:
    """``cost`` is for what was asked now, in the currency of ``prices``; None where the table does not tell. ``time``
    is how long it should take, in words, empty when nothing is on its way."""

    remote: str
    url: str
    tier: RestoreTier
    days: int
    versions: list[Restored] = field(default_factory=list)
    time: str = ""
    cost: float | None = 0.0
    prices: PriceSource | None = None
    failures: list[Failure] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return sum(row.waiting for row in self.versions)


def restore(
    project: Project,
    paths: Sequence[str],
    *,
    remote: str | None = None,
    rev: str | None = None,
    tier: RestoreTier = "Standard",
    days: int = 7,
    prices: Path | None = None,
    pause: Callable[[float], None] | None = None,
    jobs: int | None = None,
    observer: Observer,
) -> RestoreReport:
    """Ask for what ``paths`` (datasets, or parts of folders) need. With ``pause``, which sleeps, it returns when all of
    it can be read. Each selection fails alone. Raises UsageError for a remote without storage classes, RemoteError."""
    config = project.remote(remote)
    table, source = read_prices(prices)
    selected, failures = select(pointers(project, rev), paths, rev=rev)
    room = connect(project, config, jobs=jobs)
    store = room.store
    if not isinstance(store, Tiered):
        raise UsageError(f"remote {config.name} has no storage classes: nothing there is archived")
    report = RestoreReport(config.name, room.url, tier, days, prices=source, failures=failures)
    needs: dict[Selected, list[StoredObject]] = {}
    observer(Started("asking for archived objects", total_items=len(selected)))
    done: set[str] = set()
    for selection in selected:
        try:
            objects, found = _cheapest(room, selection)
            asked = [stat for stat in found.archived if stat.key not in done]
            _require_tier(selection, table, asked, tier)
            _ask(room, store.tiers, asked, found.restored, tier=tier, days=days)
            done.update(stat.key for stat in found.archived)
            _count(report, table, asked, found, tier=tier, days=days)
            report.versions.append(_row(project, room, selection, objects, found, len(asked)))
            needs[selection] = objects
        except RemoteError:
            raise
        except LobsterError as error:
            report.failures.append(Failure(selection.dataset.path, error))
        observer(Advanced("asking for archived objects", new_items=1))
    observer(Finished("asking for archived objects"))
    if pause is not None:
        _wait(project, room, report, needs, pause, observer)
    return report


def _wait(
    project: Project,
    room: Remote,
    report: RestoreReport,
    needs: dict[Selected, list[StoredObject]],
    pause: Callable[[float], None],
    observer: Observer,
) -> None:
    observer(Started("waiting for archived objects", total_items=report.waiting))
    while left := report.waiting:
        pause(LOOK_EACH_S)
        report.versions = [
            _row(project, room, selection, needs[selection], None, row.asked, row.archived_bytes)
            if row.waiting
            else row
            for selection, row in zip(needs, report.versions, strict=True)
        ]
        observer(Advanced("waiting for archived objects", new_items=left - report.waiting))
    observer(Finished("waiting for archived objects"))


def _cheapest(room: Remote, selection: Selected) -> tuple[list[StoredObject], Archive]:
    """Of the ways in which the version is stored the one that waits for least."""
    dataset = selection.dataset
    pointer = dataset.pointer
    best: tuple[list[StoredObject], Archive] | None = None
    try:
        for _, manifest in manifests(room, pointer.digest, name=dataset.path, is_directory=pointer.is_directory):
            objects = _objects(room, manifest, selection)
            found = look_at(room, objects)
            if best is None or _bytes(found.archived) < _bytes(best[1].archived):
                best = objects, found
            if not found.archived:
                break
    except ContentError:
        if best is None:
            raise
    assert best is not None  # else there was no manifest, which raises
    return best


def _objects(room: Remote, manifest: Manifest, selection: Selected) -> list[StoredObject]:
    dataset, below = selection
    table = read_table(room, manifest, name=dataset.path, below=[below])
    if not below:
        return Contents.of(table.contents).objects
    wanted = set(entries_below(table.entries, below, dataset.path).file_digests().plain())
    hits = (content for content in table.contents if bytes(content.digest) in wanted)
    return list(dict.fromkeys(extent.object for content in hits for extent in content.extents))


def _ask(
    room: Remote, calls: TierCalls, archived: Sequence[Stat], restored: Sequence[Stat], *, tier: RestoreTier, days: int
) -> None:
    """Those that are readable already get their days anew, which costs no retrieval."""
    todo = [*archived, *restored]
    for _ in workers.each(lambda stat: calls.restore(stat.key, tier=tier, days=days), todo, jobs=room.jobs):
        pass


def _require_tier(selection: Selected, table: Prices, archived: Sequence[Stat], tier: RestoreTier) -> None:
    for stat in archived:
        if tier == "Expedited" and stat.storage_class == "DEEP_ARCHIVE":
            raise UsageError(f"{selection.dataset.path} lies in DEEP_ARCHIVE, which has no Expedited retrieval")


def _count(
    report: RestoreReport, table: Prices, asked: Sequence[Stat], found: Archive, *, tier: RestoreTier, days: int
) -> None:
    """Add what was asked to the expected cost, and note the longest time."""
    for kind in sorted({stat.storage_class for stat in asked}):
        sizes = [stat.size for stat in asked if stat.storage_class == kind]
        cost = table.restored(kind, tier, sizes, days=days)
        report.cost = None if cost is None or report.cost is None else report.cost + cost
    for stat in [*asked, *found.restoring]:
        told = table.restore_time(stat.storage_class, tier)
        report.time = told if stat.storage_class == "DEEP_ARCHIVE" else report.time or told


def _row(
    project: Project,
    room: Remote,
    selection: Selected,
    objects: Iterable[StoredObject],
    before: Archive | None,
    asked: int,
    archived_bytes: int = 0,
) -> Restored:
    """What the store says now, which is also remembered for `status`."""
    dataset, below = selection
    needed = list(dict.fromkeys(objects))
    now = look_at(room, needed)
    kept = now.kept(dataset.pointer.digest)
    if kept is not None or not below:
        note(project, room, {dataset.pointer.digest: kept})
    waiting, until = len(now.archived) + len(now.restoring), min((s.restored for s in now.restored), default="")
    size = archived_bytes if before is None else _bytes([*before.archived, *before.restoring, *before.restored])
    path = f"{dataset.path}/{below}" if below else str(dataset.path)
    return Restored(path, dataset.pointer.digest, len(needed), size, asked, waiting, len(now.restored), until)


def _bytes(stats: Iterable[Stat]) -> int:
    return sum(stat.size for stat in stats)
