"""Commands about what was made from what: run, log, lineage, impact, stale, show, search, reindex."""

from __future__ import annotations

import os

import click

from lobsterdv.cli.options import dataset_names, verb
from lobsterdv.cli.paths import target
from lobsterdv.cli.session import Done, Session
from lobsterdv.formats.yamlio import Value


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
