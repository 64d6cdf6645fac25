"""What the commands about lineage say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, safe, short

if TYPE_CHECKING:
    from lobsterdv.ops.run import RunReport


def ran(report: RunReport, words: Words) -> Done:
    if report.skipped:
        return Done(report, lines=[f"{safe(report.activity)}: nothing changed since it last ran; not run"])
    if report.exit_code:
        line = f"{safe(report.activity)}: exit status {report.exit_code}; nothing is kept"
        return Done(report, lines=[line], exit=report.exit_code)
    lines = []
    for row in report.outputs:
        made = f"{words.path(row.path)} {row.outcome} ({short(row.digest)})"
        lines.append(f"{made}, made by {safe(report.activity)} from {count(len(report.inputs), 'input')}")
    if not report.outputs and not report.failures:
        lines.append(f"{safe(report.activity)}: it changed no dataset; name new ones with --out")
    hints = []
    if report.outputs and not report.failures:
        commit = words.git("commit", "-m", report.activity)
        hints = following([commit, words.ldv("lineage", words.arg(report.outputs[0].path))])
    return Done(report, report.failures, lines=lines, hints=hints)
