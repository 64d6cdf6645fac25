"""Healing a remote: damaged versions are pushed again as if what is damaged there were absent.

What can be made again byte for byte (documents, whole files, packs that come out alike) is sent over the same keys;
what cannot (a delta whose neighbours are other ones now) gets new objects, and the version a new manifest and record.
Only verified bytes are sent, and nothing is removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.source import CacheSource
from lobsterdv.blobs.storage import storage_for
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, CorruptContent, LobsterError, MissingContent, RemoteError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.contents import Contents
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.layout import object_key
from lobsterdv.index.pushed import Pushed, forget_pushed, save_pushed
from lobsterdv.ops.claims import claimed_table, known_pushes
from lobsterdv.ops.context import Project
from lobsterdv.ops.placing import Signer, send_version
from lobsterdv.ops.repair import heal_contents, heal_listings
from lobsterdv.ops.resolve import entries_of
from lobsterdv.ops.verifying_remote import RemoteFindings
from lobsterdv.ops.wishes import Wish
from lobsterdv.stores.distrusting import DistrustingStore

_TRIES: Final = 3


def heal_remote(
    project: Project, config: RemoteConfig, room: Remote, findings: RemoteFindings, *, observer: Observer
) -> dict[tuple[str, Digest], str | LobsterError]:
    """Send again what the damaged versions lack; by version, where the bytes came from, or why there were none. Raises
    RemoteError. May be repeated and raced."""
    wanted = findings.damaged
    if not wanted:
        return {}
    careful = replace(room, store=DistrustingStore(room.store, findings.keys))
    known = known_pushes(project, careful, wanted)
    shelf = f"{room.marker.store_id}/{project.project_id}"
    signer = Signer(project.project_id, project.git.identity(), project.host)
    outcome: dict[tuple[str, Digest], str | LobsterError] = {}
    observer(Started("healing the remote", sum(wish.pointer.size for wish in wanted), len(wanted)))
    for wish in wanted:
        outcome[wish.key] = _heal(project, config, careful, wish, known, shelf, signer, findings.keys, observer)
    observer(Finished("healing the remote"))
    return outcome


def _heal(
    project: Project,
    config: RemoteConfig,
    room: Remote,
    wish: Wish,
    known: dict[tuple[str, Digest], Pushed],
    shelf: str,
    signer: Signer,
    keys: set[str],
    observer: Observer,
) -> str | LobsterError:
    """Push one version; what the cache turns out to lack is brought from elsewhere first."""
    storage = replace(storage_for(config.text("compression") or "auto"), plain=wish.pointer.storage == "plain")
    sources: dict[str, None] = {}
    problem: LobsterError | None = None
    for _ in range(_TRIES):
        placed = [known[key] for key in known if key[0] == wish.path]
        try:
            row = send_version(
                project, room, wish, CacheSource(project.cache), placed, known.values(), storage,
                Heads(room, room.jobs), signer,
                part_threshold=config.number("multipart_threshold"), jobs=room.jobs,
                progress=lambda new_bytes: observer(Advanced("healing the remote", new_bytes)),
            )  # fmt: skip
        except RemoteError:
            raise
        except ContentError as error:
            problem = error
        except LobsterError as error:
            return error
        else:
            old = known.get(wish.key)
            if old is not None and old.record != row.record:
                forget_pushed(project.index, shelf, [old])
            known[wish.key] = row
            save_pushed(project.index, shelf, [row])
            return " and ".join(["the cache", *(source for source in sources if source != "the cache")])
        found = _bring(project, config, room, wish, known, keys, observer)
        if not found:
            break
        sources |= dict.fromkeys(found)
    assert problem is not None
    return problem


def _bring(
    project: Project,
    config: RemoteConfig,
    room: Remote,
    wish: Wish,
    known: dict[tuple[str, Digest], Pushed],
    keys: set[str],
    observer: Observer,
) -> Sequence[str]:
    """Bring into the cache what this version lacks there and at the remote; returns where it came from."""
    sources: list[str] = []
    try:
        entries = Entries.of(entries_of(project, wish.path, wish.pointer))
    except (MissingContent, CorruptContent):
        healed = heal_listings(project, [wish], but=config.name)
        if not healed:
            return []
        sources += healed.values()
        entries = Entries.of(entries_of(project, wish.path, wish.pointer))
    lacking = set(project.cache.missing(entries.file_digests()))
    lacking -= _still_there(room, wish, known, keys)
    return sources + sorted(set(heal_contents(project, [wish], lacking, but=config.name, observer=observer).values()))


def _still_there(room: Remote, wish: Wish, known: dict[tuple[str, Digest], Pushed], keys: set[str]) -> set[Digest]:
    """Contents of the version that the remote holds in objects that were not found damaged."""
    row = known.get(wish.key)
    try:
        contents = Contents.of(claimed_table(room, wish.path, row.version, row.manifest).contents) if row else ()
    except LobsterError:
        return set()
    return {c.digest for c in contents if not any(object_key(e.object.digest) in keys for e in c.extents)}
