"""What remote create and remote doctor say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lobsterdv.cli.colour import painter
from lobsterdv.cli.render_looking import examined
from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe, table
from lobsterdv.ops.doctor import DoctorReport

if TYPE_CHECKING:
    from lobsterdv.ops.remote_create import CreateReport, Step
    from lobsterdv.ops.remote_doctor import RemoteDoctorReport


def created(report: CreateReport, words: Words, typed: Sequence[str]) -> Done:
    lines = _steps(report.steps)
    hints = []
    if report.dry_run:
        lines.append("Nothing was changed.")
        hints = [" ".join(["lobsterdv", *(quote(word) for word in typed if word != "--dry-run")])]
    elif report.remote is not None:
        lines.append(f"{report.remote} is a remote of this project: {safe(report.url)}")
        hints = [words.git("commit", "-m", quote(f"Add remote {report.remote}")), words.ldv("push")]
    elif not report.failures:
        hints = [words.ldv("remote", "add", "NAME", quote(report.url), "--region", quote(report.region))]
    return Done(report, report.failures, lines=lines, hints=following(hints))


def remote_examined(report: RemoteDoctorReport) -> Done:
    done = examined(DoctorReport(report.findings), painter(sys.stdout))
    lines = _steps(report.fixed)
    bad = sum(finding.state in ("failed", "warning") for finding in report.findings)
    told = f"{report.name} ({safe(report.url)}): " + (f"{count(bad, 'line')} to look at" if bad else "all well")
    return done._replace(report=report, answer=[*lines, *done.answer, told], exit=0 if report.healthy else 1)


def _steps(steps: Sequence[Step]) -> list[str]:
    return table([[step.outcome, step.name, safe(step.detail)] for step in steps])
