"""The program: the table of its commands and what happens around every one of them.

A command's module is loaded when the command is typed, never before: ``--help`` and ``--version`` cost
the import of click and no more.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from lobsterdv import __version__
from lobsterdv.cli.ending import INTERRUPTED, INTERRUPTED_CODES, ends_when_told
from lobsterdv.cli.options import common
from lobsterdv.cli.session import Done, Session, Stop


class Row(NamedTuple):
    """Where a command lives, under which task ``--help`` lists it, and the first line of its help."""

    module: str
    task: str
    help: str


TASKS: Final = ("Start", "Daily work", "Share", "Look around", "Lineage", "Make room", "Set up")
COMMANDS: Final = {
    "init": Row("starting", "Start", "Make a git repository a lobsterdv project."),
    "demo": Row("starting", "Start", "Tell the whole story on real data, in temporary repositories."),
    "add": Row("daily", "Daily work", "Keep files and folders as new versions."),
    "status": Row("daily", "Daily work", "Show what changed, and what is not kept, not here or not shared."),
    "checkout": Row("daily", "Daily work", "Put versions from the cache into the work tree."),
    "run": Row("lineage", "Lineage", "Run a command, and keep what it made with what it was made from."),
    "unprotect": Row("daily", "Daily work", "Make linked or read-only files writable."),
    "move": Row("daily", "Daily work", "Rename a dataset, its pointer and its .gitignore line."),
    "remove": Row("daily", "Daily work", "Stop tracking datasets; their files stay."),
    "merge": Row("merging", "Daily work", "Merge the two versions of a conflicted dataset, file by file."),
    "push": Row("share", "Share", "Send versions to a remote."),
    "fetch": Row("share", "Share", "Bring versions from a remote into the cache."),
    "pull": Row("share", "Share", "Fetch, then check out."),
    "restore": Row("tiering", "Share", "Have archived versions made readable again."),
    "verify": Row("checking", "Share", "Check that every byte is what its name says, and heal what is not."),
    "list": Row("looking", "Look around", "List datasets, the files inside one, or what a remote holds."),
    "path": Row("looking", "Look around", "Print the local path of a version, fetching it if needed."),
    "url": Row("looking", "Look around", "Print the URL of a version that any tool can read."),
    "stats": Row("looking", "Look around", "Show what versions take at a remote, and what saved the rest."),
    "log": Row("history", "Look around", "Show the versions of datasets, newest first."),
    "show": Row("history", "Look around", "Show everything that is known about a version."),
    "search": Row("history", "Look around", "Find versions by words that were said of them."),
    "lineage": Row("lineage", "Lineage", "Show what a version was made from, or what was made of it."),
    "impact": Row("lineage", "Lineage", "Show what was made from a dataset, and what of it is stale."),
    "stale": Row("lineage", "Lineage", "List datasets whose inputs, or whose code, have newer versions."),
    "report": Row("lineage", "Lineage", "Write a page about all datasets."),
    "reproduce": Row("lineage", "Lineage", "Run recorded commands again, in order, for what is stale."),
    "tag": Row("history", "Daily work", "Name versions of a dataset, or list their names."),
    "revert": Row("history", "Daily work", "Make an old version the newest."),
    "drop": Row("room", "Make room", "Give up local copies of what the remote holds."),
    "gc": Row("room", "Make room", "Take out of the cache what nothing names any more."),
    "forget": Row("room", "Make room", "Make a version go, and never come back."),
    "repack": Row("room", "Make room", "Place anew what is left of objects that are mostly waste."),
    "undelete": Row("room", "Make room", "List the trash, or bring something back from it."),
    "remote": Row(
        "remotes", "Set up", "Create, add, configure, list, choose, remove, trust, examine or clean remotes."
    ),
    "hooks": Row("hooks", "Set up", "Have git look after the data: hooks, and a merge and diff of pointers."),
    "doctor": Row("starting", "Set up", "Check that everything here works, and say how to fix what does not."),
    "selftest": Row("selftesting", "Set up", "Try out whether this file system and a server do what lobsterdv needs."),
    "bench": Row("benching", "Set up", "Measure how long a remote takes, beside this machine."),
    "reindex": Row("history", "Set up", "Rebuild the lineage index from git and run records."),
    "version": Row("starting", "Set up", "Print the versions of lobsterdv, its formats and python."),
}
HIDDEN: Final = {"hook": "hooks", "merge-driver": "hooks", "textconv": "hooks"}
"""Commands that git calls and nobody types, and where they live."""
_MEANT: Final = {
    "clean": "gc", "clone": "pull", "commit": "add", "dag": "lineage", "diff": "status", "download": "pull",
    "du": "stats", "evict": "drop", "find": "search", "free": "drop", "fsck": "verify", "get": "pull",
    "glacier": "restore",
    "benchmark": "bench", "help": "--help", "import": "add", "ls": "list", "mv": "move", "prune": "gc",
    "repro": "reproduce",
    "rm": "remove", "save": "add", "st": "status", "switch": "checkout", "sync": "pull",
    "track": "add", "trash": "undelete", "unlock": "unprotect", "untrack": "remove", "upload": "push",
}  # fmt: skip
"""What people coming from git, DVC or DataLad type, and what it is called here."""


class Program(click.Group):
    """A click group that knows its commands by their names and loads only the one that is typed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and cmd_name not in HIDDEN:
            return None
        home = HIDDEN[cmd_name] if cmd_name in HIDDEN else COMMANDS[cmd_name].module
        module = import_module(f"lobsterdv.cli.{home}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and name not in HIDDEN and not ctx.resilient_parsing and not name.startswith("-"):
            raise click.UsageError(_no_such_command(name), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for task in TASKS:
            with formatter.section(task):
                rows = [(name, row.help) for name, row in COMMANDS.items() if row.task == task]
                width = max(map(len, COMMANDS))
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - start-up time

        names = [CompletionItem(n, help=row.help) for n, row in COMMANDS.items() if n.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=Program,
    name="lobsterdv",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="lobsterdv COMMAND --help tells more. Every command takes --json. Documentation: docs/cli.md",
)
@common
@click.option("--version", "version", is_flag=True, help="Print the version and exit.")
@click.pass_context
def cli(ctx: click.Context, version: bool) -> None:
    """Versions of data, beside the code that made them.

    git keeps a small pointer; lobsterdv keeps the data and shares it through S3 or a folder.
    """
    if version:
        click.echo(f"lobsterdv {__version__}")
        ctx.exit()
    if ctx.invoked_subcommand is None:
        session = ctx.find_object(Session)
        if session is not None and session.as_json:
            raise click.UsageError("--json needs a command", ctx)
        click.echo(ctx.get_help())


def run(args: Sequence[str], *, program: str = "lobsterdv") -> int:
    """Do what was typed and return the exit code. Prints; raises nothing."""
    with ends_when_told():
        return _run(Session(args), args, program)


def _run(session: Session, args: Sequence[str], program: str) -> int:
    try:
        done = _invoke(session, args, program)
        if isinstance(done, int):
            return done
        from lobsterdv.cli.outcome import tell  # noqa: PLC0415 - start-up time

        return tell(session, done)
    except SystemExit as error:  # click ends so after completing, and when nobody reads its help
        return error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        from lobsterdv.cli.failing import tell_error  # noqa: PLC0415 - start-up time

        return tell_error(session, error)


def entry() -> None:
    """The console scripts ``lobsterdv`` and ``ldv``."""
    gc.set_threshold(100_000, 50, 50)  # a short life, many small objects: a tenth of the CPU of an add of 10,000 files
    import warnings  # noqa: PLC0415 - after click, which has it

    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries' warnings are for programmers; ours go another way
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    name = os.path.basename(sys.argv[0])
    try:
        code = run(sys.argv[1:], program=name if name == "ldv" else "lobsterdv")
    except KeyboardInterrupt:  # a second one, while the first was being told
        code = INTERRUPTED
    if code in INTERRUPTED_CODES:  # threads may still wait for an answer; everything they do survives being killed
        os._exit(code)
    gc.freeze()  # or python would look at every object once more before it ends: 0.2 s CPU after botocore's 500,000
    sys.exit(code)


def _invoke(session: Session, args: Sequence[str], program: str) -> Done | int | None:
    """What the command left; an exit code when there was none (``--help``); None when Stop ended it."""
    try:
        done = cli.main(args=list(args), prog_name=program, standalone_mode=False, obj=session)
    except Stop:
        return None
    return done if isinstance(done, Done) else int(done or 0)


def _no_such_command(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - start-up time

    close = [_MEANT[name]] if name in _MEANT else get_close_matches(name, COMMANDS, n=2)
    text = f"there is no command {name!r}"
    return text + (f"; did you mean {' or '.join(close)}?" if close else "")
