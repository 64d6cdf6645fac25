"""stats: what versions would take by themselves, what they take at a remote, and what saved the difference.

It counts from the manifests that the project's catalog records name; no content is read. What a version stores is what
it added, after all versions that were recorded before it. Objects of other projects in the same remote, and objects
that a broken-off push left without any manifest, are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lobsterdv import workers
from lobsterdv.blobs.accounting import Account, Sizes
from lobsterdv.blobs.remote import Remote, read_document, read_manifest, records
from lobsterdv.digest import Digest
from lobsterdv.errors import (
    ContentError,
    CorruptContent,
    FormatError,
    KeyMissing,
    MissingContent,
    NotARemote,
    NotTracked,
)
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.layout import record_in_key, records_prefix, segment_key
from lobsterdv.formats.manifest import Manifest, parse_segment
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.index.pushed import Pushed, load_pushed, save_pushed
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import dataset_of, pointers, select, work_pointers
from lobsterdv.ops.names import commit_of, split_name
from lobsterdv.ops.wishes import matches


@dataclass(frozen=True, slots=True)
class VersionStats:
    """A version of a dataset, and the time (UTC) of its first record, by the clock of who pushed it."""

    digest: Digest
    at: str
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class DatasetStats:
    """A dataset's versions, the oldest first, and their sum. No versions: it is tracked, but was not pushed yet."""

    path: str
    versions: list[VersionStats]
    sizes: Sizes


@dataclass
class StatsReport:
    """Every size is in bytes, see ``Sizes``. ``sizes`` is the sum of the datasets shown."""

    remote: str
    url: str
    embedded: bool
    datasets: list[DatasetStats] = field(default_factory=list)
    sizes: Sizes = field(default_factory=Sizes)
    failures: list[Failure] = field(default_factory=list)


class _Key(NamedTuple):
    path: str
    version: Digest


def stats(
    project: Project,
    paths: Sequence[str] = (),
    *,
    remote: str | None = None,
    jobs: int | None = None,
    observer: Observer,
) -> StatsReport:
    """Count all versions that the catalog of this project names at the remote; show those of ``paths`` (datasets,
    folders, globs, or ``PATH@REV`` for one version; all without). One listing, and the records and manifests that this
    machine has not read yet.

    A version whose manifest is lost or damaged is a Failure, and what it stores counts nowhere. A remote to which
    nothing was pushed gives an empty report. Raises RemoteError.
    """
    config = project.remote(remote)
    report = StatsReport(config.name, config.url, config.name == EMBEDDED)
    try:
        room = connect(project, config, jobs=jobs)
    except NotARemote as error:
        if not error.is_empty:
            raise
        return report
    report.url = room.url
    wanted = [_wanted(project, path) for path in paths]
    paths = [path for path, _ in wanted]
    rows = pushes_at(project, room)
    counted = _count(room, rows, report.failures, observer)
    versions: dict[str, list[VersionStats]] = {}
    for row in rows:
        key = _Key(row.path, row.version)
        sizes = counted.pop(key, None)
        if sizes is not None and (not wanted or any(_is(row, path, version) for path, version in wanted)):
            versions.setdefault(row.path, []).append(VersionStats(row.version, row.at, sizes))
    for path in sorted(versions):
        total = Sizes()
        for version in versions[path]:
            total += version.sizes
        report.datasets.append(DatasetStats(path, versions[path], total))
        report.sizes += total
    report.failures = [f for f in report.failures if matches(f.path, paths)]
    _note_unmatched(project, paths, {row.path for row in rows}, report)
    return report


def _wanted(project: Project, text: str) -> tuple[str, Digest | None]:
    """A path, and the version where ``PATH@REV`` names one. Raises NotTracked, UnknownRevision."""
    path, rev = split_name(project, text)
    if rev is None:
        return path, None
    selected, failures = select(pointers(project, commit_of(project, rev, path)), [path], rev=rev)
    if failures or len(selected) != 1:
        raise failures[0].error if failures else NotTracked(path, rev)
    return str(selected[0].dataset.path), selected[0].dataset.pointer.digest


def _is(row: Pushed, path: str, version: Digest | None) -> bool:
    return matches(row.path, [path]) and version in (None, row.version)


