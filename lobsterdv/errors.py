"""Every error lobsterdv raises. Each carries its facts as attributes and says one sentence.

::

    LobsterError                    exit 1
    |- UsageError                   exit 2   the call cannot mean anything
    |- ProjectError                          no git, no project, a refused request
    |  |- NotAProject   NoGit   Refused   NotTracked   UnknownRevision   GitFailed
    |  |- NotVerbatim                        no object of a remote is just this file
    |- ConfigError                           a configuration file or value
    |- FormatError                           bytes that do not follow docs/format.md
    |  |- UnknownFormat   UnknownFeature     written by a newer lobsterdv
    |  |- ConflictedPointer                  git left merge markers in it
    |  |- UnsafePath                         a path that may not be used
    |- ChangedMeanwhile                      a file changed while it was read
    |- LocalIOError                          the operating system refused: disk full, read-only, ...
    |  |- NoSpace                            it would: there is less room than is about to be written
    |- ContentError                 exit 3
    |  |- MissingContent   CorruptContent    never confused with each other
    |- RemoteError                  exit 4
    |  |- KeyMissing                         the store has nothing under this key
    |  |- NotARemote   Unreachable   Denied   CredentialsError   NoBucket   WrongRegion   Throttled
    |  |- Untrusted                          an endpoint from tracked configuration, not trusted yet
    |  |- Unencrypted                        an http:// endpoint elsewhere, not allowed yet
    |- WouldOverwrite               exit 5   unsaved changes are in the way
    |- Unavailable                  exit 6
    |  |- Archived   Busy

The remedy (the command to type) is added by the command line, in ``cli/remedies.py``.
Foreign exceptions are translated once, where they enter, with ``raise ... from error``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import ClassVar

from lobsterdv.units import size


class LobsterError(Exception):
    """The root. ``str()`` is one sentence without a full stop; ``facts()`` is for machines."""

    exit_code: ClassVar[int] = 1

    def facts(self) -> dict[str, str | int | None]:
        """The attributes by name, as JSON-ready values."""
        values: dict[str, object] = {f.name: getattr(self, f.name) for f in fields(self)} if is_dataclass(self) else {}
        return {k: v if isinstance(v, int) or v is None else str(v) for k, v in values.items()}


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
        return f"git knows no revision {self.rev!r}"


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


class ContentError(LobsterError):
    """The bytes of a version are not to be had, or are not the right ones."""

    exit_code: ClassVar[int] = 3


@dataclass(eq=False)
class MissingContent(ContentError):
    """``name`` is the dataset or object, ``where`` the places that were looked at."""

    name: str
    digest: str
    where: str
    size: int | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.digest[:19]}) is not in {self.where}"


@dataclass(eq=False)
class Forgotten(ContentError):
    """A version that was to be forgotten, for ``reason``, ``at`` a time (UTC)."""

    name: str
    digest: str
    reason: str
    at: str

    def __str__(self) -> str:
        when = f" on {self.at[:10]}" if self.at else ""
        return f"{self.name} ({self.digest[:19]}) was forgotten{when}: {self.reason}"


@dataclass(eq=False)
class CorruptContent(ContentError):
    name: str
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.name} in {self.where} is corrupt: expected {self.expected}, found {self.found}"


class RemoteError(LobsterError):
    """A store could not do what was asked."""

    exit_code: ClassVar[int] = 4


@dataclass(eq=False)
class KeyMissing(RemoteError):
    key: str
    url: str

    def __str__(self) -> str:
        return f"{self.url} has nothing at {self.key}"


@dataclass(eq=False)
class NotARemote(RemoteError):
    """``is_empty`` when the place could become one: nothing was ever pushed there."""

    url: str
    problem: str
    is_empty: bool = False

    def __str__(self) -> str:
        return f"{self.url} cannot be used as a remote: {self.problem}"


@dataclass(eq=False)
class Unreachable(RemoteError):
    url: str
    action: str
    detail: str

    def __str__(self) -> str:
        return f"{self.url} cannot be reached ({self.action}): {self.detail}"


@dataclass(eq=False)
class Denied(RemoteError):
    url: str
    action: str
    key: str
    identity: str = ""

    def __str__(self) -> str:
        who = f" to {self.identity}" if self.identity else ""
        return f"{self.url} denies {self.action} on {self.key or 'the bucket'}{who}"


@dataclass(eq=False)
class CredentialsError(RemoteError):
    url: str
    problem: str

    def __str__(self) -> str:
        return f"{self.url}: {self.problem}"


@dataclass(eq=False)
class NoBucket(RemoteError):
    url: str
    bucket: str

    def __str__(self) -> str:
        return f"{self.url}: there is no bucket named {self.bucket}"


@dataclass(eq=False)
class WrongRegion(RemoteError):
    url: str
    configured: str
    actual: str

    def __str__(self) -> str:
        configured = self.configured or "the default one"
        return f"{self.url}: the bucket is in region {self.actual or 'another'}, not {configured}"


@dataclass(eq=False)
class Throttled(RemoteError):
    url: str
    action: str

    def __str__(self) -> str:
        return f"{self.url} asks us to slow down ({self.action}), after every retry"


@dataclass(eq=False)
class Untrusted(RemoteError):
    name: str
    endpoint_url: str

    def __str__(self) -> str:
        return (
            f"remote {self.name} sends requests to {self.endpoint_url}, "
            "which comes from tracked configuration and is not trusted on this machine"
        )


@dataclass(eq=False)
class Unencrypted(RemoteError):
    name: str
    endpoint_url: str

    def __str__(self) -> str:
        return (
            f"remote {self.name} sends requests to {self.endpoint_url} unencrypted: "
            "whoever is on the way can read the data, and use what the requests are signed for"
        )


@dataclass(eq=False)
class WouldOverwrite(LobsterError):
    exit_code: ClassVar[int] = 5
    path: str
    reason: str
    count: int = 1

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Unavailable(LobsterError):
    """Not now: archived, busy or locked."""

    exit_code: ClassVar[int] = 6


@dataclass(eq=False)
class Archived(Unavailable):
    """``name`` is the dataset, where it is known; ``restoring`` tells that somebody asked for it already."""

    url: str
    key: str
    name: str = ""
    restoring: bool = False

    def __str__(self) -> str:
        what = f"{self.name} is archived at {self.url}" if self.name else f"{self.url}: {self.key} is archived"
        if self.restoring:
            return f"{what}; it is being restored and cannot be read yet"
        return f"{what} and must be restored before it can be read"


@dataclass(eq=False)
class Busy(Unavailable):
    what: str
    holder: str

    def __str__(self) -> str:
        return f"{self.what} is in use by {self.holder}"
