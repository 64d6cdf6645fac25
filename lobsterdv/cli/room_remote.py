"""remote gc, for whichever command offers it."""

from __future__ import annotations

from collections.abc import Sequence

from lobsterdv.cli.session import Done, Session


def collect_remote(
    session: Session,
    name: str | None,
    *,
    only: Sequence[str],
    yes: bool,
    undo: bool,
    accept_lost: bool,
    jobs: int | None,
) -> Done:
    """Collect at the remote of this name (the default one without), or undo retirements; and tell it."""
    from lobsterdv.cli.paths import targets  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.render_room_remote import collected, restored  # noqa: PLC0415 - start-up time
    from lobsterdv.ops import gc_remote  # noqa: PLC0415 - start-up time

    project = session.project()
    wanted = targets(session, only) if only else ()
    if undo:
        return restored(gc_remote.undo_retirements(project, wanted, remote=name, jobs=jobs), session.words)
    report = gc_remote.collect_remote(
        project, wanted, remote=name, yes=yes, accept_lost=accept_lost, jobs=jobs, observer=session.observer
    )
    return collected(report, session.words, session.situation("").again("--yes"))