def pushes_at(project: Project, room: Remote) -> list[Pushed]:
    """The pushes in the project's catalog as it is now, oldest first: read once, then remembered."""
    shelf = f"{room.marker.store_id}/{project.project_id}"
    names = set()
    for stat in room.store.list(records_prefix(project.project_id)):
        if (name := record_in_key(stat.key, project.project_id)) is not None:
            names.add(name)
    rows = [row for row in load_pushed(project.index, shelf) if row.record in names]
    if len(rows) < len(names):
        known = [row.record for row in rows]
        new = [
            Pushed(record.path, record.pointer.digest, record.manifest, digest, record.at)
            for digest, record in records(room, project.project_id, known=known)
        ]
        save_pushed(project.index, shelf, new)
        rows += new
    # `20Z` is before `20.5Z`, which a plain comparison of the text would not see.
    return sorted(rows, key=lambda row: (row.at.removesuffix("Z"), row.record))


def _count(room: Remote, rows: Sequence[Pushed], failures: list[Failure], observer: Observer) -> dict[_Key, Sizes]:
    """The sizes of every version, by path and digest."""
    account = Account()
    counted: dict[_Key, Sizes] = {}
    owners: list[_Key] = []
    seen: set[tuple[_Key, Digest]] = set()
    observer(Started("counting", total_items=len(rows)))

    def read(row: Pushed) -> Manifest | CorruptContent | MissingContent:
        try:
            return manifest_of(room, row)
        except (CorruptContent, MissingContent) as error:
            return error

    for row, manifest in zip(rows, workers.each(read, rows, jobs=room.jobs), strict=True):
        observer(Advanced("counting", new_items=1))
        key = _Key(row.path, row.version)
        if (key, row.manifest) in seen:
            continue
        seen.add((key, row.manifest))
        if not isinstance(manifest, Manifest):
            failures.append(Failure(row.path, manifest))
            continue
        owners.append(key)
        sizes = Sizes()
        try:
            for part in parts_of(room, row, manifest, account, len(owners) - 1):
                sizes += part
        except (ContentError, KeyMissing) as error:
            failures.append(Failure(row.path, error))
            continue
        if key in counted:
            counted[key].again += sizes.stored
        else:
            counted[key] = sizes
    for owner, unused in account.unused().items():
        if owners[owner] in counted:
            counted[owners[owner]].unused += unused
    observer(Finished("counting"))
    return counted


def parts_of(room: Remote, row: Pushed, manifest: Manifest, account: Account, owner: int) -> Iterator[Sizes]:
    if manifest.table is not None:
        yield account.enter(manifest.table, owner)
    for ref in manifest.segments:
        known = account.known_segment(ref.digest)
        if known is None:
            key = segment_key(ref.digest)
            name = f"a segment of {row.path}"
            try:
                stored = read_document(room, key, ref.digest, name=name)
                known = account.enter_segment(ref.digest, parse_segment(stored, ref, what=key), owner)
            except KeyMissing:
                raise MissingContent(name, str(ref.digest), room.url) from None
            except FormatError as error:
                raise CorruptContent(name, room.url, str(ref.digest), error.problem) from error
        yield known


def manifest_of(room: Remote, row: Pushed) -> Manifest:
    name = f"the manifest of {row.path}"
    try:
        manifest = read_manifest(room, row.version, row.manifest, name=row.path)
    except FormatError as error:
        raise CorruptContent(name, room.url, str(row.manifest), error.problem) from error
    if manifest.version != row.version:
        raise CorruptContent(name, room.url, str(row.version), str(manifest.version))
    return manifest


def _note_unmatched(project: Project, paths: Sequence[str], pushed: set[str], report: StatsReport) -> None:
    """Paths of which the catalog knows nothing: datasets that were not pushed yet, or no datasets at all."""
    unmatched = [path for path in paths if not any(matches(name, [path]) for name in pushed)]
    if not unmatched:
        return
    known = work_pointers(project)
    for path in unmatched:
        here = [name for name in [*known.good, *known.bad] if matches(name, [path])]
        report.datasets += [DatasetStats(name, [], Sizes()) for name in here]
        if not here:
            report.failures.append(Failure(path, NotTracked(dataset_of(path))))
