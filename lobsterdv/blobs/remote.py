"""A remote's documents: marker, manifests, segments, catalog records. Each is verified against its name when read
and kept in the cache, so that it is read once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.grace import GRACE_S
from lobsterdv.blobs.graves import Graves
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import (
    ContentError,
    CorruptContent,
    FormatError,
    KeyMissing,
    MissingContent,
    NotARemote,
    UnknownFeature,
    UnknownFormat,
)
from lobsterdv.formats.columns import MAX_BODY_BYTES
from lobsterdv.formats.layout import (
    MARKER,
    MAX_MARKER_BYTES,
    Marker,
    encode_marker,
    manifest_key,
    manifests_prefix,
    name_in_key,
    parse_marker,
    record_in_key,
    record_key,
    records_prefix,
    retired_prefix,
    segment_key,
)
from lobsterdv.formats.manifest import (
    Manifest,
    SegmentRef,
    join_tables,
    objects_in,
    parse_manifest,
    parse_segment,
    segments_in,
)
from lobsterdv.formats.record import MAX_RECORD_BYTES, Record, parse_record
from lobsterdv.formats.table import StoredObject, Table
from lobsterdv.stores.base import Store

_MAX_MANIFESTS: Final = 100


@dataclass(frozen=True)
class Remote:
    """A store that is known to be a remote: its marker was read and understood. ``grace_s`` is what collections there
    keep to, in seconds."""

    store: Store
    cache: Cache
    marker: Marker
    jobs: int
    grace_s: float = GRACE_S
    graves: Graves = field(default_factory=Graves, repr=False, compare=False)

    @property
    def url(self) -> str:
        return self.store.url

    def kept(self, key: str) -> str:
        """Where the cache keeps this remote's document."""
        return f"remotes/{self.marker.store_id}/{key}"


def read_marker(store: Store) -> Marker | None:
    """The marker, or None where nothing was ever pushed. Raises NotARemote, UnknownFormat, UnknownFeature."""
    try:
        return parse_marker(store.read_whole(MARKER, limit=MAX_MARKER_BYTES), url=store.url)
    except KeyMissing:
        return None
    except CorruptContent:
        raise NotARemote(store.url, f"its {MARKER} is too large to be one") from None


def create_marker(store: Store, *, store_id: str) -> Marker:
    """Make an empty place a remote. Of racing creators one wins, and all return the winner's marker."""
    store.put(MARKER, encode_marker(Marker(store_id)), if_absent=True)
    marker = read_marker(store)
    if marker is None:
        raise NotARemote(store.url, f"{MARKER} was written and cannot be read back")
    return marker


def manifests(remote: Remote, version: Digest, *, name: str, is_directory: bool) -> Iterator[tuple[Digest, Manifest]]:
    """Every valid manifest of a version: kept ones first, then those only the remote has.

    Damaged ones are passed over; when there is none left, ends with CorruptContent if one was damaged
    and with MissingContent if there was none at all, or if the version was forgotten: a kept manifest would lead to
    its bytes until they are collected. Consume it as far as needed. Raises RemoteError.
    """
    problem: ContentError | FormatError = MissingContent(name, str(version), remote.url)
    given: set[Digest] = set()
    prefix = manifests_prefix(version)
    kept = [key.removeprefix(remote.kept("")) for key in remote.cache.kept_below(remote.kept(prefix))]
    listed = (stat.key for stat in remote.store.list(prefix))
    for key in _chain(kept, listed):
        try:
            digest = name_in_key(key, what=key)
            if digest in given or len(given) >= _MAX_MANIFESTS:
                continue
            given.add(digest)
            stored = read_document(remote, key, digest, name=f"a manifest of {name}")
            manifest = parse_manifest(stored, what=f"{remote.url}/{key}")
            if manifest.version != version or manifest.is_directory != is_directory:
                raise FormatError(f"{remote.url}/{key}", "it describes another version than the one it is filed under")
        except (UnknownFormat, UnknownFeature) as error:
            problem = error
            continue
        except FormatError as error:
            problem = CorruptContent(f"a manifest of {name}", remote.url, str(version), error.problem)
            continue
        except (CorruptContent, KeyMissing) as error:
            problem = error if isinstance(error, CorruptContent) else problem
            continue
        if remote.graves.hold(remote.store, version):
            raise MissingContent(name, str(version), remote.url)
        yield digest, manifest
    raise problem


