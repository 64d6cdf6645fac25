"""The remote's part of a verification: catalog records, manifests and segments by their bytes; objects by HEAD, by the
server's checksum, or by all their bytes. What several versions share is looked at once."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lobsterdv import workers
from lobsterdv.blobs.proving_remote import ChunkMap, crc32_here, prove_object
from lobsterdv.blobs.remote import Remote
from lobsterdv.errors import Archived, CorruptContent, KeyMissing, RemoteError, Unavailable
from lobsterdv.events import Advanced, Finished, Observer, Started, Warned
from lobsterdv.formats.contents import Contents, StoredObject
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.layout import MARKER, object_key
from lobsterdv.formats.table import Table
from lobsterdv.ops.context import Project
from lobsterdv.ops.damage import Area, Damage, State, damage_of
from lobsterdv.ops.holdings import Claim, read_catalog, read_claim
from lobsterdv.ops.rounds import Clock, OutOfTime, Round
from lobsterdv.ops.wishes import Wish
from lobsterdv.stores.base import TellsChecksums

Level = Literal["heads", "checksums", "data"]
_Bad = dict[StoredObject, tuple[State, str]]
_ARCHIVED = "it is archived"


@dataclass
class RemoteFindings:
    """``damaged`` are the versions with damages, and ``keys`` all that must not be trusted there. ``unpushed`` versions
    are not in the catalog, nor does this machine know that they ever were. ``compared`` objects had a checksum that
    could be compared; ``sampled`` of all were read. ``archived`` ones are there and whole as far as a HEAD tells; their
    bytes cannot be read before they are restored, and that is no damage."""

    area: Area = field(default_factory=lambda: Area("remote"))
    damages: list[Damage] = field(default_factory=list)
    damaged: list[Wish] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    unpushed: list[Wish] = field(default_factory=list)
    objects: int = 0
    compared: int = 0
    sampled: int | None = None
    archived: int = 0


def check_remote(
    project: Project,
    room: Remote,
    wanted: Sequence[Wish],
    proved: Round,
    clock: Clock,
    *,
    level: Level,
    sample: float | None = None,
    remembers: bool = True,
    needs_readable: bool = False,
    observer: Observer,
) -> RemoteFindings:
    """Look at everything that these versions need at the remote. Writes nothing. ``sample`` (0 to 1) of the objects are
    read at level ``data``; the others get a HEAD. Without ``remembers`` the index is not asked either. With
    ``needs_readable`` a current version of which something is archived is damaged. Stops when time is up. Raises
    RemoteError."""
    findings = RemoteFindings()
    observer(Started("reading the catalog", total_items=len(wanted)))
    catalog = read_catalog(project, room, wanted, remembers=remembers)
    findings.area.items, findings.area.bytes = catalog.items, catalog.bytes
    if catalog.strange:
        observer(Warned(f"{catalog.strange} catalog records at {room.url} cannot be read; whose they are is not known"))
    claims: list[tuple[Wish, list[Claim]]] = []
    chunks = ChunkMap()
    for number, wish in enumerate(wanted):
        if clock.is_over:
            findings.area.left += len(wanted) - number
            break
        rows = catalog.rows.get(wish.key, [])
        if not rows:
            _note_lost(findings, wish, catalog.lost.get(wish.key, []), strange=catalog.strange)
            continue
        found: list[Claim] = []
        for row in rows:
            found.append(read_claim(room, wish, row, "git"))
            findings.area.items += found[-1].items
            findings.area.bytes += found[-1].bytes
            if level == "data" and (table := found[-1].table) is not None:
                chunks.add(Contents.of(table.contents))
            found[-1].table = None  # all of them at once might not fit in memory
        claims.append((wish, found))
        observer(Advanced("reading the catalog", new_items=1))
    observer(Finished("reading the catalog"))
    objects = list(dict.fromkeys(item for _, found in claims for claim in found for item in claim.objects))
    bad, archived = _look(project, room, objects, chunks, findings, proved, clock, level, sample, observer)
    findings.archived = len(archived)
    for wish, found in claims:
        cold = archived if needs_readable and wish.current else {}
        _judge(room, wish, found, bad | cold, findings)
    return findings


def _note_lost(
    findings: RemoteFindings, wish: Wish, lost: Sequence[tuple[object, State, str]], *, strange: int
) -> None:
    """A version without a record: damaged when it had one, or when one that nobody can read may be its; else it was
    never pushed."""
    if not lost and not strange:
        findings.unpushed.append(wish)
        return
    unreadable: State = "unreadable"
    row, state, detail = lost[-1] if lost else (None, unreadable, f"its record may be one of {strange} unreadable ones")
    name = getattr(row, "record", "")
    findings.damages.append(damage_of(wish, "remote", "record", name, state, detail, files=wish.pointer.files or 0))
    findings.damaged.append(wish)


def _look(
    project: Project,
    room: Remote,
    objects: Sequence[StoredObject],
    chunks: ChunkMap,
    findings: RemoteFindings,
    proved: Round,
    clock: Clock,
    level: Level,
    sample: float | None,
    observer: Observer,
) -> tuple[_Bad, _Bad]:
    """Look at each object; returns those that are not right, and those that are archived."""
    area = findings.area
    todo = [item for item in objects if not proved.was_proved(item.digest)]
    area.earlier += len(objects) - len(todo)
    findings.objects = len(objects)
    chosen: set[StoredObject] = set()
    if level == "data":
        chosen = set(todo)
        if sample is not None:
            chosen = set(random.sample(todo, min(len(todo), math.ceil(len(todo) * sample))))
            findings.sampled = len(chosen)
    checks = "reading objects" if level == "data" else "checking objects"
    observer(Started(checks, sum(item.size for item in chosen) or None, len(todo)))

    def look(item: StoredObject) -> tuple[State | None, str, bool]:
        if clock.is_over:
            return None, "late", False
        try:
            stat = room.store.head(object_key(item.digest))
            if stat.size != item.size:
                return "corrupt", f"{stat.size} bytes where {item.size} should be", False
            if stat.archived:
                return None, _ARCHIVED, False
            if item in chosen:
                prove_object(room.store, item, chunks.chunks_in(item), check=clock.check)
            elif level == "checksums":
                return _by_checksum(project, room, item)
        except OutOfTime:
            return None, "late", False
        except KeyMissing:
            return "missing", "", False
        except CorruptContent as error:
            return "corrupt", f"its bytes are those of {error.found[:19]}", False
        except Archived:  # since the HEAD
            return None, _ARCHIVED, False
        except Unavailable as error:
            return "unreadable", str(error), False
        except RemoteError as error:
            if item not in chosen:
                raise
            room.store.head(MARKER)  # the remote as a whole is there: it is this object that cannot be read
            return "unreadable", str(error), False
        return None, "", False

    bad: _Bad = {}
    archived: _Bad = {}
    for item, (state, detail, compared) in zip(todo, workers.each(look, todo, jobs=room.jobs), strict=True):
        if state is None and detail == "late":
            area.left += 1
            continue
        area.items += 1
        area.bytes += item.size if item in chosen else 0
        findings.compared += compared
        observer(Advanced(checks, item.size if item in chosen else 0, 1))
        if state is not None:
            bad[item] = state, detail
        elif detail == _ARCHIVED:
            archived[item] = "unreadable", detail
        elif level != "data" or item in chosen:
            proved.proved(item.digest)
    observer(Finished(checks))
    return bad, archived


def _by_checksum(project: Project, room: Remote, item: StoredObject) -> tuple[State | None, str, bool]:
    """Compare what the server says of its bytes with what this machine has of them."""
    store = room.store
    theirs = store.crc32(object_key(item.digest)) if isinstance(store, TellsChecksums) else None
    try:
        ours = crc32_here(project.cache, item) if theirs is not None else None
    except (CorruptContent, OSError):
        ours = None
    if ours is None or theirs is None:
        return None, "", False
    if ours != theirs:
        return "corrupt", f"the server's CRC-32 is {theirs:08x} where {ours:08x} should be", True
    return None, "", True


def _judge(
    room: Remote,
    wish: Wish,
    found: Sequence[Claim],
    bad: _Bad,
    findings: RemoteFindings,
) -> None:
    """A version is whole when one of its claims is; else the newest one's damages are told."""
    if any(not claim.problems and not any(item in bad for item in claim.objects) for claim in found):
        return
    newest = found[0]
    findings.damaged.append(wish)
    findings.damages += newest.problems
    for claim in found:
        findings.keys.update(claim.keys)
        findings.keys.update(object_key(item.digest) for item in claim.objects if item in bad)
    lost = [item for item in newest.objects if item in bad]
    table = read_claim(room, wish, newest.row, "git").table if lost else None
    if table is None:
        return
    for item, (files, first) in files_in(table, lost).items():
        state, detail = bad[item]
        findings.damages.append(
            damage_of(
                wish, "remote", "object", item.digest, state, detail, file=first, files=files, size=item.size,
            )
        )  # fmt: skip


def files_in(table: Table, objects: Iterable[StoredObject]) -> dict[StoredObject, tuple[int, str]]:
    """How many of a version's files lie in each of these objects, at least in part, and the first one's path."""
    wanted = set(objects)
    found: dict[StoredObject, tuple[int, str]] = {}
    inside: dict[bytes, set[StoredObject]] = {}
    for content in Contents.of(table.contents):
        hits = {extent.object for extent in content.extents} & wanted
        if hits:
            inside[bytes(content.digest)] = hits
    entries = Entries.of(table.entries)
    if not len(entries):
        return dict.fromkeys(sorted(wanted), (1, ""))
    for entry in entries:
        for item in inside.get(entry.digest, ()) if entry.digest is not None else ():
            files, first = found.get(item, (0, str(entry.path)))
            found[item] = files + 1, first
    return found
