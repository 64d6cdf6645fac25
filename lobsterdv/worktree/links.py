"""Work-tree files that are links into the cache (``cache.link: hardlink`` or ``symlink``)."""

from __future__ import annotations

import os
from pathlib import Path

from lobsterdv.digest import Digest
from lobsterdv.formats.listing import EntryType
from lobsterdv.signature import signature_of
from lobsterdv.worktree.scan import Finds, Found


def linked_digest(target: str | None, cache_files: Path) -> Digest | None:
    """The digest that a symlink's target names, when it points at a plain file of the cache."""
    if target is None or not target.startswith(f"{cache_files}/"):
        return None
    name = target.rpartition("/")[2]
    try:
        return Digest(bytes.fromhex(name)) if len(name) == 64 else None
    except ValueError:
        return None


def see_through(found: Finds, root: Path, cache_files: Path) -> Finds:
    """Symlinks into the cache count as the files they stand for; everything else stays as it is, also in its place."""
    rows = {at: found[at] for at, target in found.others.items() if linked_digest(target, cache_files) is not None}
    for at, item in list(rows.items()):
        try:
            stat = os.stat(root / item.path if item.path else root)
        except FileNotFoundError:
            del rows[at]
            continue
        rows[at] = Found(item.path, EntryType.FILE, signature_of(stat))
    return Finds.of([rows.get(at, item) for at, item in enumerate(found)]) if rows else found
