"""What a remote's catalog claims to hold, read anew: records, manifests and segments, each against its name.

Nothing is taken from what this machine keeps, and nothing is written, here or there. A version may have been pushed
several times, in several ways: it is whole when one of them is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import Digest, digest_of, listing_digest
from lobsterdv.errors import CorruptContent, FormatError, KeyMissing, Unavailable
from lobsterdv.formats.columns import MAX_BODY_BYTES
from lobsterdv.formats.contents import Contents, StoredObject
from lobsterdv.formats.layout import manifest_key, record_in_key, record_key, records_prefix, segment_key
from lobsterdv.formats.listing import Listing, encode_listing
from lobsterdv.formats.manifest import join_tables, parse_manifest, parse_segment
from lobsterdv.formats.record import MAX_RECORD_BYTES, parse_record
from lobsterdv.formats.table import Table
from lobsterdv.index.pushed import Pushed, load_pushed
from lobsterdv.ops.context import Project
from lobsterdv.ops.damage import Damage, State, What, damage_of
from lobsterdv.ops.wishes import Wish

Key = tuple[str, Digest]


@dataclass
class Catalog:
    """The project's valid records by path and version, the newest first; ``lost`` are records that this machine knows
    and that are not right any more; ``strange`` counts unreadable ones that nothing is known of."""

    rows: dict[Key, list[Pushed]] = field(default_factory=dict)
    lost: dict[Key, list[tuple[Pushed, State, str]]] = field(default_factory=dict)
    strange: int = 0
    items: int = 0
    bytes: int = 0


@dataclass
class Claim:
    """One way in which a version lies at a remote: its manifest's objects, or what is wrong with its documents, by
    key. ``table`` is dropped when it was looked at."""

    row: Pushed
    objects: list[StoredObject] = field(default_factory=list)
    problems: list[Damage] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    table: Table | None = None
    items: int = 0
    bytes: int = 0


def read_catalog(project: Project, room: Remote, wanted: Sequence[Wish], *, remembers: bool) -> Catalog:
    """List the project's records and read those that may be about a wanted version; with ``remembers`` the index tells
    which may not, and which are gone. Raises RemoteError."""
    catalog = Catalog()
    keys = {wish.key for wish in wanted}
    known = load_pushed(project.index, f"{room.marker.store_id}/{project.project_id}") if remembers else []
    memory = {row.record: row for row in known}
    names = set()
    for stat in room.store.list(records_prefix(project.project_id)):
        if (name := record_in_key(stat.key, project.project_id)) is not None:
            names.add(name)
    todo = [name for name in sorted(names) if name not in memory or (memory[name].path, memory[name].version) in keys]

    def read(name: Digest) -> tuple[Pushed | None, State | None, str, int]:
        try:
            key = record_key(project.project_id, name)
            data = room.store.read_whole(key, limit=MAX_RECORD_BYTES)
            if digest_of(data) != name:  # on the way, perhaps
                data = room.store.read_whole(key, limit=MAX_RECORD_BYTES)
            if (actual := digest_of(data)) != name:
                return None, "corrupt", f"its bytes are those of {actual.short}", len(data)
            record = parse_record(data, what=f"record {name.short}")
        except KeyMissing:
            return None, "missing", "", 0
        except (CorruptContent, FormatError) as error:
            return None, "corrupt", str(error), 0
        except Unavailable as error:
            return None, "unreadable", str(error), 0
        if record is None:
            return None, None, "", len(data)  # an event of another kind
        return Pushed(record.path, record.pointer.digest, record.manifest, name, record.at), None, "", len(data)

    for name, (row, state, detail, size) in zip(todo, workers.each(read, todo, jobs=room.jobs), strict=True):
        catalog.items, catalog.bytes = catalog.items + 1, catalog.bytes + size
        if row is not None:
            catalog.rows.setdefault((row.path, row.version), []).append(row)
        elif state is not None and name in memory:
            old = memory[name]
            catalog.lost.setdefault((old.path, old.version), []).append((old, state, detail))
        elif state is not None:
            catalog.strange += 1
    for old in memory.values():
        if old.record not in names and (old.path, old.version) in keys:
            catalog.lost.setdefault((old.path, old.version), []).append((old, "missing", ""))
    for rows in catalog.rows.values():
        rows.sort(key=lambda row: row.at.removesuffix("Z"), reverse=True)
    return catalog


def read_claim(room: Remote, wish: Wish, row: Pushed, where: str) -> Claim:
    """Read a manifest and its segments: digests, form, and that they describe the version that git names. Raises
    RemoteError."""
    claim = Claim(row)
    key = manifest_key(row.version, row.manifest)
    stored = _document(room, wish, claim, "manifest", key, row.manifest)
    if stored is None:
        return claim
    try:
        manifest = parse_manifest(stored, what=key)
        if manifest.version != wish.pointer.digest or manifest.is_directory != wish.pointer.is_directory:
            raise FormatError(key, "it describes another version than the one git names")
    except FormatError as error:
        _note(claim, wish, "manifest", key, row.manifest, "corrupt", error.problem)
        return claim
    parts: list[Table] = [] if manifest.table is None else [manifest.table]
    for ref in manifest.segments:
        key = segment_key(ref.digest)
        stored = _document(room, wish, claim, "segment", key, ref.digest)
        if stored is not None:
            try:
                parts.append(parse_segment(stored, ref, what=key))
            except FormatError as error:
                _note(claim, wish, "segment", key, ref.digest, "corrupt", error.problem)
    if claim.problems:
        return claim
    table = join_tables(parts)
    actual = listing_digest(encode_listing(Listing(table.entries))) if wish.pointer.is_directory else None
    size = wish.pointer.size if actual is not None else table.contents[0].size
    if (actual is not None and actual != wish.pointer.digest) or size != wish.pointer.size:
        key = manifest_key(row.version, row.manifest)
        _note(claim, wish, "manifest", key, row.manifest, "corrupt", f"its files are not those that {where} names")
        return claim
    claim.table = table
    claim.objects = Contents.of(table.contents).objects
    return claim


def _document(room: Remote, wish: Wish, claim: Claim, what: What, key: str, digest: Digest) -> bytes | None:
    try:
        stored = room.store.read_whole(key, limit=MAX_BODY_BYTES)
    except KeyMissing:
        _note(claim, wish, what, key, digest, "missing", "")
        return None
    except CorruptContent as error:
        _note(claim, wish, what, key, digest, "corrupt", f"{error.found} where {error.expected} should be")
        return None
    except Unavailable as error:
        _note(claim, wish, what, key, digest, "unreadable", str(error))
        return None
    claim.items, claim.bytes = claim.items + 1, claim.bytes + len(stored)
    if (actual := digest_of(stored)) != digest:
        _note(claim, wish, what, key, digest, "corrupt", f"its {len(stored)} bytes are those of {actual.short}")
        return None
    return stored


def _note(claim: Claim, wish: Wish, what: What, key: str, digest: Digest, state: State, detail: str) -> None:
    claim.problems.append(damage_of(wish, "remote", what, digest, state, detail, files=wish.pointer.files or 0))
    claim.keys.append(key)
