"""remote cost: what a remote takes and costs, by storage class; what a pull of it costs; and what it would cost
otherwise. One list of everything there, the catalogs and manifests; no content is read, nothing is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from lobsterdv.blobs.accounting import Sizes
from lobsterdv.blobs.ranges import RANGE_BYTES
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.remote_look import Filed, Named, named_by, read_catalogs
from lobsterdv.blobs.tombstones import forgotten
from lobsterdv.errors import Denied, FormatError, NotARemote, RemoteError, UsageError
from lobsterdv.events import Finished, Observer, Started, Warned
from lobsterdv.formats.layout import OBJECTS, name_in_key, object_key
from lobsterdv.formats.prices import GB, STANDARD, Prices
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.price_table import PriceSource, read_prices
from lobsterdv.ops.stats import stats
from lobsterdv.ops.windows import Window, split
from lobsterdv.stores.base import Stat
from lobsterdv.stores.tiered import Tiered

Use = Literal["current", "history", "waste", "documents", "old copies"]
_USES: Final[tuple[Use, ...]] = ("current", "history", "waste", "documents", "old copies")
_PARTS: Final = re.compile(r"-([1-9][0-9]{0,4})$")
_COLLECTED: Final = ("objects/", "manifests/", "segments/")


@dataclass(frozen=True, slots=True)
class Share:
    """What lies there for one use, in one class. ``current`` objects belong to the newest version of a path,
    ``history`` to others that a catalog names, ``waste`` to none (`remote gc` frees it), ``documents`` are manifests,
    records and such, ``old copies`` are what a bucket that keeps versions holds besides. ``month`` is None without a
    price."""

    use: Use
    storage_class: str
    items: int
    bytes: int
    month: float | None


@dataclass(frozen=True, slots=True)
class Sending:
    """What it took to send what is there: ``requests``, a multipart upload counted with all its parts; ``values`` is
    how many that would be at one each."""

    values: int
    requests: int
    cost: float


@dataclass(frozen=True, slots=True)
class Pulling:
    """One pull of this project's current versions by somebody who has nothing. ``archived_bytes`` of them must be
    restored first, which is not in these figures. ``egress`` is for leaving AWS; within its region that is free."""

    requests: int
    bytes: int
    archived_bytes: int
    requests_cost: float
    retrieval: float
    egress: float


@dataclass(frozen=True, slots=True)
class WhatIf:
    """If all objects, or those of history alone, were in another class: a ``month``, and what it costs to get there
    once (``transition``). ``padded_bytes`` is what is billed besides, for small objects and overheads. ``retrieval``
    is of one pull of the current versions; of an archive by a Standard restore for a week, which takes ``time``."""

    storage_class: str
    what: Literal["all objects", "history"]
    month: float
    change: float
    transition: float
    minimum_days: int
    padded_bytes: int
    retrieval: float
    time: str


@dataclass
class CostReport:
    """Money is in the currency of ``prices``: list prices of one region, to be checked. For a directory there are
    bytes alone. ``saved`` are this project's sizes, as `stats` tells them; ``saved_month`` what a month would cost
    more without identical files, dedupe and zstd, at the price of STANDARD."""

    remote: str
    url: str
    prices: PriceSource | None
    shares: list[Share] = field(default_factory=list)
    bytes: int = 0
    month: float | None = None
    sending: Sending | None = None
    pulling: Pulling | None = None
    saved: Sizes = field(default_factory=Sizes)
    saved_month: dict[str, float] = field(default_factory=dict)
    what_if: list[WhatIf] = field(default_factory=list)
    old_copies_listed: bool = False
    failures: list[Failure] = field(default_factory=list)


def cost(
    project: Project,
    *,
    remote: str | None = None,
    what_if: Sequence[str] = (),
    prices: Path | None = None,
    jobs: int | None = None,
    observer: Observer,
) -> CostReport:
    """Raises UsageError for a class without a price, FormatError for a table that cannot be read, Refused for a catalog
    that cannot, RemoteError. Nothing was pushed: an empty report."""
    table, source = read_prices(prices)
    for name in what_if:
        if name not in table.classes:
            raise UsageError(f"the price table has no class {name} (it has: {', '.join(table.classes)})")
    config = project.remote(remote)
    try:
        room = connect(project, config, jobs=jobs)
    except NotARemote as error:
        if not error.is_empty:
            raise
        return CostReport(config.name, config.url, source)
    has_classes = isinstance(room.store, Tiered)
    if what_if and not has_classes:
        raise UsageError(f"remote {config.name} has no storage classes: it costs what its disk costs")
    report = CostReport(config.name, room.url, source if has_classes else None)
    observer(Started("looking at the remote"))
    began = room.store.clock()
    filed = read_catalogs(room, forgotten=forgotten(room))
    rooted = [row for row in filed if row.is_root(began)]
    current, _ = split((row for row in rooted if row.retired is None), Window(), named=(), now=began)
    uses = _by_use(room.store.list(""), named_by(room, current), named_by(room, rooted))
    if isinstance(room.store, Tiered):
        try:
            uses["old copies"] = list(room.store.tiers.noncurrent(""))
            report.old_copies_listed = True
        except RemoteError as error:
            if not isinstance(error, Denied | NotARemote):
                raise
            observer(Warned(f"old versions that the bucket may keep could not be listed ({error})"))
    report.shares = _shares(uses, table if has_classes else None)
    report.bytes = sum(share.bytes for share in report.shares)
    report.saved = stats(project, remote=config.name, jobs=jobs, observer=observer).sizes
    if has_classes:
        report.month = sum(share.month or 0.0 for share in report.shares)
        report.sending = _sending([stat for use in _USES[:4] for stat in uses[use]], table)
        report.pulling = _pulling(room, project, current, uses["current"], table)
        price = table.classes[STANDARD].storage / GB
        report.saved_month = {kind: getattr(report.saved, kind) * price for kind in ("identical", "dedupe", "zstd")}
        for name in what_if:
            report.what_if += [_what_if(name, uses, table, report.pulling, everything=both) for both in (True, False)]
    observer(Finished("looking at the remote"))
    return report


def _by_use(listed: Iterable[Stat], current: Named, named: Named) -> dict[Use, list[Stat]]:
    uses: dict[Use, list[Stat]] = {use: [] for use in _USES}
    used, known = set(map(object_key, current.objects)), {*map(object_key, named.objects), *named.keys}
    for stat in listed:
        if stat.key.startswith(OBJECTS) and stat.key in known:
            uses["current" if stat.key in used else "history"].append(stat)
        elif stat.key in known or not stat.key.startswith(_COLLECTED) or not _is_named_so(stat.key):
            uses["documents"].append(stat)
        else:
            uses["waste"].append(stat)
    return uses


def _is_named_so(key: str) -> bool:
    """Whether a key has the form of what a collection looks at."""
    try:
        name_in_key(key, what=key)
    except FormatError:
        return False
    return True


def _shares(uses: Mapping[Use, Sequence[Stat]], prices: Prices | None) -> list[Share]:
    shares = []
    for use in _USES:
        by_class: dict[str, list[int]] = {}
        for stat in uses[use]:
            by_class.setdefault(stat.storage_class, []).append(stat.size)
        for name, sizes in sorted(by_class.items()):
            shares.append(Share(use, name, len(sizes), sum(sizes), prices.stored(name, sizes) if prices else None))
    return shares


def put_requests(stat: Stat) -> int:
    """How many requests it took to write a value: one, or, by its etag, a part each and two for the whole."""
    parts = _PARTS.search(stat.etag)
    return int(parts[1]) + 2 if parts else 1


def _sending(stats: Sequence[Stat], prices: Prices) -> Sending:
    requests = [put_requests(stat) for stat in stats]
    cost = sum(
        number / 1000 * prices.classes.get(stat.storage_class, prices.classes[STANDARD]).put
        for number, stat in zip(requests, stats, strict=True)
    )
    return Sending(len(stats), sum(requests), cost)


def _pulling(
    room: Remote, project: Project, current: Sequence[Filed], objects: Sequence[Stat], prices: Prices
) -> Pulling:
    named = named_by(room, (row for row in current if row.project_id == project.project_id))
    wanted = set(map(object_key, named.objects))
    mine = [stat for stat in objects if stat.key in wanted]
    requests = {stat.key: -(-stat.size // RANGE_BYTES) for stat in mine}
    usual = prices.classes[STANDARD]
    cost = len(named.keys) / 1000 * usual.get
    retrieval = 0.0
    for stat in mine:
        price = prices.classes.get(stat.storage_class, usual)
        cost += requests[stat.key] / 1000 * price.get
        retrieval += stat.size / GB * price.retrieval
    size = sum(stat.size for stat in mine)
    away = sum(stat.size for stat in mine if stat.archived)
    return Pulling(sum(requests.values()) + len(named.keys), size, away, cost, retrieval, size / GB * prices.egress)


def _what_if(
    name: str, uses: Mapping[Use, Sequence[Stat]], prices: Prices, pulling: Pulling, *, everything: bool
) -> WhatIf:
    chosen = [*uses["current"], *uses["history"]] if everything else list(uses["history"])
    sizes = [stat.size for stat in chosen]
    month = prices.stored(name, sizes)
    assert month is not None  # the class has a price: it was asked before
    now = sum(share.month or 0.0 for share in _shares({**_NOTHING, "history": chosen}, prices))
    price = prices.classes[name]
    moved = sum(stat.storage_class != name for stat in chosen)
    padded = sum(max(price.minimum_bytes - size, 0) + price.overhead_bytes for size in sizes)
    padded += len(sizes) * price.standard_overhead_bytes
    retrieval = 0.0
    if everything:
        restored = prices.restored(name, "Standard", [stat.size for stat in uses["current"]], days=7)
        retrieval = pulling.bytes / GB * price.retrieval if restored is None else restored
    return WhatIf(
        name,
        "all objects" if everything else "history",
        month,
        month - now,
        moved / 1000 * price.transition,
        price.minimum_days,
        padded,
        retrieval,
        prices.restore_time(name, "Standard"),
    )


_NOTHING: Final[Mapping[Use, Sequence[Stat]]] = dict.fromkeys(_USES, ())
