"""Commands that send and bring versions: push, fetch, pull."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from lobsterdv.cli.options import (
    datasets_argument,
    force_option,
    ignore_missing_option,
    jobs_option,
    remote_option,
    remotes_option,
    rev_option,
    verb,
)
from lobsterdv.cli.paths import all_named, targets
from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.slow import with_hint
from lobsterdv.cli.words import duration, quote


def all_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option("--all", "everything", is_flag=True, help=text)


@verb("push", report="lobsterdv.ops.push:PushReport")
@datasets_argument()
@remotes_option("Where to, more than once for several; default: the project's remote.")
@rev_option("Only what this git revision names.")
@all_option("What the history of all branches and tags names.")
@click.option("--check", is_flag=True, help="Send nothing: exit 3 unless the remote holds all of it (for CI).")
@click.option("--plain", is_flag=True, help="Store each file as one object that any tool can open (`lobsterdv url`).")
@click.option("--storage-class", metavar="CLASS", help="Of what this push sends to S3: STANDARD_IA, GLACIER_IR, …")
@jobs_option
@ignore_missing_option
@click.pass_obj
def push_command(
    session: Session,
    paths: tuple[str, ...],
    remotes: tuple[str, ...],
    rev: str | None,
    everything: bool,
    check: bool,
    plain: bool,
    storage_class: str | None,
    jobs: int | None,
    ignore_missing: bool,
) -> Done:
    """Send versions to a remote.

    Sends what the history of HEAD, git's index and the work tree's pointers name and the remote lacks, and
    checks that what it has is whole. Before a remote was added, the copy stays in this repository's git folder.
    With --check nothing is written anywhere: every object of those versions is asked for. Several remotes are told
    one by one; what fails at one does not stop the others.
    """
    from lobsterdv.cli.render import pushed  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.push import push  # noqa: PLC0415 - start-up time

    wanted, rev = all_named(session, paths, rev)
    _one_of(rev, everything)
    if len(remotes) > 1:
        if check:
            raise click.UsageError("--check asks one remote at a time", click.get_current_context())
        from lobsterdv.cli.render_remotes import pushed_to_each  # noqa: PLC0415 - start-up time
        from lobsterdv.ops.push_many import push_to_each  # noqa: PLC0415 - start-up time

        each = push_to_each(
            session.project(),
            wanted,
            remotes=remotes,
            rev=rev,
            everything=everything,
            jobs=jobs,
            ignore_missing=ignore_missing,
            plain=plain,
            observer=session.observer,
        )
        return pushed_to_each(each, session.words, duration(session.seconds), verbose=session.verbose)
    remote = remotes[0] if remotes else None
    if check:
        return _check(session, paths, remote, rev, everything, plain or ignore_missing or bool(storage_class), jobs)
    report = push(
        session.project(),
        wanted,
        remote=remote,
        rev=rev,
        everything=everything,
        jobs=jobs,
        ignore_missing=ignore_missing,
        plain=plain,
        storage_class=storage_class,
        observer=session.observer,
    )
    done = pushed(report, session.words, duration(session.seconds), verbose=session.verbose)
    return with_hint(done, session, report.remote, sum(row.new_bytes for row in report.versions))


@verb("fetch", report="lobsterdv.ops.fetch:FetchReport")
@datasets_argument()
@remote_option("Where from; default: all remotes in turn, by their priority.")
@rev_option("The versions that this git revision names.")
@all_option("Every version in the history of all branches and tags.")
@jobs_option
@ignore_missing_option
@click.pass_obj
def fetch_command(
    session: Session,
    paths: tuple[str, ...],
    remote: str | None,
    rev: str | None,
    everything: bool,
    jobs: int | None,
    ignore_missing: bool,
) -> Done:
    """Bring versions from a remote into the cache.

    The work tree is not touched. Every byte is verified. A PATH inside a folder brings that part alone.
    """
    from lobsterdv.cli.render import fetched  # noqa: PLC0415 - start-up time
    from lobsterdv.errors import MissingContent  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.fetch import fetch  # noqa: PLC0415 - start-up time

    wanted, rev = all_named(session, paths, rev)
    _one_of(rev, everything)
    report = fetch(
        session.project(),
        wanted,
        remote=remote,
        rev=rev,
        everything=everything,
        jobs=jobs,
        observer=session.observer,
    )
    failures = [f for f in report.failures if not (ignore_missing and isinstance(f.error, MissingContent))]
    done = fetched(report, failures, session.words, rev, duration(session.seconds))
    return with_hint(done, session, report.remote, report.travelled_bytes)


@verb("pull", report="lobsterdv.ops.pull:PullReport")
@datasets_argument()
@remote_option("Where from; default: all remotes in turn, by their priority.")
@rev_option("The versions that this git revision names; their pointers are written too.")
@force_option
@jobs_option
@ignore_missing_option
@click.pass_obj
def pull_command(
    session: Session,
    paths: tuple[str, ...],
    remote: str | None,
    rev: str | None,
    force: bool,
    jobs: int | None,
    ignore_missing: bool,
) -> Done:
    """Fetch, then check out.

    What could not be fetched leaves the work tree as it was. A PATH inside a folder brings that part alone.
    """
    from lobsterdv.cli.render import pulled  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.pull import pull  # noqa: PLC0415 - start-up time

    wanted, rev = all_named(session, paths, rev)
    report = pull(
        session.project(),
        wanted,
        remote=remote,
        rev=rev,
        force=force,
        ignore_missing=ignore_missing,
        jobs=jobs,
        observer=session.observer,
    )
    done = pulled(report, session.words, paths=wanted, took=duration(session.seconds))
    return with_hint(done, session, report.fetch.remote, report.fetch.travelled_bytes)


def _check(
    session: Session,
    paths: tuple[str, ...],
    remote: str | None,
    rev: str | None,
    everything: bool,
    sending: bool,
    jobs: int | None,
) -> Done:
    from lobsterdv.cli.render_verify import checked  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.push_check import check_push  # noqa: PLC0415 - start-up time

    if sending:
        raise click.UsageError(
            "--check sends nothing: no --plain, no --storage-class, no --ignore-missing", click.get_current_context()
        )
    wanted = targets(session, paths)
    report = check_push(
        session.project(), wanted, remote=remote, rev=rev, everything=everything, jobs=jobs, observer=session.observer
    )
    options = [*(["--remote", quote(remote)] if remote else []), *(["--rev", quote(rev)] if rev else [])]
    again = [*options, *(["--all"] if everything else []), *map(session.words.arg, wanted)]
    return checked(report, session.words, duration(session.seconds), again=again)


def _one_of(rev: str | None, everything: bool) -> None:
    if rev is not None and everything:
        raise click.UsageError("--rev and --all exclude each other", click.get_current_context())
