"""``remote configure``: a remote's settings, shown and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lobsterdv.cli.options import no_stage_option, remote_names, verb
from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.words import following, quote, safe, table

if TYPE_CHECKING:
    from lobsterdv.formats.yamlio import Value
    from lobsterdv.ops.configure import ConfigureReport


@verb("configure", report="lobsterdv.ops.configure:ConfigureReport")
@click.argument("name", metavar="NAME", shell_complete=remote_names)
@click.option("--set", "given", metavar="KEY=VALUE", multiple=True, help="A setting and its value; may be repeated.")
@click.option("--unset", metavar="KEY", multiple=True, help="Back to what is said elsewhere, or to the default.")
@click.option("--private", is_flag=True, help="In this clone's own configuration instead of .lobsterdv.yaml.")
@no_stage_option
@click.pass_obj
def configure_command(
    session: Session, name: str, given: tuple[str, ...], unset: tuple[str, ...], private: bool, no_stage: bool
) -> Done:
    """Show or change a remote's settings.

    Without --set and --unset: every setting, its value and where it was said (with -v the defaults too). Changes go
    into .lobsterdv.yaml, which git shares; --private keeps them to this clone. All are tried together
    first. docs/s3.md lists the settings. Keys and passwords are never settings: they come from the AWS chain.
    """
    from lobsterdv.errors import UsageError  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.configure import configure_remote  # noqa: PLC0415 - start-up time

    pairs = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not value:
            raise UsageError(f"--set takes KEY=VALUE, and {key} has no value; --unset {key} takes it back")
        pairs[key.strip()] = value
    report = configure_remote(
        session.project(),
        name,
        given=pairs,
        unset=unset,
        private=private,
        staging=not no_stage,
        observer=session.observer,
    )
    if report.file is None:
        return Done(report, answer=_shown(report, all_of_them=session.verbose), hints=_trust(session, report))
    lines = [f"{name}: {row.key} is {_text(row.value)} now ({row.said})" for row in report.settings]
    hints = [] if private else [session.words.git("commit", "-m", quote(f"Configure remote {name}"))]
    return Done(report, lines=lines, hints=[*_trust(session, report), *following(hints)])


def _shown(report: ConfigureReport, *, all_of_them: bool) -> list[str]:
    rows = [row for row in report.settings if all_of_them or row.said != "default"]
    return table([(row.key, _text(row.value), row.said, row.meaning) for row in rows])


def _trust(session: Session, report: ConfigureReport) -> list[str]:
    if not report.untrusted:
        return []
    trust = session.words.ldv("remote", "trust", quote(report.name))
    return [f"not used before you say so, because of {', '.join(report.untrusted)}: {trust}"]


def _text(value: Value) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else safe(str(value))
