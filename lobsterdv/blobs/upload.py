"""Content from the cache into a remote's objects, and the table that says where it lies. Bytes are hashed as they
are sent: what is damaged here never gets a name there.

A large file is an object of its own, named by its digest. Files under 8 MiB share objects of at most
16 MiB, in listing order. What an earlier manifest already places keeps its place.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from blake3 import blake3

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote
from lobsterdv.chunker import average_bits_for, cut_lengths
from lobsterdv.digest import Digest, digest_of, hash_descriptor
from lobsterdv.errors import CorruptContent, KeyMissing, MissingContent
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import Content, Extent, StoredObject
from lobsterdv.mapping import WINDOW_BYTES, window

SHARED_BELOW_BYTES: Final = 8 << 20
SHARED_OBJECT_BYTES: Final = 16 << 20
MANY_OBJECTS: Final = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """A content that a version needs: its digest and size in bytes."""

    digest: Digest
    size: int


@dataclass
class Sent:
    """What an upload did: bytes and objects that went over, and those that were found there."""

    new_bytes: int = 0
    new_objects: int = 0
    reused_objects: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, new_bytes: int = 0, new_objects: int = 0, reused_objects: int = 0) -> None:
        """Count, from any thread."""
        with self._lock:
            self.new_bytes += new_bytes
            self.new_objects += new_objects
            self.reused_objects += reused_objects


def send_contents(
    remote: Remote,
    wanted: Sequence[Wanted],
    placed: Mapping[Digest, Content],
    sent: Sent,
    *,
    part_threshold: int,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> list[Content]:
    """Make sure that the remote holds every wanted content; returns where, in the order of ``wanted``.

    ``placed`` are contents that manifests of this remote already place. Every object that the result
    names was seen there, with the right size, by a HEAD during this call. Raises MissingContent for
    bytes that neither side has, CorruptContent for what is damaged here, RemoteError. May be repeated
    and raced: objects are named by their bytes.
    """
    kept = _still_there(remote, _worth_keeping(wanted, placed), sent, jobs=jobs, progress=progress)
    new = [w for w in dict.fromkeys(wanted) if w.digest not in kept]
    missing = remote.cache.missing(w.digest for w in new if w.size)
    if missing:
        gone = next(w for w in new if w.digest == missing[0])
        raise MissingContent(name, str(gone.digest), f"the cache or {remote.url}", gone.size)
    small = [w for w in new if w.size < SHARED_BELOW_BYTES]
    large = [w for w in new if w.size >= SHARED_BELOW_BYTES]
    found = dict(kept)

    def send_group(group: list[Wanted]) -> list[Content]:
        return _send_shared(remote, group, sent, name=name, progress=progress)

    for contents in workers.each(send_group, list(_groups(small)), jobs=min(jobs, 4)):
        found.update((content.digest, content) for content in contents)
    for item in large:
        content = _send_alone(
            remote, item, sent, part_threshold=part_threshold, jobs=jobs, name=name, progress=progress
        )
        found[content.digest] = content
    return [found[w.digest] for w in dict.fromkeys(wanted)]


def require(remote: Remote, key: str, size: int | None, *, name: str) -> None:
    """HEAD a key: it must be there, with ``size`` bytes if that is known. Raises MissingContent, CorruptContent."""
    try:
        stat = remote.store.head(key)
    except KeyMissing:
        raise MissingContent(name, key.rpartition("/")[2], remote.url) from None
    if size is not None and stat.size != size:
        raise CorruptContent(name, f"{remote.url}/{key}", f"{size} bytes", f"{stat.size} bytes")


def absent_objects(remote: Remote, objects: Iterable[StoredObject], *, jobs: int) -> set[StoredObject]:
    """Those objects that the remote does not hold with the right size, by one HEAD each. An archived one
    counts as absent: it could not be read."""

    def one(item: StoredObject) -> StoredObject | None:
        try:
            stat = remote.store.head(object_key(item.digest))
        except KeyMissing:
            return item
        return item if stat.size != item.size or stat.archived else None

    return {item for item in workers.each(one, objects, jobs=jobs) if item is not None}


def _worth_keeping(wanted: Sequence[Wanted], placed: Mapping[Digest, Content]) -> dict[Digest, Content]:
    """What stays where it lies; small files scattered over very many objects are packed anew (DESIGN, 5)."""
    kept = {w.digest: placed[w.digest] for w in wanted if w.digest in placed}
    small = [c for c in kept.values() if c.size < SHARED_BELOW_BYTES]
    objects = {e.object for c in small for e in c.extents}
    fresh = -(-sum(c.size for c in small) // SHARED_OBJECT_BYTES)
    if len(objects) > MANY_OBJECTS and len(objects) > 4 * fresh:
        for content in small:
            del kept[content.digest]
    return kept


def _still_there(
    remote: Remote, kept: dict[Digest, Content], sent: Sent, *, jobs: int, progress: Callable[[int], None]
) -> dict[Digest, Content]:
    objects = list(dict.fromkeys(e.object for c in kept.values() for e in c.extents))
    absent = absent_objects(remote, objects, jobs=jobs)
    sent.add(reused_objects=len(objects) - len(absent))
    there = {d: c for d, c in kept.items() if not any(e.object in absent for e in c.extents)}
    progress(sum(c.size for c in there.values()))
    return there


def _groups(small: list[Wanted]) -> Iterator[list[Wanted]]:
    group: list[Wanted] = []
    size = 0
    for item in small:
        if group and size + item.size > SHARED_OBJECT_BYTES:
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield group


def _send_shared(
    remote: Remote, group: list[Wanted], sent: Sent, *, name: str, progress: Callable[[int], None]
) -> list[Content]:
    """Pack a group of small files into one object and send it, unless it is there."""
    data = b"".join(remote.cache.read_small(w.digest, name=name) if w.size else b"" for w in group)
    target = StoredObject(digest_of(data), len(data))
    view = memoryview(data)
    contents = []
    offset = 0
    for item in group:
        contents.append(_cut(view[offset : offset + item.size], item, target, offset))
        offset += item.size
    if data:
        key = object_key(target.digest)
        if absent_objects(remote, [target], jobs=1):
            remote.store.put(key, data)
            require(remote, key, len(data), name=name)
            sent.add(new_bytes=len(data), new_objects=1)
        else:
            sent.add(reused_objects=1)
    progress(len(data))
    return contents


def _send_alone(
    remote: Remote,
    item: Wanted,
    sent: Sent,
    *,
    part_threshold: int,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> Content:
    """Send a large file as an object of its own, in parts when it is very large, while its chunks are cut.

    The object becomes visible only after the bytes that were sent have proved to be the file's.
    """
    target = StoredObject(item.digest, item.size)
    key = object_key(item.digest)
    there = not absent_objects(remote, [target], jobs=1)
    descriptor = _open(remote, item, name=name)
    try:
        if there or item.size <= part_threshold:
            content = _cut_verified(remote, descriptor, item, target, name=name)
            if not there:
                with window(descriptor, 0, item.size) as view:
                    remote.store.put(key, view)
            progress(item.size)
        else:
            content = _send_parts(remote, descriptor, item, target, jobs=jobs, name=name, progress=progress)
    finally:
        os.close(descriptor)
    if there:
        sent.add(reused_objects=1)
    else:
        require(remote, key, item.size, name=name)
        sent.add(new_bytes=item.size, new_objects=1)
    return content


def _send_parts(
    remote: Remote,
    descriptor: int,
    item: Wanted,
    target: StoredObject,
    *,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> Content:
    upload = remote.store.upload(object_key(item.digest), item.size)
    found: list[Content] = []

    def work(number: int) -> None:
        if number < 0:
            found.append(_cut_verified(remote, descriptor, item, target, name=name))
            return
        start = number * upload.part_size
        end = min(start + upload.part_size, item.size)
        upload.send(number, os.pread(descriptor, end - start, start))
        progress(end - start)

    try:
        for _ in workers.each(work, range(-1, upload.part_count), jobs=jobs):
            pass
        upload.complete()
    except BaseException:
        upload.abort()
        raise
    return found[0]


def _open(remote: Remote, item: Wanted, *, name: str) -> int:
    try:
        return os.open(remote.cache.plain_path(item.digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise MissingContent(name, str(item.digest), "the cache", item.size) from None


def _cut_verified(remote: Remote, descriptor: int, item: Wanted, target: StoredObject, *, name: str) -> Content:
    """The chunk table of a large file; its digest is proved in the same pass. Raises CorruptContent."""
    if os.fstat(descriptor).st_size != item.size:
        raise remote.cache.quarantine(item.digest, hash_descriptor(descriptor)[0], name=name)
    bits = average_bits_for(item.size)
    whole = blake3(max_threads=blake3.AUTO)
    lengths: list[int] = []
    digests: list[Digest] = []
    start = 0
    while start < item.size:
        with window(descriptor, start, min(WINDOW_BYTES, item.size - start)) as view:
            cuts = cut_lengths(view, average_bits=bits)
            if start + len(view) < item.size:
                cuts.pop()  # the window ended it, not the content
            used = sum(cuts)
            whole.update(view[:used])
            digests += _chunk_digests(view, cuts)
        lengths += cuts
        start += used
    actual = Digest(whole.digest())
    if actual != item.digest:
        raise remote.cache.quarantine(item.digest, actual, name=name)
    return Content(item.digest, item.size, bits, lengths, digests, lengths, (Extent(target, 0, len(lengths)),))


def _cut(view: memoryview, item: Wanted, target: StoredObject, offset: int) -> Content:
    """Where a small content lies and how it is cut. A content of one chunk is that chunk."""
    bits = average_bits_for(item.size)
    lengths = cut_lengths(view, average_bits=bits) if item.size > (1 << bits) // 4 else [item.size][: item.size]
    digests = _chunk_digests(view, lengths) if len(lengths) > 1 else [item.digest][: len(lengths)]
    extents = (Extent(target, offset, len(lengths)),) if lengths else ()
    return Content(item.digest, item.size, bits, lengths, digests, lengths, extents)


def _chunk_digests(view: memoryview, lengths: list[int]) -> list[Digest]:
    ends = accumulate(lengths)
    return [Digest(blake3(view[end - n : end]).digest()) for n, end in zip(lengths, ends, strict=True)]
