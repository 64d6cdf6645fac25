"""What remote gc says: versions by name, then what can be deleted, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe, short, size, table

if TYPE_CHECKING:
    from lobsterdv.ops.gc_remote import RemoteGcReport, RemoteVersion

MOST: Final = 20
"""So many versions get a line each; --json has all."""


def collected(report: RemoteGcReport, words: Words, again: str) -> Done:
    where = f"{report.remote} ({safe(report.url)})"
    lines = []
    if report.retired:
        verb = "Retired" if report.acted else "Would retire"
        lines.append(
            f"{verb} {count(len(report.retired), 'version')} that nothing in git names, with "
            f"{size(report.retired_bytes)} that nothing else needs:"
        )
        lines += _versions(report.retired, words)
    if report.waiting:
        lines += [f"Retired before, and kept until then ({words.ldv('remote', 'gc', quote(report.remote), '--undo')}):"]
        lines += _versions(report.waiting, words)
    if report.deleted:
        lines.append(f"{'Deleted' if report.acted else 'Would delete'}, retired long ago and named by nothing since:")
        lines += _versions(report.deleted, words)
    lines.append(_summary(report, where))
    if report.denied:
        lines.append(f"{count(len(report.denied), 'item')} cannot be deleted: the server does not allow it.")
    if report.next:
        lines.append(f"The next can go on {report.next[:10]}, if nothing names it by then.")
    does_something = report.retired or report.unnamed_items
    hints = following([again]) if does_something and not report.acted else []
    if report.acted and report.retired:
        hints = following([words.ldv("remote", "gc", quote(report.remote), "--undo")])
    return Done(report, report.failures, answer=lines, hints=hints)


def restored(report: RemoteGcReport, words: Words) -> Done:
    names = report.restored
    lines = [f"{report.remote} keeps {count(len(names), 'version')} again:", *_versions(names, words)] if names else []
    if not names and not report.failures:
        lines = ["Nothing of this project is retired there."]
    return Done(report, report.failures, answer=lines)


def _summary(report: RemoteGcReport, where: str) -> str:
    text = f"{where}: {count(report.records, 'push').replace('pushs', 'pushes')} in its catalogs; "
    if not report.unnamed_items:
        return text + "everything there belongs to one."
    text += f"{count(report.unnamed_items, 'item')} ({size(report.unnamed_bytes)}) belong to none, "
    if not report.acted:
        return text + f"{report.ripe_items:,} of these ({size(report.ripe_bytes)}) can be deleted now."
    text += f"{report.deleted_items:,} of these ({size(report.deleted_bytes)}) deleted"
    return text + (
        f", {report.spared_items:,} spared that were written again meanwhile." if report.spared_items else "."
    )


def _versions(rows: Sequence[RemoteVersion], words: Words) -> list[str]:
    cells = [
        [words.path(row.path), short(row.digest), f"pushed {row.pushed[:10]}", size(row.size), _until(row)]
        for row in rows[:MOST]
    ]
    more = [f"  ... and {count(len(rows) - MOST, 'more version')} (--json has all)"] if len(rows) > MOST else []
    return [*table(cells, indent="  ", right=[3]), *more]


def _until(row: RemoteVersion) -> str:
    return f"until {row.until[:10]}" if row.until else ""
