"""undelete: what lies in the trash, and bringing it back, verified.

Unsaved files that ``--force`` moved away go back to their place in the work tree; versions that ``gc`` took out of
the cache go back there, under the names their bytes prove. Each thing is renamed back whole; only an entry with
nothing left in it is forgotten.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lobsterdv import durable
from lobsterdv.blobs.trash import TrashEntry, delete_entry, trash_entries, write_note
from lobsterdv.digest import Digest, digest_of_file, listing_digest, parse_digest
from lobsterdv.errors import CorruptContent, FormatError, LobsterError, NotTracked, WouldOverwrite
from lobsterdv.events import Observer
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.listing import parse_listing
from lobsterdv.formats.pack import parse_pack_index
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import dataset_of, place_of
from lobsterdv.ops.setting_aside import set_aside
from lobsterdv.ops.using import uses_cache


@dataclass(frozen=True, slots=True)
class Trashed:
    """One thing in the trash: a version (``digest``) or unsaved files (None), ``size`` bytes, put there at ``at``
    (seconds since 1970) by ``why``. ``entry`` is its name, ``place`` where it lies."""

    entry: str
    path: str
    digest: Digest | None
    size: int
    at: int
    why: str
    place: Path


@dataclass
class UndeleteReport:
    """``trash`` is what lay there; ``restored`` what was brought back, and is not in ``trash`` any more."""

    trash: list[Trashed] = field(default_factory=list)
    restored: list[Trashed] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@uses_cache
def undelete(
    project: Project, wanted: Sequence[str] = (), *, force: bool = False, observer: Observer
) -> UndeleteReport:
    """List the trash, or bring back what ``wanted`` names: a dataset's path (of several entries the latest), a digest
    or the beginning of one, or an entry's name.

    Each fails alone: NotTracked for what is not there, CorruptContent for bytes that are not what they were (they
    stay in the trash), WouldOverwrite when something lies in the place of unsaved files, unless ``force``, which moves
    that to the trash.
    """
    rows = [(row, entry) for trash in project.trashes for entry in trash_entries(trash) for row in _rows(entry)]
    rows.sort(key=lambda pair: (-pair[0].at, pair[0].path))
    report = UndeleteReport()
    for name in wanted:
        try:
            row, entry = _find(rows, name)
            if row.digest is not None or "versions" in entry.about:
                _restore_version(project, row, entry)
            else:
                _restore_files(project, row, entry, force=force)
            report.restored.append(row)
            rows.remove((row, entry))
        except LobsterError as error:
            report.failures.append(Failure(name, error))
    report.trash = [row for row, _ in rows]
    return report


def _rows(entry: TrashEntry) -> Iterator[Trashed]:
    why = str(entry.about.get("why", "")) or "unknown"
    versions = entry.about.get("versions")
    if not isinstance(versions, list):
        path = str(entry.about.get("path", "")) or _first_path(entry.folder)
        yield Trashed(entry.name, path, None, entry.size, entry.at, why, entry.folder / path)
        return
    for fields in versions:
        try:
            digest = parse_digest(fields["digest"], what=entry.name) if fields["digest"] else None
            yield Trashed(entry.name, str(fields["path"]), digest, int(fields["size"]), entry.at, why, entry.folder)
        except (FormatError, KeyError, TypeError, ValueError):
            continue


def _first_path(folder: Path) -> str:
    """Of an entry without a note: its one file, or what its files have in common."""
    found = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    return os.path.relpath(os.path.commonpath(found), folder) if found else ""


def _find(rows: list[tuple[Trashed, TrashEntry]], name: str) -> tuple[Trashed, TrashEntry]:
    prefix = name.removeprefix("blake3:")
    for row, entry in rows:
        by_digest = row.digest is not None and len(prefix) >= 6 and row.digest.hex().startswith(prefix)
        if by_digest or row.entry == name or (row.path and row.path == dataset_of(name)):
            return row, entry
    raise NotTracked(name, "the trash")


def _restore_files(project: Project, row: Trashed, entry: TrashEntry, *, force: bool) -> None:
    """File by file, so that what else is in a directory stays."""
    place = place_of(project, row.path)
    files = [row.place] if not row.place.is_dir() or row.place.is_symlink() else _files_below(row.place)
    pairs = [(file, place / file.relative_to(row.place) if file != row.place else place) for file in files]
    taken = [target for _, target in pairs if os.path.lexists(target)]
    if taken and not force:
        raise WouldOverwrite(row.path, f"something lies at {taken[0].relative_to(project.root)}", len(taken))
    with durable.translating(place):
        if taken:
            aside = set_aside(project, row.path, "undelete --force", now=project.now())
            for target in taken:
                away = aside / target.relative_to(place) if target != place else aside
                away.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(target, away)
        for file, target in pairs:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, target)
            durable.sync_folder(target.parent)
    delete_entry(entry.folder)


def _files_below(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        found += [Path(place, name) for name in names]
        found += [Path(place, name) for name in folders if Path(place, name).is_symlink()]
    return sorted(found)


def _restore_version(project: Project, row: Trashed, entry: TrashEntry) -> None:
    """Back into the cache: plain files and the listing by name, packs whole."""
    cache, folder = project.cache, entry.folder
    wanted = _contents(project, row, folder)
    moves: list[durable.Publication] = []
    for path in sorted((folder / "files").glob("*")):
        if row.digest is None or path.name in wanted:
            digest = parse_digest(f"blake3:{path.name}", what=str(path))
            if (actual := digest_of_file(path)) != digest:
                raise CorruptContent(row.path or path.name, str(path), str(digest), str(actual))
            moves.append(durable.Publication(path, cache.plain_path(digest), 0o444))
    for path in sorted((folder / "packs").glob("*.idx")):
        index = parse_pack_index(path.read_bytes(), what=str(path))
        if row.digest is not None and not any(digest.hex() in wanted for digest in index.names()):
            continue
        pack, home = path.with_suffix(".pack"), cache.packs.folder
        lies = pack if pack.exists() else home / pack.name  # one that was killed on its way
        if (actual := digest_of_file(lies)) != index.pack:
            raise CorruptContent(row.path or lies.name, str(lies), str(index.pack), str(actual))
        if lies == pack:
            moves.append(durable.Publication(pack, home / pack.name, 0o444))
        moves.append(durable.Publication(path, home / path.name, 0o444))
    _publish(moves)
    cache.packs.refresh()
    for path in sorted((folder / "listings").glob("*")):
        if row.digest is not None and path.name == row.digest.hex():
            cache.put_listing(row.digest, path.read_bytes())
            path.unlink()
    _forget(row, entry)


def _publish(moves: list[durable.Publication]) -> None:
    """Renames, not ``durable.publish``: that removes what it could not publish, and these are no temps."""
    for move in moves:
        with durable.translating(move.final):
            durable.make_folder(move.final.parent)
            move.temp.rename(move.final)
            durable.sync_folder(move.final.parent)


def _contents(project: Project, row: Trashed, folder: Path) -> set[str]:
    """The names (hex) of the contents of a version."""
    if row.digest is None:
        return set()
    names = {row.digest.hex()}
    listing = folder / "listings" / row.digest.hex()
    if listing.exists():
        encoded = listing.read_bytes()
        if (actual := listing_digest(encoded)) != row.digest:
            raise CorruptContent(f"the listing of {row.path}", str(listing), str(row.digest), str(actual))
        entries = parse_listing(encoded, what=str(listing)).entries
    elif project.cache.has_listing(row.digest):
        entries = project.cache.listing(row.digest, name=row.path).entries
    else:
        return names
    return names | {digest.hex() for digest in Entries.of(entries).file_digests().plain()}


def _forget(row: Trashed, entry: TrashEntry) -> None:
    """Take a row out of its entry's note; with nothing left, the entry goes."""

    def is_it(fields: Any) -> bool:
        return isinstance(fields, dict) and fields.get("digest") == (str(row.digest) if row.digest else None)

    if not any(path.is_file() for path in entry.folder.rglob("*")):
        delete_entry(entry.folder)
        return
    rest = [fields for fields in entry.about["versions"] if not is_it(fields)]
    write_note(entry.folder, {**{k: v for k, v in entry.about.items() if k != "lobsterdv"}, "versions": rest})
