"""From a pointer to the entries of its version: from the cache's listing, or from any table that describes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lobsterdv.digest import Digest, listing_digest
from lobsterdv.errors import CorruptContent, MissingContent, NotTracked
from lobsterdv.formats.entries import Entries, Entry, EntryType
from lobsterdv.formats.listing import Listing, digest_of_listing, encode_listing
from lobsterdv.formats.pointer import Pointer
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Dataset
from lobsterdv.paths import SafeRelPath

if TYPE_CHECKING:
    from lobsterdv.formats.table import Table


def entries_of(project: Project, name: str, pointer: Pointer, *, tables: Iterable[Table] = ()) -> Sequence[Entry]:
    """The entries of a version; a file has one, with an empty path.

    Raises MissingContent when the listing is neither in the cache nor in ``tables``.
    """
    if not pointer.is_directory:
        kind = EntryType.EXECUTABLE if pointer.executable else EntryType.FILE
        return [Entry(SafeRelPath(""), kind, pointer.size, pointer.digest)]
    try:
        return project.cache.listing(pointer.digest, name=name).entries
    except (MissingContent, CorruptContent) as error:
        for table in tables:
            listing = Listing(table.entries)
            if digest_of_listing(listing) == pointer.digest:
                project.cache.put_listing(pointer.digest, encode_listing(listing))
                return listing.entries
        raise error


class Versions:
    """The entries of versions; several selections of one, one after another, parse its listing once. Not for several
    threads."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._last: tuple[Dataset, Sequence[Entry]] | None = None

    def entries(self, dataset: Dataset) -> Sequence[Entry]:
        """Raises as ``entries_of``."""
        if self._last is None or self._last[0] is not dataset:
            self._last = dataset, entries_of(self.project, dataset.path, dataset.pointer)
        return self._last[1]


def entries_below(entries: Sequence[Entry], below: str, dataset: str) -> Entries:
    """Entries at or below a path of a directory; all of them for the empty path. Raises NotTracked."""
    rows = Entries.of(entries)
    if not below:
        return rows
    hits = rows.below(below)
    if not hits:
        raise NotTracked(f"{dataset}/{below}")
    return hits


def listing_from_table(project: Project, name: str, version: Digest, table: Table, where: str) -> Listing:
    """A whole table's listing, checked against the digest that git names, and kept. Raises CorruptContent."""
    listing = Listing(table.entries)
    encoded = encode_listing(listing)
    actual = listing_digest(encoded)
    if actual != version:
        raise CorruptContent(f"the manifest of {name}", where, str(version), str(actual))
    project.cache.put_listing(version, encoded)
    return listing