def read_manifest(remote: Remote, version: Digest, manifest: Digest, *, name: str) -> Manifest:
    """The one of this name. Raises MissingContent, CorruptContent, FormatError, RemoteError."""
    key = manifest_key(version, manifest)
    try:
        return parse_manifest(read_document(remote, key, manifest, name=f"the manifest of {name}"), what=key)
    except KeyMissing:
        raise MissingContent(f"the manifest of {name}", str(manifest), remote.url) from None


def read_table(remote: Remote, manifest: Manifest, *, name: str, below: Collection[str] = ("",)) -> Table:
    """A manifest's whole table, or, with ``below``, at least the rows at and below those paths.

    Raises MissingContent or CorruptContent for a segment, RemoteError.
    """
    if manifest.table is not None:
        return manifest.table
    wanted = _segments_for(manifest, below)
    return join_tables(workers.each(lambda ref: read_segment(remote, ref, name=name), wanted, jobs=remote.jobs))


def read_segment(remote: Remote, ref: SegmentRef, *, name: str) -> Table:
    """One segment's rows. Raises MissingContent, CorruptContent, FormatError, RemoteError."""
    key = segment_key(ref.digest)
    try:
        stored = read_document(remote, key, ref.digest, name=f"a segment of {name}")
    except KeyMissing:
        raise MissingContent(f"a segment of {name}", str(ref.digest), remote.url) from None
    return parse_segment(stored, ref, what=f"{remote.url}/{key}")


def documents(
    remote: Remote, version: Digest, manifest: Digest, *, name: str
) -> Iterator[tuple[str, bytes, list[StoredObject]]]:
    """A manifest and then its segments: key, bytes, and the objects that each names. Only what names other keys is
    parsed: all of a table of 10,000 files takes 50 ms. Raises KeyMissing, CorruptContent, FormatError, RemoteError."""
    key = manifest_key(version, manifest)
    stored = read_document(remote, key, manifest, name=f"the manifest of {name}")
    yield key, stored, objects_in(stored, "manifest", what=key)
    for digest in segments_in(stored, what=key):
        part = segment_key(digest)
        data = read_document(remote, part, digest, name=f"a segment of {name}")
        yield part, data, objects_in(data, "segment", what=part)


def read_document(remote: Remote, key: str, digest: Digest, *, name: str) -> bytes:
    """A stored document, verified against its name. Raises KeyMissing, CorruptContent."""
    stored = remote.cache.kept_remote(remote.kept(key))
    if stored is not None and digest_of(stored) == digest:
        return stored
    stored = remote.store.read_whole(key, limit=MAX_BODY_BYTES)
    if (actual := digest_of(stored)) != digest:
        raise CorruptContent(name, remote.url, str(digest), str(actual))
    remote.cache.keep_remote(remote.kept(key), stored)
    return stored


def records(remote: Remote, project_id: str, *, known: Iterable[Digest]) -> list[tuple[Digest, Record]]:
    """The project's catalog records that are not ``known``; unreadable and foreign events are left out."""
    skip = set(known)
    names = []
    for stat in remote.store.list(records_prefix(project_id)):
        digest = record_in_key(stat.key, project_id)
        if digest is not None and digest not in skip:
            names.append(digest)

    def read(digest: Digest) -> tuple[Digest, Record | None]:
        key = record_key(project_id, digest)
        try:
            data = remote.store.read_whole(key, limit=MAX_RECORD_BYTES)
            return digest, parse_record(data, what=key) if digest_of(data) == digest else None
        except (KeyMissing, FormatError, CorruptContent):
            return digest, None

    return [(digest, record) for digest, record in workers.each(read, names, jobs=remote.jobs) if record is not None]


def retired(remote: Remote, project_id: str) -> set[Digest]:
    """Records of the project that were ever retired; one whose retirement was undone is there again. One listing."""
    prefix = retired_prefix(project_id)
    found = set()
    for stat in remote.store.list(prefix):
        try:
            found.add(name_in_key(stat.key.removeprefix(prefix).partition("/")[0], what=stat.key))
        except FormatError:
            continue
    return found


def _segments_for(manifest: Manifest, below: Collection[str]) -> list[SegmentRef]:
    if "" in below:
        return list(manifest.segments)
    firsts = [ref.first_path for ref in manifest.segments]
    wanted: set[int] = set()
    for path in below:  # its own row and those that begin with it and a slash; 0 follows /
        wanted.update(range(max(0, bisect_right(firsts, path) - 1), bisect_left(firsts, path + "0")))
    return [manifest.segments[at] for at in sorted(wanted)]


def _chain(first: Iterable[str], then: Iterable[str]) -> Iterator[str]:
    yield from first
    yield from then
