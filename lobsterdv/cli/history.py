"""Commands about versions as they came and went: log, show, search, tag, revert, reindex."""

from __future__ import annotations

import click

from lobsterdv.cli.options import dataset_names, datasets_argument, force_option, remote_option, rev_option, verb
from lobsterdv.cli.paths import target, targets
from lobsterdv.cli.session import Done, Session


@verb("log", report="lobsterdv.ops.log:LogReport")
@datasets_argument()
@rev_option("The history of this git revision; default: HEAD.")
@click.option("--all", "everything", is_flag=True, help="The history of all branches and tags.")
@click.option("-n", "--limit", metavar="N", type=click.IntRange(1), help="At most so many versions.")
@click.option("-p", "--patch", is_flag=True, help="What changed in each pointer: sizes, shapes, columns, lineage.")
@click.option("--graph", is_flag=True, help="Draw branches and merges, as git does.")
@click.pass_obj
def log_command(
    session: Session,
    paths: tuple[str, ...],
    rev: str | None,
    everything: bool,
    limit: int | None,
    patch: bool,
    graph: bool,
) -> Done:
    """Show the versions of datasets, newest first.

    Of all datasets, or of PATH: when, by whom, message, size, shape, tags, and where the bytes are as far as this
    machine knows. PATH@REV begins at REV.
    """
    from lobsterdv.cli.render_history import logged  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.log import log  # noqa: PLC0415 - start-up time

    project = session.project()
    names = targets(session, paths)
    if rev is None and len(names) == 1:
        from lobsterdv.ops.names import split_name  # noqa: PLC0415 - start-up time

        path, rev = split_name(project, names[0])
        names = [path]
    report = log(
        project, names, rev=rev, everything=everything, limit=limit, patch=patch, graph=graph,
        observer=session.observer,
    )  # fmt: skip
    return logged(report, session.words)


@verb("show", report="lobsterdv.ops.show:ShowReport")
@click.argument("name", metavar="PATH[@REV]", shell_complete=dataset_names)
@rev_option("The version that this git revision names.")
@click.pass_obj
def show_command(session: Session, name: str, rev: str | None) -> Done:
    """Show everything that is known about a version.

    What is in it, where it is, what it was made from and by whom, what was made of it. PATH@REV names a version: REV is
    a git revision, a tag of the dataset (`lobsterdv tag`), a date, `latest`, or the beginning of a digest.
    """
    from lobsterdv.cli.render_history import shown  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.show import show  # noqa: PLC0415 - start-up time

    report = show(session.project(), target(session, name), rev=rev, observer=session.observer)
    return shown(report, session.words)


@verb("search", report="lobsterdv.ops.search:SearchReport")
@click.argument("words", metavar="WORDS...", nargs=-1, required=True)
@click.option("-n", "--limit", metavar="N", type=click.IntRange(1), default=20, help="At most so many (20).")
@click.pass_obj
def search_command(session: Session, words: tuple[str, ...], limit: int) -> Done:
    """Find versions by words that were said of them.

    Committed ones, in names, messages, summaries (columns, layers, shapes), commands, parameters and commits. Every
    word must be there; the beginning of one is enough.
    """
    from lobsterdv.cli.render_history import hits  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.search import search  # noqa: PLC0415 - start-up time

    return hits(search(session.project(), words, limit=limit, observer=session.observer), session.words)


@verb("tag", report="lobsterdv.ops.tag:TagReport")
@click.argument("path", metavar="[PATH]", required=False, shell_complete=dataset_names)
@click.argument("name", metavar="[NAME]", required=False)
@rev_option("The version that this git revision names; default: HEAD.")
@click.option("-d", "--delete", is_flag=True, help="Remove the name; the version stays.")
@click.option("-f", "--force", is_flag=True, help="Let a name that exists mean this version from now on.")
@click.pass_obj
def tag_command(
    session: Session, path: str | None, name: str | None, rev: str | None, delete: bool, force: bool
) -> Done:
    """Name versions of a dataset, or list their names.

    PATH@NAME then means the committed version, in every command. The name is the git tag `PATH@NAME`, and `git push
    --tags` shares it.
    """
    from lobsterdv.cli.render_history import tagged  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.tag import tag  # noqa: PLC0415 - start-up time

    if name is None and (delete or force or rev):
        raise click.UsageError("which name? lobsterdv tag PATH NAME", click.get_current_context())
    wanted = target(session, path) if path else None
    report = tag(
        session.project(), wanted, name, rev=rev, delete=delete, move=force, observer=session.observer,
    )  # fmt: skip
    return tagged(report, session.words, path=wanted)


@verb("revert", report="lobsterdv.ops.revert:RevertReport")
@datasets_argument(required=True)
@click.option("--to", metavar="REV", required=True, help="What the datasets were at this revision.")
@remote_option("Where to fetch from; default: the project's remote.")
@force_option
@click.pass_obj
def revert_command(session: Session, paths: tuple[str, ...], to: str, remote: str | None, force: bool) -> Done:
    """Make an old version the newest.

    Fetches it if needed, puts its files into the work tree, and stages its pointer as it was then, lineage and all.
    What came in between stays in the history.
    """
    from lobsterdv.cli.render_history import reverted  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.revert import revert  # noqa: PLC0415 - start-up time

    project = session.project()
    report = revert(project, targets(session, paths), to=to, remote=remote, force=force, observer=session.observer)
    return reverted(report, session.words)


@verb("reindex", report="lobsterdv.ops.lineage_index:ReindexReport")
@remote_option("Read this remote's catalog and run records first: who pushed what, and others' runs.")
@click.pass_obj
def reindex_command(session: Session, remote: str | None) -> Done:
    """Rebuild the lineage index from git and run records.

    From git history, the run records of the cache, and what is known of remotes. It is kept up to date by itself;
    this is for doubts, and to learn what others ran.
    """
    from lobsterdv.cli.render_history import reindexed  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.lineage_index import lineage_of, rebuild  # noqa: PLC0415 - start-up time

    project = session.project()
    report = rebuild(project, remote=remote, observer=session.observer)
    return reindexed(report, str(lineage_of(project).path), session.words)
