"""What this machine knows of a dataset's earlier versions, without asking anybody: whose files may share chunks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from lobsterdv.blobs.bases import BASE_ENTRIES, BASES
from lobsterdv.blobs.local_chunks import LocalChunks
from lobsterdv.blobs.remote import Remote, read_manifest, read_table
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, FormatError, KeyMissing
from lobsterdv.formats.layout import manifests_prefix, name_in_key
from lobsterdv.formats.table import Table
from lobsterdv.index.pushed import load_pushed
from lobsterdv.index.seen import version_seen
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Dataset


def local_chunks(project: Project, room: Remote, dataset: Dataset, parts: Collection[str]) -> LocalChunks:
    """The chunks that the cache holds of earlier versions at and below ``parts``, those of the work tree's first.
    Raises RemoteError when a document that is not here, or damaged, cannot be had."""
    tables = islice(_tables(project, room, dataset, parts), BASES)
    return LocalChunks(project.cache, (content for table in tables for content in table.contents))


def _tables(project: Project, room: Remote, dataset: Dataset, parts: Collection[str]) -> Iterator[Table]:
    """Of versions whose manifest the cache keeps; damaged ones are left out."""
    for version in _versions(project, room, dataset):
        for key in room.cache.kept_below(room.kept(manifests_prefix(version))):
            try:
                manifest = read_manifest(room, version, name_in_key(key, what=key), name=dataset.path)
                if "" not in parts or sum(ref.entries for ref in manifest.segments) <= BASE_ENTRIES:
                    yield read_table(room, manifest, name=dataset.path, below=parts)
                    break
            except (ContentError, FormatError, KeyMissing):
                continue


def _versions(project: Project, room: Remote, dataset: Dataset) -> Iterator[Digest]:
    """The one in the work tree, then those that were pushed, newest first; the wanted one is not among them."""
    given = {dataset.pointer.digest}
    seen = version_seen(project.index, str(project.root / dataset.path))
    shelf = f"{room.marker.store_id}/{project.project_id}"
    pushed = (row.version for row in reversed(load_pushed(project.index, shelf)) if row.path == dataset.path)
    for version in [*([seen] if seen else []), *pushed]:
        if version not in given:
            given.add(version)
            yield version
