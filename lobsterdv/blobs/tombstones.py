"""Versions that a remote was told to forget. What counts is the key: a tombstone that nobody can read forgets, too."""

from __future__ import annotations

from lobsterdv.blobs.graves import listed
from lobsterdv.blobs.heads import require
from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import CorruptContent, FormatError, KeyMissing
from lobsterdv.formats.layout import forgotten_prefix, tombstone_key
from lobsterdv.formats.tombstone import Tombstone, encode_tombstone, parse_tombstone
from lobsterdv.formats.yamlio import MAX_BYTES


def forgotten(room: Remote) -> set[Digest]:
    """Every version that has a tombstone, as of now. One listing."""
    return listed(room.store)


def tombstone_of(room: Remote, version: Digest) -> Tombstone | None:
    """A version's tombstone; None when it has none. One that cannot be read is told as such. A listing and a GET."""
    unreadable = None
    for stat in room.store.list(forgotten_prefix(version)):
        unreadable = unreadable or Tombstone(version, "", "its tombstone cannot be read", "", "", "")
        try:
            found = parse_tombstone(room.store.read_whole(stat.key, limit=MAX_BYTES), what=stat.key)
        except (FormatError, CorruptContent, KeyMissing):
            continue
        if found.version == version:
            return found
    return unreadable


def bury(room: Remote, tombstone: Tombstone) -> None:
    """Write a tombstone, seen there in this run. Raises RemoteError."""
    data = encode_tombstone(tombstone)
    key = tombstone_key(tombstone.version, digest_of(data))
    room.store.put(key, data, if_absent=True)
    require(room, key, len(data), name="the tombstone")
