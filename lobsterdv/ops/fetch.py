"""fetch: bring the content of versions from a remote into the cache, verified. The work tree is not touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lobsterdv import workers
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import Digest
from lobsterdv.errors import (
    Archived,
    ContentError,
    CorruptContent,
    LobsterError,
    MissingContent,
    NotARemote,
    NotTracked,
)
from lobsterdv.events import Advanced, Finished, Observer, Started, Warned
from lobsterdv.formats.entries import Entry
from lobsterdv.ops.archives import archived_error, note_readable
from lobsterdv.ops.bringing import Brought, bring_parts
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, Selected, pointers, select
from lobsterdv.ops.forgotten import explained
from lobsterdv.ops.resolve import Versions, entries_below
from lobsterdv.ops.room import require_room_to_fetch
from lobsterdv.ops.using import uses_cache
from lobsterdv.ops.wishes import wishes

_PACK_BYTES = 64 << 20  # of small files, so many bytes are fetched again at most when this process is killed
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
    versions = Versions(project)
    for selection in selected:
        try:
            if _is_here(versions, selection, report):
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
    parts: dict[Dataset, list[str]] = {}
    for dataset, below in incomplete:
        parts.setdefault(dataset, []).append(below)
    observer(
        Started("fetching", sum(s.dataset.pointer.size for s in incomplete if not s.below) or None, len(incomplete))
    )

    def progress(new_bytes: int) -> None:
        observer(Advanced("fetching", new_bytes))

    with Intake(project.cache, pack_bytes=_PACK_BYTES, keeps_whole=True) as intake:

        def bring(dataset: Dataset, at: Remote) -> dict[str, Brought | LobsterError]:
            return bring_parts(project, at, dataset, parts[dataset], intake, progress=progress)

        light = [d for d in parts if d.pointer.size <= _TOGETHER_BYTES]
        heavy = [d for d in parts if d.pointer.size > _TOGETHER_BYTES]
        alone = replace(room, jobs=1)
        if len(light) == 1:
            heavy, light = light + heavy, []
        brought = dict(zip(light, workers.each(lambda d: bring(d, alone), light, jobs=room.jobs), strict=True))
        brought.update((d, bring(d, room)) for d in heavy)
    readable: list[Digest] = []
    for selection in incomplete:
        outcome = brought[selection.dataset][selection.below]
        if isinstance(outcome, Brought):
            report.fetched.append(_row(selection, outcome.new_files, outcome.new_bytes))
            report.entries[selection] = outcome.entries
            readable.append(selection.dataset.pointer.digest)
        else:
            dataset = selection.dataset
            if isinstance(outcome, Archived):
                outcome = archived_error(project, room, dataset, outcome)
            if isinstance(outcome, MissingContent):
                outcome = explained(room, dataset.path, dataset.pointer.digest, outcome)
            report.failures.append(Failure(dataset.path, outcome))
    note_readable(project, room, readable)
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


def _is_here(versions: Versions, selection: Selected, report: FetchReport) -> bool:
    """True when the cache holds all of the selection. Raises NotTracked for a path that its version does not have."""
    dataset, below = selection
    try:
        entries = versions.entries(dataset)
    except (MissingContent, CorruptContent):
        return False
    chosen = entries_below(entries, below, dataset.path)
    report.entries[selection] = chosen
    return not versions.project.cache.missing(chosen.file_digests())


def _row(selection: Selected, files: int, size: int) -> Fetched:
    dataset, below = selection
    path = f"{dataset.path}/{below}" if below else dataset.path
    return Fetched(path, dataset.pointer.digest, dataset.pointer.size, files, size)


def _missing(selection: Selected, url: str) -> MissingContent:
    pointer = selection.dataset.pointer
    return MissingContent(selection.dataset.path, str(pointer.digest), f"the cache or {url}", pointer.size)
