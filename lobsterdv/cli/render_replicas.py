"""What remote replicate says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe

if TYPE_CHECKING:
    from lobsterdv.ops.replicate import ReplicateReport

FEW = 20


def replicated(report: ReplicateReport, words: Words) -> Done:
    name, to = quote(report.remote), quote(f"s3://{report.target}")
    if report.verified:
        lines = [f"lacks  {safe(row.key)}  ({row.why})" for row in report.lacking[:FEW]]
        lines.append(f"{safe(report.target)} lacks {report.lack:,} of {count(report.compared, 'key')}")
        return Done(report, report.failures, answer=lines, exit=3 if report.lack else 0)
    if not report.role:
        lines = [
            "S3 copies as a role. Make one that S3 may take:",
            report.trust_policy,
            "and that may do this:",
            report.role_policy,
        ]
        again = words.ldv("remote", "replicate", name, "--to", to, "--role", "ARN")
        return Done(report, report.failures, answer=lines, hints=["Nothing was changed.", *following([again])])
    verb = "would set" if report.dry_run else "set"
    lines = [f"{verb}  {safe(change)}" for change in report.changes] or ["All of it stands there already."]
    check = words.ldv("remote", "replicate", name, "--to", to, "--verify")
    return Done(report, report.failures, lines=lines, hints=[] if report.dry_run else following([check]))
