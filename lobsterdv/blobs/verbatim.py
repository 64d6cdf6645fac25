"""A file as one object, byte for byte, named by its own digest: in one request, or in parts that resume."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lobsterdv import workers
from lobsterdv.blobs.cutting import Cut, cut_data, cut_file
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
    upload = heads.remote.store.upload(object_key(item.digest), item.size)
    found: list[Cut] = []
    own = threading.local()  # a buffer a thread: fresh memory for every part costs a tenth of the CPU

    def read_part(start: int, end: int) -> memoryview:
        if not hasattr(own, "buffer"):
            own.buffer = memoryview(bytearray(min(upload.part_size, item.size)))
        view: memoryview = own.buffer[: end - start]
        return view[: read_into(view, descriptor, start)]

    def work(number: int) -> None:
        if number < 0:
            found.append(_proven(source, descriptor, item, name=name))
            return
        start = number * upload.part_size
        end = min(start + upload.part_size, item.size)
        upload.send(number, read_part(start, end))
        progress(end - start)

    try:
        for _ in workers.each(work, range(-1, upload.part_count), jobs=jobs):
            pass
        upload.complete()
    except ContentError:
        upload.abort()
        raise
    except BaseException:
        upload.suspend()
        raise
    return found[0]


def _proven(source: Source, descriptor: int, item: Whole, *, name: str) -> Cut:
    """The file's cut; its digest is proved in the same pass. Raises what the source makes of damaged bytes."""
    if item.cut is not None or os.fstat(descriptor).st_size != item.size:
        cut, actual = item.cut, hash_descriptor(descriptor)[0]
    else:
        cut, actual = cut_file(descriptor, item.average_bits)
    if actual != item.digest or cut is None:
        raise source.damaged(item.digest, actual, name=name)
    return cut
