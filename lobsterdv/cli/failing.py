"""How a command ends that raised: every exception becomes one line, an exit code, and no traceback.

A traceback is shown only for an error of lobsterdv's own (a bug), and only with ``-v``.
"""

from __future__ import annotations

import errno
import traceback

import click

from lobsterdv import errors
from lobsterdv.cli.ending import INTERRUPTED, Terminated
from lobsterdv.cli.jsonout import document
from lobsterdv.cli.outcome import tell
from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.speech import complain, say, shown
from lobsterdv.cli.words import safe
from lobsterdv.ops.context import Failure

_BROKEN_OFF = "interrupted; what was finished is kept, the same command goes on from there"

_UNDONE = "interrupted; what was written for the measurement is removed"


def tell_error(session: Session, error: BaseException) -> int:
    """Print what went wrong, as text or JSON, and return the exit code."""
    session.close()
    match error:
        case KeyboardInterrupt() | click.Abort() | EOFError():
            told = _UNDONE if session.command == "bench" else _BROKEN_OFF
            root = error.__cause__ if isinstance(error, click.Abort) else error  # click makes one of what it sees
            code = root.exit_code if isinstance(root, Terminated) else INTERRUPTED
            return _plain(session, code, "Interrupted", told)
        case click.UsageError():
            return _usage(session, error)
        case click.ClickException():
            return _plain(session, error.exit_code, type(error).__name__, error.format_message())
        case errors.LobsterError():
            return tell(session, Done(failures=[Failure("", error)]))
        case OSError() if error.errno == errno.EPIPE:
            return 0
        case OSError():
            return tell(session, Done(failures=[Failure("", local_error(error))]))
        case _:
            return _internal(session, error)


def local_error(error: OSError) -> errors.LocalIOError:
    """What the operating system refused, as an error with facts."""
    name = error.filename.decode(errors="surrogateescape") if isinstance(error.filename, bytes) else error.filename
    detail = error.strerror or str(error)
    return errors.LocalIOError(str(name or ""), detail[:1].lower() + detail[1:], error.errno or 0)


def _usage(session: Session, error: click.UsageError) -> int:
    path = error.ctx.command_path if error.ctx is not None else "lobsterdv"
    session.command = session.command or path.partition(" ")[2]
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    remedy = f"{path} --help"
    if session.as_json:
        return _plain(session, 2, "UsageError", message, remedy)
    usage = error.ctx.get_usage() if error.ctx is not None else ""
    complain([f"lobsterdv: {safe(message)}", *([f"  {usage[:1].lower()}{usage[1:]}"] if usage else [])])
    complain([f"  fix: {remedy}"])
    return 2


def _internal(session: Session, error: BaseException) -> int:
    if session.verbose:
        complain(["".join(traceback.format_exception(error)).rstrip()])
    where = "".join(str(error).splitlines()[:1])[:200]
    text = f"{type(error).__name__}: {where}" if where else type(error).__name__
    return _plain(
        session,
        1,
        "InternalError",
        f"internal error: {text} (please report; -v shows the traceback)",
        "run the command again with -v and report what it prints",
    )


def _plain(session: Session, code: int, kind: str, message: str, remedy: str = "") -> int:
    """An ending that is no LobsterError."""
    if not session.as_json:
        complain([f"lobsterdv: {safe(message)}"])
        return code
    row: dict[str, object] = {"path": None, "type": kind, "message": shown(message), "remedy": remedy, "facts": {}}
    say(
        [document(session.command, report=None, exit_code=code, warnings=[*map(shown, session.warnings)], errors=[row])]
    )
    return code
