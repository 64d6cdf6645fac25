"""What bench says: the table, what each row is, and what it was measured with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import count, safe, size, table
from lobsterdv.stores.link import Link

if TYPE_CHECKING:
    from lobsterdv.ops.bench import BenchReport, BenchRow, Operation

ROWS: Final[dict[Operation, tuple[str, str]]] = {
    "write": ("Write", "add; first push"),
    "read": ("Read", "checkout; pull into an empty cache"),
    "list": ("List", "list; list --remote"),
    "metadata": ("Metadata", "its pointer; its manifest (stats)"),
    "read cached": ("Read again (cached)", "pull, when the cache has it"),
    "write again": ("Write again (nothing new)", "add; push"),
    "write changed": ("Write, changed a little", "add; push of what is new"),
    "read changed": ("Read, changed a little", "checkout; pull"),
}


def measured(report: BenchReport) -> Done:
    """The table and its environment are the answer."""
    place = report.place
    head = ["", "local", "MB/s", place, "MB/s", f"{place} / local", "sent or read", "what is measured"]
    rows = [head, *(_cells(row) for row in report.rows)]
    lines = [*table(rows, right=range(1, 7)), "", *_environment(report)]
    return Done(report, report.failures, answer=lines)


def seconds(value: float | None) -> str:
    """``0.21 s``, ``12 ms``: three figures at most, as the guide has them."""
    if value is None:
        return "-"
    if value < 0.1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def _cells(row: BenchRow) -> list[str]:
    name, what = ROWS[row.operation]
    ratio = "-"
    if row.local_seconds and row.remote_seconds is not None:
        ratio = f"{row.remote_seconds / row.local_seconds:.1f}x"
    moved = size(row.moved_bytes) if row.size else "-"
    here, there = seconds(row.local_seconds), seconds(row.remote_seconds)
    return [name, here, _rate(row.local_mb_per_second), there, _rate(row.remote_mb_per_second), ratio, moved, what]


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _environment(report: BenchReport) -> list[str]:
    found = report.environment
    of = "random bytes, equal every time" if report.generated else "yours"
    line = "as it is"
    if report.latency_seconds is not None:
        bits = math.inf if report.bits_per_second is None else report.bits_per_second
        line = f"{Link(bits / 1e6, report.latency_seconds).text}, made on this machine"
    software = [f"lobsterdv {found.lobsterdv}", f"python {found.python}"]
    software += [f"botocore {found.botocore}"] if found.botocore else []
    rows = [
        [
            "measured",
            f"{found.at}, median of {count(report.repeats, 'run')}; start of programs, connecting left out",
        ],
        ["file", f"{report.file}, {report.size:,} bytes, {of}; second version: {report.changed}"],
        ["remote", f"{report.remote} ({report.url})" + (f", server {found.server}" if found.server else "")],
        ["line", line],
        ["software", ", ".join([*software, f"git {found.git}", found.system])],
        ["machine", f"{found.processor}, {count(found.cores, 'core')}, {size(found.memory_bytes)}, load {found.load}"],
        ["local disk", found.file_system],
    ]
    return table([[name, safe(text)] for name, text in rows])
