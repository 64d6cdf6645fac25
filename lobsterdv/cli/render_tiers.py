"""What remote cost, remote tier and restore say. Beside money stand the day and region of its price table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe, short, size, table

if TYPE_CHECKING:
    from lobsterdv.ops.cost import CostReport, WhatIf
    from lobsterdv.ops.price_table import PriceSource
    from lobsterdv.ops.restore import Restored, RestoreReport
    from lobsterdv.ops.tier import TierReport, TierVersion

MOST: Final = 20
"""So many versions get a line each; --json has all."""
_USES: Final = {
    "current": "current versions",
    "history": "older versions",
    "waste": "named by nothing",
    "documents": "manifests, records",
    "old copies": "old copies that the bucket keeps",
}


def price_table() -> Done:
    from importlib.resources import files  # noqa: PLC0415 - start-up time

    return Done(answer=(files("lobsterdv.formats") / "prices.json").read_text(encoding="utf-8").splitlines())


def costed(report: CostReport, words: Words, *, again: str) -> Done:
    where = f"{report.remote} ({safe(report.url)})"
    if not report.shares:
        hints = following([words.ldv("push", "--remote", quote(report.remote))])
        return Done(report, report.failures, lines=[f"Nothing was pushed to {where} yet."], hints=hints)
    source = report.prices
    rows = []
    for share in report.shares:
        month = "no price" if share.month is None else money(share.month, source)
        rows.append([_USES[share.use], share.storage_class, count(share.items, "value"), size(share.bytes),
                     f"{month} a month" if source else ""])  # fmt: skip
    rows.append(["total", "", "", size(report.bytes), f"{money(report.month or 0, source)} a month" if source else ""])
    lines = [where, *table(rows, indent="  ", right=[3, 4])]
    if any(share.use == "waste" for share in report.shares):
        lines.append(f"{words.ldv('remote', 'gc', quote(report.remote))} frees what nothing names.")
    lines += _saved(report)
    lines += _requests(report)
    if source is not None and not report.old_copies_listed:
        lines.append("Whether the bucket keeps old copies could not be seen.")
    lines += _alternatives(report.what_if, source)
    if source is not None:
        lines += told(source, words)
    hints = following([again]) if source is not None and not report.what_if else []
    return Done(report, report.failures, answer=lines, hints=hints)


def tiered(report: TierReport, words: Words, *, again: str) -> Done:
    where = f"{report.remote} ({safe(report.url)})"
    stays = f"the newest {count(report.keep_versions, 'version')} of every dataset" if report.keep_versions > 1 else (
        "the newest version of every dataset"
    )  # fmt: skip
    lines = [f"{where}: in use are {stays}, pushes of the last {count(report.keep_days, 'day')}, and what git names."]
    if report.versions:
        verb = "Tagged for" if report.acted else "Would go to"
        lines.append(f"{verb} {report.storage_class}, {count(report.objects, 'object')} of {size(report.bytes)}:")
        lines += _versions(report.versions, words)
        saving = f"  {money(report.month, report.prices)} a month less; moving them costs "
        lines.append(f"{saving}{money(report.transition, report.prices)} once")
        days = f"deleted within {report.minimum_days} days, they are billed for all of them"
        lines.append(f"  {days}; reading them costs a fee{_wait(report.storage_class)}")
    else:
        lines.append("Nothing else is there that could be moved.")
    notes = [
        (report.moved, "there already"),
        (report.waiting, "tagged before; the server moves them within a day or two"),
        (report.young, "too young (written or refreshed in the last 11 days)"),
        (report.small, "too small to save anything"),
    ]
    lines += [f"  {count(number, 'object')}: {what}" for number, what in notes if number]
    if report.untagged:
        lines.append(
            f"{'Untagged' if report.acted else 'Would untag'} {count(report.untagged, 'object')} in use again."
        )
    if report.cold:
        lines.append("In use, and archived all the same (restore them, or push again from where the data is):")
        lines += _versions(report.cold, words)
    if report.acted:
        news = "installed" if report.rule_installed else "was there"
        lines.append(f"The bucket's lifecycle rule {news}; its other rules are as they were.")
    lines += told(report.prices, words)
    hints = following([again]) if not report.acted and (report.versions or report.untagged) else []
    return Done(report, report.failures, answer=lines, hints=hints)


def restored(report: RestoreReport, words: Words, *, pull: str) -> Done:
    lines = table([_restored_row(row, words) for row in report.versions], right=[1])
    asked = sum(row.asked for row in report.versions)
    if asked and report.prices is not None:
        cost = "an unknown sum" if report.cost is None else f"about {money(report.cost, report.prices)}"
        lines.append(f"{count(asked, 'object')} asked for ({report.tier}, {report.days} days): {cost}.")
        lines += told(report.prices, words)
    if report.waiting and report.time:
        lines.append(f"This takes {report.time}.")
    hints = []
    if report.versions and not report.failures:
        hints = following([pull + ("   (then; it fetches what is readable, and goes on)" if report.waiting else "")])
    return Done(report, report.failures, lines=lines, hints=hints)


def money(amount: float, source: PriceSource | None) -> str:
    """``$5.40``, ``$0.0005``: two digits that say something."""
    sign = "-" if amount < 0 else ""
    currency = source.currency if source else "USD"
    mark, end = ("$", "") if currency == "USD" else ("", f" {safe(currency)}")
    value = abs(amount)
    if value >= 1000:
        text = f"{value:,.0f}"
    elif value >= 0.095 or not value:
        text = f"{value:.2f}"
    elif value < 0.000001:
        text = "0.00"
    else:
        text = f"{value:.1g}" if "e" not in f"{value:.1g}" else f"{value:.6f}".rstrip("0")
    return f"{sign}{mark}{text}{end}"


def told(source: PriceSource, words: Words) -> list[str]:
    """What every output with money in it ends with."""
    prices = f"Prices: list prices of {safe(source.region)} on {safe(source.date)}"
    if source.table != "built in":
        return [f"{prices}, from {safe(source.table)}."]
    show = words.ldv("remote", "cost", "--show-prices")
    return [
        f"{prices}, built in and looked up nowhere since: other regions and days have others.",
        f"Your own: {show} > prices.json, correct it, and give --prices prices.json.",
    ]


def _saved(report: CostReport) -> list[str]:
    saved, month = report.saved, report.saved_month
    parts = []
    for kind, words in (("identical", "identical files"), ("dedupe", "shared chunks"), ("zstd", "compression")):
        number = getattr(saved, kind)
        if number > 0:
            parts.append(f"{words} {size(number)}" + (f" ({money(month[kind], report.prices)})" if month else ""))
    if not parts:
        return []
    each = " a month, in STANDARD" if month else ""
    return [f"Saved of this project's {size(saved.logical)}: {', '.join(parts)}{each}."]


def _requests(report: CostReport) -> list[str]:
    lines = []
    if report.sending is not None:
        sent = report.sending
        more = f" ({sent.values:,} if large files went up in one)" if sent.requests != sent.values else ""
        lines.append(f"Sending it took {sent.requests:,} requests{more}: {money(sent.cost, report.prices)}.")
    if report.pulling is not None and report.pulling.requests:
        pull = report.pulling
        total = pull.requests_cost + pull.retrieval + pull.egress
        lines.append(
            f"A pull of this project's current versions: {size(pull.bytes)} in {pull.requests:,} requests, "
            f"{money(total, report.prices)} (requests {money(pull.requests_cost, report.prices)}, retrieval "
            f"{money(pull.retrieval, report.prices)}, egress {money(pull.egress, report.prices)}; none in the region)."
        )
        if pull.archived_bytes:
            lines.append(f"{size(pull.archived_bytes)} of it must be restored first, which costs besides.")
    return lines


def _alternatives(rows: Sequence[WhatIf], source: PriceSource | None) -> list[str]:
    if not rows:
        return []
    cells = [["", "", "a month", "change", "once", "a pull", "billed at least"]]
    for row in rows:
        pull = money(row.retrieval, source) if row.what == "all objects" else ""
        wait = f", {row.time}" if row.time and row.what == "all objects" else ""
        least = f"{row.minimum_days} days" if row.minimum_days else ""
        padded = f"{size(row.padded_bytes)} more than there is" if row.padded_bytes else ""
        billed = ", ".join(part for part in (least, padded) if part)
        sums = [money(number, source) for number in (row.month, row.change, row.transition)]
        cells.append([row.storage_class, row.what, *sums, pull + wait, billed])
    return ["What if (`a pull` is its retrieval fee alone):", *table(cells, indent="  ", right=[2, 3, 4])]


def _versions(rows: Sequence[TierVersion], words: Words) -> list[str]:
    cells = [
        [words.path(row.path), short(row.digest), f"pushed {row.pushed[:10]}", size(row.bytes), f"of {size(row.size)}",
         f"project {row.project[:8]}"]
        for row in rows[:MOST]
    ]  # fmt: skip
    more = [f"  ... and {count(len(rows) - MOST, 'more version')} (--json has all)"] if len(rows) > MOST else []
    return [*table(cells, indent="  ", right=[3]), *more]


def _wait(storage_class: str) -> str:
    return ", and they must be restored first" if storage_class in ("GLACIER", "DEEP_ARCHIVE") else ""


def _restored_row(row: Restored, words: Words) -> list[str]:
    if row.waiting:
        news = f"{count(row.asked, 'object')} asked for" if row.asked else "on its way already"
        state = f"{news}, {row.waiting:,} of {row.objects:,} cannot be read yet"
    elif row.ready:
        state = f"can be read until {row.until}"
    else:
        state = "not archived"
    return [words.path(row.path), size(row.archived_bytes), short(row.digest), state]
