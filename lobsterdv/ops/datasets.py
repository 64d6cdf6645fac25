"""Which datasets there are, at any revision, and which of them the user means. Reads pointers, changes nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lobsterdv import durable, temps
from lobsterdv.documents import read_start
from lobsterdv.errors import FormatError, LobsterError, LocalIOError, NotTracked, Refused
from lobsterdv.formats.pointer import SUFFIX, Pointer, parse_pointer
from lobsterdv.formats.yamlio import MAX_BYTES
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.names import commit_of
from lobsterdv.paths import SafeRelPath, safe_path

PATTERN = "*" + SUFFIX


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset and the version its pointer names."""

    path: SafeRelPath
    pointer: Pointer


class Selected(NamedTuple):
    """A dataset the user means; ``below`` is a path inside it, empty for all of it."""

    dataset: Dataset
    below: str


@dataclass(frozen=True, slots=True)
class Pointers:
    """All pointers of the work tree or of a revision: the good ones by dataset path, and those that cannot be read."""

    good: dict[str, Dataset]
    bad: dict[str, LobsterError]


def pointer_path(dataset: str) -> SafeRelPath:
    """Where a dataset's pointer lies."""
    return safe_path(dataset + SUFFIX)


def dataset_of(path: str) -> str:
    """The dataset that a user names, who may name its pointer instead."""
    return path.removesuffix(SUFFIX)


def work_pointers(project: Project) -> Pointers:
    """The pointers in the work tree. One git process."""
    return _parse((name, _read(project.root / name, name)) for name in project.git.work_files(PATTERN))


def pointers_at(project: Project, rev: str) -> Pointers:
    """The pointers at a revision. Three git processes. Raises UnknownRevision."""
    blobs = project.git.files_at(commit_of(project, rev), SUFFIX)
    contents = project.git.read(blobs.values())
    return _parse((name, contents.get(blob)) for name, blob in blobs.items())


def pointers(project: Project, rev: str | None) -> Pointers:
    """The work tree's, or those at ``rev``."""
    return work_pointers(project) if rev is None else pointers_at(project, rev)


def select(known: Pointers, paths: Sequence[str], *, rev: str | None = None) -> tuple[list[Selected], list[Failure]]:
    """The datasets that ``paths`` (relative to the project) mean; all without paths.

    A path names a dataset, its pointer, a folder that holds datasets, a path inside a directory dataset,
    or a glob over dataset paths. What means nothing is a Failure with NotTracked, or the pointer's own error.
    """
    if not paths:
        failures = [Failure(path, error) for path, error in known.bad.items()]
        return [Selected(d, "") for d in known.good.values()], failures
    chosen: dict[Selected, None] = {}
    failures = []
    for path in paths:
        hits, error = _match(known, dataset_of(path), rev)
        chosen.update(dict.fromkeys(hits))
        if error is not None:
            failures.append(Failure(path, error))
    return list(chosen), failures


def _match(known: Pointers, path: str, rev: str | None) -> tuple[list[Selected], LobsterError | None]:
    if path in known.good:
        return [Selected(known.good[path], "")], None
    if path in known.bad:
        return [], known.bad[path]
    parent = enclosing(known.good, path)
    if parent is not None and known.good[parent].pointer.is_directory:
        return [Selected(known.good[parent], path[len(parent) + 1 :])], None
    prefix = "" if path in ("", ".") else path + "/"
    below = [Selected(d, "") for name, d in known.good.items() if name.startswith(prefix)]
    bad = [error for name, error in known.bad.items() if name.startswith(prefix)]
    if below or bad:
        return below, bad[0] if bad else None
    if any(c in path for c in "*?["):
        globbed = [Selected(d, "") for name, d in known.good.items() if fnmatch.fnmatchcase(name, path)]
        if globbed:
            return globbed, None
    return [], NotTracked(path, rev)


def enclosing(datasets: Iterable[str], path: str) -> str | None:
    """The dataset that ``path`` lies inside of, if any."""
    names = datasets if isinstance(datasets, dict) else set(datasets)
    parent = path.rpartition("/")[0]
    while parent:
        if parent in names:
            return parent
        parent = parent.rpartition("/")[0]
    return None


def place_of(project: Project, dataset: str) -> Path:
    """The dataset's absolute path. Raises Refused when a folder on the way is a symbolic link or a file."""
    place = project.root
    for part in dataset.split("/")[:-1]:
        place = place / part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise Refused(dataset, f"{place.relative_to(project.root)} is not a folder of its own", "through-link")
    return project.root / dataset


def write_pointer(project: Project, dataset: str, encoded: bytes) -> SafeRelPath:
    """Write a dataset's pointer, durably; returns its path."""
    path = pointer_path(dataset)
    folder = (project.root / path).parent
    durable.make_folder(folder)
    temps.sweep(folder, now=project.now())  # what a killed process left beside the user's files
    durable.write(project.root / path, encoded, mode=None)
    return path


def _parse(files: Iterable[tuple[str, bytes | LobsterError | None]]) -> Pointers:
    good: dict[str, Dataset] = {}
    bad: dict[str, LobsterError] = {}
    for name, data in files:
        if data is None:
            continue
        dataset = name.removesuffix(SUFFIX)
        if isinstance(data, LobsterError):
            bad[dataset] = data
            continue
        try:
            good[dataset] = Dataset(safe_path(dataset), parse_pointer(data, what=name))
        except FormatError as error:
            bad[dataset] = error
    for name in [n for n in good if (parent := enclosing(good, n)) and good[parent].pointer.is_directory]:
        del good[name]
        bad[name] = FormatError(name + SUFFIX, "it lies inside another dataset")
    return Pointers(dict(sorted(good.items())), dict(sorted(bad.items())))


def _read(path: Path, name: str) -> bytes | LobsterError | None:
    try:
        return read_start(path, MAX_BYTES + 1, name=name)
    except Refused as error:
        return error
    except (FileNotFoundError, NotADirectoryError):
        return None  # deleted in the work tree, still in git's index
    except OSError as error:
        return LocalIOError(str(path), error.strerror or str(error), error.errno or 0)
