"""``lobsterdv hooks``, and what git itself calls: ``hook``, ``merge-driver``, ``textconv``. Those three are in no
help: nobody types them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lobsterdv.cli.options import common, verb
from lobsterdv.cli.session import Done, Session

if TYPE_CHECKING:
    from lobsterdv.git import Git
    from lobsterdv.ops.outgoing import PushedRef

REPORT: Final = "lobsterdv.ops.hooks:HooksReport"
_RAW: Final = {"ignore_unknown_options": True}


@click.group("hooks", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@common
@click.pass_context
def hooks_command(ctx: click.Context) -> Done | None:
    """Have git look after the data: hooks, and a merge and diff of pointers.

    Of this clone only; nothing that git tracks is changed. Without a subcommand it says how things stand.
    """
    if ctx.invoked_subcommand is not None:
        return None
    done: Done = ctx.invoke(hooks_command.commands["list"])
    return done


@verb("install", report=REPORT)
@click.option("--chain", is_flag=True, help="Where there is a hook of your own, run that first, then lobsterdv's.")
@click.pass_obj
def install_command(session: Session, chain: bool) -> Done:
    """Write the hooks, and set the merge and diff drivers of pointers.

    pre-push sends the data of the pushed commits first, or refuses. post-checkout and post-merge bring unmodified
    data along, as far as it is here; nothing is fetched. pre-commit refuses big files and data with changes that no
    pointer names. A hook of your own is never overwritten. Goes into git's hooks folder, core.hooksPath too.
    """
    from lobsterdv.cli.render_hooks import installed  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.hooks import install_hooks  # noqa: PLC0415 - start-up time

    return installed(install_hooks(_git(session), chain=chain), session.words)


@verb("uninstall", report=REPORT)
@click.pass_obj
def uninstall_command(session: Session) -> Done:
    """Take out what install put there; your own hooks get their names back."""
    from lobsterdv.cli.render_hooks import uninstalled  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.hooks import uninstall_hooks  # noqa: PLC0415 - start-up time

    return uninstalled(uninstall_hooks(_git(session)), session.words)


@verb("list", report=REPORT)
@click.pass_obj
def list_command(session: Session) -> Done:
    """Say which hooks and drivers are installed."""
    from lobsterdv.cli.render_hooks import hooks_stand  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.hooks import list_hooks  # noqa: PLC0415 - start-up time

    return hooks_stand(list_hooks(_git(session)), session.words)


@verb("hook")
@click.argument("name")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def hook_command(session: Session, name: str, args: tuple[str, ...]) -> Done:
    """What the hook scripts call. Outside a project, or before it was one, it does nothing."""
    from lobsterdv.errors import NoGit, NotAProject, UsageError  # noqa: PLC0415 - start-up time

    session.prefix = os.environ.get("GIT_PREFIX", "")
    hooks = {"pre-push": _pre_push, "pre-commit": _pre_commit, "post-checkout": _follow, "post-merge": _follow}
    if name not in hooks:
        raise UsageError(f"there is no hook {name!r}")
    try:
        session.project()
    except (NoGit, NotAProject):
        return Done()
    return hooks[name](session, name, args)


hook_command.context_settings.update(_RAW)


def _pre_push(session: Session, name: str, args: tuple[str, ...]) -> Done:
    from lobsterdv.cli.render_hooks import sent  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.outgoing import outgoing  # noqa: PLC0415 - start-up time

    project = session.project()
    checking = project.config.text("hooks.push") == "check"
    session.command, session.args = ("hook" if checking else "push"), ("push",)
    return sent(outgoing(project, _refs(), observer=session.observer), session.words)


def _refs() -> list[PushedRef]:
    """What git told: on standard input, or, through the pre-commit framework, in the environment."""
    from lobsterdv.ops.outgoing import PushedRef, parse_refs  # noqa: PLC0415 - start-up time

    new = os.environ.get("PRE_COMMIT_TO_REF")
    if new:
        old = os.environ.get("PRE_COMMIT_FROM_REF") or "0" * len(new)
        return [PushedRef(os.environ.get("PRE_COMMIT_LOCAL_BRANCH", ""), new, "", old)]
    return [] if sys.stdin.isatty() else parse_refs(sys.stdin.read())


def _pre_commit(session: Session, name: str, args: tuple[str, ...]) -> Done:
    from lobsterdv.cli.render_hooks import committed  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.precommit import before_commit  # noqa: PLC0415 - start-up time

    session.command = "hook"
    return committed(before_commit(session.project(), observer=session.observer), session)


def _follow(session: Session, name: str, args: tuple[str, ...]) -> Done:
    """Never fails: what git did is done."""
    from lobsterdv.cli.render_hooks import followed  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.speech import complain  # noqa: PLC0415 - start-up time
    from lobsterdv.errors import LobsterError  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.following import follow  # noqa: PLC0415 - start-up time

    if name == "post-merge":
        old, new = "ORIG_HEAD", "HEAD"
        if args[:1] == ("1",):
            return Done()  # a squash has made no commit yet
    else:
        old, new, flag = (*args, "", "", "")[:3] if args else _checkout_by_framework()
        if flag != "1" or old == new:
            return Done()
    try:
        done = followed(follow(session.project(), old, new, observer=session.observer), session.words)
        complain(done.lines)
        return Done()
    except (LobsterError, OSError) as error:
        complain([f"lobsterdv: data was left as it is: {error}"])
        return Done()


def _checkout_by_framework() -> tuple[str, str, str]:
    names = ("PRE_COMMIT_FROM_REF", "PRE_COMMIT_TO_REF", "PRE_COMMIT_CHECKOUT_TYPE")
    old, new, flag = (os.environ.get(name, "") for name in names)
    return old, new, flag


@verb("merge-driver")
@click.argument("base")
@click.argument("ours")
@click.argument("theirs")
@click.argument("path")
@click.pass_obj
def merge_driver_command(session: Session, base: str, ours: str, theirs: str, path: str) -> Done:
    """What git calls to merge a pointer: files with the base, ours (which gets the outcome) and theirs."""
    from lobsterdv.cli.render_hooks import in_conflict  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.speech import complain  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.driver import drive_merge  # noqa: PLC0415 - start-up time

    session.prefix = os.environ.get("GIT_PREFIX", "")
    files = [Path(session.folder, name) for name in (base, ours, theirs)]
    report = drive_merge(*files, path=path)
    if not report.conflict:
        return Done()
    complain(in_conflict(report, session.words))
    return Done(exit=1)


@verb("textconv")
@click.argument("file")
@click.pass_obj
def textconv_command(session: Session, file: str) -> Done:
    """What git calls to show a pointer. What is no pointer is shown as it is."""
    from lobsterdv.cli.render_hooks import shown  # noqa: PLC0415 - start-up time
    from lobsterdv.errors import FormatError, LobsterError  # noqa: PLC0415 - start-up time
    from lobsterdv.formats.entries import Entries  # noqa: PLC0415 - start-up time
    from lobsterdv.formats.pointer import parse_pointer  # noqa: PLC0415 - start-up time

    data = Path(session.folder, file).read_bytes()
    try:
        pointer = parse_pointer(data, what=file)
    except FormatError:
        return Done(answer=data.decode(errors="replace").splitlines())
    entries = None
    if pointer.is_directory:
        try:
            entries = Entries.of(session.project().cache.listing(pointer.digest, name=file).entries)
        except LobsterError:
            entries = None  # not here: the facts of the pointer must do
    return Done(answer=shown(pointer, entries))


def _git(session: Session) -> Git:
    """The repository around the folder, a project or not yet. Raises NoGit."""
    from lobsterdv.git import Git  # noqa: PLC0415 - start-up time

    return Git.find(Path(session.folder), environment=os.environ)


for _command in (install_command, uninstall_command, list_command):
    hooks_command.add_command(_command)
