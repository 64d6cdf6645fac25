"""Where a version's content is, by what this machine knows without asking anyone."""

from __future__ import annotations

from lobsterdv.digest import Digest
from lobsterdv.formats.layout import manifests_prefix
from lobsterdv.index.pushed import load_marker, load_pushed
from lobsterdv.ops.context import Project


class Presence:
    """What is known of the default remote. Others may have pushed since: only what this machine itself held
    and never saw there can be said not to be there."""

    def __init__(self, project: Project) -> None:
        marker = load_marker(project.index, project.remote().place)
        self._store_id = None if marker is None else marker[1]
        rows = load_pushed(project.index, f"{self._store_id}/{project.project_id}") if marker else []
        self._pushed = {(row.path, row.version) for row in rows}
        self._cache = project.cache

    def of(self, path: str, version: Digest, *, is_ours: bool) -> bool | None:
        """True when the version was seen at the remote: in its catalog, or by a manifest that was read or written
        there; False when it was not, and ``is_ours``: this machine holds or held its content; else None."""
        if self._store_id is None:
            return None
        if (path, version) in self._pushed:
            return True
        if self._cache.kept_below(f"remotes/{self._store_id}/{manifests_prefix(version)}"):
            return True
        return False if is_ours else None
