"""Work-tree files that are links into the cache (``cache.link: hardlink`` or ``symlink``)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from lobsterdv.digest import Digest
from lobsterdv.formats.listing import EntryType
from lobsterdv.signature import signature_of
from lobsterdv.worktree.scan import Found


def linked_digest(target: str | None, cache_files: Path) -> Digest | None:
    """The digest that a symlink's target names, when it points at a plain file of the cache."""
    if target is None or not target.startswith(f"{cache_files}/"):
        return None
    name = target.rpartition("/")[2]
    try:
        return Digest(bytes.fromhex(name)) if len(name) == 64 else None
    except ValueError:
        return None


def see_through(found: Iterable[Found], root: Path, cache_files: Path) -> list[Found]:
    """Symlinks into the cache count as the files they stand for; everything else stays as it is."""
    seen = []
    for item in found:
        if item.type is EntryType.LINK and linked_digest(item.target, cache_files) is not None:
            try:
                stat = os.stat(root / item.path if item.path else root)
            except FileNotFoundError:
                seen.append(item)
                continue
            seen.append(Found(item.path, EntryType.FILE, signature_of(stat)))
        else:
            seen.append(item)
    return seen
