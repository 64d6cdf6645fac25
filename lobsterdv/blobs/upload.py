"""Contents into a remote's objects, and the table that says where they lie.

::

    content known there?  -> its place                                     (bases.py)
    small files           -> read, cut, in listing order     \\
    large, some chunks there -> cut; the new chunks           > blocks -> zstd? -> objects of at most 16 MiB
    large, new, zstd pays -> cut while it is read            /            (objects.py)
    large, new, zstd does not, or plain -> one object, byte for byte       (verbatim.py)

Bytes are hashed as they are sent: what is damaged here never gets a name there.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, compress, repeat
from typing import Final, overload

from lobsterdv.blobs.bases import Bases
from lobsterdv.blobs.cutting import BLOCK_BYTES
from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.placement import Placement
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.sending import SHARED_BELOW_BYTES, Sending, Wanted
from lobsterdv.blobs.source import Source
from lobsterdv.blobs.storage import Storage
from lobsterdv.digest import Digest, Digests
from lobsterdv.errors import MissingContent
from lobsterdv.formats.contents import Contents
from lobsterdv.formats.entries import Entries

MANY_OBJECTS: Final = 64


def send_contents(
    remote: Remote,
    source: Source,
    entries: Entries,
    bases: Bases,
    elsewhere: Iterable[Contents],
    storage: Storage,
    heads: Heads,
    *,
    part_threshold: int,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> Contents:
    """Make sure that the remote holds every content of ``entries``; returns where, in order of first use.

    What ``bases`` place, or contents ``elsewhere`` (taken as long as something is lacking), is not sent.
    Every object that the result names was seen there, with the right size, by a HEAD during this run.
    Raises MissingContent for bytes that neither side has, CorruptContent for what is damaged here,
    RemoteError. May be repeated and raced: objects are named by their bytes.
    """
    placement = Placement(entries)
    for contents in chain(bases.contents, elsewhere):
        placement.find_in(contents)
        if placement.is_complete:
            break
    kept = placement.columns()
    anew = _to_store_anew(kept, source, storage)
    if anew:
        placement.withdraw(anew)
        kept = placement.columns()
    absent = heads.absent(kept.objects)
    if absent:
        placement.withdraw([c.digest for c in kept if any(e.object in absent for e in c.extents)])
        kept = placement.columns()
    heads.sent.add(reused_bytes=sum(kept.sizes))
    progress(sum(kept.sizes))
    if placement.is_complete:
        return kept
    new = Lacking(entries, placement.lacking())
    del kept
    missing = source.missing(new.digests())
    if missing:
        gone = next(w for w in new if w.digest == missing[0])
        raise MissingContent(name, str(gone.digest), f"the cache or {remote.url}", gone.size)
    sending = Sending(source, bases, anew, storage, heads, name=name, progress=progress, place=placement.put)
    sending.run(remote, new, part_threshold=part_threshold, jobs=jobs)
    return placement.columns()


class Lacking(Sequence[Wanted]):
    """The contents at some positions among entries; each is made when it is asked for."""

    def __init__(self, entries: Entries, positions: array[int]) -> None:
        self._entries = entries
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __iter__(self) -> Iterator[Wanted]:
        return map(self._wanted, self._positions)

    @overload
    def __getitem__(self, at: int) -> Wanted: ...
    @overload
    def __getitem__(self, at: slice) -> Lacking: ...
    def __getitem__(self, at: int | slice) -> Wanted | Lacking:
        if isinstance(at, slice):
            return Lacking(self._entries, self._positions[at])
        return self._wanted(self._positions[at])

    def digests(self) -> Digests:
        """Those of contents that are not empty."""
        rows = Digests(self._entries.digests)
        return Digests.of(rows[at] for at in self._positions if self._entries.sizes[at])

    def _wanted(self, at: int) -> Wanted:
        entry = self._entries[at]
        assert entry.digest is not None
        return Wanted(entry.digest, entry.size, entry.path)


def _to_store_anew(kept: Contents, source: Source, storage: Storage) -> set[Digest]:
    """Contents that lie there and are stored once more: all that are not verbatim for a plain version; small files
    that are scattered over very many objects (DESIGN, 5), as far as their bytes are here."""
    if storage.plain:
        return {content.digest for content in kept if content.size and not content.is_verbatim}
    if len(kept.objects) <= MANY_OBJECTS:
        return set()
    small = [0 < size < SHARED_BELOW_BYTES for size in kept.sizes]  # by columns: of a million only few are looked at
    of_small = chain.from_iterable(map(repeat, small, kept.extent_counts))
    objects = len(set(compress(kept.extent_objects, of_small)))
    fresh = -(-sum(compress(kept.sizes, small)) // BLOCK_BYTES)
    if objects <= MANY_OBJECTS or objects <= 4 * fresh:
        return set()
    names = {kept.digest(at) for at in compress(range(len(kept)), small)}
    return names.difference(source.missing(names))
