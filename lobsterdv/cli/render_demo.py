"""What the demo says: each step as it is done, and at the end what it proved."""

from __future__ import annotations

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import duration, safe, size
from lobsterdv.demo import DemoReport, Step


def told(step: Step) -> list[str]:
    """A step: its title and time, the command that does it, what came of it."""
    return [
        f"{step.number}  {step.title}".ljust(52) + duration(step.seconds).rjust(8),
        f"   $ {safe(step.command)}",
        f"   {safe(step.result)}",
    ]


def proof(report: DemoReport) -> Done:
    """The last lines; exit code 1 when a byte was not as it was."""
    share = 100 * report.second_push_bytes / report.size if report.size else 0.0
    lines = [
        "",
        f"The first push sent {size(report.first_push_bytes)}, the second, with one more column, "
        f"{size(report.second_push_bytes)}: {share:.0f} % of the file.",
    ]
    if report.proved:
        return Done(report, lines=[*lines, "Both versions came back, every byte the same."])
    return Done(report, answer=[*lines, "THE BYTES THAT CAME BACK DIFFER."], exit=1)
