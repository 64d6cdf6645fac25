"""remote tier: have what no version in use needs moved to a cheaper storage class, by a rule of the bucket.

Which objects that is cannot be told from their age. So they are tagged, one by one, and the rule looks for the tag. A
push that comes to need a tagged object refreshes it first, for it is old by then (see ``grace``), and a refreshed
object has no tag; one that is archived already counts as absent, and is sent again. Documents stay where
they are. Nothing is deleted, and without ``yes`` nothing is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.grace import GRACE_S, is_settled
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.remote_lock import check_skew
from lobsterdv.blobs.remote_look import Filed, named_by, read_catalogs
from lobsterdv.blobs.tombstones import forgotten
from lobsterdv.digest import Digest
from lobsterdv.errors import KeyMissing, UsageError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.layout import OBJECTS, object_key
from lobsterdv.formats.prices import Prices
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.price_table import PriceSource, read_prices
from lobsterdv.ops.windows import Window, named_at_tips, split
from lobsterdv.stores.base import Stat
from lobsterdv.stores.tiered import TierCalls, Tiered, TierRule

TAG: Final = "lobsterdv-tier"
"""The tag on objects that may go; its value is the class."""
CLASSES: Final = ("GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "STANDARD_IA")
SMALL_BYTES: Final = 128 << 10
"""Smaller objects stay: every class bills them as if they had this size, or with 40 KiB more."""
ABORT_DAYS: Final = 7
_IA_DAYS: Final = 30  # S3 takes no rule that moves objects to STANDARD_IA sooner


@dataclass(frozen=True, slots=True)
class TierVersion:
    """A version that is not in use, and what is only its (or that of others not in use, told at the oldest of them)."""

    project: str
    path: str
    digest: Digest
    pushed: str
    size: int
    objects: int
    bytes: int


@dataclass
class TierReport:
    """``acted``: done, or only looked at. ``objects`` of ``versions`` are tagged (or would be), ``waiting`` were before
    and the server has not moved them yet, ``moved`` are in the class. Left alone are ``small`` ones, and ``young`` ones
    (written or refreshed in the last days). ``untagged`` are in use again; ``cold`` versions are in use although
    objects of theirs are archived. ``month`` is what a month costs less, ``transition`` what moving them costs once.
    """

    remote: str
    url: str
    acted: bool
    storage_class: str
    keep_versions: int
    keep_days: int
    prices: PriceSource
    versions: list[TierVersion] = field(default_factory=list)
    objects: int = 0
    bytes: int = 0
    small: int = 0
    young: int = 0
    waiting: int = 0
    moved: int = 0
    untagged: int = 0
    cold: list[TierVersion] = field(default_factory=list)
    month: float = 0.0
    transition: float = 0.0
    minimum_days: int = 0
    rule_installed: bool = False
    failures: list[Failure] = field(default_factory=list)


def tier(
    project: Project,
    *,
    remote: str | None = None,
    keep: Window,
    storage_class: str = CLASSES[0],
    yes: bool = False,
    prices: Path | None = None,
    grace_s: float = GRACE_S,
    jobs: int | None = None,
    observer: Observer,
) -> TierReport:
    """Plan, or with ``yes`` tag and install the rule. In use is what ``windows.split`` says, of all projects there, and
    what this clone's git names at its tips. May be interrupted and repeated. Raises UsageError for a remote without
    classes, Refused for a catalog that cannot be read or clocks that are apart, RemoteError."""
    if storage_class not in CLASSES:
        raise UsageError(f"objects are moved to {', '.join(CLASSES)}, not to {storage_class}")
    table, source = read_prices(prices)
    config = project.remote(remote)
    room = connect(project, config, jobs=jobs)
    store = room.store
    if not isinstance(store, Tiered):
        raise UsageError(f"remote {config.name} has no storage classes")
    report = TierReport(config.name, room.url, yes, storage_class, keep.versions, int(keep.days), source)
    observer(Started("looking at the remote"))
    now = store.clock()
    check_skew(store, now, project.now())
    named = named_at_tips(project)
    used, others = split(_counting(room), keep, named=named, now=now)
    needed = set(map(object_key, named_by(room, used).objects))
    listed = {stat.key: stat for stat in store.list(OBJECTS)}
    rules = store.tiers.tier_rules()
    tagged = _tagged(store.tiers, listed.values(), now, grace_s, jobs=room.jobs) if rules else {}
    chosen = _choose(room, others, needed, listed, tagged, report, now=now, grace_s=grace_s)
    again = sorted(key for key in tagged if key in needed)
    report.untagged = len(again)
    report.cold = _cold(room, used, listed)
    _count(report, chosen, table)
    observer(Finished("looking at the remote"))
    if not yes:
        return report
    _untag(store.tiers, again, jobs=room.jobs)
    done = _tag(room, store.tiers, chosen, storage_class, now=now, grace_s=grace_s, observer=observer)
    report.objects, report.bytes = len(done), sum(stat.size for stat in done)
    used, _ = split(_counting(room), keep, named=named, now=now)  # a push may have come to need them meanwhile
    needed = set(map(object_key, named_by(room, used).objects))
    late = [stat.key for stat in done if stat.key in needed]
    _untag(store.tiers, late, jobs=room.jobs)
    report.untagged += len(late)
    days = _IA_DAYS if storage_class == "STANDARD_IA" else 0
    rule = TierRule(OBJECTS, (TAG, storage_class), storage_class, days)
    report.rule_installed = store.tiers.install([rule], abort_days=ABORT_DAYS)
    return report


def _counting(room: Remote) -> list[Filed]:
    """Records that count: what was retired or forgotten goes its own way."""
    filed = read_catalogs(room, forgotten=forgotten(room))
    return [row for row in filed if row.retired is None and not row.is_forgotten]


def _choose(
    room: Remote,
    others: Sequence[Filed],
    needed: Collection[str],
    listed: dict[str, Stat],
    tagged: dict[str, str],
    report: TierReport,
    *,
    now: float,
    grace_s: float,
) -> list[Stat]:
    """The objects to be tagged, each counted at the oldest version that needs it."""
    chosen: list[Stat] = []
    seen: set[str] = set()
    for row in others:
        mine = []
        for key in sorted(map(object_key, named_by(room, [row]).objects)):
            stat = listed.get(key)
            if stat is None or key in needed or key in seen:
                continue
            seen.add(key)
            if stat.archived or stat.storage_class == report.storage_class:
                report.moved += 1
            elif stat.size < SMALL_BYTES:
                report.small += 1
            elif not is_settled(stat.modified, now, grace_s):
                report.young += 1
            elif tagged.get(key) == report.storage_class:
                report.waiting += 1
            else:
                mine.append(stat)
        if mine:
            report.versions.append(_version(row, mine))
            chosen += mine
    return chosen


def _tagged(calls: TierCalls, stats: Iterable[Stat], now: float, grace_s: float, *, jobs: int) -> dict[str, str]:
    """The class in the tag of every object that has one. A request for each that is old enough."""

    def ask(key: str) -> str:
        try:
            return calls.tags(key).get(TAG, "")
        except KeyMissing:
            return ""

    able = (stat for stat in stats if not stat.archived and stat.size >= SMALL_BYTES)
    asked = [stat.key for stat in able if is_settled(stat.modified, now, grace_s)]
    found = zip(asked, workers.each(ask, asked, jobs=jobs), strict=True)
    return {key: value for key, value in found if value}


def _tag(
    room: Remote,
    calls: TierCalls,
    chosen: Sequence[Stat],
    storage_class: str,
    *,
    now: float,
    grace_s: float,
    observer: Observer,
) -> list[Stat]:
    """Tag each, unless it was written, refreshed or removed since the list; returns those that have the tag now."""

    def one(stat: Stat) -> bool:
        observer(Advanced("tagging", stat.size, 1))
        try:
            if not is_settled(room.store.head(stat.key).modified, now, grace_s):
                return False
            calls.set_tags(stat.key, {**calls.tags(stat.key), TAG: storage_class})
        except KeyMissing:
            return False
        return True

    observer(Started("tagging", sum(stat.size for stat in chosen), len(chosen)))
    done = zip(chosen, workers.each(one, chosen, jobs=room.jobs), strict=True)
    found = [stat for stat, is_tagged in done if is_tagged]
    observer(Finished("tagging"))
    return found


def _untag(calls: TierCalls, keys: Sequence[str], *, jobs: int) -> None:
    def one(key: str) -> None:
        try:
            calls.set_tags(key, {name: value for name, value in calls.tags(key).items() if name != TAG})
        except KeyMissing:
            pass

    for _ in workers.each(one, keys, jobs=jobs):
        pass


def _cold(room: Remote, used: Sequence[Filed], listed: dict[str, Stat]) -> list[TierVersion]:
    """Versions in use of which something is archived (and not restored): each is asked for by HEAD."""
    if not any(stat.archived for stat in listed.values()):
        return []
    found = []
    for row in used:
        keys = map(object_key, named_by(room, [row]).objects)
        cold = [stat for key in keys if (stat := listed.get(key)) is not None and stat.archived]
        if cold:
            found.append(_version(row, cold))
    return found


def _version(row: Filed, stats: Sequence[Stat]) -> TierVersion:
    record = row.record
    pointer = record.pointer
    size = sum(stat.size for stat in stats)
    return TierVersion(row.project_id, str(record.path), pointer.digest, record.at, pointer.size, len(stats), size)


def _count(report: TierReport, chosen: Sequence[Stat], prices: Prices) -> None:
    report.objects, report.bytes = len(chosen), sum(stat.size for stat in chosen)
    price = prices.classes.get(report.storage_class)
    if price is None:
        return
    before = sum(prices.stored(stat.storage_class, [stat.size]) or 0.0 for stat in chosen)
    report.month = before - (prices.stored(report.storage_class, [stat.size for stat in chosen]) or 0.0)
    report.transition = len(chosen) / 1000 * price.transition
    report.minimum_days = price.minimum_days
