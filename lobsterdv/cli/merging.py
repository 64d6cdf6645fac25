"""The command that resolves conflicted pointers: merge."""

from __future__ import annotations

import click

from lobsterdv.cli.options import dataset_names, force_option, no_stage_option, remote_option, verb
from lobsterdv.cli.paths import target
from lobsterdv.cli.session import Done, Session


@verb("merge", report="lobsterdv.ops.merge:MergeReport")
@click.argument("path", metavar="PATH", shell_complete=dataset_names)
@click.option("--ours", is_flag=True, help="Of files that both sides changed, take ours.")
@click.option("--theirs", is_flag=True, help="Of files that both sides changed, take theirs.")
@click.option("--ours-for", metavar="FILE", multiple=True, help="Take ours of this file in PATH, or of a glob.")
@click.option("--theirs-for", metavar="FILE", multiple=True, help="Take theirs of this file in PATH, or of a glob.")
@remote_option("Where to fetch what is not here; default: the project's remote.")
@force_option
@no_stage_option
@click.pass_obj
def merge_command(
    session: Session,
    path: str,
    ours: bool,
    theirs: bool,
    ours_for: tuple[str, ...],
    theirs_for: tuple[str, ...],
    remote: str | None,
    force: bool,
    no_stage: bool,
) -> Done:
    """Merge the two versions of a conflicted dataset, file by file.

    For a pointer that `git merge`, `rebase` or `cherry-pick` left in conflict. What one side changed is taken from
    it; files that both changed are named, and nothing is done until --ours or --theirs says whose to take. The
    merged version is put into the work tree, its pointer written and staged.
    """
    from lobsterdv.cli.render_hooks import merged  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.merge import Picks, merge  # noqa: PLC0415 - start-up time

    if ours and theirs:
        raise click.UsageError("--ours and --theirs exclude each other", click.get_current_context())
    picks = Picks(ours_for, theirs_for, "ours" if ours else "theirs" if theirs else None)
    report = merge(
        session.project(),
        target(session, path),
        picks=picks,
        remote=remote,
        force=force,
        staging=not no_stage,
        observer=session.observer,
    )
    return merged(report, session.words)
