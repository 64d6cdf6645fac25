"""undelete: what lies in the trash, and bringing it back, verified.

Unsaved files that ``--force`` moved away go back to their place in the work tree; versions that ``gc`` took out of
the cache go back there, under the names their bytes prove. Each thing is renamed back whole; only an entry with
nothing left in it is forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv import durable
from lobsterdv.blobs.trash import TrashEntry, delete_entry, trash_entries
from lobsterdv.digest import Digest, parse_digest
from lobsterdv.errors import FormatError, LobsterError, NotTracked, Refused, WouldOverwrite
from lobsterdv.events import Observer
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import dataset_of, place_of
from lobsterdv.ops.restoring import restore_version
from lobsterdv.ops.setting_aside import set_aside
from lobsterdv.ops.using import uses_cache
from lobsterdv.paths import safe_path
from lobsterdv.worktree.ground import carry


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
    """List the trash, or bring back what ``wanted`` names: a dataset's path (of several things the latest), a digest
    or the beginning of one, or an entry's name.

    Each fails alone: NotTracked for what is not there, CorruptContent for bytes that are not what they were (they
    stay in the trash), Refused for files of another work tree, WouldOverwrite when something lies in the place of
    unsaved files, unless ``force``, which moves that to the trash. Killed in between, once more goes on.
    """
    rows = [
        (row, entry) for trash in project.trashes for entry in trash_entries(trash) for row in _rows(project, entry)
    ]
    rows.sort(key=lambda pair: (-pair[0].at, pair[0].path))
    report = UndeleteReport()
    for name in wanted:
        try:
            row, entry = _find(project, rows, name)
            back = [row]
            if not _is_of_cache(project, entry):
                _restore_files(project, row, entry, force=force)
            else:
                version = None if name == row.entry else row.digest
                restore_version(project, version, entry, [other for _, other in rows])
                back = [r for r, _ in rows if (r.entry == row.entry if version is None else r.digest == version)]
            report.restored += back
            rows = [pair for pair in rows if pair[0] not in back]
        except LobsterError as error:
            report.failures.append(Failure(name, error))
    report.trash = [row for row, _ in rows]
    return report


def _is_of_cache(project: Project, entry: TrashEntry) -> bool:
    return entry.folder.parent == project.cache.trash


def _rows(project: Project, entry: TrashEntry) -> Iterator[Trashed]:
    why = str(entry.about.get("why", "")) or "unknown"
    versions = entry.about.get("versions")
    if not _is_of_cache(project, entry):
        path = str(entry.about.get("path", "")) or _first_path(entry.folder)
        yield Trashed(entry.name, path, None, entry.size, entry.at, why, entry.folder / path)
        return
    named = 0
    for fields in versions if isinstance(versions, list) else []:
        try:
            digest = parse_digest(fields["digest"], what=entry.name) if fields["digest"] else None
            yield Trashed(entry.name, str(fields["path"]), digest, int(fields["size"]), entry.at, why, entry.folder)
            named += 1
        except (FormatError, KeyError, TypeError, ValueError):
            continue
    if not named and entry.size:
        yield Trashed(entry.name, "", None, entry.size, entry.at, why, entry.folder)


def _first_path(folder: Path) -> str:
    """Of an entry without a note: its one file, or what its files have in common."""
    found = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    return os.path.relpath(os.path.commonpath(found), folder) if found else ""


def _find(project: Project, rows: list[tuple[Trashed, TrashEntry]], name: str) -> tuple[Trashed, TrashEntry]:
    """An entry, or the latest thing of this digest or path; this work tree's before others'."""
    prefix, path = name.removeprefix("blake3:"), dataset_of(name)
    for row, entry in sorted(rows, key=lambda pair: _is_foreign(project, pair[1])):
        by_digest = row.digest is not None and len(prefix) >= 6 and row.digest.hex().startswith(prefix)
        if by_digest or row.entry == name or (row.path and row.path == path):
            return row, entry
    raise NotTracked(name, "the trash")


def _is_foreign(project: Project, entry: TrashEntry) -> bool:
    """Files that another work tree of this repository, which is still there, set aside."""
    root = str(entry.about.get("root", "")) or str(project.root)
    return root != str(project.root) and os.path.isdir(root)


def _restore_files(project: Project, row: Trashed, entry: TrashEntry, *, force: bool) -> None:
    """File by file, never over another, so that what else is in a directory stays."""
    if _is_foreign(project, entry):
        raise Refused(str(entry.about["root"]), f"{row.path} was set aside in that work tree", "other-worktree")
    place = place_of(project, safe_path(row.path))
    pairs = [(file, place / file.relative_to(row.place) if file != row.place else place) for file in _files(row.place)]
    taken = [pair for pair in pairs if os.path.lexists(pair[1]) and not os.path.samestat(*map(os.lstat, pair))]
    if taken and not force:
        raise WouldOverwrite(row.path, f"something lies at {taken[0][1].relative_to(project.root)}", len(taken))
    with durable.translating(place):
        if taken:
            aside = set_aside(project, row.path, "undelete --force", now=project.now())
            for _, target in taken:
                carry(target, aside / target.relative_to(place) if target != place else aside)
        for file, target in pairs:
            if target != place:
                place_of(project, str(target.relative_to(project.root)))  # never through a link
            durable.make_folder(target.parent)
            _bring(file, target, row.path)
    delete_entry(entry.folder)


def _bring(file: Path, target: Path, name: str) -> None:
    """Rename, but never over something. Raises WouldOverwrite."""
    try:
        os.link(file, target, follow_symlinks=False)
    except FileExistsError:
        if not os.path.samestat(os.lstat(file), os.lstat(target)):
            raise WouldOverwrite(name, f"something came to lie at {target.name}") from None
    except OSError:  # another file system, or one without hard links
        if os.path.lexists(target):
            raise WouldOverwrite(name, f"something came to lie at {target.name}") from None
        carry(file, target)
    durable.sync_folder(target.parent)
    file.unlink(missing_ok=True)


def _files(place: Path) -> list[Path]:
    """The files and links at or below a place in the trash."""
    if not place.is_dir() or place.is_symlink():
        return [place]
    found = []
    for folder, folders, names in os.walk(place):
        found += [Path(folder, name) for name in names]
        found += [Path(folder, name) for name in folders if Path(folder, name).is_symlink()]
    return sorted(found)
