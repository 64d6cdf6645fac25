"""In which storage classes the objects of pushed versions lie, by their manifests and one list of all objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lobsterdv import workers
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import CorruptContent, FormatError, KeyMissing
from lobsterdv.formats.columns import MAX_BODY_BYTES
from lobsterdv.formats.layout import OBJECTS, manifest_key, object_key, segment_key
from lobsterdv.formats.manifest import objects_in, segments_in
from lobsterdv.formats.record import Record
from lobsterdv.index.archives import Kept
from lobsterdv.ops.archive_states import told
from lobsterdv.ops.archives import sorted_out
from lobsterdv.stores.base import Stat, Store

_SEGMENTS: Final = 16
"""Of a version with more of them (over a hundred thousand files) nothing is told: it is not worth reading them."""


def kept_as(store: Store, records: Sequence[Record], *, jobs: int) -> dict[Digest, tuple[list[str], str]]:
    """By manifest: the classes of its objects, and whether some are archived, in words. What cannot be read is left
    out. One list where all objects there are of one class and none is archived; else a GET a manifest, a second list,
    and a HEAD of each archived object. Raises RemoteError."""
    kinds = {(stat.storage_class, stat.archived) for stat in store.list(OBJECTS)}
    if len(kinds) <= 1 and not any(is_archived for _, is_archived in kinds):
        alike = [kind for kind, _ in kinds if kind]
        return {record.manifest: (alike if record.pointer.size else [], "") for record in records}
    keys = list(workers.each(lambda record: _objects_of(store, record), records, jobs=jobs))
    wanted = {key for found in keys for key in found}
    stats = {stat.key: stat for stat in store.list(OBJECTS) if stat.key in wanted} if wanted else {}
    cold = [key for key, stat in stats.items() if stat.archived]

    def ask(key: str) -> Stat:
        try:
            return store.head(key)
        except KeyMissing:
            return stats[key]

    stats.update(zip(cold, workers.each(ask, cold, jobs=jobs), strict=True))
    told_of = {}
    for record, found in zip(records, keys, strict=True):
        there = [stats[key] for key in found if key in stats]
        state: Kept | None = sorted_out(there).kept(record.pointer.digest)
        told_of[record.manifest] = sorted({stat.storage_class for stat in there if stat.storage_class}), told(state)
    return told_of


def _objects_of(store: Store, record: Record) -> list[str]:
    key = manifest_key(record.pointer.digest, record.manifest)
    try:
        stored = _read(store, key, record.manifest)
        objects = objects_in(stored, "manifest", what=key)
        segments = segments_in(stored, what=key)
        if len(segments) > _SEGMENTS:
            return []
        for digest in segments:
            key = segment_key(digest)
            objects += objects_in(_read(store, key, digest), "segment", what=key)
    except (KeyMissing, CorruptContent, FormatError):
        return []
    return list(dict.fromkeys(object_key(item.digest) for item in objects))


def _read(store: Store, key: str, name: Digest) -> bytes:
    data = store.read_whole(key, limit=MAX_BODY_BYTES)
    if digest_of(data) != name:
        raise CorruptContent(key, store.url, str(name), "other bytes")
    return data
