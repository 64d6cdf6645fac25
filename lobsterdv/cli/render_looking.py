"""What the commands that only look say: status, list, remotes, doctor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, safe, short, size, table
from lobsterdv.formats.settings import EMBEDDED

if TYPE_CHECKING:
    from lobsterdv.ops.doctor import DoctorReport
    from lobsterdv.ops.listing import CatalogRow, DatasetRow, FileRow, ListReport
    from lobsterdv.ops.remotes import RemotesReport
    from lobsterdv.ops.status import DatasetStatus, StatusReport

Paint = Callable[[str, str], str]
MANY: Final = 12
"""Of so many changed files inside a dataset the rest is only counted, unless ``-v`` asks for all."""
_WHERE: Final = {
    "both": "here, remote",
    "here": "here only",
    "remote": "remote only",
    "partly here": "partly here, remote",
    "nowhere": "nowhere",
    "unknown": "not here",
}


def stated(report: StatusReport, words: Words, paint: Paint, *, verbose: bool, exit_code: bool) -> Done:
    lines: list[str] = []

    def section(title: str, hint: str, rows: Sequence[str]) -> None:
        if rows:
            lines.extend([*([""] if lines else []), f"{title}:", *([f"  ({hint})"] if hint else []), *rows])

    rows = [line for c in report.conflicts for line in _conflict(c.path, c.ours, c.theirs, words, paint)]
    section("Conflicted pointers", f"{words.ldv('merge', 'PATH')} merges their files, or takes a side", rows)
    rows = [f"  {paint(words.path(path), 'red')}" for path in report.interrupted]
    section("Checkout was interrupted", words.ldv("checkout", "PATH") + " finishes it", rows)
    rows = [line for d in report.datasets if d.work == "modified" for line in _modified(d, words, paint, verbose)]
    keep, back = words.ldv("add", "PATH"), words.ldv("checkout", "--force", "PATH")
    section("Modified", f"{keep} keeps it as a new version, {back} goes back", rows)
    moved = [d for d in report.datasets if d.work == "outdated"]
    section("Not at the version that the pointer names", words.ldv("pull", "PATH"), _rows(moved, words))
    lost = [d for d in report.datasets if d.is_lost]
    section("Neither here nor known to be pushed", f"{words.ldv('pull', 'PATH')} asks the remote", _rows(lost, words))
    away = [
        d for d in report.datasets if d.missing_files != 0 and not d.is_lost and d.work not in ("outdated", "clean")
    ]
    section("Not here", words.ldv("pull", "PATH"), _rows(away, words))
    cold = [d for d in report.datasets if d.storage and d.missing_files != 0]
    rows = table([["  " + words.path(d.path), size(d.size), short(d.digest), d.storage] for d in cold], right=[1])
    section(f"Archived at {report.remote}", words.ldv("restore", "PATH") + " makes it readable, after a while", rows)
    idle = [d for d in report.datasets if d.work in ("absent", "partial") and d.missing_files == 0]
    section("Not checked out, or only in part", words.ldv("checkout", "PATH"), _rows(idle, words))
    unshared = [d for d in report.datasets if d.missing_files == 0 and not d.pushed]
    section(f"Not pushed to {report.remote}", words.ldv("push"), _rows(unshared, words))
    rows = table([["  " + words.path(u.path), size(u.size)] for u in report.untracked], right=[1])
    section("Large files that nothing tracks", words.ldv("add", "PATH"), rows)
    if not lines:
        lines.append(_all_well(report))
    return Done(report, report.failures, answer=lines, exit=7 if exit_code and report.has_changes else 0)


def listed(report: ListReport, words: Words) -> Done:
    if report.files:
        lines = _files(report.files)
    elif report.catalog:
        lines = _catalog(report.catalog)
    else:
        lines = _datasets(report.datasets, words)
    hints = []
    if not lines and not report.failures:
        hints = ["There are no datasets yet.", *following([words.ldv("add", "PATH")])]
    return Done(report, report.failures, answer=lines, hints=hints)


def remotes_listed(report: RemotesReport, words: Words) -> Done:
    rows = []
    for row in report.remotes:
        settings = ", ".join(f"{key}={safe(str(value))}" for key, value in row.settings.items())
        note = "on this machine only" if row.is_embedded else settings
        took = "" if row.latency_ms is None else ("no answer" if row.latency_ms < 0 else f"{row.latency_ms:.1f} ms")
        measured = [] if row.latency_ms is None else [took]
        rows.append(["*" if row.is_default else " ", row.name, safe(row.url), *measured, note])
    hints = []
    if all(row.is_embedded for row in report.remotes):
        hints = following([words.ldv("remote", "add", "lab", "s3://BUCKET/PREFIX")])
    return Done(report, report.failures, answer=table(rows), hints=hints)


def examined(report: DoctorReport, paint: Paint) -> Done:
    colour = {"ok": "green", "warning": "yellow", "failed": "red", "unknown": ""}
    width = max(len(finding.name) for finding in report.findings)
    lines = []
    for finding in report.findings:
        state = paint(finding.state.ljust(7), colour[finding.state])
        lines.append(f"{state}  {finding.name.ljust(width)}  {safe(finding.detail)}")
        if finding.fix:
            lines.append(f"{' ' * (width + 11)}fix: {safe(finding.fix)}")
    return Done(report, report.failures, answer=lines, exit=0 if report.healthy else 1)


def _conflict(path: str, ours: str, theirs: str, words: Words, paint: Paint) -> list[str]:
    sides = f"ours {short(ours) or 'unreadable'}, theirs {short(theirs) or 'unreadable'}"
    return [f"  {paint(words.path(path), 'red')}  {sides}"]


def _modified(dataset: DatasetStatus, words: Words, paint: Paint, verbose: bool) -> list[str]:
    if dataset.files is None:
        return [f"  {paint(words.path(dataset.path), 'red')}"]
    named = [(state, paths) for state in ("modified", "new", "deleted") if (paths := getattr(dataset, state))]
    numbers = ", ".join(f"{len(paths):,} {state}" for state, paths in named)
    lines = [f"  {paint(words.path(dataset.path) + '/', 'red')}  {numbers}"]
    rows = [f"    {state:8}  {safe(path)}" for state, paths in named for path in paths]
    if not verbose and len(rows) > MANY:
        rows = [*rows[:MANY], f"    and {len(rows) - MANY:,} more (-v shows them)"]
    return lines + rows


def _rows(datasets: Sequence[DatasetStatus], words: Words) -> list[str]:
    rows = []
    for dataset in datasets:
        slash = "/" if dataset.files is not None else ""
        lacking = ""
        if dataset.missing_files and dataset.files is not None and dataset.missing_files < dataset.files:
            lacking = f"{count(dataset.missing_files, 'file')} of {dataset.files:,} missing"
        rows.append(["  " + words.path(dataset.path) + slash, size(dataset.size), short(dataset.digest), lacking])
    return table(rows, right=[1])


def _all_well(report: StatusReport) -> str:
    if not report.datasets:
        return "No datasets yet; lobsterdv add PATH keeps the first."
    where = f"{EMBEDDED} (on this machine only)" if report.remote == EMBEDDED else report.remote
    return f"{count(len(report.datasets), 'dataset')}: nothing changed, and pushed to {where}."


def _datasets(rows: Sequence[DatasetRow], words: Words) -> list[str]:
    cells = []
    for row in rows:
        what = count(row.files, "file") if row.files is not None and row.kind == "directory" else row.kind
        slash = "/" if row.files is not None else ""
        message = safe(row.message or "")
        cells.append([words.path(row.path) + slash, size(row.size), what, short(row.digest), _place(row), message])
    return table(cells, right=[1])


def _place(row: DatasetRow) -> str:
    return _WHERE[row.where] + (f" ({row.storage})" if row.storage else "")


def _files(rows: Sequence[FileRow]) -> list[str]:
    cells = []
    for row in rows:
        place = {True: "here", False: "not here", None: ""}[row.here]
        name = safe(row.path) + (f" -> {safe(row.target)}" if row.target is not None else "")
        cells.append([row.type, size(row.size) if row.digest is not None else "", place, name])
    return table(cells, right=[1])


def _catalog(rows: Sequence[CatalogRow]) -> list[str]:
    cells = []
    for row in rows:
        versions = count(row.versions, "version")
        pushed = f"{row.at[:10]} by {safe(row.by)}"
        kept = ", ".join([*row.classes, *([row.storage] if row.storage else [])])
        cells.append([safe(row.path), size(row.size), row.kind, versions, pushed, f"project {row.project[:8]}", kept])
    return table(cells, right=[1])
