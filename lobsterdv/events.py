"""What a verb tells its observer while it works. The core never prints; faces decide what to show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """A phase begins. ``phase`` is a verb in -ing form, for example ``hashing``; totals may be unknown."""

    phase: str
    total_bytes: int | None = None
    total_items: int | None = None


@dataclass(frozen=True, slots=True)
class Advanced:
    """Progress within a phase, as increments. Sent from any thread; increments may arrive in any order."""

    phase: str
    new_bytes: int = 0
    new_items: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """A phase is over."""

    phase: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know that did not stop the work."""

    message: str


Event = Started | Advanced | Finished | Warned
Observer = Callable[[Event], None]


def silent(event: Event) -> None:
    """An observer that listens to nothing."""
