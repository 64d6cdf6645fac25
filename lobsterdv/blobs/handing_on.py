"""One value from a remote to another: by the server where it can, else through here, verified, a part at a time."""

from __future__ import annotations

from lobsterdv.digest import Digest, Hasher, digest_of
from lobsterdv.errors import CorruptContent
from lobsterdv.stores.base import Store
from lobsterdv.stores.server_copy import copy_on_server

WHOLE_BYTES = 32 << 20
"""Up to so many are read at once; larger ones pass in parts, of which one is in memory."""


def hand_on(source: Store, target: Store, key: str, digest: Digest, size: int, *, name: str, directly: bool) -> bool:
    """Write to ``target`` what ``source`` has under ``key``; returns whether the server copied it itself, which is only
    tried when ``directly``.

    What passes here is written only when its BLAKE3 is ``digest``; a copy by the server has the original's checksum,
    and what the original is, verifying ``source`` tells. Raises KeyMissing, CorruptContent, Archived, RemoteError.
    May be repeated; parts of a large value that were sent stay for the next time, where the store can.
    """
    if directly and copy_on_server(source, target, key):
        return True
    if size <= WHOLE_BYTES:
        data = source.read_whole(key, limit=size)
        _require(digest_of(data), digest, name, source)
        target.put(key, data)
        return False
    upload = target.upload(key, size)
    hasher = Hasher()
    try:
        for number in range(upload.part_count):
            start = number * upload.part_size
            data = source.read(key, start=start, length=min(upload.part_size, size - start))
            hasher.update(data)
            upload.send(number, data)
    except BaseException:
        upload.suspend()
        raise
    if hasher.digest() != digest:
        upload.abort()
        _require(hasher.digest(), digest, name, source)
    upload.complete()
    return False


def _require(found: Digest, expected: Digest, name: str, source: Store) -> None:
    if found != expected:
        raise CorruptContent(name, source.url, str(expected), str(found))
