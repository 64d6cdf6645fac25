"""The commands of ``lobsterdv remote`` about second copies and who reads them: sync, replicate, logging, logs."""

from __future__ import annotations

import re

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


@verb("replicate", report="lobsterdv.ops.replicate:ReplicateReport")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=remote_names)
@click.option("--to", metavar="URL", required=True, help="The other bucket: s3://bucket.")
@click.option("--role", metavar="ARN", default="", help="The role that S3 copies as; without, what it needs is told.")
@click.option("--verify", is_flag=True, help="Change nothing: compare the buckets; exit 3 if one lacks.")
@click.option("--dry-run", is_flag=True, help="Only say what would be changed.")
@click.pass_obj
def replicate_command(session: Session, name: str | None, to: str, role: str, verify: bool, dry_run: bool) -> Done:
    """Have S3 itself copy a remote's bucket into another.

    Switches versioning on at both and writes a rule for the remote's prefix, beside the rules of others; deletions do
    not travel. S3 copies what is pushed from then on: `lobsterdv remote sync` brings what was there before.
    """
    from lobsterdv.cli.render_replicas import replicated  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.replicate import replicate, verify_replica  # noqa: PLC0415 - start-up time

    project = session.project()
    if verify:
        return replicated(verify_replica(project, name, to=to), session.words)
    return replicated(replicate(project, name, to=to, role=role, dry_run=dry_run), session.words)


@click.group("logging", context_settings={"help_option_names": ["-h", "--help"]})
def logging_group() -> None:
    """Have S3 log who asks a remote's bucket for what."""


@verb("enable", report="lobsterdv.ops.access_logs:LoggingReport")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=remote_names)
@click.option("--target", metavar="URL", help="Where to: s3://bucket/prefix; default: s3://BUCKET-logs/BUCKET.")
@click.pass_obj
def enable_command(session: Session, name: str | None, target: str | None) -> Done:
    """Log every request to a remote's bucket into another bucket.

    The other bucket must be there, in the same region. Its policy is given the statement that lets S3's log service
    write, beside all that stands in it; without that S3 takes the setting and delivers nothing.
    """
    from lobsterdv.cli.render_access import enabled  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.access_logs import enable_logging  # noqa: PLC0415 - start-up time

    return enabled(enable_logging(session.project(), name, target=target), session.words)


@verb("logs", report="lobsterdv.ops.access_logs:LogsReport")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=remote_names)
@click.option("--since", metavar="30d", default="30d", show_default=True, help="How far back: hours, days or weeks.")
@click.option("--file", "files", metavar="PATH", multiple=True, help="Read this log instead of the bucket's.")
@jobs_option
@click.pass_obj
def logs_command(session: Session, name: str | None, since: str, files: tuple[str, ...], jobs: int | None) -> Done:
    """Who reads what: requests, bytes and errors by dataset, user and operation.

    Reads S3's access logs (`lobsterdv remote logging enable`), which arrive some hours late. Lists the datasets that
    nobody read, too. An object that several datasets share counts for each of them.
    """
    from pathlib import Path  # noqa: PLC0415 - start-up time

    from lobsterdv.cli.render_access import logged  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.access_logs import logs  # noqa: PLC0415 - start-up time

    paths = [Path(session.folder) / file for file in files]
    days = _days(since)
    report = logs(session.project(), name, days=days, files=paths, jobs=jobs, observer=session.observer)
    return logged(report, session.words, verbose=session.verbose)


def _days(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,5})([hdw])", text)
    if match is None:
        raise click.UsageError(f"--since {text!r} is no span such as 12h, 30d or 8w", click.get_current_context())
    return int(match[1]) * {"h": 1 / 24, "d": 1, "w": 7}[match[2]]


logging_group.add_command(enable_command)
COMMANDS = (sync_command, replicate_command, logging_group, logs_command)
