"""What commands about several remotes say: push to each, sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobsterdv.cli.render import pushed
from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, safe, short, size, table

if TYPE_CHECKING:
    from lobsterdv.ops.push_many import PushesReport
    from lobsterdv.ops.sync import SyncReport

FEW = 20


def pushed_to_each(report: PushesReport, words: Words, took: str, *, verbose: bool) -> Done:
    told = [pushed(each, words, took, verbose=verbose) for each in report.pushes]
    lines = [line for done in told for line in done.lines]
    hints = list(dict.fromkeys(line for done in told for line in done.hints))
    return Done(report, report.failures, lines=lines, hints=hints)


def synced(report: SyncReport, words: Words, took: str, *, again: str, verbose: bool) -> Done:
    shown = report.versions if verbose else sorted(report.versions, key=lambda row: -row.new_bytes)[:FEW]
    verb = "copy" if report.dry_run else "copied"
    rows = [
        [verb, words.path(row.path), size(row.new_bytes), short(row.digest), count(row.new_objects, "object")]
        for row in sorted(shown, key=lambda row: row.path)
    ]
    lines = table(rows, right=[2])
    if len(shown) < len(report.versions):
        lines.append(f"and {count(len(report.versions) - len(shown), 'smaller version')} (-v shows each)")
    for number, why in (
        (report.present, "there already"),
        (report.forgotten, "forgotten, not copied"),
        (report.retired, "retired there, not brought back"),
    ):
        if number:
            lines.append(f"{count(number, 'version')} {why}")
    target = f"{report.target} ({safe(report.target_url)})"
    if report.versions or report.runs or report.tombstones:
        moved = [
            f"{size(report.copied_bytes)} copied by the server" if report.copied_bytes else "",
            f"{size(report.sent_bytes)} through this machine" if report.sent_bytes else "",
            count(report.runs, "run record") if report.runs else "",
            count(report.tombstones, "tombstone") if report.tombstones else "",
        ]
        would = "would go " if report.dry_run else ""
        lines.append(f"From {report.source} to {target}: {would}{', '.join(m for m in moved if m) or '0 B'}, {took}")
    elif not report.failures:
        lines.append(f"{target} lacks nothing of {report.source}.")
    hints = ["Nothing was written.", *following([again])] if report.dry_run and report.versions else []
    return Done(report, report.failures, lines=lines, hints=hints)
