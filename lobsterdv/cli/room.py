"""Commands that free room, and take it back: gc, drop, undelete."""

from __future__ import annotations

import click

from lobsterdv.cli.options import dataset_names, datasets_argument, jobs_option, remote_option, rev_option, verb
from lobsterdv.cli.session import Done, Session

yes_option = click.option("--yes", is_flag=True, help="Do it; without, nothing is changed.")


@verb("gc", report="lobsterdv.ops.gc:GcReport")
@yes_option
@click.option("--empty-trash", is_flag=True, help="Also delete for good all that lies in the trash by now.")
@click.option("--unregister", metavar="FOLDER", help="Only forget a project that used this cache and is gone.")
@remote_option("Which remote counts as a safe copy; default: the project's. `embedded`: none does.")
@jobs_option
@click.pass_obj
def gc_command(
    session: Session, yes: bool, empty_trash: bool, unregister: str | None, remote: str | None, jobs: int | None
) -> Done:
    """Take out of the cache what nothing names any more.

    What no commit, branch, tag, stash, reflog, index or work tree of any project that uses this cache names is
    deleted if the remote is seen to hold it, proved as `lobsterdv drop` does, else moved to the trash: `lobsterdv
    undelete` brings it back, until `trash.days` or `trash.max` are over. If the cache is larger than `cache.max`,
    what was least recently used and the remote holds goes too, but never what a work tree is at. Without --yes it
    only shows what it would do.
    """
    from lobsterdv.cli.render_room import collected, unregistered  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.gc import gc, unregister_project  # noqa: PLC0415 - start-up time

    project = session.project()
    if unregister is not None:
        return unregistered(unregister_project(project, unregister, yes=yes))
    report = gc(project, remote=remote, yes=yes, empty_trash=empty_trash, jobs=jobs, observer=session.observer)
    again = session.situation("").again("--yes")
    return collected(report, session.words, again=again, verbose=session.verbose)


@verb("drop", report="lobsterdv.ops.drop:DropReport")
@datasets_argument(required=True)
@yes_option
@click.option("--data", is_flag=True, help="Delete the files in the work tree too, if they are unmodified.")
@rev_option("Drop the versions that this git revision names, instead of the current ones.")
@remote_option("Which remote must hold them; default: the project's.")
@jobs_option
@click.pass_obj
def drop_command(
    session: Session,
    paths: tuple[str, ...],
    yes: bool,
    data: bool,
    rev: str | None,
    remote: str | None,
    jobs: int | None,
) -> Done:
    """Give up local copies of what the remote holds.

    Deletes the cache's copy, with --data the files too. The pointer stays, and `lobsterdv pull PATH` brings the data
    back. The remote is asked for all of it first, and its bytes are proved: by the server's etag or checksum, where
    `lobsterdv remote doctor` saw within 7 days that it compares checksums, else by reading them, unless that was done
    within 30 days. What it does not hold whole is refused. Without --yes it only shows what it would do, and reads
    nothing.
    """
    from lobsterdv.cli.paths import targets  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.render_room import dropped  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.drop import drop  # noqa: PLC0415 - start-up time

    if data and rev is not None:
        raise click.UsageError("--data is about the work tree's version, --rev about another")
    wanted = targets(session, paths)
    report = drop(
        session.project(), wanted, rev=rev, data=data, yes=yes, remote=remote, jobs=jobs, observer=session.observer
    )
    return dropped(report, session.words, rev=rev, again=session.situation("").again("--yes"))


@verb("undelete", report="lobsterdv.ops.undelete:UndeleteReport")
@click.argument("names", metavar="[PATH | DIGEST | ENTRY]...", nargs=-1, shell_complete=dataset_names)
@click.option("--force", is_flag=True, help="Move what is in the way to the trash.")
@click.pass_obj
def undelete_command(session: Session, names: tuple[str, ...], force: bool) -> Done:
    """List the trash, or bring something back from it.

    Versions that `lobsterdv gc` took out go back to the cache, verified; unsaved files that a --force moved away go
    back to their place, never over something else. Of several things of one PATH the latest comes.
    """
    from lobsterdv.cli.render_room import undeleted  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.undelete import undelete  # noqa: PLC0415 - start-up time

    project = session.project()
    wanted = [_relative(session, name) for name in names]
    report = undelete(project, wanted, force=force, observer=session.observer)
    return undeleted(report, session.words, asked=bool(names))


def _relative(session: Session, name: str) -> str:
    """A path relative to the project; a digest or an entry's name is left as it is."""
    import re  # noqa: PLC0415 - start-up time

    from lobsterdv.cli.paths import target  # noqa: PLC0415 - start-up time

    return name if re.fullmatch(r"(blake3:)?[0-9a-f]{6,64}|[0-9]+-[0-9a-f]{8}", name) else target(session, name)


@verb("forget", report="lobsterdv.ops.forget:ForgetReport")
@click.argument("path", metavar="PATH[@REV]", shell_complete=dataset_names)
@rev_option("The version that this git revision names.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; whoever looks for the data is told.")
@yes_option
@remote_option("Which remote; default: the project's.")
@jobs_option
@click.pass_obj
def forget_command(
    session: Session, path: str, rev: str | None, reason: str, yes: bool, remote: str | None, jobs: int | None
) -> Done:
    """Make a version go, and never come back.

    For data that must not be kept, because consent was withdrawn, say. A tombstone at the remote stops every push of
    that version from then on, and is what a fetch of it tells. Its manifests and this machine's copies go at once; its
    bytes at the remote when two collections (`lobsterdv remote gc`), 14 days apart, found that nothing else needs
    them. Copies on other machines, in backups, and in a bucket that keeps old versions are theirs to delete. What
    another work tree here is at, or another project that shares the cache names, is refused. Without --yes it only
    shows what it would do.
    """
    from lobsterdv.cli.paths import named  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.render_room import forgot  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.forget import forget  # noqa: PLC0415 - start-up time

    name, wanted = named(session, path, rev)
    if wanted is None:
        raise click.UsageError("which version? PATH@REV, or --rev REV", click.get_current_context())
    report = forget(
        session.project(), name, rev=wanted, reason=reason, remote=remote, yes=yes, jobs=jobs,
        observer=session.observer,
    )  # fmt: skip
    return forgot(report, session.words, again=session.situation("").again("--yes"))


@verb("repack", report="lobsterdv.ops.repack:RepackReport")
@datasets_argument()
@yes_option
@remote_option("Which remote; default: the project's.")
@jobs_option
@click.pass_obj
def repack_command(session: Session, paths: tuple[str, ...], yes: bool, remote: str | None, jobs: int | None) -> Done:
    """Place anew what is left of objects that are mostly waste.

    After versions were retired or forgotten, an object may hold little that any version needs. What needs it is sent
    again into objects of its own, verified as a push verifies; `lobsterdv remote gc` takes the old ones later. Nothing
    is deleted here. Without --yes it only shows what it would do.
    """
    from lobsterdv.cli.paths import targets  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.render_room import repacked  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.repack import repack  # noqa: PLC0415 - start-up time

    project = session.project()
    names = targets(session, paths)
    report = repack(project, names, remote=remote, yes=yes, jobs=jobs, observer=session.observer)
    return repacked(report, session.words, again=session.situation("").again("--yes"))
