"""What a ``git push`` is about to publish: the versions that the pushed commits name, sent to the remote before the
commits, or only asked for there. Seen by what git's pre-push hook is told, never by remote-tracking branches: what the
server has is what it said just now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lobsterdv.digest import Digest
from lobsterdv.errors import ConflictedPointer, FormatError, LobsterError, MissingContent, NotARemote, UnknownRevision
from lobsterdv.events import Observer
from lobsterdv.formats.pointer import SUFFIX, parse_pointer
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.git_changes import sizes
from lobsterdv.ops.claims import known_pushes, still_complete
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import PATTERN, dataset_of
from lobsterdv.ops.push import PushReport, push
from lobsterdv.ops.wishes import Wish
from lobsterdv.paths import safe_path


class PushedRef(NamedTuple):
    """A line that git gives a pre-push hook. ``local`` is all zeros for a ref that is deleted, ``remote`` for one that
    is new there."""

    local_ref: str
    local: str
    remote_ref: str
    remote: str


@dataclass
class OutgoingReport:
    """``versions`` is how many the pushed commits name. ``unshared``: there is no remote but the embedded one, so
    nothing was sent. ``sent`` is the push, None when nothing had to be sent or ``hooks.push`` is ``check``."""

    versions: int = 0
    unshared: bool = False
    sent: PushReport | None = None
    failures: list[Failure] = field(default_factory=list)


def parse_refs(text: str) -> list[PushedRef]:
    """The lines of a pre-push hook's standard input; what is no such line is left out."""
    rows = [line.split(" ") for line in text.splitlines()]
    return [PushedRef(*row) for row in rows if len(row) == 4]


def outgoing(project: Project, refs: Sequence[PushedRef], *, observer: Observer) -> OutgoingReport:
    """Make the remote hold what the pushed commits name, or, with ``hooks.push: check``, look whether it does.

    No request when the commits name no version that is new to the server. What the pushed tips name must be there
    whole; of older versions, one that is neither here nor there is a warning. Raises RemoteError.
    """
    wanted, failures = _wanted(project, refs)
    report = OutgoingReport(len(wanted), failures=failures)
    if not wanted:
        return report
    report.unshared = project.remote().name == EMBEDDED
    if report.unshared:
        return report
    if project.config.text("hooks.push") == "check":
        report.failures += _absent(project, [wish for wish in wanted if wish.current])
        return report
    report.sent = push(project, asked=(wanted, failures), observer=observer)
    report.failures = report.sent.failures
    return report


def _wanted(project: Project, refs: Sequence[PushedRef]) -> tuple[list[Wish], list[Failure]]:
    """The versions that the commits new to the server name, oldest first; those of the pushed tips are current. Two
    git processes a ref, and three."""
    git = project.git
    tips: dict[str, None] = {}
    for ref in refs:
        try:
            if ref.local.strip("0"):
                tips[git.commit_of(ref.local)] = None
        except UnknownRevision:
            continue  # a tag of something that is no commit names no version
    advertised = _advertised(project, refs)
    if not tips:
        return [], []
    changes = git.history(PATTERN, tips=list(tips), without=advertised)
    at_tips: set[str] = set()
    for tip in tips:
        at_tips.update(git.files_at(tip, SUFFIX).values() if changes else ())
    contents = git.read(change.blob for change in changes)
    found: dict[tuple[str, Digest], Wish] = {}
    failures: dict[str, LobsterError] = {}
    for change in changes:
        name, is_current = dataset_of(change.path), change.blob in at_tips
        try:
            pointer = parse_pointer(contents[change.blob], what=f"{change.path} at {change.commit[:12]}")
            wish = Wish(safe_path(name), pointer, change.commit, is_current)
            if wish.key not in found or (is_current and not found[wish.key].current):
                found[wish.key] = wish
        except (KeyError, ConflictedPointer):
            continue
        except FormatError as error:
            if is_current:
                failures[name] = error
    return list(found.values())[::-1], [Failure(path, error) for path, error in failures.items()]


def _advertised(project: Project, refs: Iterable[PushedRef]) -> list[str]:
    """What the server has by its own word, as far as this clone knows these commits."""
    return list(sizes(project.git, (ref.remote for ref in refs if ref.remote.strip("0"))))


def _absent(project: Project, wanted: list[Wish]) -> list[Failure]:
    """Those that the remote does not hold whole, each asked for in this run."""
    config = project.remote()
    try:
        room = connect(project, config)
    except NotARemote as error:
        if not error.is_empty:
            raise
        return [_failure(wish, error.url) for wish in wanted]
    known = known_pushes(project, room, wanted)
    claimed = [(wish, known[wish.key]) for wish in wanted if wish.key in known]
    broken = still_complete(room, claimed, project_id=project.project_id)
    return [_failure(wish, room.url) for wish in wanted if wish.key not in known or wish.key in broken]


def _failure(wish: Wish, url: str) -> Failure:
    return Failure(wish.path, MissingContent(wish.path, str(wish.pointer.digest), url, wish.pointer.size))
