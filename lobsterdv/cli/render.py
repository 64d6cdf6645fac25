"""What the commands that do something say: one line a dataset, then what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lobsterdv.cli.session import Done
from lobsterdv.cli.words import Words, count, following, quote, safe, short, size, table

if TYPE_CHECKING:
    from lobsterdv.blobs.storage import Decision
    from lobsterdv.ops.add import Added, AddReport
    from lobsterdv.ops.checkout import CheckedOut, CheckoutReport
    from lobsterdv.ops.context import Failure
    from lobsterdv.ops.fetch import FetchReport
    from lobsterdv.ops.init import InitReport
    from lobsterdv.ops.moving import MoveReport, RemoveReport
    from lobsterdv.ops.pull import PullReport
    from lobsterdv.ops.push import PushedVersion, PushReport
    from lobsterdv.ops.unprotect import UnprotectReport

FEW = 10
"""Up to so many datasets of which there is nothing to say get a line each; of more, the number."""


def initialised(report: InitReport, words: Words, *, git_created: bool, staged: bool) -> Done:
    root = safe(report.root)
    if not report.created and not report.written:
        return Done(report, lines=[f"{root} is a lobsterdv project already; nothing changed."])
    lines = [f"Made {root} a lobsterdv project" + (", in a new git repository." if git_created else ".")]
    if not report.created:
        lines = [f"{root} was a lobsterdv project already."]
    lines.append(f"  wrote {', '.join(report.written)}" + (", staged in git" if staged else ""))
    hints = []
    if report.created:
        hooks = words.ldv("hooks", "install") + "   (data follows git push, pull and checkout)"
        hints = [words.git("commit", "-m", quote("Start lobsterdv")), hooks, words.ldv("add", "PATH")]
    return Done(report, lines=lines, hints=following(hints))


def added(report: AddReport, words: Words, message: str | None) -> Done:
    changed = [row for row in report.added if row.outcome != "unchanged"]
    rows = [_added_row(row, words) for row in report.added if row in changed or len(report.added) <= FEW]
    lines = table(rows, right=[2])
    if len(report.added) > FEW and len(changed) < len(report.added):
        lines.append(f"{count(len(report.added) - len(changed), 'dataset')} unchanged")
    lines += [_now_shared(row, words) for row in report.added if row.moved_files]
    if report.remote is not None and report.added:
        lines.append(f"To {report.remote}: {size(sum(row.sent_bytes for row in report.added))} sent, past the cache")
    if not changed:
        hints = following([_commit(words, report.added, message)]) if report.staged and message is not None else []
        return Done(report, report.failures, lines=lines, hints=hints)
    commands = [] if report.staged else [words.git("add", *_files_of(words, [row.path for row in changed]))]
    commands += [_commit(words, changed, message), words.ldv("push") if report.remote is None else words.git("push")]
    return Done(report, report.failures, lines=lines, hints=following(commands))


def pushed(report: PushReport, words: Words, took: str, *, verbose: bool) -> Done:
    remote = f"{report.remote} ({safe(report.url)})"
    lines = []
    same = [row for row in report.versions if row.outcome == "up to date"]
    rows = []
    for row in sorted(report.versions, key=lambda row: row.path):
        if row.outcome != "up to date" or len(same) <= FEW:
            older = "" if row.current else "  an older version"
            sent = f"{size(row.new_bytes)} sent" if row.outcome != "up to date" else ""
            rows.append([row.outcome, words.path(row.path), size(row.size), short(row.digest), sent + older])
    lines += table(rows, right=[2])
    if verbose:
        lines += table([_stored_row(row, d, words) for row in report.versions for d in row.stored], right=[2])
    if len(same) > FEW:
        lines.append(f"{count(len(same), 'dataset')} up to date")
    if not report.versions and not report.failures:
        lines.append(f"Nothing to push to {remote}.")
    elif report.versions:
        objects, sent_bytes = sum(r.new_objects for r in report.versions), sum(r.new_bytes for r in report.versions)
        what = f"{size(sent_bytes)} sent in {count(objects, 'object')}, {took}" if objects else f"nothing sent, {took}"
        lines.append(f"To {remote}: {what}")
    hints = []
    if report.embedded and report.versions:
        command = words.ldv("remote", "add", "lab", "s3://BUCKET/PREFIX")
        hints = ["This copy is on this machine only. To share it:", *_indented([command, words.ldv("push")])]
    elif any(row.outcome == "pushed" and row.current for row in report.versions):
        hints = following([words.git("push")])
    return Done(report, report.failures, lines=lines, hints=hints)


def _stored_row(row: PushedVersion, decision: Decision, words: Words) -> list[str]:
    """How one file was stored, and why."""
    inside = decision.path if decision.path != row.path else ""
    share = decision.reused / max(decision.size, 1)
    why = f"{share:.1%} of it was there, in {count(decision.ranges, 'range')}" if decision.how == "ranges" else ""
    return [
        f"  {decision.how}",
        words.path(f"{row.path}/{inside}".rstrip("/")),
        size(decision.size),
        decision.why or why,
    ]


def fetched(report: FetchReport, failures: Sequence[Failure], words: Words, rev: str | None, took: str) -> Done:
    came = [row for row in report.fetched if row.new_files]
    rows = [
        ["fetched", words.path(r.path), size(r.new_bytes), short(r.digest), count(r.new_files, "file")] for r in came
    ]
    lines = table(rows, right=[2])
    if came:
        lines += _served(report, took)
    here = len(report.fetched) - len(came)
    if here:
        lines.append(f"{count(here, 'dataset')} {'was' if here == 1 else 'were'} here already")
    elif not came and not failures:
        lines.append("Nothing to fetch.")
    next_ = [words.ldv("checkout", *(["--rev", quote(rev)] if rev else []))] if came else []
    return Done(report, failures, lines=lines, hints=following(next_))


def _served(report: FetchReport, took: str) -> list[str]:
    lines = []
    for row in report.served:
        if row.new_bytes:
            came = max(0, row.new_bytes - row.reused_bytes)
            here = f"; {size(row.reused_bytes)} more were here, in earlier versions" if row.reused_bytes else ""
            lines.append(f"From {row.remote} ({safe(row.url)}): {size(came)}, {took}{here}")
    return lines


def checked_out(report: CheckoutReport, words: Words, *, paths: Sequence[str]) -> Done:
    lines = placed(report.checked_out, words)
    if not report.checked_out and not report.failures:
        lines.append("Nothing to check out.")
    return Done(report, report.failures, lines=lines, hints=_way_back(report, words, paths))


def pulled(report: PullReport, words: Words, *, paths: Sequence[str], took: str) -> Done:
    fetched_bytes = sum(row.new_bytes for row in report.fetch.fetched)
    lines = placed(report.checkout.checked_out, words)
    if fetched_bytes:
        lines += _served(report.fetch, took)
    elif not report.checkout.checked_out and not report.failures:
        lines.append("Nothing to pull.")
    return Done(report, report.failures, lines=lines, hints=_way_back(report.checkout, words, paths))


def moved(report: MoveReport, words: Words) -> Done:
    source, target = words.path(report.source), words.path(report.target)
    lines = [f"moved  {source} -> {target}" + ("" if report.data_moved else "  (its data is not here)")]
    hint = words.git("commit", "-m", quote(f"Move {report.source} to {report.target}"))
    return Done(report, report.failures, lines=lines, hints=following([hint]))


def removed(report: RemoveReport, words: Words) -> Done:
    lines = []
    for path in report.removed:
        fate = "its files were deleted; pushed and cached versions stay" if path in report.data_removed else ""
        if path in report.trash:
            fate = f"its files had unsaved changes and are in {words.place(report.trash[path])} now"
        lines.append(f"removed  {words.path(path)}  ({fate or 'no longer tracked; its files stay'})")
    hints = [words.git("commit", "-m", quote(f"Remove {_named(report.removed)}"))] if report.removed else []
    return Done(report, report.failures, lines=lines, hints=following(hints))


def unprotected(report: UnprotectReport, words: Words) -> Done:
    lines = []
    for path, files in report.files.items():
        lines.append(
            f"{words.path(path)}: " + (f"{count(files, 'file')} made writable" if files else "writable already")
        )
    return Done(report, report.failures, lines=lines)


def placed(rows: Iterable[CheckedOut], words: Words) -> list[str]:
    """What a checkout did: a line for each dataset that changed, and where unsaved files went."""
    rows = list(rows)
    same = [row for row in rows if not (row.written or row.removed or row.pointer_changed)]
    lines = []
    cells = []
    for row in rows:
        if row in same and len(same) > FEW:
            continue
        done = [f"{count(row.written, 'file')} written"] if row.written else []
        done += [f"{count(row.removed, 'file')} removed"] if row.removed else []
        state = "up to date" if row in same else "checked out"
        moved_bytes = size(row.new_bytes) if row.written else ""
        cells.append([state, words.path(row.path), moved_bytes, short(row.digest), ", ".join(done)])
    lines += table(cells, right=[2])
    if len(same) > FEW:
        lines.append(f"{count(len(same), 'dataset')} up to date")
    for row in rows:
        if row.trash:
            lines.append(f"unsaved changes in {words.path(row.path)} are in {words.place(row.trash)} now")
    return lines


def _added_row(row: Added, words: Words) -> list[str]:
    about = row.kind if row.files is None or row.kind != "directory" else count(row.files, "file")
    before = f"was {short(row.previous)}" if row.previous is not None else ""
    return [row.outcome, words.path(row.path), size(row.size), about, short(row.digest), before]


def _now_shared(row: Added, words: Words) -> str:
    which = "" if row.files is None else f"{count(row.moved_files, 'file')} of "
    is_one, copy = row.moved_files == 1, words.ldv("unprotect", words.arg(row.path))
    fate = "is read-only now: it is" if is_one else "are read-only now: they are"
    return f"{which}{words.path(row.path)} {fate} the cache's own ({copy} copies {'it' if is_one else 'them'})"


def _commit(words: Words, rows: Sequence[Added], message: str | None) -> str:
    verb = "Add" if all(row.outcome == "added" for row in rows) else "Update"
    return words.git("commit", "-m", quote(message or f"{verb} {_named([row.path for row in rows])}"))


def _files_of(words: Words, paths: Sequence[str]) -> list[str]:
    """What an ``add --no-stage`` leaves to be staged."""
    folders = dict.fromkeys(f"{folder}/.gitignore" if folder else ".gitignore" for folder in map(_folder, paths))
    return [words.arg(name) for name in [*(f"{path}.ldv.yaml" for path in paths), *folders]]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _named(paths: Sequence[str]) -> str:
    return safe(paths[0]) if len(paths) == 1 else f"{len(paths):,} datasets"


def _way_back(report: CheckoutReport, words: Words, paths: Sequence[str]) -> list[str]:
    """After a checkout of another revision: how to keep it, and how to come back."""
    if report.rev in (None, "HEAD", "@") or not any(row.pointer_changed for row in report.checked_out):
        return []
    back = words.ldv("checkout", "--rev", "HEAD", *(words.arg(path) for path in paths))
    rev = str(report.rev)
    shown = rev[:10] if len(rev) == 40 and not rev.strip("0123456789abcdef") else rev
    return [
        f"The pointers are as at {safe(shown)} now; `git status` shows which changed. To come back:",
        f"  {back}",
    ]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
