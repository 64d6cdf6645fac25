"""Taking things out of a cache. The caller holds the cache alone (``tenants.alone``) and knows what may go.

Order of steps, so that a process killed at any of them leaves each content in the cache or in the trash, whole:
the trash's note; plain files and listings renamed into the trash; of packs first a new one with what stays and one
in the trash with what is not held elsewhere, both synced, then the old index, then the old pack; last, plain files
that a remote holds are deleted. A pack all of which goes to the trash is renamed there, its index first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import NamedTuple

from lobsterdv import durable
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.packs import PackWriter
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError
from lobsterdv.formats.pack import Packed, PackIndex


class Plain(NamedTuple):
    """A plain file or listing of the cache. ``used`` and ``changed`` are seconds since 1970 (the later of its access
    and change; its change, which naming or linking it is); ``links`` how many names its bytes have."""

    digest: Digest
    size: int
    used: float
    changed: float
    inode: tuple[int, int]
    links: int


class PackFile(NamedTuple):
    """A pack, with times as in Plain."""

    rows: PackIndex
    used: float
    changed: float


def plain_files(cache: Cache) -> Iterator[Plain]:
    """Every plain file, by one stat each."""
    return _below(cache.folder / "files")


def listings(cache: Cache) -> Iterator[Plain]:
    """Every listing."""
    return _below(cache.folder / "listings")


def packs(cache: Cache) -> list[PackFile]:
    """Every pack that is whole."""
    cache.packs.refresh()
    found = []
    for index in cache.packs.indexes():
        try:
            stat = (cache.packs.folder / f"{index.pack.hex()}.pack").stat()
        except FileNotFoundError:
            continue
        found.append(PackFile(index, max(stat.st_atime, stat.st_ctime), stat.st_ctime))
    return found


def move_to_trash(cache: Cache, entry: Path, files: Iterable[Digest], lists: Iterable[Digest]) -> None:
    """Rename plain files and listings into a trash entry. May be repeated."""
    with durable.translating(entry):
        for folder, digests, place in (
            ("files", files, cache.plain_path),
            ("listings", lists, cache.listing_path),
        ):
            for digest in digests:
                (entry / folder).mkdir(exist_ok=True)
                try:
                    place(digest).rename(entry / folder / digest.hex())
                except FileNotFoundError:
                    continue
            if (entry / folder).is_dir():
                durable.sync_folder(entry / folder)
        durable.sync_folder(entry)


def delete_plain(cache: Cache, digests: Iterable[Digest]) -> None:
    """Delete plain files that a remote holds. May be repeated."""
    for digest in digests:
        path = cache.plain_path(digest)
        with durable.translating(path):
            path.unlink(missing_ok=True)


def delete_listings(cache: Cache, digests: Iterable[Digest]) -> None:
    """Delete listings that a remote's manifests tell. May be repeated."""
    for digest in digests:
        path = cache.listing_path(digest)
        with durable.translating(path):
            path.unlink(missing_ok=True)


def thin_pack(cache: Cache, index: PackIndex, *, delete: Set[bytes], trash: Set[bytes], entry: Path | None) -> bool:
    """Take ``delete`` and ``trash`` out of a pack, the latter into the trash entry. False, and nothing is changed,
    when some of what is to be copied is damaged. Raises LocalIOError, and then the old pack is whole."""
    keep = [p for p in index if p.digest not in delete and p.digest not in trash]
    aside = [p for p in index if p.digest in trash]
    old = cache.packs.folder / f"{index.pack.hex()}.pack"
    old_index = old.with_suffix(".idx")
    if aside and not keep:
        assert entry is not None
        with durable.translating(entry):
            (entry / "packs").mkdir(exist_ok=True)
            old_index.rename(entry / "packs" / old_index.name)
            old.rename(entry / "packs" / old.name)
            durable.sync_all([entry, entry / "packs", old.parent], jobs=1)
        cache.packs.refresh()
        return True
    try:
        publications = _packed(cache, index, keep, cache.packs.folder)
        if aside:
            assert entry is not None
            publications += _packed(cache, index, aside, entry / "packs")
    except ContentError:
        return False
    durable.publish(publications)
    with durable.translating(old):
        old_index.unlink(missing_ok=True)
        durable.sync_folder(old.parent)
        old.unlink(missing_ok=True)
    cache.packs.refresh()
    return True


def _packed(cache: Cache, index: PackIndex, rows: list[Packed], folder: Path) -> list[durable.Publication]:
    if not rows:
        return []
    writer = PackWriter(folder, cache.temps)
    try:
        for row in sorted(rows, key=lambda row: row.offset):
            writer.append(row.digest, cache.packs.read_at(index, row, name="a packed file"))
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


def _below(folder: Path) -> Iterator[Plain]:
    for place in _folders(folder):
        with os.scandir(place) as entries:
            for entry in entries:
                try:
                    digest = Digest(bytes.fromhex(entry.name)) if len(entry.name) == 64 else None
                except ValueError:
                    digest = None
                if digest is None:
                    continue  # an unfinished write
                stat = entry.stat(follow_symlinks=False)
                used = max(stat.st_atime, stat.st_ctime)
                yield Plain(digest, stat.st_size, used, stat.st_ctime, (stat.st_dev, stat.st_ino), stat.st_nlink)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
