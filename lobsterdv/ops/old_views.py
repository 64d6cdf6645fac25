"""Derived views that nobody needs: of versions that no work tree is at, made more than a week ago. They can be made
anew, but hold on to the bytes they link to."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Final

from lobsterdv.blobs.cache import Cache

VIEW_S: Final = 7 * 86400


def old_views(cache: Cache, current: Set[bytes], *, now: float) -> list[Path]:
    """The folders of such views."""
    try:
        names = sorted(os.listdir(cache.views))
    except FileNotFoundError:
        return []
    return [
        cache.views / name
        for name in names
        if len(name) == 64
        and bytes.fromhex(name) not in current
        and now - (cache.views / name).lstat().st_mtime >= VIEW_S
    ]


def views_of(cache: Cache, digests: Iterable[bytes]) -> list[Path]:
    """The folders of views of these versions or files."""
    return [folder for digest in digests if (folder := cache.views / digest.hex()).is_dir()]


def linked_by(views: Iterable[Path]) -> Counter[tuple[int, int]]:
    """How many names these views give each file (device, inode)."""
    found: Counter[tuple[int, int]] = Counter()
    for view in views:
        for folder, _, names in os.walk(view):
            for name in names:
                stat = Path(folder, name).lstat()
                found[stat.st_dev, stat.st_ino] += 1
    return found


def remove_views(views: Iterable[Path]) -> None:
    """Delete views. What cannot be deleted stays: it can do no harm."""
    for view in views:
        shutil.rmtree(view, ignore_errors=True)
