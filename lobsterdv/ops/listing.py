"""list: datasets, the files inside one, or what a remote's catalog knows. Fetches no content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote, read_marker, read_table
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import (
    CorruptContent,
    FormatError,
    KeyMissing,
    LobsterError,
    MissingContent,
    NotARemote,
)
from lobsterdv.events import Observer
from lobsterdv.formats.listing import Entry
from lobsterdv.formats.manifest import Manifest
from lobsterdv.formats.record import MAX_RECORD_BYTES, Record, parse_record
from lobsterdv.index.seen import load_seen
from lobsterdv.ops.archive_states import remembered, told
from lobsterdv.ops.classes import kept_as
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, Selected, pointers, select
from lobsterdv.ops.in_turn import by_each_manifest, given
from lobsterdv.ops.presence import Presence
from lobsterdv.ops.resolve import entries_below, entries_of, listing_from_table
from lobsterdv.stores.base import Store
from lobsterdv.stores.tiered import Tiered

Where = Literal["here", "remote", "both", "nowhere", "partly here", "unknown"]


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset. ``where`` is by what this machine knows without asking; ``unknown`` when it never asked the remote
    and the content is not here. So is ``storage``: ``archived``, ``being restored``, ``restored until`` a day or empty.
    """

    path: str
    digest: Digest
    size: int
    files: int | None
    kind: str
    message: str | None
    where: Where
    storage: str = ""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One entry of a directory; ``here`` tells whether the cache has it (None for links and folders)."""

    path: str
    type: str
    size: int
    digest: Digest | None
    target: str | None
    here: bool | None


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """The latest push of a dataset in a remote's catalog. ``classes`` are the storage classes of its objects (S3), as
    far as they are known, and ``storage`` tells whether some are archived, as for a DatasetRow."""

    project: str
    path: str
    digest: Digest
    size: int
    files: int | None
    kind: str
    at: str
    by: str
    versions: int
    classes: list[str] = field(default_factory=list)
    storage: str = ""


@dataclass
class ListReport:
    """Exactly one of the three lists is filled."""

    datasets: list[DatasetRow] = field(default_factory=list)
    files: list[FileRow] = field(default_factory=list)
    catalog: list[CatalogRow] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def list_project(
    project: Project, paths: Sequence[str] = (), *, rev: str | None = None, observer: Observer
) -> ListReport:
    """Datasets; or, when one path names a directory dataset or something inside one, the files there.

    Only when a directory's listing is not here is its manifest (no content) read from the remote.
    """
    selected, failures = select(pointers(project, rev), paths, rev=rev)
    report = ListReport(failures=failures)
    alone = selected[0] if len(selected) == 1 and len(paths) == 1 else None
    if alone and alone.dataset.pointer.is_directory and (alone.below or alone.dataset.path in paths[0]):
        try:
            entries = _entries(project, alone, observer)
        except LobsterError as error:
            report.failures.append(Failure(paths[0], error))
            return report
        missing = set(project.cache.missing(e.digest for e in entries if e.digest is not None))
        report.files = [
            FileRow(
                e.path, e.type.value, e.size, e.digest, e.target, None if e.digest is None else e.digest not in missing
            )
            for e in entries
        ]
        return report
    presence, archives = Presence(project), remembered(project)
    report.datasets = [
        replace(_dataset_row(project, s.dataset, presence), storage=told(archives.get(s.dataset.pointer.digest)))
        for s in selected
    ]
    return report


def list_remote(store: Store, *, jobs: int) -> ListReport:
    """The datasets of every project in a remote, by their latest push. Where the store has storage classes, the
    manifests of these and one list of the objects tell them. Raises NotARemote, RemoteError."""
    if read_marker(store) is None:
        raise NotARemote(store.url, "nothing was pushed there yet")

    def read(key: str) -> tuple[str, Record] | None:
        try:
            data = store.read_whole(key, limit=MAX_RECORD_BYTES)
            named = key.rpartition("/")[2] == f"{digest_of(data).hex()}.yaml"
            record = parse_record(data, what=key) if named else None
        except (KeyMissing, FormatError, CorruptContent):
            return None
        return None if record is None else (key.split("/")[1], record)

    keys = [stat.key for stat in store.list("catalog/") if stat.key.count("/") == 2]
    latest: dict[tuple[str, str], tuple[Record, int]] = {}
    for found in workers.each(read, keys, jobs=jobs):
        if found is not None:
            owner, record = found
            best, count = latest.get((owner, record.path), (record, 0))
            latest[owner, record.path] = (record if record.at >= best.at else best, count + 1)
    kept = kept_as(store, [record for record, _ in latest.values()], jobs=jobs) if isinstance(store, Tiered) else {}
    rows = [
        CatalogRow(
            owner,
            path,
            r.pointer.digest,
            r.pointer.size,
            r.pointer.files,
            r.pointer.kind,
            r.at,
            r.by,
            count,
            *kept.get(r.manifest, ([], "")),
        )
        for (owner, path), (r, count) in sorted(latest.items())
    ]
    return ListReport(catalog=rows)


def _entries(project: Project, selection: Selected, observer: Observer) -> Sequence[Entry]:
    dataset, below = selection
    pointer = dataset.pointer
    try:
        entries = entries_of(project, dataset.path, pointer)
    except (MissingContent, CorruptContent):
        missing = MissingContent(dataset.path, str(pointer.digest), "", pointer.size)
        entries = next(given(project, None, lambda _, room: _listings(project, room, dataset), missing=missing,
                             observer=observer))  # fmt: skip
    return entries_below(entries, below, dataset.path)


def _listings(project: Project, room: Remote, dataset: Dataset) -> Iterator[Sequence[Entry]]:
    """A directory's entries by each whole manifest at a remote. Raises as ``manifests`` when there are no more."""

    def entries(manifest: Manifest) -> Sequence[Entry]:
        table = read_table(room, manifest, name=dataset.path)
        return listing_from_table(project, dataset.path, dataset.pointer.digest, table, room.url).entries

    return by_each_manifest(room, dataset, entries, name=dataset.path)


def _dataset_row(project: Project, dataset: Dataset, presence: Presence) -> DatasetRow:
    pointer = dataset.pointer
    try:
        wanted = {e.digest for e in entries_of(project, dataset.path, pointer) if e.digest is not None}
        missing = len(project.cache.missing(wanted))
    except (MissingContent, CorruptContent):
        wanted, missing = {pointer.digest}, 1
    seen = load_seen(project.index, str(project.root / dataset.path)) if missing else None
    is_ours = not missing or (seen is not None and seen.digest == pointer.digest)
    there = presence.of(dataset.path, pointer.digest, is_ours=is_ours)
    where: Where
    if not missing:
        where = "both" if there else "here"
    elif there:
        where = "remote" if missing == len(wanted) else "partly here"
    else:
        where = "unknown" if there is None else "nowhere"
    return DatasetRow(dataset.path, pointer.digest, pointer.size, pointer.files, pointer.kind, pointer.message, where)
