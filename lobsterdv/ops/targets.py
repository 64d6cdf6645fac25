"""What an ``add`` may be asked to add: the checks before anything is looked at, and which datasets are meant."""

from __future__ import annotations

import glob
import os
import stat as stat_module
from collections.abc import Iterable, Sequence
from pathlib import Path

from lobsterdv.errors import LobsterError, Refused
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Pointers, dataset_of, enclosing, place_of
from lobsterdv.paths import SafeRelPath, safe_path
from lobsterdv.worktree.links import linked_digest


def check_targets(project: Project, paths: Sequence[str], known: Pointers) -> tuple[list[str], list[Failure]]:
    """The paths to add, globs expanded, each once; and a Failure for each that may not be added. One git process."""
    wanted = list(dict.fromkeys(dataset_of(p.rstrip("/")) for path in paths for p in _expand(project.root, path)))
    good: list[str] = []
    failures: list[Failure] = []
    tracked = project.git.tracked_below(path for path in wanted if path not in known.good)
    for path in wanted:
        try:
            _check(project, path, wanted, tracked, known)
            good.append(path)
        except LobsterError as error:
            failures.append(Failure(path, error))
    return good, failures


def by_dataset(targets: Iterable[str], known: Pointers) -> dict[SafeRelPath, list[str]]:
    """Targets as the datasets they belong to and the paths below them: one empty path for a whole dataset."""
    parts: dict[SafeRelPath, list[str]] = {}
    for target in targets:
        dataset = safe_path(enclosing(known.good, target) or target)
        parts.setdefault(dataset, []).append(target[len(dataset) + 1 :])
    return parts


def _expand(root: Path, path: str) -> Iterable[str]:
    if not any(c in path for c in "*?[") or os.path.lexists(root / path):
        return [path]
    hits = sorted(glob.glob(path, root_dir=root, recursive=True))
    return [hit for hit in hits if not hit.endswith((SUFFIX, ".gitignore"))] or [path]


def _check(project: Project, path: str, wanted: list[str], tracked: list[str], known: Pointers) -> None:
    if path in ("", "."):
        raise Refused(
            ".", "the whole project cannot be a dataset; name the files or folders with data", "whole-project"
        )
    safe_path(path)
    place = place_of(project, path)
    parent = enclosing(known.good, path)
    if parent is not None and not known.good[parent].pointer.is_directory:
        raise Refused(path, f"it lies below the dataset {parent}, which is a file", "overlap")
    try:
        mode = place.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if parent is None:
            raise Refused(path, "no such file or directory", "not-found") from None
        return
    is_link = stat_module.S_ISLNK(mode) and linked_digest(os.readlink(place), project.cache.folder / "files") is None
    if is_link and parent is None:
        raise Refused(path, f"a symbolic link to {os.readlink(place)}; add what it points to", "symlink")
    if not any(is_kind(mode) for is_kind in (stat_module.S_ISREG, stat_module.S_ISDIR, stat_module.S_ISLNK)):
        raise Refused(path, "not a regular file or a directory", "special-file")
    inside = [name for name in known.good if name.startswith(path + "/")]
    if inside:
        raise Refused(path, f"it holds the dataset {inside[0]}, and datasets may not overlap", "overlap")
    outer = enclosing(wanted, path)
    if outer is not None:
        raise Refused(path, f"it lies inside {outer}, which is being added too", "overlap")
    mine = [name for name in tracked if name == path or name.startswith(path + "/")]
    if mine:
        more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
        raise Refused(path, f"git already tracks {mine[0]}{more}", "git-tracked")
