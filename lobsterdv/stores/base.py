"""What every store promises. One contract suite (tests/contracts) holds all of them to it.

Keys are ASCII, ``/``-separated, relative and without ``.`` or ``..`` parts; the store adds its prefix.
Every method may be called from many threads at once and every write may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from lobsterdv.stores.capabilities import Capabilities, Checking


@dataclass(frozen=True, slots=True)
class Stat:
    """What a store says of one key.

    ``modified`` is seconds since 1970 by the store's own clock. ``etag`` is opaque: compare it, never
    take it for a hash. ``archived`` means that the bytes cannot be read until they are restored. ``version`` is the id
    of a versioned bucket, as ``head`` tells it. ``storage_class`` is empty in stores that have none. ``restored`` is,
    of what is or was archived, RESTORING or the day (ISO 8601) up to which a restored copy stays, as ``head`` tells it.
    """

    key: str
    size: int
    modified: float
    etag: str = ""
    archived: bool = False
    version: str = ""
    storage_class: str = ""
    restored: str = ""


RESTORING: Final = "restoring"


@runtime_checkable
class TellsChecksums(Protocol):
    """A store that knows a checksum of what it keeps, without it being read over the network."""

    def crc32(self, key: str) -> int | None:
        """The CRC-32 of the whole value as the store computed it from the bytes it took in; None when it has none for
        this one. Raises as ``Store.head``."""

    @property
    def checking(self) -> Checking:
        """What its server does with the checksum that this store sends along, as far as anybody saw: only where that
        is "verified" its word is a proof. "refused" too when none is sent."""


@runtime_checkable
class Adapts(Protocol):
    """A store that can leave out what its server was seen not to do."""

    def adapt(self, capabilities: Capabilities) -> None:
        """Go on without what ``capabilities`` say is not there; what they do not tell is tried as before."""


@runtime_checkable
class ReadsInSlices(Protocol):
    """A store that can hand on what it reads while it comes."""

    def read_in_slices(self, key: str, *, start: int, length: int, sink: Callable[[int, memoryview], None]) -> None:
        """As ``Store.read``, but ``sink`` is given the bytes: in slices, in order, each once, with their offset from
        ``start``. A view is valid until ``sink`` returns. What ``sink`` raises ends it, as does what ``read`` raises:
        what was given until then is right as far as the store can tell."""


class Upload(Protocol):
    """One large value on its way, in parts of ``part_size`` bytes (the last may be shorter).

    Nothing is visible under the key before ``complete``; after ``abort`` nothing of it remains. One of the two,
    or ``suspend``, ends it.
    """

    part_size: int
    part_count: int

    def send(self, number: int, data: bytes | memoryview) -> None:
        """Send part ``number`` (from 0). Any order, any thread, may be repeated."""

    def complete(self) -> None:
        """Make the value visible, durably and at once. All parts must have been sent."""

    def abort(self) -> None:
        """Give up and remove the parts. May be repeated; never raises for what is already gone."""

    def suspend(self) -> None:
        """Stop for now. Where the store can, the parts stay, and the next upload of the value goes on from them."""


class Store(Protocol):
    """Bytes under keys."""

    @property
    def url(self) -> str:
        """For people and error messages; never holds a secret."""

    def head(self, key: str) -> Stat:
        """Size, time and etag. Raises KeyMissing only when the store is sure; RemoteError otherwise."""

    def read(self, key: str, *, start: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``start``. Raises KeyMissing; CorruptContent when the value ends
        early or the answer is longer than asked (reading stops there); Archived; RemoteError."""

    def read_whole(self, key: str, *, limit: int) -> bytes:
        """The whole value. Raises CorruptContent, having read at most ``limit + 1`` bytes, when it is
        longer than ``limit``; otherwise as ``read``."""

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        """Write the whole value at once: readers see all of it or nothing, and a crash leaves no part.

        With ``if_absent`` an existing value is kept and False is returned, as far as the store can
        (an optimisation: a store that cannot just writes). Returns True when it wrote.
        """

    def upload(self, key: str, size: int) -> Upload:
        """Begin a large value of ``size`` bytes, ``size`` >= 1."""

    def list(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        """Every key that starts with ``prefix`` (a plain string prefix), once, in no promised order.

        With ``after`` only keys greater than it are given, where order allows. Raises RemoteError rather
        than give a short list.
        """

    def delete(self, key: str) -> None:
        """Remove a key; no error when it is not there."""

    def clock(self) -> float:
        """Seconds since 1970 by the clock that ``modified`` is of, now or when the store last answered. Costs nothing
        after any other request; may write and remove something where the store has no other way."""

    def refresh(self, key: str) -> bool:
        """Make ``modified`` of a value now, durably, without sending it; False when the store cannot do that. Raises as
        ``head``. Look at ``modified`` afterwards."""

    def delete_exact(self, stat: Stat) -> bool:
        """Remove a value if it is still the one that ``head`` told of; False when it is another by now, or gone.

        Where ``is_exact`` a value written or refreshed after that ``head`` is never hit. Raises Denied, RemoteError.
        """

    @property
    def is_exact(self) -> bool:
        """Whether ``delete_exact``, anyone's, cannot hit what this store wrote or refreshed last."""

    def close(self) -> None:
        """Let go of connections. The store must not be used afterwards."""
