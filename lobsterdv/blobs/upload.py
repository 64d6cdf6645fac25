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

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from lobsterdv.blobs.bases import Bases
from lobsterdv.blobs.cutting import BLOCK_BYTES
from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.sending import SHARED_BELOW_BYTES, Sending, Wanted
from lobsterdv.blobs.source import Source
from lobsterdv.blobs.storage import Storage
from lobsterdv.blobs.verbatim import is_verbatim
from lobsterdv.digest import Digest
from lobsterdv.errors import MissingContent
from lobsterdv.formats.table import Content

MANY_OBJECTS: Final = 64


def send_contents(
    remote: Remote,
    source: Source,
    wanted: Sequence[Wanted],
    bases: Bases,
    storage: Storage,
    heads: Heads,
    *,
    part_threshold: int,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> list[Content]:
    """Make sure that the remote holds every wanted content; returns where, in the order of ``wanted``.

    Every object that the result names was seen there, with the right size, by a HEAD during this run.
    Raises MissingContent for bytes that neither side has, CorruptContent for what is damaged here,
    RemoteError. May be repeated and raced: objects are named by their bytes.
    """
    once: dict[Digest, Wanted] = {}
    for item in wanted:
        once.setdefault(item.digest, item)
    wanted = list(once.values())
    known = {w.digest: bases.contents[w.digest] for w in wanted if w.digest in bases.contents}
    anew = _to_store_anew(known, source, storage)
    found = _still_there({d: c for d, c in known.items() if d not in anew}, heads, progress)
    new = [w for w in wanted if w.digest not in found]
    missing = source.missing(w.digest for w in new if w.size)
    if missing:
        gone = next(w for w in new if w.digest == missing[0])
        raise MissingContent(name, str(gone.digest), f"the cache or {remote.url}", gone.size)
    if new:
        sending = Sending(source, bases, anew, storage, heads, name=name, progress=progress)
        found |= sending.run(remote, new, part_threshold=part_threshold, jobs=jobs)
    return [found[w.digest] for w in wanted]


def _to_store_anew(known: Mapping[Digest, Content], source: Source, storage: Storage) -> set[Digest]:
    """Contents that lie there and are stored once more: all that are not verbatim for a plain version; small files
    that are scattered over very many objects (DESIGN, 5), as far as their bytes are here."""
    if storage.plain:
        return {digest for digest, content in known.items() if content.size and not is_verbatim(content)}
    small = [c for c in known.values() if c.size < SHARED_BELOW_BYTES]
    objects = {e.object for c in small for e in c.extents}
    fresh = -(-sum(c.size for c in small) // BLOCK_BYTES)
    if len(objects) > MANY_OBJECTS and len(objects) > 4 * fresh:
        names = {c.digest for c in small if c.size}
        return names.difference(source.missing(names))
    return set()


def _still_there(kept: dict[Digest, Content], heads: Heads, progress: Callable[[int], None]) -> dict[Digest, Content]:
    absent = heads.absent(e.object for c in kept.values() for e in c.extents)
    there = {d: c for d, c in kept.items() if not any(e.object in absent for e in c.extents)} if absent else kept
    size = sum(c.size for c in there.values())
    heads.sent.add(reused_bytes=size)
    progress(size)
    return there
