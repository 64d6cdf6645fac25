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
    RemoteError,
)
from lobsterdv.events import Advanced, Finished, Observer, Started, Warned
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.entries import Entry
from lobsterdv.ops.archive_states import note_readable
from lobsterdv.ops.archives import archived_error
from lobsterdv.ops.bringing import Brought, bring_parts
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, Selected, pointers, select
from lobsterdv.ops.forgotten import explained
from lobsterdv.ops.nearness import sources
from lobsterdv.ops.resolve import Versions, entries_below
from lobsterdv.ops.room import require_room_to_fetch
from lobsterdv.ops.using import uses_cache
from lobsterdv.ops.wishes import wishes

_PACK_BYTES = 64 << 20  # of small files, so many bytes are fetched again at most when this process is killed
_TOGETHER_BYTES = 64 << 20  # as in push: light datasets side by side, heavy ones one after another
_ELSEWHERE = (MissingContent, CorruptContent, Archived)  # what another remote may yet give


@dataclass(frozen=True, slots=True)
class Fetched:
    """One selection: how many contents and bytes had to come, 0 when all was here."""

    path: str
    digest: Digest
    size: int
    new_files: int
    new_bytes: int


@dataclass(frozen=True, slots=True)
class Served:
    """What one remote gave: content of ``new_bytes``, of which ``reused_bytes`` did not travel: earlier versions here
    hold the same chunks."""

    remote: str
    url: str
    datasets: int
    new_bytes: int
    reused_bytes: int = 0


@dataclass
class FetchReport:
    """``remote`` is the first that gave something, or the first to be asked; ``served`` are all that did."""

    remote: str
    url: str
    served: list[Served] = field(default_factory=list)
    fetched: list[Fetched] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    entries: dict[Selected, Sequence[Entry]] = field(default_factory=dict)
    """What each selection consists of, for the checkout that follows; not part of the JSON."""
    tight: bool | None = None
    """Whether free space is so short that a checkout must look closely; None when it was not asked for. Nor is this."""

    @property
    def travelled_bytes(self) -> int:
        """What came from remotes, as content."""
        return sum(row.new_bytes - row.reused_bytes for row in self.served)


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

    Remotes are asked only when something is missing: the named one, else all in the order that ``sources`` tells, each
    for what those before it lack, hold damaged or have archived. Each selection fails alone; when no remote can be
    used, all do. What was forgotten is looked for nowhere else. Raises NoSpace before any content comes when there is
    not the room for it, nor, with ``checking_out``, for the checkout that follows. May be repeated: what arrived stays.
    """
    order = sources(project, remote)
    if everything:
        wanted, failures = wishes(project, paths, everything=True)
        selected = [Selected(Dataset(w.path, w.pointer), "") for w in wanted]
    else:
        selected, failures = select(pointers(project, rev), paths, rev=rev)
    report = FetchReport(order[0].name, order[0].url, failures=failures)
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
    _from_each(project, order, incomplete, report, checking_out=checking_out, jobs=jobs, observer=observer)
    return report


def _from_each(
    project: Project,
    order: Sequence[RemoteConfig],
    incomplete: list[Selected],
    report: FetchReport,
    *,
    checking_out: bool,
    jobs: int | None,
    observer: Observer,
) -> None:
    """Ask each remote for what those before it could not give. Raises RemoteError when none could be asked."""
    left, asked = incomplete, []
    lacking: dict[Selected, LobsterError] = {}
    refused: dict[str, RemoteError] = {}
    for config in order:
        try:
            room = connect(project, config, reading=True, jobs=jobs)
            tight = require_room_to_fetch(project, room, left, report.entries, checking_out=checking_out)
            report.tight = tight if report.tight is None else tight or report.tight
            failed = _bring_all(project, room, left, report, config.name, observer)
        except NotARemote as error:
            if not error.is_empty:
                refused[config.name] = error
                continue
            failed = {s: _missing(s, error.url) for s in left}
        except RemoteError as refusal:
            refused[config.name] = refusal
            continue
        asked.append(project.store(config).url)
        lacking = {s: lacking.get(s, failed[s]) for s in failed}
        left = [s for s in left if isinstance(failed.get(s), _ELSEWHERE)]
        if not left:
            break
    if refused and not asked:
        raise next(iter(refused.values()))
    for name, why in refused.items():
        observer(Warned(f"remote {name} was passed over: {why}"))
    if report.served:
        report.remote, report.url = report.served[0].remote, report.served[0].url
    first = refused.get(order[0].name)
    for selection in incomplete:
        if selection in lacking:
            problem = lacking[selection]
            if first is not None and isinstance(problem, MissingContent):
                problem = first  # what the project's remote has is not known
            elif isinstance(problem, MissingContent) and len(asked) > 1:
                problem = replace(problem, where=", ".join(asked))
            report.failures.append(Failure(selection.dataset.path, problem))


def _bring_all(
    project: Project, room: Remote, incomplete: list[Selected], report: FetchReport, name: str, observer: Observer
) -> dict[Selected, LobsterError]:
    """Bring what this remote has of these; returns why it could not give the others."""
    parts: dict[Dataset, list[str]] = {}
    for dataset, below in incomplete:
        parts.setdefault(dataset, []).append(below)
    observer(
        Started("fetching", sum(s.dataset.pointer.size for s in incomplete if not s.below) or None, len(incomplete))
    )

    def progress(new_bytes: int) -> None:
        observer(Advanced("fetching", new_bytes))

    reused: list[int] = []
    with Intake(project.cache, pack_bytes=_PACK_BYTES, keeps_whole=True) as intake:

        def bring(dataset: Dataset, at: Remote) -> dict[str, Brought | LobsterError]:
            return bring_parts(project, at, dataset, parts[dataset], intake, progress=progress, reused=reused.append)

        light = [d for d in parts if d.pointer.size <= _TOGETHER_BYTES]
        heavy = [d for d in parts if d.pointer.size > _TOGETHER_BYTES]
        alone = replace(room, jobs=1)
        if len(light) == 1:
            heavy, light = light + heavy, []
        brought = dict(zip(light, workers.each(lambda d: bring(d, alone), light, jobs=room.jobs), strict=True))
        brought.update((d, bring(d, room)) for d in heavy)
    readable: list[Digest] = []
    failed: dict[Selected, LobsterError] = {}
    new_bytes = served = 0
    for selection in incomplete:
        outcome = brought[selection.dataset][selection.below]
        if isinstance(outcome, Brought):
            new_bytes, served = new_bytes + outcome.new_bytes, served + 1
            report.fetched.append(_row(selection, outcome.new_files, outcome.new_bytes))
            report.entries[selection] = outcome.entries
            readable.append(selection.dataset.pointer.digest)
        else:
            dataset = selection.dataset
            if isinstance(outcome, Archived):
                outcome = archived_error(project, room, dataset, outcome)
            if isinstance(outcome, MissingContent):
                outcome = explained(room, dataset.path, dataset.pointer.digest, outcome)
            failed[selection] = outcome
    note_readable(project, room, readable)
    if served:
        report.served.append(Served(name, room.url, served, new_bytes, sum(reused)))
    observer(Finished("fetching"))
    return failed


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
