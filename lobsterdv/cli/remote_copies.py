"""The commands of ``lobsterdv remote`` about second copies and who reads them: sync, replicate, logging, logs."""

from __future__ import annotations

import click

from lobsterdv.cli.options import jobs_option, remote_names, verb
from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.words import duration, quote


@verb("sync", report="lobsterdv.ops.sync:SyncReport")
@click.argument("source", metavar="FROM", shell_complete=remote_names)
@click.argument("target", metavar="TO", shell_complete=remote_names)
@click.option("--dry-run", is_flag=True, help="Only count what would be copied.")
@jobs_option
@click.pass_obj
def sync_command(session: Session, source: str, target: str, dry_run: bool, jobs: int | None) -> Done:
    """Copy to a remote what it lacks of another.

    Every pushed version of every project, with run records and tombstones. Buckets of one server copy without the data
    passing here; all else passes here and is verified. What was forgotten at either, or retired at TO, is not copied.
    Nothing is deleted anywhere. Stopped in the middle, it goes on the next time.
    """
    from lobsterdv.cli.render_remotes import synced  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.sync import sync  # noqa: PLC0415 - start-up time

    report = sync(session.project(), source, target, dry_run=dry_run, jobs=jobs, observer=session.observer)
    again = session.words.ldv("remote", "sync", quote(source), quote(target))
    return synced(report, session.words, duration(session.seconds), again=again, verbose=session.verbose)


COMMANDS = (sync_command,)
