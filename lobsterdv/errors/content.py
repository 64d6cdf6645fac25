"""Errors of a version's bytes: missing, corrupt, forgotten; never confused with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lobsterdv.errors.root import LobsterError


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
