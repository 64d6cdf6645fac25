"""Errors of this machine: what was typed, the project and its git, configuration, files, the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lobsterdv.errors.root import LobsterError
from lobsterdv.units import size


@dataclass(eq=False)
class UsageError(LobsterError):
    exit_code: ClassVar[int] = 2
    problem: str

    def __str__(self) -> str:
        return self.problem


class ProjectError(LobsterError):
    """The project or its git repository does not allow what was asked."""


@dataclass(eq=False)
class NotAProject(ProjectError):
    folder: str

    def __str__(self) -> str:
        return f"{self.folder} is not in a lobsterdv project (no .lobsterdv.yaml at the root of its git repository)"


@dataclass(eq=False)
class NoGit(ProjectError):
    folder: str

    def __str__(self) -> str:
        return f"{self.folder} is not in a git repository"


@dataclass(eq=False)
class GitFailed(ProjectError):
    command: str
    detail: str

    def __str__(self) -> str:
        return f"`{self.command}` failed: {self.detail}"


@dataclass(eq=False)
class Refused(ProjectError):
    """A request that would harm or confuse: ``reason`` says why, ``code`` names the rule for machines."""

    path: str
    reason: str
    code: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(eq=False)
class NotTracked(ProjectError):
    path: str
    rev: str | None = None

    def __str__(self) -> str:
        return f"{self.path} is not a tracked dataset" + (f" at {self.rev}" if self.rev else "")


@dataclass(eq=False)
class NotVerbatim(ProjectError):
    """``how`` a file of ``dataset`` lies at ``url``: ``empty``, ``compressed``, in ``ranges`` or ``packed``."""

    name: str
    dataset: str
    url: str
    how: str

    def __str__(self) -> str:
        why = {
            "empty": "is empty: no object holds it",
            "compressed": f"is stored compressed at {self.url}",
            "ranges": f"is stored in parts at {self.url}, shared with other versions",
            "packed": f"shares its object at {self.url} with other files",
        }
        return f"{self.name} has no URL: it {why.get(self.how, self.how)}"


@dataclass(eq=False)
class UnknownRevision(ProjectError):
    rev: str

    def __str__(self) -> str:
        return "nothing is committed yet" if self.rev == "HEAD" else f"git knows no revision {self.rev!r}"


@dataclass(eq=False)
class ConfigError(LobsterError):
    source: str
    problem: str

    def __str__(self) -> str:
        return f"{self.source}: {self.problem}"


@dataclass(eq=False)
class FormatError(LobsterError):
    """``what`` names the file or object, ``problem`` what is wrong with it."""

    what: str
    problem: str

    def __str__(self) -> str:
        return f"{self.what}: {self.problem}"


@dataclass(eq=False)
class UnknownFormat(FormatError):
    found: str = ""


@dataclass(eq=False)
class UnknownFeature(FormatError):
    feature: str = ""


@dataclass(eq=False)
class ConflictedPointer(FormatError):
    ours: str = ""
    theirs: str = ""


@dataclass(eq=False)
class UnsafePath(FormatError):
    """``what`` is the path, shown with ``repr`` so that control characters stay harmless."""

    def __str__(self) -> str:
        return f"{self.what!r} cannot be used as a path: {self.problem}"


@dataclass(eq=False)
class ChangedMeanwhile(LobsterError):
    path: str

    def __str__(self) -> str:
        return f"{self.path} changed while it was being read; nothing was recorded for it"


@dataclass(eq=False)
class LocalIOError(LobsterError):
    path: str
    detail: str
    errno: int = 0

    def __str__(self) -> str:
        return f"{self.path}: {self.detail}" if self.path else self.detail


@dataclass(eq=False)
class NoSpace(LocalIOError):
    """Nothing was written. ``needed`` and ``free`` are bytes on the file system of ``path``; ``detail`` says for
    what, when that is more than one thing."""

    needed: int = 0
    free: int = 0

    def __str__(self) -> str:
        parts = f" ({self.detail})" if self.detail else ""
        return f"{self.path}: not enough room: {size(self.needed)} are needed{parts}, {size(self.free)} are free"


@dataclass(eq=False)
class WouldOverwrite(LobsterError):
    exit_code: ClassVar[int] = 5
    path: str
    reason: str
    count: int = 1

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
