"""Commands that tell where things are and what they take: list, path, url, stats."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from lobsterdv.cli.options import dataset_names, datasets_argument, jobs_option, remote_option, rev_option, verb
from lobsterdv.cli.paths import all_named, named, targets
from lobsterdv.cli.session import Done, Session

if TYPE_CHECKING:
    from lobsterdv.ops.listing import ListReport


@verb("list", report="lobsterdv.ops.listing:ListReport")
@click.argument("what", metavar="[URL | PATH]", required=False, shell_complete=dataset_names)
@rev_option("The datasets that this git revision names.")
@remote_option("What this remote holds, of every project.")
@click.pass_obj
def list_command(session: Session, what: str | None, rev: str | None, remote: str | None) -> Done:
    """List datasets, the files inside one, or what a remote holds.

    Without an argument: the datasets of this project, their sizes, and where their bytes are as far as this
    machine knows. With a PATH: that dataset; of a folder, its files. With a URL: the datasets of every project
    in that remote. No content is fetched.
    """
    from lobsterdv.cli.render_looking import listed  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.urls import is_url  # noqa: PLC0415 - start-up time

    if remote is not None or (what is not None and is_url(os.path.join(session.folder, what))):
        if rev is not None or (remote is not None and what is not None):
            raise click.UsageError("a remote is listed whole, without PATH or --rev", click.get_current_context())
        report = _list_remote(session, remote, what)
    else:
        from lobsterdv.ops.listing import list_project  # noqa: PLC0415 - start-up time

        paths, rev = all_named(session, [what] if what is not None else [], rev)
        report = list_project(session.project(), paths, rev=rev, observer=session.observer)
    return listed(report, session.words)


@verb("path", report="lobsterdv.ops.locate:PathReport")
@click.argument("name", metavar="PATH", shell_complete=dataset_names)
@rev_option("The version that this git revision names.")
@remote_option("Where to fetch from; default: all remotes in turn, by their priority.")
@click.pass_obj
def path_command(session: Session, name: str, rev: str | None, remote: str | None) -> Done:
    """Print the local path of a version, fetching it if needed.

    The path is read-only and its bytes are verified; of a folder, it is a whole tree. The work tree is not
    touched, so any number of versions can be read side by side.
    """
    from lobsterdv.ops.locate import locate  # noqa: PLC0415 - start-up time

    wanted, rev = named(session, name, rev)
    report = locate(session.project(), wanted, rev=rev, remote=remote, observer=session.observer)
    return Done(report, report.failures, answer=[str(report.path)])


@verb("url", report="lobsterdv.ops.url:UrlReport")
@click.argument("name", metavar="PATH", shell_complete=dataset_names)
@rev_option("The version that this git revision names.")
@remote_option("Which remote; default: all in turn, by their priority.")
@click.pass_obj
def url_command(session: Session, name: str, rev: str | None, remote: str | None) -> Done:
    """Print the URL of a version that any tool can read.

    PATH is a file, or lies in a folder that is tracked. What is stored as one object, just as it is, has a URL
    (s3://bucket/..., or the path of a file when the remote is a directory); `lobsterdv push --plain` stores it so.
    """
    from lobsterdv.ops.url import url  # noqa: PLC0415 - start-up time

    wanted, rev = named(session, name, rev)
    report = url(session.project(), wanted, rev=rev, remote=remote, observer=session.observer)
    return Done(report, report.failures, answer=[report.url])


@verb("stats", report="lobsterdv.ops.stats:StatsReport")
@datasets_argument()
@remote_option("Which remote; default: the project's.")
@jobs_option
@click.pass_obj
def stats_command(session: Session, paths: tuple[str, ...], remote: str | None, jobs: int | None) -> Done:
    """Show what versions take at a remote, and what saved the rest.

    Of every version that was pushed: its files (logical), less files that are there already (identical), less parts
    that earlier versions stored (dedupe), less what compression saves (zstd), makes what it added (stored). Only
    catalog and manifests are read. With PATH, or -v, each version has a line; PATH@REV is one.
    """
    from lobsterdv.cli.render_stats import counted  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.stats import stats  # noqa: PLC0415 - start-up time

    project = session.project()
    report = stats(project, targets(session, paths), remote=remote, jobs=jobs, observer=session.observer)
    return counted(report, session.words, each=bool(paths) or session.verbose, remote=remote)


def _list_remote(session: Session, name: str | None, url: str | None) -> ListReport:
    """By name, by the URL of a configured remote (with its settings), or by any URL, inside a project or not."""
    from lobsterdv.cli.urls import remote_url  # noqa: PLC0415 - start-up time
    from lobsterdv.errors import NoGit, NotAProject  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.listing import list_remote  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.open import open_store, parse_url  # noqa: PLC0415 - start-up time

    if name is None and url is not None:
        place = remote_url(session, url)
        try:
            known = [remote for remote in session.project().config.remotes.values() if remote.url == place]
        except (NoGit, NotAProject):
            known = []
        if not known:
            store = open_store(parse_url(place))
            try:
                return list_remote(store, jobs=10)
            finally:
                store.close()
        name = known[0].name
    remote = session.project().remote(name)
    return list_remote(session.project().store(remote), jobs=remote.number("concurrency"))
