"""fetch: bring the content of versions from a remote into the cache, verified. The work tree is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lobsterdv import workers
from lobsterdv.blobs.download import fetch_contents
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import Remote, manifests, read_table
from lobsterdv.digest import Digest, Digests
from lobsterdv.errors import (
    ContentError,
    CorruptContent,
    LobsterError,
    MissingContent,
    NotARemote,
    NotTracked,
    RemoteError,
)
from lobsterdv.events import Advanced, Finished, Observer, Started, Warned
from lobsterdv.formats.contents import Content, Contents
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.formats.listing import Listing
from lobsterdv.formats.manifest import Manifest
from lobsterdv.formats.table import Table
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, Selected, pointers, select
from lobsterdv.ops.resolve import entries_below, entries_of, listing_from_table
from lobsterdv.ops.room import require_room_to_fetch
from lobsterdv.ops.using import uses_cache
from lobsterdv.ops.wishes import wishes

_PACK_BYTES = 64 << 20  # of small files, so many bytes are fetched again at most when this process is killed
_CONTENTS = 1 << 16  # so many are asked for at a time: 50 MB of plans
_TOGETHER_BYTES = 64 << 20  # as in push: light datasets side by side, heavy ones one after another


@dataclass(frozen=True, slots=True)
class Fetched:
    """One selection: how many contents and bytes had to come, 0 when all was here."""

    path: str
    digest: Digest
    size: int
    new_files: int
    new_bytes: int


@dataclass
class FetchReport:
    remote: str
    url: str
    fetched: list[Fetched] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    entries: dict[Selected, Sequence[Entry]] = field(default_factory=dict)
    """What each selection consists of, for the checkout that follows; not part of the JSON."""
    tight: bool | None = None
    """Whether free space is so short that a checkout must look closely; None when it was not asked for. Nor is this."""


@uses_cache
def fetch(
    project: Project,
    paths: Sequence[str] = (),
    *,
    remote: str | None = None,
    rev: str | None = None,
    everything: bool = False,
    checking_out: bool = False,
    jobs: int | None = None,
    observer: Observer,
) -> FetchReport:
    """Bring what the pointers (of the work tree, of ``rev``, or of all history) name and the cache lacks.

    The remote is asked only when something is missing. Each selection fails alone; a remote that cannot
    be used fails them all. Raises NoSpace before any content comes when there is not the room for it, nor,
    with ``checking_out``, for the checkout that follows. May be repeated: what arrived stays.
    """
    config = project.remote(remote)
    if everything:
        wanted, failures = wishes(project, paths, everything=True)
        selected = [Selected(Dataset(w.path, w.pointer), "") for w in wanted]
    else:
        selected, failures = select(pointers(project, rev), paths, rev=rev)
    report = FetchReport(config.name, config.url, failures=failures)
    incomplete = []
    for selection in selected:
        try:
            if _is_here(project, selection, report):
                report.fetched.append(_row(selection, 0, 0))
            else:
                incomplete.append(selection)
        except NotTracked as error:
            report.failures.append(Failure(error.path, error))
    if not incomplete:
        return report
    try:
        room = connect(project, config, jobs=jobs)
    except NotARemote as error:
        if not error.is_empty:
            raise
        report.failures += [Failure(s.dataset.path, _missing(s, error.url)) for s in incomplete]
        return report
    report.url = room.url
    report.tight = require_room_to_fetch(project, room, incomplete, report.entries, checking_out=checking_out)
    _bring_all(project, room, incomplete, report, observer)
    return report


def _bring_all(
    project: Project, room: Remote, incomplete: list[Selected], report: FetchReport, observer: Observer
) -> None:
    observer(
        Started("fetching", sum(s.dataset.pointer.size for s in incomplete if not s.below) or None, len(incomplete))
    )

    def progress(new_bytes: int) -> None:
        observer(Advanced("fetching", new_bytes))

    with Intake(project.cache, pack_bytes=_PACK_BYTES, keeps_whole=True) as intake:

        def bring(selection: Selected, at: Remote) -> tuple[Selected, Fetched | LobsterError, Sequence[Entry]]:
            try:
                entries, files, size = bring_selection(project, at, selection, intake, progress=progress)
                return selection, _row(selection, files, size), entries
            except RemoteError:
                raise
            except LobsterError as error:
                return selection, error, ()

        light = [s for s in incomplete if s.dataset.pointer.size <= _TOGETHER_BYTES]
        heavy = [s for s in incomplete if s.dataset.pointer.size > _TOGETHER_BYTES]
        alone = replace(room, jobs=1)
        if len(light) == 1:
            heavy, light = light + heavy, []
        results = [
            *workers.each(lambda s: bring(s, alone), light, jobs=room.jobs),
            *(bring(s, room) for s in heavy),
        ]
    for selection, outcome, entries in results:
        if isinstance(outcome, Fetched):
            report.fetched.append(outcome)
            report.entries[selection] = entries
        else:
            report.failures.append(Failure(selection.dataset.path, outcome))
    observer(Finished("fetching"))


def fetch_again(
    project: Project,
    selections: Sequence[Selected],
    entries: Mapping[Selected, Sequence[Entry]],
    *,
    remote: str | None,
    rev: str | None,
    jobs: int | None = None,
    observer: Observer,
) -> FetchReport:
    """After the cache proved damaged: set aside everything in these selections that is, and fetch it anew."""
    paths = []
    for selection in selections:
        dataset, below = selection
        paths.append(f"{dataset.path}/{below}" if below else str(dataset.path))
        for entry in entries[selection]:
            if entry.digest is not None:
                try:
                    project.cache.prove(entry.digest, name=dataset.path)
                except ContentError:
                    continue  # now it counts as missing
    observer(Warned(f"the cache held damaged copies ({', '.join(paths)}); they are set aside and fetched again"))
    return fetch(project, paths, remote=remote, rev=rev, jobs=jobs, observer=observer)


def bring_selection(
    project: Project, room: Remote, selection: Selected, intake: Intake, *, progress: Callable[[int], None]
) -> tuple[Sequence[Entry], int, int]:
    """Bring one selection by the first manifest that serves; returns its entries, new files and new bytes.

    Any valid manifest will do, so what one of them cannot give is asked of the next. Raises
    MissingContent or CorruptContent when none can give all; what did arrive stays.
    """
    dataset, below = selection
    pointer = dataset.pointer
    files = size = 0
    problem: LobsterError | None = None
    offers = manifests(room, pointer.digest, name=dataset.path, is_directory=pointer.is_directory)
    try:
        for _, manifest in offers:
            try:
                table = read_table(room, manifest, name=dataset.path, below=below)
                entries = _entries(project, selection, manifest, table, room.url)
            except ContentError as error:
                problem = problem or error
                continue
            failed: dict[Digest, ContentError] = {}
            for contents in _lacking(project, Contents.of(table.contents), Entries.of(entries)):
                failed |= fetch_contents(
                    room, contents, intake, packable=pointer.is_directory, name=dataset.path, progress=progress
                )
                arrived = [c.size for c in contents if c.digest not in failed]
                files, size = files + len(arrived), size + sum(arrived)
            intake.commit()
            if not failed:
                return entries, files, size
            problem = problem or next(iter(failed.values()))
    except (MissingContent, CorruptContent) as error:
        problem = problem or error
    assert problem is not None
    raise problem


def _lacking(project: Project, contents: Contents, entries: Entries) -> Iterator[list[Content]]:
    """What ``entries`` need and the cache lacks, some tens of thousands of contents at a time."""
    digests = Digests(contents.digests)
    all_of_it = len(entries) == len(contents) and bytes(entries.digests) == bytes(contents.digests)
    wanted = None if all_of_it else set(entries.file_digests().plain())
    for start in range(0, len(contents), _CONTENTS):
        part = digests[start : start + _CONTENTS]
        missing = set(project.cache.missing(part if wanted is None else [d for d in part if d in wanted]))
        rows = [contents[at] for at, digest in enumerate(part, start) if digest in missing] if missing else []
        if rows:
            yield rows


def _entries(project: Project, selection: Selected, manifest: Manifest, table: Table, where: str) -> Sequence[Entry]:
    """The selection's entries, checked against the digest in git as far as the table is whole."""
    dataset, below = selection
    pointer = dataset.pointer
    if not pointer.is_directory:
        if table.contents[0].digest != pointer.digest or table.contents[0].size != pointer.size:
            raise CorruptContent(dataset.path, where, f"{pointer.size} bytes", f"{table.contents[0].size} bytes")
        return entries_of(project, dataset.path, pointer)
    if len(table.entries) == sum(ref.entries for ref in manifest.segments) or not manifest.segments:
        listing: Listing = listing_from_table(project, dataset.path, pointer.digest, table, where)
        return entries_below(listing.entries, below, dataset.path)
    return entries_below(table.entries, below, dataset.path)


def _is_here(project: Project, selection: Selected, report: FetchReport) -> bool:
    """True when the cache holds all of the selection. Raises NotTracked for a path that its version does not have."""
    dataset, below = selection
    try:
        entries = entries_of(project, dataset.path, dataset.pointer)
    except (MissingContent, CorruptContent):
        return False
    chosen = entries_below(entries, below, dataset.path)
    report.entries[selection] = chosen
    return not project.cache.missing(chosen.file_digests())


def _row(selection: Selected, files: int, size: int) -> Fetched:
    dataset, below = selection
    path = f"{dataset.path}/{below}" if below else dataset.path
    return Fetched(path, dataset.pointer.digest, dataset.pointer.size, files, size)


def _missing(selection: Selected, url: str) -> MissingContent:
    pointer = selection.dataset.pointer
    return MissingContent(selection.dataset.path, str(pointer.digest), f"the cache or {url}", pointer.size)
