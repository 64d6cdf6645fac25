"""A file as one object, byte for byte, named by its own digest: in one request, or in parts that resume."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lobsterdv import workers
from lobsterdv.blobs.cutting import Cut, Cutter, cut_data, cut_file
from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.blobs.source import Source
from lobsterdv.digest import Digest, digest_of, hash_descriptor
from lobsterdv.errors import ContentError
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import Content, Extent, StoredObject
from lobsterdv.reading import read, read_into

_AT_ONCE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Whole:
    """A file to send: what it is, its average chunk (log2), and its cut when that was made already."""

    digest: Digest
    size: int
    average_bits: int
    cut: Cut | None = None


def send_whole(
    source: Source,
    files: list[Whole],
    heads: Heads,
    *,
    part_threshold: int,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> list[Content]:
    """Send files as objects of their own, those of one request side by side; returns where they lie, in order.

    An object becomes visible only after the bytes that were sent have proved to be the file's. Raises
    MissingContent, CorruptContent, RemoteError.
    """

    def send(item: Whole) -> Content:
        return _send(source, item, heads, part_threshold, jobs, name, progress)

    light = [item for item in files if item.size <= part_threshold]
    # Each is in memory while it is sent, which bounds how many may go at once.
    side_by_side = max(1, min(jobs, _AT_ONCE_BYTES // max((item.size for item in light), default=1)))
    found = {c.digest: c for c in workers.each(send, light, jobs=side_by_side)}
    found.update((item.digest, send(item)) for item in files if item.size > part_threshold)
    return [found[item.digest] for item in files]


def _send(
    source: Source,
    item: Whole,
    heads: Heads,
    part_threshold: int,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> Content:
    target = StoredObject(item.digest, item.size)
    there = heads.has(target)
    if item.size < SMALL_BYTES:
        data: bytes | memoryview = source.read_small(item.digest, name=name)  # perhaps in a pack
        cut = cut_data(data, item.digest, item.average_bits)
        if not there:
            heads.remote.store.put(object_key(item.digest), data)
        progress(item.size)
        return _seen(item, cut, heads, there, name=name)
    descriptor = source.open(item.digest, name=name)
    try:
        if there:
            cut = _proven(source, descriptor, item, name=name)
            progress(item.size)
        elif item.size <= part_threshold:
            data = read(descriptor, 0, item.size)
            if (actual := digest_of(data)) != item.digest:
                raise source.damaged(item.digest, actual, name=name)
            cut = item.cut or cut_data(data, item.digest, item.average_bits)
            heads.remote.store.put(object_key(item.digest), data)
            progress(item.size)
        else:
            cut = _send_parts(source, descriptor, item, heads, jobs, name, progress)
    finally:
        os.close(descriptor)
    return _seen(item, cut, heads, there, name=name)


def _seen(item: Whole, cut: Cut, heads: Heads, there: bool, *, name: str) -> Content:
    target = StoredObject(item.digest, item.size)
    if not there:
        heads.arrived(target, name=name)
        heads.sent.add(packed_bytes=item.size)
    extents = (Extent(target, 0, len(cut.lengths)),)
    return Content(item.digest, item.size, cut.average_bits, cut.lengths, cut.digests, cut.lengths, extents)


def _send_parts(
    source: Source,
    descriptor: int,
    item: Whole,
    heads: Heads,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> Cut:
    """Each part is read once: the buffer that is sent is the one that was hashed and cut, in the order of the parts."""
    if os.fstat(descriptor).st_size != item.size:
        raise source.damaged(item.digest, hash_descriptor(descriptor)[0], name=name)
    upload = heads.remote.store.upload(object_key(item.digest), item.size)
    found: list[Cut] = []
    own = threading.local()  # a buffer a thread: fresh memory for every part costs a tenth of the CPU
    cutter = Cutter(item.average_bits, item.cut)
    turns = _Turns()

    def work(number: int) -> None:
        start = number * upload.part_size
        end = min(start + upload.part_size, item.size)
        if not hasattr(own, "buffer"):
            own.buffer = memoryview(bytearray(cutter.room + min(upload.part_size, item.size)))
        buffer: memoryview = own.buffer[: cutter.room + end - start]
        part = buffer[cutter.room :]
        with turns.of(number):
            read_into(part, descriptor, start)  # of a file that was cut off meanwhile the digest will tell
            turns.wait(number)
            cutter.feed(buffer, is_last=end == item.size)
            if end == item.size:
                cut, actual = cutter.finish()
                if actual != item.digest:
                    raise source.damaged(item.digest, actual, name=name)
                found.append(cut)
        upload.send(number, part)
        progress(end - start)

    try:
        for _ in workers.each(work, range(upload.part_count), jobs=jobs):
            pass
        upload.complete()
    except ContentError:
        upload.abort()
        raise
    except BaseException:
        upload.suspend()
        raise
    return found[0]


class _Turns:
    """Threads that took numbers from 0 on, in their order, come through one place in that order."""

    def __init__(self) -> None:
        self._next = 0
        self._failed = sys.maxsize
        self._changed = threading.Condition()

    @contextmanager
    def of(self, number: int) -> Iterator[None]:
        """What is done in it from ``wait`` on is this number's turn; after an error in it higher ones have none."""
        try:
            yield
        except BaseException:
            with self._changed:
                self._failed = min(number, self._failed)
                self._changed.notify_all()
            raise
        with self._changed:
            self._next += 1
            self._changed.notify_all()

    def wait(self, number: int) -> None:
        """Until all lower numbers' turns are over. Raises RuntimeError after an error in one, which nobody sees:
        that of the lower number comes first (``workers.each``)."""
        with self._changed:
            self._changed.wait_for(lambda: self._next == number or self._failed < number)
            if self._failed < number:
                raise RuntimeError("an earlier part failed")


def _proven(source: Source, descriptor: int, item: Whole, *, name: str) -> Cut:
    """The file's cut; its digest is proved in the same pass. Raises what the source makes of damaged bytes."""
    if item.cut is not None or os.fstat(descriptor).st_size != item.size:
        cut, actual = item.cut, hash_descriptor(descriptor)[0]
    else:
        cut, actual = cut_file(descriptor, item.average_bits)
    if actual != item.digest or cut is None:
        raise source.damaged(item.digest, actual, name=name)
    return cut
