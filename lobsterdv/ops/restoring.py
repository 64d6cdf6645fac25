"""restore_version(): from the trash back into the cache, under the names that the bytes prove.

What belongs to a version may lie in several entries of the trash, and partly in the cache: a collection may have
been killed, or versions share files. So all entries are looked through. Files are renamed one by one, each verified
before; a pack comes back whole. The listing comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lobsterdv import durable
from lobsterdv.blobs.trash import TrashEntry, delete_entry, read_note, write_note
from lobsterdv.digest import Digest, digest_of_file, listing_digest, parse_digest
from lobsterdv.errors import CorruptContent
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.listing import parse_listing
from lobsterdv.formats.pack import parse_pack_index
from lobsterdv.ops.context import Project


def restore_version(project: Project, version: Digest | None, entry: TrashEntry, entries: Iterable[TrashEntry]) -> None:
    """Bring back all contents of a version, wherever in ``entries`` they lie; without ``version`` all of ``entry``.

    Raises CorruptContent for bytes that are not what they were: they stay where they are, and so does what was not
    yet brought back. May be repeated.
    """
    cache = project.cache
    places = [e for e in {e.folder: e for e in entries}.values() if e.folder.parent == cache.trash]
    wanted = None if version is None else _contents(project, version, places)
    chosen = [entry] if wanted is None else places
    for place in chosen:
        for path in sorted((place.folder / "files").glob("*")):
            if wanted is None or path.name in wanted:
                digest = parse_digest(f"blake3:{path.name}", what=str(path))
                _bring(path, digest, cache.plain_path(digest))
        for path in sorted((place.folder / "packs").glob("*.idx")):
            _bring_pack(project, path, wanted)
    cache.packs.refresh()
    for place in chosen:
        for path in sorted((place.folder / "listings").glob("*")):
            if version is None or path.name == version.hex():
                digest = parse_digest(f"blake3:{path.name}", what=str(path))
                cache.put_listing(digest, _proved_listing(path, digest))
                with durable.translating(path):
                    path.unlink()
    for place in chosen:
        _forget(version, place)


def _bring(path: Path, digest: Digest, home: Path) -> None:
    """Rename a file to where its bytes belong, once they proved right."""
    with durable.translating(path):
        if (actual := digest_of_file(path)) != digest:
            raise CorruptContent(path.name, str(path), str(digest), str(actual))
        durable.make_folder(home.parent)
        path.rename(home)
        durable.sync_all([home.parent, home.parent.parent], jobs=1)


def _bring_pack(project: Project, path: Path, wanted: set[str] | None) -> None:
    """A pack before its index. One whose pack did not come to the trash (a killed collection) has it at home."""
    index = parse_pack_index(path.read_bytes(), what=str(path))
    if wanted is not None and not any(digest.hex() in wanted for digest in index.names()):
        return
    pack, home = path.with_suffix(".pack"), project.cache.packs.folder
    if pack.exists():
        _bring(pack, index.pack, home / pack.name)
    elif (actual := digest_of_file(home / pack.name)) != index.pack:
        raise CorruptContent(pack.name, str(home / pack.name), str(index.pack), str(actual))
    with durable.translating(path):
        path.rename(home / path.name)
        durable.sync_folder(home)


def _contents(project: Project, version: Digest, places: Sequence[TrashEntry]) -> set[str]:
    """The names (hex) of the contents of a version: its own, and those in its listing."""
    names = {version.hex()}
    for place in places:
        path = place.folder / "listings" / version.hex()
        if path.exists():
            entries = parse_listing(_proved_listing(path, version), what=str(path)).entries
            break
    else:
        if not project.cache.has_listing(version):
            return names
        entries = project.cache.listing(version, name=str(version)).entries
    return names | {digest.hex() for digest in Entries.of(entries).file_digests().plain()}


def _proved_listing(path: Path, version: Digest) -> bytes:
    with durable.translating(path):
        encoded = path.read_bytes()
    if (actual := listing_digest(encoded)) != version:
        raise CorruptContent(f"the listing {path.name}", str(path), str(version), str(actual))
    return encoded


def _forget(version: Digest | None, entry: TrashEntry) -> None:
    """Take a version out of its entry's note; with nothing left, the entry goes."""
    if not any(path.is_file() for path in entry.folder.rglob("*")):
        delete_entry(entry.folder)
        return
    note = read_note(entry.folder)
    versions = note.get("versions")
    if version is None or not isinstance(versions, list):
        return

    def is_it(fields: Any) -> bool:
        return isinstance(fields, dict) and fields.get("digest") == str(version)

    rest = [fields for fields in versions if not is_it(fields)]
    if len(rest) < len(versions):
        write_note(entry.folder, {**{k: v for k, v in note.items() if k != "lobsterdv"}, "versions": rest})
