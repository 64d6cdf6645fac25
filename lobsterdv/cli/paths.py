"""From what a user typed, relative to where they are, to paths relative to the project. Reads no file."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence

from lobsterdv.cli.session import Session, Stop
from lobsterdv.errors import Refused, UsageError


def targets(session: Session, texts: Sequence[str]) -> list[str]:
    """The paths that were typed, as the verbs take them. Those outside the project are left in
    ``session.refused``; raises Stop when no other is left, for no paths would mean all."""
    from lobsterdv.ops.context import Failure  # noqa: PLC0415 - start-up time

    paths = []
    for text in texts:
        try:
            paths.append(target(session, text))
        except Refused as error:
            session.refused.append(Failure(error.path, error))
    if texts and not paths:
        raise Stop
    return paths


def target(session: Session, text: str) -> str:
    """One path that was typed, relative to the project. Raises Refused for one outside."""
    return project_path(text, folder=session.folder, root=str(session.project().root))


def named(session: Session, text: str, rev: str | None) -> tuple[str, str | None]:
    """``PATH`` or ``PATH@REV`` as typed, beside what ``--rev`` said, as a path of the project and a revision. Raises
    Refused, and UsageError when there are two."""
    from lobsterdv.ops.names import revision, split_name  # noqa: PLC0415 - start-up time

    path = target(session, text)
    name = split_name(session.project(), path)
    if name.rev is None:
        return path, rev
    if rev is not None and rev != name.rev:
        raise UsageError(f"{text} names a revision, and --rev {rev} another")
    return name.path, revision(session.project(), name)


def all_named(session: Session, texts: Sequence[str], rev: str | None) -> tuple[list[str], str | None]:
    """The same of several, which must agree on the revision."""
    paths = targets(session, texts)
    if not any("@" in path for path in paths):
        return paths, rev
    from lobsterdv.ops.names import revision, split_name  # noqa: PLC0415 - start-up time

    project = session.project()
    names = [split_name(project, path) for path in paths]
    revs = {revision(project, name) for name in names} | ({rev} if rev is not None else set())
    if len(revs) > 1:
        raise UsageError("one revision at a time: these name several")
    return [name.path for name in names], revs.pop()


def project_path(text: str, *, folder: str, root: str) -> str:
    """``text`` (a path, a pointer's path or a glob) relative to ``root``, ``/``-separated; the root is ``.``.

    ``folder`` and ``root`` are absolute and free of links. Raises Refused for what lies outside,
    UsageError for the empty text.
    """
    if not text:
        raise UsageError("an empty path names nothing")
    here, top = folder, root
    if _is_pattern(text, folder):  # brackets in the folder's own name are no pattern
        here, top = glob.escape(folder), glob.escape(root)
    lexical = os.path.normpath(os.path.join(here, text))
    parent, name = os.path.split(lexical)
    for path in (lexical, os.path.join(os.path.realpath(parent), name)):
        if path == top:
            return "."
        if path.startswith(top.rstrip("/") + "/"):
            return path[len(top.rstrip("/")) + 1 :]
    raise Refused(os.path.normpath(os.path.join(folder, text)), f"it is outside the project ({root})", "outside")


def _is_pattern(text: str, folder: str) -> bool:
    """A glob, unless a file of exactly this name is there."""
    return any(c in text for c in "*?[") and not os.path.lexists(os.path.join(folder, text))
