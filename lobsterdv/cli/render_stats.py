"""What stats says: a line a dataset or version, whose columns subtract to what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe, short, size, table

if TYPE_CHECKING:
    from lobsterdv.blobs.accounting import Sizes
    from lobsterdv.ops.stats import StatsReport

_COLUMNS: Final = ("logical", "identical", "dedupe", "zstd", "stored")
FEW: Final = 40
"""Up to so many versions each has a line, unasked."""


def counted(report: StatsReport, words: Words, *, each: bool, remote: str | None) -> Done:
    where = f"{report.remote} ({safe(report.url)})"
    number = sum(len(dataset.versions) for dataset in report.datasets)
    waiting = [words.arg(dataset.path) for dataset in report.datasets if not dataset.versions]
    if not number:
        hints = [] if report.failures and not waiting else following(_first_steps(report, words, waiting, remote))
        lines = [] if report.failures and not waiting else [f"Nothing was pushed to {where} yet."]
        return Done(report, report.failures, lines=lines, hints=hints)
    each = each or number <= FEW
    rows = [["", "", *_COLUMNS]]
    for dataset in report.datasets:
        what = count(len(dataset.versions), "version") if dataset.versions else "not pushed yet"
        rows.append([words.path(dataset.path), what, *_cells(dataset.sizes)])
        if each and len(dataset.versions) > 1:
            rows += [[f"  {short(v.digest)}", _time(v.at), *_cells(v.sizes)] for v in dataset.versions]
    if len(report.datasets) > 1:
        rows.append(["total", count(number, "version"), *_cells(report.sizes)])
    lines = [*table(rows, right=range(2, 7)), _summary(report.sizes, number, where)]
    if report.sizes.again:
        lines.append(f"Besides, {size(report.sizes.again)} store versions a second time, in another way.")
    if report.sizes.unused:
        lines.append(f"Besides, {size(report.sizes.unused)} of these objects belong to no version.")
    if not each:
        lines.append(f"(-v shows each of {number:,} versions)")
    hints = following([words.ldv("push", *waiting)]) if waiting else []
    return Done(report, report.failures, answer=lines, hints=hints)


def _first_steps(report: StatsReport, words: Words, waiting: list[str], remote: str | None) -> list[str]:
    there = [] if remote is None else ["--remote", quote(remote)]
    share = [words.ldv("remote", "add", "lab", "s3://BUCKET/PREFIX")] if report.embedded else []
    return [*share, words.ldv("push", *there, *waiting)]


def _cells(sizes: Sizes) -> list[str]:
    saved = (sizes.identical, sizes.dedupe, sizes.zstd)
    return [size(sizes.logical), *(_less(number) for number in saved), size(sizes.stored)]


def _less(number: int) -> str:
    return "" if not number else f"-{size(number)}" if number > 0 else f"+{size(-number)}"


def _summary(sizes: Sizes, number: int, where: str) -> str:
    part = f", {sizes.stored / sizes.logical:.1%}" if sizes.logical else ""
    takes = "takes" if number == 1 else "take"
    return f"{count(number, 'version')} of {size(sizes.logical)} {takes} {size(sizes.stored)} at {where}{part}."


def _time(at: str) -> str:
    return safe(at[:16].replace("T", " "))
