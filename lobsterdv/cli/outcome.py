"""Telling how a command ended: report, failures with what to type, exit code; for people or as JSON."""

from __future__ import annotations

from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.speech import complain, say, shown
from lobsterdv.cli.words import duration, safe


def tell(session: Session, done: Done | None) -> int:
    """Print what a command left and return its exit code. None: every path was refused."""
    done = done or Done()
    session.close()
    failures = [*session.refused, *done.failures]
    code = done.exit
    if failures:
        from lobsterdv.ops.context import worst_exit  # noqa: PLC0415 - start-up time

        code = worst_exit(failures)
    if session.as_json:
        _tell_machine(session, done, code)
    else:
        say(done.answer)
        if not session.quiet:
            say([*done.lines, *done.hints])
        for failure in failures:
            complain(explain(session, failure.path, failure.error))
    if session.verbose:
        complain([f"lobsterdv: took {duration(session.seconds)}"])
    return code


def explain(session: Session, path: str, error: Exception) -> list[str]:
    """A failure as lines for people: which item, why, and what to type."""
    from lobsterdv.cli.remedies import remedies  # noqa: PLC0415 - start-up time
    from lobsterdv.errors import LobsterError  # noqa: PLC0415 - start-up time

    assert isinstance(error, LobsterError)
    text = _reason(session, path, str(error))
    lines = [f"lobsterdv: {text}"]
    for number, remedy in enumerate(remedies(error, session.situation(path))):
        lines.append(("   or: " if number else "  fix: ") + str(remedy))
    if session.verbose and error.__cause__ is not None:
        lines.append(f"  cause: {safe(repr(error.__cause__))}")
    return lines


def _reason(session: Session, path: str, message: str) -> str:
    """The item once, as a path from here, then why."""
    if not path:
        return safe(message)
    shown = session.words.path(path)
    for joint in (": ", " ", "/"):
        if message.startswith(path + joint):
            return shown + safe(message[len(path) :])
    return f"{shown}: {safe(message)}"


def _tell_machine(session: Session, done: Done, code: int) -> None:
    from lobsterdv.cli.jsonout import document  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.remedies import remedies  # noqa: PLC0415 - start-up time

    rows = [
        {
            "path": (shown(failure.path) if ":/" in failure.path else failure.path) or None,  # else a path is data
            "type": type(failure.error).__name__,
            "message": shown(str(failure.error)),
            "remedy": shown("; or ".join(map(str, remedies(failure.error, session.situation(failure.path))))),
            "facts": {name: shown(v) if isinstance(v, str) else v for name, v in failure.error.facts().items()},
        }
        for failure in [*session.refused, *done.failures]
    ]
    warnings = [shown(warning) for warning in session.warnings]
    say([document(session.command, report=done.report, exit_code=code, warnings=warnings, errors=rows)])
