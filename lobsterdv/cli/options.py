"""What every command shares: its options ``-C -q -v --json``, its class, and how its arguments complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from lobsterdv.cli.session import Session

Function = Callable[..., Any]
_COMMON_NAMES: Final = frozenset({"directory", "quiet", "verbose", "as_json"})


class Verb(click.Command):
    """A command. ``report`` names the dataclass that its JSON document shows, as ``module:Class``."""

    def __init__(self, *args: Any, report: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.report = report

    def invoke(self, ctx: click.Context) -> Any:
        session = ctx.find_object(Session)
        if session is not None:
            session.command = ctx.command_path.partition(" ")[2]
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its own options; those of every command in one line, ``lobsterdv --help`` explains them."""
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        own = [p for p in options if p.name not in _COMMON_NAMES and "--help" not in p.opts]
        rows = [record for option in own if (record := option.get_help_record(ctx)) is not None]
        if rows:
            with formatter.section("Options"):
                formatter.write_dl(rows)
        formatter.write_paragraph()
        formatter.write_text("Also, like every command: -C DIR, -q, -v, --json, -h.")


def common(function: Function) -> Function:
    """Add the options that every command takes, before or after its name."""
    for option in (
        click.option("--json", "as_json", is_flag=True, **_kept, help="Print one JSON document on stdout."),
        click.option("-v", "--verbose", is_flag=True, **_kept, help="Say more; show tracebacks of internal errors."),
        click.option("-q", "--quiet", is_flag=True, **_kept, help="Print only answers, warnings and errors."),
        click.option("-C", "directory", metavar="DIR", **_kept, help="Work as if started in DIR."),
    ):
        function = option(function)
    return function


def verb(name: str, *, report: str = "") -> Callable[[Function], click.Command]:
    """Make a function a command of this name, with the common options."""

    def wrap(function: Function) -> click.Command:
        context = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
        return click.command(name, cls=Verb, report=report, context_settings=context)(common(function))

    return wrap


def dataset_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Complete a dataset's name: what git knows as pointers, as paths from here. Two git processes."""
    from lobsterdv.cli.completion import complete_datasets  # noqa: PLC0415 - start-up time

    return complete_datasets(ctx.find_object(Session), incomplete)


def remote_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Complete the name of a configured remote."""
    from lobsterdv.cli.completion import complete_remotes  # noqa: PLC0415 - start-up time

    return complete_remotes(ctx.find_object(Session), incomplete)


def datasets_argument(*, required: bool = False) -> Callable[[Function], Function]:
    """``PATH...``: datasets, their pointers, folders, globs."""
    metavar = "PATH..." if required else "[PATH]..."
    return click.argument("paths", metavar=metavar, nargs=-1, required=required, shell_complete=dataset_names)


def rev_option(text: str) -> Callable[[Function], Function]:
    return click.option("--rev", metavar="REV", help=text)


def remote_option(text: str) -> Callable[[Function], Function]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        _keep(ctx, parameter, value)
        return value

    return click.option("--remote", metavar="NAME", shell_complete=remote_names, callback=keep, help=text)


def remotes_option(text: str) -> Callable[[Function], Function]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        session = ctx.find_object(Session)
        if session is not None and len(value) == 1:
            session.remember("remote", value[0])
        return value

    return click.option(
        "--remote", "remotes", metavar="NAME", multiple=True, shell_complete=remote_names, callback=keep, help=text
    )


jobs_option = click.option(
    "-j", "--jobs", metavar="N", type=click.IntRange(1, 256), help="Requests at once; default: the remote's setting."
)
force_option = click.option("--force", is_flag=True, help="Move unsaved changes that are in the way to the trash.")
ignore_missing_option = click.option("--ignore-missing", is_flag=True, help="Leave out versions that are nowhere.")
no_stage_option = click.option("--no-stage", is_flag=True, help="Do not stage what is written in git.")


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    session = ctx.find_object(Session)
    if session is not None and value:
        session.remember(str(parameter.name), value)


_kept: Final[dict[str, Any]] = {"expose_value": False, "callback": _keep}
