"""What log, show, search, tag, revert and reindex say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lobsterdv.cli.render_lineage import place, why
from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, safe, short, size, table
from lobsterdv.units import duration, shape

if TYPE_CHECKING:
    from lobsterdv.ops.lineage_index import ReindexReport
    from lobsterdv.ops.log import LogEntry, LogReport
    from lobsterdv.ops.revert import RevertReport
    from lobsterdv.ops.search import SearchReport
    from lobsterdv.ops.show import ShowReport
    from lobsterdv.ops.tag import TagReport


def logged(report: LogReport, words: Words) -> Done:
    lines: list[str] = []
    if report.graph:
        for drawing, numbers in report.graph:
            if not numbers:
                lines.append(drawing)
            for at, number in enumerate(numbers):
                head = drawing if at == 0 else drawing.replace("*", "|")
                first, *rest = _entry(report.versions[number], words)
                beside = drawing.replace("*", "|")
                lines += [f"{head} {first}", *(f"{beside} {line}" for line in rest)]
    else:
        for entry in report.versions:
            lines += _entry(entry, words)
    hints = []
    if not lines and not report.failures:
        hints = ["No dataset was committed yet.", *following([words.ldv("add", "PATH")])]
    return Done(report, report.failures, answer=lines, hints=hints)


def _entry(entry: LogEntry, words: Words) -> list[str]:
    tags = f" ({', '.join(map(safe, entry.tags))})" if entry.tags else ""
    version = short(entry.digest) if entry.digest else "-"
    head = f"{minute(entry.at)}  {version}  {words.path(entry.dataset)}{tags}"
    facts = []
    if entry.size is not None:
        facts += [size(entry.size), shape(entry.summary) or "", place(entry.is_here, entry.is_pushed)]
    what = {"added": "", "changed": "", "uncommitted": "", "removed": "no longer tracked"}.get(entry.what, entry.what)
    said = entry.message or entry.subject or ""
    lines = [head, "    " + ", ".join(text for text in (what, *facts) if text)]
    if said:
        lines.append(f"    {safe(said)}")
    by = [safe(entry.author)] if entry.author else []
    if entry.commit:
        by.append(f"commit {entry.commit[:10]}")
    if entry.activity or entry.inputs:
        inputs = ", ".join(dict.fromkeys(words.path(str(item.path)) for item in entry.inputs))
        by.append(
            "made" + (f" by {safe(entry.activity)}" if entry.activity else "") + (f" from {inputs}" if inputs else "")
        )
    if by:
        lines.append("    " + ", ".join(by))
    return [*lines, *(f"      {safe(line)}" for line in entry.patch)]


def shown(report: ShowReport, words: Words) -> Done:
    version, pointer = report.version, report.pointer
    rows: list[tuple[str, str]] = [
        ("version", version.digest),
        ("size", f"{size(pointer.size)} ({pointer.size:,} bytes)"),
    ]
    if pointer.files is not None:
        rows.append(("files", f"{pointer.files:,}"))
    rows.append(("kind", pointer.kind))
    if pointer.message:
        rows.append(("message", safe(pointer.message)))
    if report.tags:
        rows.append(("tags", ", ".join(map(safe, report.tags))))
    if version.commit:
        rows.append(("committed", f"{minute(version.at)} by {safe(version.author or '')}"))
        rows.append(("", f"{version.commit[:10]} {safe(version.subject or '')}"))
    else:
        rows.append(("committed", "not yet"))
    rows.append(("where", place(version.is_here, version.is_pushed)))
    if version.is_current:
        rows.append(
            ("state", "; ".join(why(reason, words) for reason in version.stale) or "what the pointer names now")
        )
    rows += _summary(pointer.summary or {})
    rows += _run(pointer.run or {})
    for link in report.made_from:
        rows.append(("made from", f"{words.path(link.path)} {short(link.used.digest)}"))
    for link in report.used_by:
        by = f", by {safe(link.activity)}" if link.activity else ""
        rows.append(("used by", f"{words.path(link.made.dataset)} {short(link.made.digest)}{by}"))
    for ran in version.runs:
        facts = ran.facts
        dirty = " with changes" if facts["dirty"] else ""
        at = f"{minute(facts['started'])}{_took(facts)}, on {safe(str(facts['host']))} by {safe(str(facts['by']))}"
        code = f", code {str(facts['commit_oid'])[:10]}{dirty}" if facts["commit_oid"] else ""
        rows.append(("run", at + code))
        versions = ", ".join(f"{safe(name)} {safe(str(value))}" for name, value in facts["environment"].items())
        if versions:
            rows.append(("", versions))
    return Done(report, report.failures, answer=[words.path(version.dataset), *table(rows, indent="  ")])


def minute(moment: object) -> str:
    """A moment in ISO 8601 as people read it; it is UTC, and says so."""
    return f"{str(moment)[:16].replace('T', ' ')} UTC" if moment else "not committed"


def _took(facts: Mapping[str, Any]) -> str:
    try:
        took = datetime.fromisoformat(facts["ended"]) - datetime.fromisoformat(facts["started"])
    except (TypeError, ValueError):
        return ""
    return f", {duration(took.total_seconds())}" if took.total_seconds() >= 1 else ""


def _summary(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(safe(str(name)), safe(_value(value))) for name, value in summary.items()]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name}: {_value(part)}" if part not in (None, "") else str(name) for name, part in value.items()
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        joiner = " x " if value and all(isinstance(part, int) for part in value) else ", "
        return joiner.join(_value(part) for part in value)
    return f"{value:,}" if type(value) is int else str(value)


def _run(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {"activity": "made by", "command": "command", "folder": "in folder"}
    rows = [(name, safe(str(run[key]))) for key, name in names.items() if run.get(key)]
    script = run.get("script")
    if isinstance(script, str):
        blob = script.removeprefix("git:")
        rows.append(("script", f"{safe(script)}" if blob == script else f"git show {safe(blob[:12])}"))
    if isinstance(run.get("params"), Mapping):
        rows.append(("parameters", safe(_value(run["params"]))))
    return rows


def hits(report: SearchReport, words: Words) -> Done:
    lines = []
    for hit in report.hits:
        version = hit.version
        at = (version.at or "not committed")[:10]
        lines.append(f"{words.path(version.dataset)}@{short(version.digest)}  {at}  {size(version.size or 0)}")
        said = [version.message or version.subject or "", hit.text]
        lines += [f"    {safe(text)}" for text in dict.fromkeys(said) if text and text != version.dataset]
    if not lines:
        return Done(report, report.failures, lines=["No committed version of which that was said"])
    first = report.hits[0].version
    name = f"{words.arg(first.dataset)}@{short(first.digest)}"
    return Done(report, report.failures, answer=lines, hints=following([words.ldv("show", name)]))


def tagged(report: TagReport, words: Words, *, path: str | None) -> Done:
    rows = [
        (f"{words.path(row.dataset)}@{safe(row.name)}", short(row.digest or "-"), row.commit[:10])
        for row in report.tags
    ]
    if report.change == "listed":
        lines = table(rows)
        none = "No dataset has a tag" if path is None else f"{words.path(path)} has no tag"
        return Done(report, report.failures, answer=lines, lines=[] if lines else [none])
    name, digest, commit = rows[0]
    if report.change == "deleted":
        return Done(report, report.failures, lines=[f"{name} is no name any more; version {digest} stays"])
    return Done(
        report,
        report.failures,
        lines=[f"{name} is version {digest}, of commit {commit}"],
        hints=following([words.git("push", "--tags")]),
    )


def reverted(report: RevertReport, words: Words) -> Done:
    lines = []
    for row in report.pull.checkout.checked_out:
        did = "is" if row.pointer_changed else "was already"
        trash = f"; unsaved changes: {words.ldv('undelete', row.trash)}" if row.trash else ""
        lines.append(f"{words.path(row.path)} {did} what it was at {safe(report.rev)} ({short(row.digest)}){trash}")
    changed = any(row.pointer_changed for row in report.pull.checkout.checked_out)
    hints = following([words.git("commit", "-m", f"'revert to {safe(report.rev)}'")]) if changed else []
    return Done(report, report.failures, lines=lines, hints=hints)


def reindexed(report: ReindexReport, path: str, words: Words) -> Done:
    found = ", ".join(
        [count(report.versions, "version"), count(report.commits, "commit"), count(report.runs, "run"),
         f"{report.pushes:,} {'push' if report.pushes == 1 else 'pushes'}"]
    )  # fmt: skip
    return Done(report, report.failures, lines=[f"Indexed {found} into {words.place(path)}"])
