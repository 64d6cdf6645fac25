"""Commands about what was made from what: run, lineage, impact, stale, reproduce."""

from __future__ import annotations

import os
from typing import cast

import click

from lobsterdv.cli.options import dataset_names, datasets_argument, rev_option, verb
from lobsterdv.cli.paths import target, targets
from lobsterdv.cli.session import Done, Session
from lobsterdv.formats.yamlio import Value

FORMS = ("tree", "json", "dot", "mermaid", "html", "prov", "ro-crate")


@verb("run", report="lobsterdv.ops.run:RunReport")
@click.option("-n", "--name", metavar="NAME", help="What to call what is done; default: the script's name.")
@click.option("--in", "inputs", metavar="PATH", multiple=True, shell_complete=dataset_names, help="Data that it reads.")
@click.option("--out", "outputs", metavar="PATH", multiple=True, help="Data that it writes; default: what it modified.")
@click.option("--param", "params", metavar="K=V", multiple=True, help="A parameter to remember.")
@click.option("-m", "--message", metavar="TEXT", help="What the new versions are, in a few words.")
@click.option("--if-changed", is_flag=True, help="Not when inputs, command, code and parameters are as the last time.")
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def run_command(
    session: Session,
    name: str | None,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    params: tuple[str, ...],
    message: str | None,
    if_changed: bool,
    command: tuple[str, ...],
) -> Done:
    """Run a command, and keep what it made with what it was made from.

    Inputs must be as their pointers say; outputs are added when the command ends well. Their pointers then name the
    inputs' versions, the command, the script's git blob and the parameters; when, where and from which commit goes
    into a run record. One word with blanks is a shell line: -- 'a | b > c'. Exits as the command did.
    """
    from lobsterdv.cli.render_lineage import ran  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.run import run  # noqa: PLC0415 - start-up time

    project = session.project()
    folder = os.path.relpath(session.folder, project.root)
    report = run(
        project,
        command,
        inputs=[target(session, path) for path in inputs],
        outputs=[target(session, path) for path in outputs],
        params=dict(_parameter(text) for text in params),
        name=name,
        message=message,
        if_changed=if_changed,
        folder="" if folder == "." else folder,
        to_stderr=session.as_json,
        environment=os.environ,
        observer=session.observer,
    )
    return ran(report, session.words)


def _parameter(text: str) -> tuple[str, Value]:
    """``K=V``; V as a number, true, false or null where it is one."""
    from lobsterdv.formats.yamlio import load_mapping  # noqa: PLC0415 - start-up time

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--param {text}: not of the form NAME=VALUE", click.get_current_context())
    try:
        found = load_mapping(f"value: {value}\n".encode(), what="parameter")["value"]
    except Exception:
        return key, value
    return key, value if isinstance(found, (list, dict)) else found


@verb("lineage", report="lobsterdv.ops.lineage:LineageReport")
@click.argument("name", metavar="PATH[@REV]", shell_complete=dataset_names)
@rev_option("The version that this git revision names.")
@click.option("--up", "direction", flag_value="up", default=True, help="What it was made from (the default).")
@click.option("--down", "direction", flag_value="down", help="What was made of it.")
@click.option("--both", "direction", flag_value="both", help="Both.")
@click.option("--depth", metavar="N", type=click.IntRange(1), help="At most so many steps away.")
@click.option(
    "--format", "form", metavar="FORM", type=click.Choice(FORMS), default="tree", help=f"One of {', '.join(FORMS)}."
)
@click.pass_obj
def lineage_command(session: Session, name: str, rev: str | None, direction: str, depth: int | None, form: str) -> Done:
    """Show what a version was made from, or what was made of it.

    By which command, code and parameters, through all datasets, from git history and what the work tree's pointers
    say; no remote is asked. PATH@REV names a version: REV is a git revision, a tag of the dataset (`lobsterdv tag`), a
    date, `latest`, or the beginning of a digest.
    """
    from lobsterdv.cli.render_lineage import traced  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.lineage import Direction, lineage  # noqa: PLC0415 - start-up time

    report = lineage(
        session.project(), target(session, name), direction=cast(Direction, direction), depth=depth, rev=rev,
        observer=session.observer,
    )  # fmt: skip
    return traced(report, session.words, form)


@verb("impact", report="lobsterdv.ops.lineage:ImpactReport")
@click.argument("name", metavar="PATH", shell_complete=dataset_names)
@click.pass_obj
def impact_command(session: Session, name: str) -> Done:
    """Show what was made from a dataset, and what of it is stale.

    However indirectly; of what the work tree's pointers name now.
    """
    from lobsterdv.cli.render_lineage import affected  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.lineage import impact  # noqa: PLC0415 - start-up time

    report = impact(session.project(), target(session, name), observer=session.observer)
    return affected(report, session.words)


@verb("stale", report="lobsterdv.ops.stale:StaleReport")
@datasets_argument()
@click.option("--exit-code", is_flag=True, help="Exit with 7 when anything is stale, for scripts.")
@click.pass_obj
def stale_command(session: Session, paths: tuple[str, ...], exit_code: bool) -> Done:
    """List datasets whose inputs, or whose code, have newer versions.

    As far as this branch goes: a dataset is stale when an input that its pointer names is not what the pointers name
    now, when the script that made it changed, or when it was made from one that is stale.
    """
    from lobsterdv.cli.render_lineage import gone_stale  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.stale import stale  # noqa: PLC0415 - start-up time

    project = session.project()
    report = stale(project, targets(session, paths), observer=session.observer)
    return gone_stale(report, session.words, exit_code=exit_code)


@verb("reproduce", report="lobsterdv.ops.reproduce:ReproduceReport")
@datasets_argument()
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be run.")
@click.pass_obj
def reproduce_command(session: Session, paths: tuple[str, ...], dry_run: bool) -> Done:
    """Run recorded commands again, in order, for what is stale.

    Of PATH (all datasets without) and of what they were made from. What is up to date is left alone; where a step comes
    out the same as before, what was made from it is not made again. A command that fails ends it, and its exit status
    is this one's.
    """
    from lobsterdv.cli.render_lineage import reproduced  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.reproduce import reproduce  # noqa: PLC0415 - start-up time

    project = session.project()
    report = reproduce(
        project, targets(session, paths), dry_run=dry_run, to_stderr=session.as_json, environment=os.environ,
        observer=session.observer,
    )  # fmt: skip
    return reproduced(report, session.words)


@verb("report", report="lobsterdv.cli.render_lineage:PageReport")
@click.option("-o", "--out", metavar="DIR", default=".", help="The folder to write into; default: here.")
@click.pass_obj
def report_command(session: Session, out: str) -> Done:
    """Write a page about all datasets.

    One file, lineage.html: what every dataset was made from, by what, what is stale, and where the bytes are. It opens
    in any browser, without a network.
    """
    from lobsterdv.cli.render_lineage import reported  # noqa: PLC0415 - start-up time
    from lobsterdv.exports.page import page  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.report import project_lineage, write_page  # noqa: PLC0415 - start-up time

    project = session.project()
    found = project_lineage(project, observer=session.observer)
    text = page(found, title=f"Data of {project.root.name}")
    path = write_page(os.path.join(session.folder, out), text)
    return reported(path, found, session.words)
