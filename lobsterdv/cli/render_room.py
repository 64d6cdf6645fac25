"""What gc, drop and undelete say: what goes and where to, what stays and why, how to get it back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe, short, size, table

if TYPE_CHECKING:
    from lobsterdv.ops.drop import Dropped, DropReport
    from lobsterdv.ops.forget import ForgetReport
    from lobsterdv.ops.gc import GcReport
    from lobsterdv.ops.repack import RepackReport
    from lobsterdv.ops.undelete import UndeleteReport

FEW: Final = 20
"""Up to so many versions each has a line, unasked."""
_UNKNOWN: Final = "(dataset unknown)"
_FATES: Final = {"delete": ("delete", "deleted"), "trash": ("to the trash", "in the trash")}


def collected(report: GcReport, words: Words, *, again: str, verbose: bool) -> Done:
    shown = report.collected if verbose else sorted(report.collected, key=lambda row: -row.size)[:FEW]
    rows = [
        [
            _FATES[row.fate][report.acted],
            words.path(row.path) if row.path else _UNKNOWN,
            size(row.size),
            short(row.digest) if row.digest is not None else "small files",
            f"last used {_day(row.used)}",
            row.why,
        ]
        for row in sorted(shown, key=lambda row: (row.path == "", row.path, row.used))
    ]
    lines = table(rows, right=[2])
    if len(shown) < len(report.collected):
        lines.append(f"and {count(len(report.collected) - len(shown), 'smaller version')} (-v shows each)")
    does_something = bool(report.collected or report.purged)
    if not does_something:
        lines.append(f"Nothing to take out of the cache ({size(report.cache_bytes)}).")
    lines += _summary(report)
    lines += _kept(report)
    if report.acted:
        hints = following([words.ldv("undelete")]) if report.trash is not None else []
    else:
        hints = ["Nothing was changed.", *following([again])] if does_something else []
    return Done(report, report.failures, lines=lines, hints=hints)


def _summary(report: GcReport) -> list[str]:
    does = "" if report.acted else "would be "
    lines = []
    if report.freed_bytes:
        lines.append(f"{size(report.freed_bytes)} {does}deleted: {report.remote} holds it, asked just now")
    if report.trashed_bytes:
        where = f"not seen at {report.remote}" if report.remote else "no remote holds it"
        lines.append(f"{size(report.trashed_bytes)} {does}moved to the trash (on the same disk): {where}")
    if report.purged:
        what = f"{size(report.purged_bytes)} in {count(len(report.purged), 'entry')}"
        lines.append(f"{what} {does}deleted from the trash, for good")
    return lines


def _kept(report: GcReport) -> list[str]:
    """What could go, and does not."""
    lines = []
    for number, why in (
        (report.young_bytes, "it was kept within the last hour"),
        (report.linked_bytes, "a work tree's files are the cache's own, so nothing would be freed"),
        (report.packed_bytes, "most of what is packed with it is needed"),
        (report.unclear_bytes, f"it may belong to {_some(report.unlisted)}, whose list of files is not here"),
    ):
        if number:
            lines.append(f"{size(number)} that nothing names stays: {why}")
    if report.wanted_bytes:
        lines.append(f"{size(report.wanted_bytes)} stays in the trash: something names it again (lobsterdv undelete)")
    if report.over_bytes:
        lines.append(f"{size(report.over_bytes)} above cache.max stays: in use, or not seen at a remote")
    return lines


def unregistered(report: GcReport) -> Done:
    return Done(report, lines=[f"Forgot {safe(report.unregistered or '')}; what only it names can be collected now."])


def dropped(report: DropReport, words: Words, *, rev: str | None, again: str) -> Done:
    rows = []
    for row in report.dropped:
        notes = [count(row.files, "cached file") if row.files else "nothing in the cache"]
        notes += ["and the work tree's files"] if row.data else []
        notes += [f"{size(row.needed_bytes)} stays: used elsewhere"] if row.needed_bytes else []
        notes += [f"{size(row.linked_bytes)} stays: the work tree's own files"] if row.linked_bytes else []
        done = "stays" if not _frees(row) else "dropped" if report.acted else "drop"
        rows.append([done, words.path(row.path), size(row.freed_bytes), short(row.digest), ", ".join(notes)])
    lines = table(rows, right=[2])
    if not report.dropped:
        return Done(report, report.failures, lines=lines)
    lines.append(f"{report.remote} holds all of it, asked just now.")
    if not any(map(_frees, report.dropped)):
        return Done(report, report.failures, lines=[*lines, "Nothing to drop."])
    if report.acted:
        paths = [words.arg(row.path) for row in report.dropped]
        back = words.ldv("fetch" if rev else "pull", *(["--rev", quote(rev)] if rev else []), *paths)
        hints = [f"To bring it back: {back}"]
    else:
        hints = ["Nothing was changed.", *following([again])]
    return Done(report, report.failures, lines=lines, hints=hints)


def _frees(row: Dropped) -> bool:
    return bool(row.files or row.freed_bytes or row.data)


def undeleted(report: UndeleteReport, words: Words, *, asked: bool) -> Done:
    if not asked:
        rows = [
            [
                row.entry,
                words.path(row.path) if row.path else _UNKNOWN,
                size(row.size),
                short(row.digest) if row.digest is not None else "files",
                _day(row.at),
                safe(row.why),
            ]
            for row in report.trash
        ]
        hints = following([words.ldv("undelete", "ENTRY")]) if rows else []
        return Done(report, report.failures, answer=table(rows, right=[2]) or ["The trash is empty."], hints=hints)
    lines = []
    for row in report.restored:
        what = words.path(row.path) if row.path else _UNKNOWN
        which = short(row.digest) if row.digest is not None else row.entry
        lines.append(f"{what}  {which}  {'in the cache again' if row.why == 'gc' else 'in its place again'}")
    hints = []
    if any(row.why == "gc" for row in report.restored):
        hints = ["Bring back its pointer with git: what nothing names, the next gc takes out again."]
    return Done(report, report.failures, lines=lines, hints=hints)


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at))


def _some(paths: list[str]) -> str:
    first = safe(paths[0]) if paths else "a version"
    return first if len(paths) < 2 else f"{first} and {len(paths) - 1:,} more"


def forgot(report: ForgetReport, words: Words, *, again: str) -> Done:
    """A version that goes: what of it goes now, what later, and what stays."""
    name = f"{words.path(report.path)}@{short(report.digest)} ({size(report.size)})"
    pushes = f"pushed {', '.join(at[:10] for at in report.records)}" if report.records else "never pushed"
    lines = [f"{'Forgot' if report.acted else 'Would forget'} {name}, {pushes}: {safe(report.reason)}"]
    lines.append(f"  this machine: {size(report.local_bytes)} {'deleted' if report.acted else 'would be deleted'}")
    if report.unlisted:
        some = _some(report.unlisted)
        lines.append(f"  nothing goes from here: the list of files of {some} is not here, and they could be its files")
    if report.records:
        lines.append(
            f"  {safe(report.remote)}: {size(report.own_bytes)} that nothing else needs go with remote gc, not before "
            f"{report.gone_from[:10]}"
        )
    elif report.acted:
        lines.append(f"  {safe(report.remote)}: has a tombstone now, so that nobody can push it")
    if report.shared_bytes:
        lines.append(f"  {size(report.shared_bytes)} are in objects that other versions need too, and stay")
    collect = [words.ldv("remote", "gc", quote(report.remote), "--yes")] if report.records else []
    return Done(report, report.failures, answer=lines, hints=following(collect if report.acted else [again]))


def repacked(report: RepackReport, words: Words, *, again: str) -> Done:
    """How much is wasted, and which versions were placed anew."""
    where = f"{safe(report.remote)} ({safe(report.url)})"
    if not report.objects:
        return Done(report, report.failures, answer=[f"{where}: no object is mostly waste"])
    inside = f"{size(report.bytes)} in {count(report.objects, 'object')}"
    lines = [f"{where}: {size(report.waste_bytes)} of {inside} are named by no version"]
    said = "placed anew" if report.acted else "would be placed anew"
    rows = [(f"  {words.path(row.path)}@{short(row.digest)}", size(row.needed_bytes), said) for row in report.versions]
    lines += table(rows, right=[1])
    collect = words.ldv("remote", "gc", quote(report.remote))
    steps = [collect if report.acted else again] if report.versions else []
    return Done(report, report.failures, answer=lines, hints=following(steps))
