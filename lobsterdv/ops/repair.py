"""Healing: good bytes from wherever they still are. What cannot be healed stays as it is, and nothing is deleted.

::

    cache      <- a pack whose index is gone, an unmodified file of the work tree, else any configured remote
    work tree  <- the cache; the rotten file goes to the trash
    remote     <- the cache (repair_remote.py)

Every byte is verified on its way, so healing from a place that is damaged too fails, and harms nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from lobsterdv.blobs.collect import listings
from lobsterdv.blobs.download import fetch_contents
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.blobs.remote import Remote, manifests, read_table
from lobsterdv.blobs.salvage import Guess, salvage
from lobsterdv.digest import Digest, digest_of, listing_digest
from lobsterdv.errors import LobsterError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.contents import Contents
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.formats.listing import encode_listing, make_listing
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.index.rows import SeenFiles
from lobsterdv.index.seen import load_seen, save_seen
from lobsterdv.ops.checkout import checkout
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Project
from lobsterdv.ops.damage import Damage
from lobsterdv.ops.datasets import place_of
from lobsterdv.ops.resolve import entries_of, listing_from_table
from lobsterdv.ops.wishes import Wish
from lobsterdv.paths import safe_path
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.links import see_through
from lobsterdv.worktree.look import read_file
from lobsterdv.worktree.scan import scan

_WORK_TREE: Final = "the work tree"
_EMPTY: Final = digest_of(b"")


def heal_listings(project: Project, wanted: Sequence[Wish], *, but: str | None = None) -> dict[Digest, str]:
    """Bring back the listings of directory versions; returns where each came from. ``but`` names a remote that is not
    asked."""
    healed: dict[Digest, str] = {}
    for wish in wanted:
        if wish.pointer.is_directory and _listing_from_files(project, wish):
            healed[wish.pointer.digest] = _WORK_TREE
    for name, room in _rooms(project, but) if len(healed) < len(wanted) else ():
        for wish in wanted:
            version = wish.pointer.digest
            if version in healed:
                continue
            try:
                for _, manifest in manifests(room, version, name=wish.path, is_directory=True):
                    listing_from_table(
                        project, wish.path, version, read_table(room, manifest, name=wish.path), room.url
                    )
                    healed[version] = name
                    break
            except LobsterError:
                continue  # the next remote, perhaps
    return healed


def heal_packs(project: Project) -> dict[str, int]:
    """Bring back what lies only in packs whose index is gone; returns how many files came from which, by the name of
    its index. What no listing in the cache names stays in its pack. Raises LocalIOError when the cache cannot be
    written."""
    project.cache.packs.refresh()
    packs = project.cache.packs.without_index()
    guesses = list(_small_contents(project)) if packs else []
    left = set(project.cache.missing({guess.digest for guess in guesses}))
    found = Counter[str]()
    with Intake(project.cache, keeps_whole=True) as intake:
        for pack in packs if left else ():
            index = pack.with_suffix(".idx").name
            for digest, data in chain([(_EMPTY, b"")], salvage(pack, guesses)):
                if digest in left:
                    intake.keep_verified([(digest, data)])
                    left.remove(digest)
                    found[index] += 1
        intake.commit()
    return found


def heal_contents(
    project: Project, wanted: Sequence[Wish], lost: Iterable[Digest], *, but: str | None = None, observer: Observer
) -> dict[Digest, str]:
    """Bring back contents of these versions that the cache lacks; returns where each came from. ``but`` names a remote
    that is not asked. Raises LocalIOError when the cache cannot be written."""
    left = set(lost)
    observer(Started("healing the cache", total_items=len(left)))
    project.cache.packs.refresh()
    gone = set(project.cache.missing(left))
    healed = dict.fromkeys(left - gone, "another copy in the cache")
    left = gone
    with Intake(project.cache, keeps_whole=True) as intake:
        for wish in wanted:
            if not left:
                break
            found = _from_files(project, wish, left, intake)
            intake.commit()
            healed.update(dict.fromkeys(found, _WORK_TREE))
            left -= found
        for name, room in _rooms(project, but) if left else ():
            for wish in wanted:
                arrived = _from_remote(room, wish, left, intake)
                intake.commit()
                observer(Advanced("healing the cache", new_items=len(arrived)))
                healed.update(dict.fromkeys(arrived, name))
                left -= arrived
                if not left:
                    break
    observer(Finished("healing the cache"))
    return healed


def heal_work_tree(project: Project, damages: Sequence[Damage], *, observer: Observer) -> dict[Damage, str]:
    """Put the cache's good copy in the place of rotten files, which go to the trash; returns what was done. A file that
    was edited meanwhile goes there too."""
    healed = {}
    for row in damages:
        if row.state != "corrupt" or row.version is None:
            continue
        place = str(place_of(project, row.path))
        memory = load_seen(project.index, place)
        if memory is None:
            continue
        files = SeenFiles.of(memory.files)
        try:
            project.cache.prove(files[row.file].digest, name=row.path)
            # Its stat vouches for it, wrongly: once that is forgotten, checkout sees what it is.
            save_seen(project.index, place, replace(memory, files=files.without([files.position(row.file)])))
            target = f"{row.path}/{row.file}" if row.file else row.path
            (done,) = checkout(project, [target], force=True, observer=observer).checked_out
        except (LobsterError, OSError, KeyError, ValueError):
            save_seen(project.index, place, memory)
            continue
        healed[row] = "the cache" + (f"; the rotten file is in {done.trash}" if done.trash else "")
    return healed


def _rooms(project: Project, but: str | None) -> Iterator[tuple[str, Remote]]:
    """The remotes that answer, the project's own first."""
    own = project.remote().name
    for name in sorted(project.config.remotes, key=lambda name: (name != own, name)):
        if name == but:
            continue
        try:
            yield f"remote {name}", connect(project, project.remote(name))
        except (LobsterError, OSError):
            continue


