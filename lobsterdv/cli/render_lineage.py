"""What the commands about lineage say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, duration, following, safe, short, table

if TYPE_CHECKING:
    from lobsterdv.index.graph import Key, Link
    from lobsterdv.ops.lineage import ImpactReport, LineageReport
    from lobsterdv.ops.reproduce import ReproduceReport
    from lobsterdv.ops.run import RunReport
    from lobsterdv.ops.stale import StaleReport
    from lobsterdv.ops.staleness import Reason
    from lobsterdv.ops.tracing import VersionFacts

_COMMAND_AT_MOST: Final = 60


def ran(report: RunReport, words: Words) -> Done:
    if report.skipped:
        return Done(report, lines=[f"{safe(report.activity)}: nothing changed since it last ran; not run"])
    if report.exit_code:
        lines = [f"{safe(report.activity)}: exit status {report.exit_code}; nothing is kept"]
        said = {"changed": "was changed", "gone": "is gone", "new": "was left there"}
        lines += [f"  {words.path(left.path)} {said[left.state]}, and is no version" for left in report.left]
        back = [words.arg(left.path) for left in report.left if left.state != "new"]
        hints = [f"Back to the versions before: {words.ldv('checkout', '--force', *back)}"] if back else []
        return Done(report, lines=lines, hints=hints, exit=report.exit_code)
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


def place(is_here: bool, is_pushed: bool | None) -> str:
    """Where a version's bytes are, in two words."""
    if is_here:
        return "here, remote" if is_pushed else "here only" if is_pushed is False else "here"
    return "remote only" if is_pushed else "not here"


def why(reason: Reason, words: Words) -> str:
    """Why a version is stale."""
    path = words.path(reason.path)
    if reason.why == "input":
        return f"stale: {path} is {short(reason.now)} now, it was {short(reason.was)}"
    if reason.why == "removed":
        return f"stale: {path} is tracked no more"
    if reason.why == "code":
        return f"stale: {path} changed" if reason.now else "stale: its script is not where it was"
    return f"stale: {path} is stale"


def traced(report: LineageReport, words: Words, form: str) -> Done:
    from lobsterdv.exports import EXPORTS  # noqa: PLC0415 - start-up time

    if form in EXPORTS:
        return Done(report, report.failures, answer=EXPORTS[form](report).splitlines())
    facts = {version.key: version for version in report.versions}
    start = report.asked[0]
    lines = []
    if report.direction in ("up", "both"):
        lines += _tree(start, report.links, facts, words, down=False)
    if report.direction in ("down", "both"):
        tree = _tree(start, report.links, facts, words, down=True)
        lines += ["", "made of it:", *tree] if report.direction == "both" else tree
    if not report.links:
        which = {"up": "says what it was made from", "down": "was made of it", "both": "says where it belongs"}
        lines.append(f"  nothing {which[report.direction]}, as far as pointers tell")
    return Done(report, report.failures, answer=lines)


def _tree(
    start: Key, links: Sequence[Link], facts: Mapping[Key, VersionFacts], words: Words, *, down: bool
) -> list[str]:
    """Lines of a tree. What was told already is not told again: lineage is a graph, and may be large."""
    by_near: dict[Key, dict[Key, Link]] = {}
    for link in links:
        near, far = (link.used, link.made) if down else (link.made, link.used)
        by_near.setdefault(near, {}).setdefault(far, link)
    made_by = {link.made: link for link in links}
    lines = [_node(facts[start], words, made_by.get(start))]
    told = {start}
    stack = [(far, link, "", at == len(by_near.get(start, {})) - 1)
             for at, (far, link) in enumerate(by_near.get(start, {}).items())][::-1]  # fmt: skip
    while stack:
        key, link, indent, is_last = stack.pop()
        branch = "└─ " if is_last else "├─ "
        again = "  (above)" if key in told and by_near.get(key) else ""
        part = f" ({words.path(link.path)})" if link.path != link.used.dataset else ""
        lines.append(f"{indent}{branch}{_node(facts[key], words, made_by.get(key))}{part}{again}")
        if key in told:
            continue
        told.add(key)
        below = list(by_near.get(key, {}).items())
        step = indent + ("   " if is_last else "│  ")
        stack += [(far, other, step, at == len(below) - 1) for at, (far, other) in enumerate(below)][::-1]
    return lines


