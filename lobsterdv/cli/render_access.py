"""What the commands about access logs say."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe, size, table

if TYPE_CHECKING:
    from lobsterdv.ops.access_logs import LoggingReport, LogsReport, Use

FEW = 10


def enabled(report: LoggingReport, words: Words) -> Done:
    policy = "its policy now lets" if report.policy_changed else "its policy already let"
    lines = [
        f"{safe(report.bucket)} logs to {safe(report.target)}",
        f"{policy} logging.s3.amazonaws.com write there",
        "The first logs arrive within some hours.",
    ]
    return Done(
        report, report.failures, lines=lines, hints=following([words.ldv("remote", "logs", quote(report.remote))])
    )


def logged(report: LogsReport, words: Words, *, verbose: bool) -> Done:
    lines: list[str] = []
    for title, uses in (
        ("Datasets, most read first", report.datasets),
        ("Users", report.users),
        ("Operations", report.operations),
        ("Errors", report.errors),
    ):
        if uses:
            shown = uses if verbose else uses[:FEW]
            lines += [*([""] if lines else []), f"{title}:", *table([_row(use) for use in shown], right=[1, 2, 3])]
            if len(shown) < len(uses):
                lines.append(f"  and {len(uses) - len(shown):,} more (-v shows them)")
    if report.unused:
        lines += [*([""] if lines else []), f"Not read since {_day(report.since)}:"]
        lines += [f"  {safe(name)}" for name in report.unused]
    total = report.total
    lines.append(f"{count(total.requests, 'request')}, {size(total.sent_bytes)} sent, since {_day(report.since)}")
    if report.unreadable_lines:
        lines.append(f"{count(report.unreadable_lines, 'line')} of {report.lines:,} could not be read")
    return Done(report, report.failures, answer=lines)


def _row(use: Use) -> list[str]:
    errors = count(use.errors, "error") if use.errors else ""
    return [
        f"  {safe(use.name)}",
        count(use.requests, "request"),
        size(use.sent_bytes),
        errors,
        f"last {_day(use.last)}",
    ]


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