def _listing_from_files(project: Project, wish: Wish) -> bool:
    """True when the files in a dataset's place are this very version: then its listing is kept."""
    try:
        place = place_of(project, wish.path)
        seen = scan(place, ignore=Ignore.above(project.root, wish.path), relative=wish.path, nested_suffix=SUFFIX)
        rows = []
        for item in see_through(seen.found, place, project.cache.folder / "files"):
            digest = read_file(place / item.path).digest if item.is_file else None
            size = item.signature.size if item.is_file else 0
            rows.append(Entry(safe_path(item.path), item.type, size, digest, item.target))
        encoded = encode_listing(make_listing(rows))
    except (LobsterError, OSError):
        return False
    if listing_digest(encoded) != wish.pointer.digest:
        return False
    project.cache.put_listing(wish.pointer.digest, encoded)
    return True


def _from_files(project: Project, wish: Wish, left: set[Digest], intake: Intake) -> set[Digest]:
    """Take contents from files in the work tree whose bytes prove to be theirs."""
    found: set[Digest] = set()
    try:
        place = place_of(project, wish.path)
        entries = Entries.of(entries_of(project, wish.path, wish.pointer))
    except (LobsterError, OSError):
        return found
    for entry in entries:
        if entry.digest is None or entry.digest not in left or entry.digest in found:
            continue
        path = place / entry.path if entry.path else place
        try:
            stat = path.lstat()
            if path.is_symlink() or stat.st_size != entry.size or read_file(path).digest != entry.digest:
                continue
            if wish.pointer.is_directory and entry.size < SMALL_BYTES:
                data = path.read_bytes()
                if digest_of(data) != entry.digest:
                    continue
                intake.keep_verified([(entry.digest, data)])
            elif intake.copy_in(path).digest != entry.digest:
                continue
        except (LobsterError, OSError):
            continue
        found.add(entry.digest)
    return found


def _small_contents(project: Project) -> Iterator[Guess]:
    """What packs may hold, by every listing in the cache: they hold files of older versions and other projects, too."""
    for kept in listings(project.cache):
        try:
            entries = project.cache.listing(kept.digest, name=kept.digest.short).entries
        except (LobsterError, OSError):
            continue
        yield from (Guess(entry.digest, entry.size) for entry in entries if entry.digest is not None)


def _from_remote(room: Remote, wish: Wish, left: set[Digest], intake: Intake) -> set[Digest]:
    """Fetch contents by the manifests of one version, one manifest after another."""
    arrived: set[Digest] = set()
    pointer = wish.pointer
    try:
        for _, manifest in manifests(room, pointer.digest, name=wish.path, is_directory=pointer.is_directory):
            try:
                table = read_table(room, manifest, name=wish.path)
            except LobsterError:
                continue
            wanted = [c for c in Contents.of(table.contents) if c.digest in left and c.digest not in arrived]
            failed: Mapping[Digest, object] = fetch_contents(
                room, wanted, intake, packable=pointer.is_directory, name=wish.path, progress=lambda _: None
            )
            arrived.update(content.digest for content in wanted if content.digest not in failed)
            if not failed:
                break
    except LobsterError:
        pass  # it has no manifest of this version, or does not answer
    return arrived
