"""What the hooks say, and the commands that install them and merge what git could not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.words import Words, count, following, safe, short, size, table

if TYPE_CHECKING:
    from lobsterdv.formats.entries import Entries
    from lobsterdv.formats.pointer import Pointer
    from lobsterdv.ops.driver import DriverReport
    from lobsterdv.ops.following import FollowReport
    from lobsterdv.ops.hooks import HooksReport
    from lobsterdv.ops.merge import MergeReport
    from lobsterdv.ops.outgoing import OutgoingReport
    from lobsterdv.ops.precommit import CommitReport

FEW: Final = 3
"""So many datasets a hook names; of more it tells the number."""
MANY: Final = 50
_STATES: Final = {
    "ours": "installed",
    "chained": "installed, after your own",
    "foreign": "your own, without lobsterdv",
    "outdated": "installed by another release (install again)",
    "absent": "not installed",
}


def installed(report: HooksReport, words: Words) -> Done:
    done = uninstalled(report, words)
    if report.failures:
        return done
    return done._replace(hints=following([words.ldv("hooks", "uninstall") + "   (takes them out again)"]))


def uninstalled(report: HooksReport, words: Words) -> Done:
    done = hooks_stand(report, words)
    return done._replace(answer=(), lines=done.answer)


def hooks_stand(report: HooksReport, words: Words) -> Done:
    lines = [f"hooks in {words.place(report.folder)}:"]
    lines += table([[hook.name, _STATES[hook.state]] for hook in report.hooks], indent="  ")
    lines.append("merge and diff of pointers: " + ("installed" if report.drivers else "not installed"))
    return Done(report, report.failures, answer=lines)


def sent(report: OutgoingReport, words: Words) -> Done:
    """pre-push. The last word on a refusal is how to push all the same."""
    lines = []
    if report.unshared:
        command = words.ldv("remote", "add", "lab", "s3://BUCKET/PREFIX")
        lines.append(f"lobsterdv: the data of {_versions(report.versions)} stays on this machine: no remote is set")
        lines.append(f"  fix: {command} && {words.ldv('push')}")
    if report.sent is not None and not report.failures:
        new_bytes = sum(row.new_bytes for row in report.sent.versions)
        if new_bytes:
            lines.append(f"lobsterdv: {size(new_bytes)} sent to {report.sent.remote}, before the commits")
    if report.failures:
        skip = words.git("push", "--no-verify")
        lines.append(
            f"lobsterdv holds the commits back: their data is not at the remote yet ({skip} pushes without it)"
        )
    return Done(None, report.failures, answer=lines)


def committed(report: CommitReport, session: Session) -> Done:
    from lobsterdv.cli.outcome import explain  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.speech import complain  # noqa: PLC0415 - start-up time

    if not report.failures:
        return Done()
    if report.lenient:
        for failure in report.failures:
            complain(explain(session, failure.path, failure.error))
        return Done()
    skip = session.words.git("commit", "--no-verify")
    return Done(None, report.failures, answer=[f"lobsterdv refuses the commit ({skip} commits all the same)"])


def followed(report: FollowReport, words: Words) -> Done:
    parts = []
    if report.checked_out:
        parts.append(f"{_named(report.checked_out, words)} checked out")
    if report.needed:
        arguments = [words.arg(path) for path in report.needed] if len(report.needed) <= FEW else []
        parts.append(f"{_named(report.needed, words)} not here: {words.ldv('pull', *arguments)}")
    if report.modified:
        parts.append(f"{_named(report.modified, words)} left alone (not as lobsterdv left it): {words.ldv('status')}")
    lines = ["lobsterdv: " + "; ".join(parts)] if parts else []
    lines += [f"lobsterdv: {words.path(failure.path)}: {safe(str(failure.error))}" for failure in report.failures]
    return Done(None, lines=lines)


def in_conflict(report: DriverReport, words: Words) -> list[str]:
    name = words.arg(report.path)
    lines = [f"lobsterdv: {words.path(report.path)}: both sides made a new version"]
    if report.directory:
        return [*lines, f"  fix: {words.ldv('merge', name)}   (merges them file by file)"]
    lines.append(f"  fix: {words.ldv('merge', name, '--ours')}   (takes your side's version)")
    return [*lines, f"   or: {words.ldv('merge', name, '--theirs')}   (takes the other's)"]


def merged(report: MergeReport, words: Words) -> Done:
    name = words.path(report.path)
    if report.overlaps:
        rows = [["", "before", "ours", "theirs"]]
        rows += [[safe(o.path or report.path), _side(o.base), _side(o.ours), _side(o.theirs)] for o in report.overlaps]
        lines = [f"Files in {name} that both sides changed:", *table(rows[: MANY + 1], indent="  ")]
        if len(report.overlaps) > MANY:
            lines.append(f"  … and {len(report.overlaps) - MANY:,} more (--json has all)")
        return Done(report, report.failures, answer=lines)
    if report.digest is None:
        return Done(report, report.failures)
    changes = f"{count(report.from_ours, 'change')} of ours, {count(report.from_theirs, 'change')} of theirs"
    what = changes if report.files is not None else "taken whole"
    lines = [f"merged  {name}  {short(report.digest)}  ({what})"]
    if report.trash:
        lines.append(f"unsaved changes in {name} are in {words.place(report.trash)} now")
    commands = [] if report.staged else [words.git("add", words.arg(report.path + ".ldv.yaml"))]
    return Done(
        report, report.failures, lines=lines, hints=following([*commands, words.git("commit"), words.ldv("pull")])
    )


def shown(pointer: Pointer, entries: Entries | None) -> Sequence[str]:
    from lobsterdv.ops.driver import pointer_text  # noqa: PLC0415 - start-up time

    return [safe(line) for line in pointer_text(pointer, entries)]


def _side(text: str | None) -> str:
    return "none" if text is None else safe(short(text))


def _named(paths: Sequence[str], words: Words) -> str:
    return ", ".join(map(words.path, paths)) if len(paths) <= FEW else count(len(paths), "dataset")


def _versions(number: int) -> str:
    return count(number, "version")
