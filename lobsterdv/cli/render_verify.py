"""What verify and push --check say: a line a damage, then one line for all that was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe, short, size, table

if TYPE_CHECKING:
    from lobsterdv.ops.damage import Area, Damage
    from lobsterdv.ops.push import PushReport
    from lobsterdv.ops.verify import VerifyReport

MOST: Final = 20
"""So many damages get a line each; --json has all."""
_DAMAGED: Final = 3


def verified(report: VerifyReport, words: Words, args: Sequence[str], took: str) -> Done:
    lines = damages(report.damages, words)
    if report.edited:
        lines.append(
            f"{count(len(report.edited), 'file')} of the work tree {_were(report.edited)} edited, which is no damage: "
            f"{_some(report.edited, words)}"
        )
    if report.elsewhere:
        names = [row.path for row in report.elsewhere]
        lines.append(f"{count(len(names), 'version')} {_are(names)} not, or not all, in the cache: "
                     f"{_some(names, words)}")  # fmt: skip
    if report.unpushed:
        names = [row.path for row in report.unpushed]
        lines.append(f"{count(len(names), 'version')} {_were(names)} never pushed there: {_some(names, words)}")
    if report.versions or report.damages or not report.failures:
        lines.append(_summary(report, took))
        lines += _weakness(report, words)
    if not report.is_complete:
        left = sum(area.left for area in report.areas)
        lines.append(f"Time is up: {count(left, 'item')} left. The same command goes on from there.")
    return Done(
        report, report.failures, answer=lines, hints=_next(report, words, args), exit=0 if report.is_whole else _DAMAGED
    )


def checked(report: PushReport, words: Words, took: str, *, again: Sequence[str]) -> Done:
    """What push --check says."""
    lines = damages(report.lacking, words)
    where = f"{report.remote} ({safe(report.url)})"
    looked = f"{count(report.checked_objects, 'object')} looked at, {took}"
    lacking = {(row.path, row.version) for row in report.lacking}
    if lacking:
        total = len(lacking) + len(report.versions)
        lines.append(f"{where} lacks something of {len(lacking)} of {count(total, 'version')}; {looked}")
    else:
        lines.append(f"{where} holds {count(len(report.versions), 'version')}, whole; {looked}")
    hints = following([words.ldv("push", *again)]) if lacking else []
    return Done(report, report.failures, answer=lines, hints=hints, exit=_DAMAGED if lacking else 0)


def damages(rows: Sequence[Damage], words: Words) -> list[str]:
    """A line each, and below it what was done."""
    shown = rows if len(rows) <= MOST else rows[:MOST]
    cells = [[row.state, row.place, _name(row, words), _version(row), _what(row)] for row in shown]
    lines = []
    for row, line in zip(shown, table(cells), strict=True):
        lines.append(line)
        if row.healed:
            lines.append(f"  healed from {safe(row.healed)}" if row.what != "pack index" else f"  {safe(row.healed)}")
        elif row.remedy:
            lines.append(f"  not healed: {safe(row.remedy)}")
    if len(rows) > len(shown):
        lines.append(f"... and {count(len(rows) - len(shown), 'more damage')} (--json has all)")
    return lines


def _name(row: Damage, words: Words) -> str:
    if not row.path:
        return safe(row.name)
    name = words.path(f"{row.path}/{row.file}" if row.file else row.path)
    return f"{name} (and {row.files - 1:,} more)" if row.files > 1 and row.file else name


def _version(row: Damage) -> str:
    if row.version is None:
        return ""
    return f"{short(row.version)} ({safe(row.rev)})" if row.rev else short(row.version)


def _what(row: Damage) -> str:
    what = "" if row.what in ("content", "pack index") else f"{row.what} {short(row.name)}"
    parts = [what, size(row.size) if row.size else "", safe(row.detail)]
    return ", ".join(part for part in parts if part)


def _summary(report: VerifyReport, took: str) -> str:
    bad = [row for row in report.damages if not row.healed]
    states = [f"{sum(row.state == state for row in bad):,} {state}" for state in ("missing", "corrupt", "unreadable")]
    found = ", ".join(text for text in states if not text.startswith("0 ")) or "all is well"
    healed = len(report.damages) - len(bad)
    if healed:
        found = f"{healed:,} healed" + (f", {found}" if bad else "")
    looked = "; ".join(_area(area, report) for area in report.areas if area.items or area.earlier)
    return f"{count(report.versions, 'version')}: {found}. {looked or 'Nothing to look at'}, {took}"


def _area(area: Area, report: VerifyReport) -> str:
    where = f"remote {report.remote}" if area.place == "remote" else area.place
    text = f"{where}: {count(area.items, 'item')}, {size(area.bytes)} read"
    if report.sampled is not None:
        text += f" ({report.sampled:,} of {count(report.objects, 'object')} by sample)"
    if report.level == "checksums":
        whose = "by the checksum that the server verified as it took them in" if _is_proof(report) else "by checksum"
        text += f" ({report.compared:,} of {count(report.objects, 'object')} {whose}, the others by size)"
    if area.place == "remote" and report.archived:
        text += f" ({count(report.archived, 'object')} archived: there, and not to be read before a restore)"
    return text + (f" ({area.earlier:,} more by an earlier run)" if area.earlier else "")


def _is_proof(report: VerifyReport) -> bool:
    return report.checking == "verified"


def _weakness(report: VerifyReport, words: Words) -> list[str]:
    """What a comparison of checksums does not prove, where it does not."""
    if report.level != "checksums" or not report.compared or _is_proof(report):
        return []
    seen = {
        "taken": "this server was seen to take a wrong checksum",
        "refused": "this server was seen to refuse checksums",
    }.get(report.checking, "nobody saw within seven days that this server verifies them")
    doctor = f"{words.ldv('remote', 'doctor', quote(report.remote or ''))} finds out; " if not report.checking else ""
    return [
        f"The checksums that were compared are what the senders said, and prove nothing of the server's bytes: {seen}. "
        f"{doctor}--read-data reads the bytes."
    ]


def _next(report: VerifyReport, words: Words, args: Sequence[str]) -> list[str]:
    bad = [row for row in report.damages if not row.healed]
    if bad and not report.repaired:
        return following([f"lobsterdv {' '.join(map(quote, args))} --repair"])
    if report.unpushed and not bad:
        there = ["--remote", quote(report.remote)] if report.remote else []
        return following([words.ldv("push", *there)])
    return []


def _some(names: Sequence[str], words: Words) -> str:
    shown = ", ".join(words.path(name) for name in names[:3])
    return shown + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def _were(rows: Sequence[object]) -> str:
    return "was" if len(rows) == 1 else "were"


def _are(rows: Sequence[object]) -> str:
    return "is" if len(rows) == 1 else "are"
