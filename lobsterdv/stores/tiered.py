"""What stores with storage classes promise besides (a capability: see ``Tiered``). Classes are named as AWS names them.

A class changes by a lifecycle rule of the bucket, which the server follows when it sees fit; a tag on an object is
what these rules of ours look for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from lobsterdv.stores.base import Stat

STANDARD: Final = "STANDARD"
ARCHIVES: Final = ("GLACIER", "DEEP_ARCHIVE")
"""Classes whose objects cannot be read until they are restored, in minutes to days."""
RestoreTier = Literal["Expedited", "Standard", "Bulk"]
RULE_NAME: Final = "lobsterdv"
"""Our lifecycle rules' names begin so; all others are other people's."""


@dataclass(frozen=True, slots=True)
class TierRule:
    """Objects below ``prefix`` (a key, without the store's own prefix) that have the tag go to a class after
    ``days``."""

    prefix: str
    tag: tuple[str, str]
    storage_class: str
    days: int


class TierCalls(Protocol):
    """Threads share it; every write may be repeated. Each raises Denied, RemoteError."""

    def restore(self, key: str, *, tier: RestoreTier, days: int) -> bool:
        """Ask for a readable copy of an archived value, for so many days. False when it is asked for already, or not
        archived any more; the days count anew for a copy that is there. Raises KeyMissing; Busy where the server has
        no room for an Expedited one now."""

    def tags(self, key: str) -> dict[str, str]:
        """The value's tags. Raises KeyMissing."""

    def set_tags(self, key: str, tags: Mapping[str, str]) -> None:
        """Replace them all. Raises KeyMissing."""

    def noncurrent(self, prefix: str) -> Iterator[Stat]:
        """Old versions of values, in a bucket that keeps them."""

    def tier_rules(self) -> list[TierRule]:
        """Our rules for this store's prefix."""

    def install(self, rules: Sequence[TierRule], *, abort_days: int) -> bool:
        """Make the bucket's lifecycle have these rules, and one that aborts unfinished uploads after ``abort_days``
        unless one does; all other rules stay as they are. False when all of it was there."""


@runtime_checkable
class Tiered(Protocol):
    """A store whose values have storage classes."""

    @property
    def tiers(self) -> TierCalls:
        """Requests about classes."""