def _node(version: VersionFacts, words: Words, made: Link | None) -> str:
    parts = [f"{words.path(version.dataset)}@{short(version.digest)}"]
    if version.size is None:
        parts.append("never committed here")
    elif version.at:
        parts.append(version.at[:10])
    else:
        parts.append("not committed")
    if made is not None and (made.activity or made.command):
        parts.append(_how(made))
    said = version.message or (version.subject if made is None else None)
    if said:
        parts.append(safe(said))
    if version.stale:
        parts.append(f"[{why(version.stale[0], words)}]")
    elif not version.is_current:
        parts.append("[old version]")
    return "  ".join(parts)


def _how(link: Link) -> str:
    """By which activity, and its command or else its parameters."""
    params = ", ".join(f"{name}={value}" for name, value in link.params.items())
    how = safe(link.command or params)
    if len(how) > _COMMAND_AT_MOST:
        how = how[: _COMMAND_AT_MOST - 1] + "…"
    by = f"by {safe(link.activity)}" if link.activity else "by"
    return f"{by}: {how}" if how else by


def affected(report: ImpactReport, words: Words) -> Done:
    rows = []
    for row in report.affected:
        state = "; ".join(why(reason, words) for reason in row.stale) or "up to date"
        by = f"by {safe(row.activity)}" if row.activity else ""
        rows.append((words.path(row.version.dataset), short(row.version.digest), count(row.steps, "step"), by, state))
    lines = table(rows)
    if not lines:
        lines = [f"Nothing here was made from {words.path(report.dataset)}"]
    if report.old:
        lines.append(f"and {count(report.old, 'version')} that no pointer names any more")
    stale = [row for row in report.affected if row.stale]
    hints = following([words.ldv("reproduce", "--dry-run")]) if stale else []
    return Done(report, report.failures, answer=lines, hints=hints)


def gone_stale(report: StaleReport, words: Words, *, exit_code: bool) -> Done:
    lines = []
    for row in report.stale:
        by = f"  by {safe(row.activity)}" if row.activity else ""
        lines.append(f"{words.path(row.path)}@{short(row.digest)}{by}")
        lines += [f"    {why(reason, words)}" for reason in row.reasons]
    if not report.stale and not report.failures:
        told = [f"Nothing is stale; {count(report.checked, 'dataset')} with lineage"]
        return Done(report, report.failures, lines=told)
    hints = following([words.ldv("reproduce", "--dry-run")]) if report.stale else []
    return Done(report, report.failures, answer=lines, hints=hints, exit=7 if exit_code and report.stale else 0)


def reproduced(report: ReproduceReport, words: Words) -> Done:
    lines = []
    for step in report.steps:
        made = ", ".join(words.path(path) for path in step.outputs)
        took = f", {duration(step.seconds)}" if step.fate == "ran" else ""
        news = ("; nothing changed" if not step.changed else "") if step.fate == "ran" else ""
        status = f" (exit status {step.exit_code})" if step.exit_code else ""
        lines.append(f"{safe(step.activity)}: {step.fate}{status}{took} -> {made}{news}")
        if step.fate in ("would run", "failed"):
            where = f"  (in {words.path(step.folder)})" if step.folder else ""
            lines += [f"    {safe(step.command)}{where}", *(f"    {why(reason, words)}" for reason in step.reasons)]
    if not report.steps and not report.failures:
        lines.append(f"Everything is up to date; {count(report.checked, 'dataset')} with lineage")
    hints = []
    if any(step.fate == "would run" for step in report.steps):
        hints = following([words.ldv("reproduce")])
    elif any(step.fate == "ran" for step in report.steps):  # with the same bytes too: of newer inputs or code
        push = [words.ldv("push")] if any(step.changed for step in report.steps) else []
        hints = following([words.git("commit", "-m", "reproduced"), *push])
    return Done(report, report.failures, lines=lines, hints=hints, exit=report.exit_code)


@dataclass(frozen=True)
class PageReport:
    """The page that was written, and how much is on it."""

    path: str
    versions: int
    links: int


def reported(page: Path, shown: LineageReport, words: Words) -> Done:
    report = PageReport(str(page), len(shown.versions), len(shown.links))
    said = f"{count(report.versions, 'version')}, {count(report.links, 'link')}"
    return Done(report, answer=[words.place(report.path)], lines=[f"{said}; open it in a browser"])
