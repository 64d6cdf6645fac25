"""Commands of every day: add, status, checkout, unprotect, move, remove."""

from __future__ import annotations

import sys
from typing import Literal

import click

from lobsterdv.cli.options import (
    dataset_names,
    datasets_argument,
    force_option,
    ignore_missing_option,
    no_stage_option,
    remote_option,
    rev_option,
    verb,
)
from lobsterdv.cli.paths import all_named, target, targets
from lobsterdv.cli.session import Done, Session


@verb("add", report="lobsterdv.ops.add:AddReport")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(readable=False))
@click.option("-m", "--message", metavar="TEXT", help="What this version is, in a few words.")
@click.option("--from", "inputs", metavar="PATH", multiple=True, shell_complete=dataset_names, help="Made of that.")
@click.option("--move", is_flag=True, help="Do not copy large files: they become the cache's own, read-only.")
@click.option("--storage", type=click.Choice(["auto", "plain"]), help="plain: each file one object on remotes.")
@click.option("--to-remote", is_flag=True, help="Send the files to the remote, past the cache.")
@remote_option("Which remote, with --to-remote; default: the project's.")
@no_stage_option
@click.pass_obj
def add_command(
    session: Session,
    paths: tuple[str, ...],
    message: str | None,
    inputs: tuple[str, ...],
    move: bool,
    storage: Literal["auto", "plain"] | None,
    to_remote: bool,
    remote: str | None,
    no_stage: bool,
) -> Done:
    """Keep files and folders as new versions.

    Copies their content into the cache, writes the pointer PATH.ldv.yaml beside each and a line into
    .gitignore, and stages both in git. PATH may be a glob, or lie inside a folder that is tracked.
    Unchanged data costs a look at each file's times.

    With --move the file itself becomes the cache's, in its place: nothing is written and no room is needed. It is
    read-only from then on; `lobsterdv unprotect PATH` makes it a file of its own again. It must lie on the
    cache's file system. Small files of folders, and executable ones, are copied all the same.

    With --to-remote the files go from where they lie to the remote, and the cache keeps nothing: for data that
    fits on this disk once. The pointer is written when the remote has everything; no push is needed.

    With --storage plain each file of the dataset is one object on remotes, byte for byte, that other tools open by
    the URL that `lobsterdv url PATH` prints; new versions then send whole files. It stays so until --storage auto.
    """
    from lobsterdv.cli.render import added  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.add import add  # noqa: PLC0415 - start-up time

    project = session.project()
    wanted = targets(session, paths)
    if move and to_remote:
        raise click.UsageError("--move and --to-remote exclude each other", click.get_current_context())
    if remote is not None and not to_remote:
        raise click.UsageError("--remote is for --to-remote", click.get_current_context())
    made_from = None
    if inputs:
        from lobsterdv.ops.runs import resolve_inputs  # noqa: PLC0415 - start-up time

        made_from = resolve_inputs(project, [target(session, path) for path in inputs], observer=session.observer)
    report = add(
        project,
        wanted,
        message=message,
        inputs=made_from,
        storage=storage,
        move=move,
        to_remote=to_remote,
        remote=remote,
        staging=not no_stage,
        observer=session.observer,
    )
    return added(report, session.words, message)


@verb("status", report="lobsterdv.ops.status:StatusReport")
@datasets_argument()
@click.option("--exit-code", is_flag=True, help="Exit with 7 when something changed.")
@click.pass_obj
def status_command(session: Session, paths: tuple[str, ...], exit_code: bool) -> Done:
    """Show what changed, and what is not kept, not here or not shared.

    Without PATH it looks at every dataset. It asks no remote: what was pushed is what this machine knows.
    """
    from lobsterdv.cli.colour import painter  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.render_looking import stated  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.status import status  # noqa: PLC0415 - start-up time

    report = status(session.project(), targets(session, paths), observer=session.observer)
    paint = painter(sys.stdout)
    return stated(report, session.words, paint, verbose=session.verbose, exit_code=exit_code)


@verb("checkout", report="lobsterdv.ops.checkout:CheckoutReport")
@datasets_argument()
@rev_option("The versions that this git revision names; their pointers are written too.")
@force_option
@ignore_missing_option
@click.pass_obj
def checkout_command(
    session: Session, paths: tuple[str, ...], rev: str | None, force: bool, ignore_missing: bool
) -> Done:
    """Put versions from the cache into the work tree.

    Files that are right already are left alone. Unsaved changes are refused, or, with --force, moved to
    the trash. Nothing is fetched; `lobsterdv pull` does both.
    """
    from lobsterdv.cli.render import checked_out  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.checkout import checkout  # noqa: PLC0415 - start-up time

    project = session.project()
    wanted, rev = all_named(session, paths, rev)
    report = checkout(project, wanted, rev=rev, force=force, ignore_missing=ignore_missing, observer=session.observer)
    return checked_out(report, session.words, paths=wanted)


@verb("unprotect", report="lobsterdv.ops.unprotect:UnprotectReport")
@datasets_argument(required=True)
@click.pass_obj
def unprotect_command(session: Session, paths: tuple[str, ...]) -> Done:
    """Make linked or read-only files writable.

    Files that are links into the cache become files of their own, with the same bytes.
    """
    from lobsterdv.cli.render import unprotected  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.unprotect import unprotect  # noqa: PLC0415 - start-up time

    report = unprotect(session.project(), targets(session, paths), observer=session.observer)
    return unprotected(report, session.words)


@verb("move", report="lobsterdv.ops.moving:MoveReport")
@click.argument("source", metavar="OLD", shell_complete=dataset_names)
@click.argument("destination", metavar="NEW", type=click.Path(readable=False))
@no_stage_option
@click.pass_obj
def move_command(session: Session, source: str, destination: str, no_stage: bool) -> Done:
    """Rename a dataset, its pointer and its .gitignore line.

    NEW is the new path, or a folder to move it into. Versions are not copied or sent again.
    """
    from lobsterdv.cli.render import moved  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.moving import move  # noqa: PLC0415 - start-up time

    old, new = target(session, source), target(session, destination)
    report = move(session.project(), old, new, staging=not no_stage, observer=session.observer)
    return moved(report, session.words)


@verb("remove", report="lobsterdv.ops.moving:RemoveReport")
@datasets_argument(required=True)
@click.option("--data", is_flag=True, help="Delete the files too; unsaved changes go to the trash.")
@no_stage_option
@click.pass_obj
def remove_command(session: Session, paths: tuple[str, ...], data: bool, no_stage: bool) -> Done:
    """Stop tracking datasets; their files stay.

    Versions that were committed can still be checked out from the revisions that name them.
    """
    from lobsterdv.cli.render import removed  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.moving import remove  # noqa: PLC0415 - start-up time

    wanted = targets(session, paths)
    report = remove(session.project(), wanted, data=data, staging=not no_stage, observer=session.observer)
    return removed(report, session.words)
