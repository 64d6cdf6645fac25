"""push: make a remote hold the versions that this project names.

The order of writes is the protocol: objects, segments, manifest, catalog record. A reader that finds a
name finds everything behind it; killed anywhere, a push leaves only what nothing names yet, and the next
one goes on from there. What is claimed was seen at the remote in this run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lobsterdv import workers
from lobsterdv.blobs.heads import Heads, Sent
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.source import CacheSource
from lobsterdv.blobs.storage import Decision, Storage, storage_for
from lobsterdv.digest import Digest
from lobsterdv.errors import LobsterError, MissingContent, RemoteError, UsageError
from lobsterdv.events import Advanced, Finished, Observer, Started, Warned
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.index.pushed import Pushed, forget_pushed, load_pushed, save_pushed
from lobsterdv.ops.claims import is_plain, known_pushes, retired_pushes, still_complete
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.damage import Damage
from lobsterdv.ops.forgotten import without_forgotten
from lobsterdv.ops.run_sharing import send_runs
from lobsterdv.ops.using import uses_cache
from lobsterdv.ops.wishes import Wish, wishes

Outcome = Literal["pushed", "up to date", "repaired"]
_TOGETHER_BYTES = 64 << 20  # datasets up to this size go up side by side; larger ones use all connections themselves


@dataclass(frozen=True, slots=True)
class PushedVersion:
    """One version and what it took.

    Of its ``size`` bytes, ``reused_bytes`` (whole files and chunks) were at the remote; the rest, each content once,
    are ``packed_bytes``, which zstd made the ``new_bytes`` that were sent in ``new_objects``. ``stored`` says how
    large files and those with older relatives were stored.
    """

    path: str
    digest: Digest
    outcome: Outcome
    size: int
    new_bytes: int
    new_objects: int
    current: bool
    reused_bytes: int = 0
    packed_bytes: int = 0
    stored: list[Decision] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Terms:
    """How one push sends."""

    storage: Storage
    part_threshold: int
    ignore_missing: bool


@dataclass
class PushReport:
    """With ``checked`` (``push --check``) nothing was sent: ``versions`` are those that are whole, of all that were
    looked at; ``lacking`` is what is not, after HEADs of ``checked_objects``."""

    remote: str
    url: str
    embedded: bool
    versions: list[PushedVersion] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped_versions: int = 0
    checked: bool = False
    checked_objects: int = 0
    lacking: list[Damage] = field(default_factory=list)


@uses_cache
def push(
    project: Project,
    paths: Sequence[str] = (),
    *,
    remote: str | None = None,
    rev: str | None = None,
    everything: bool = False,
    jobs: int | None = None,
    ignore_missing: bool = False,
    plain: bool = False,
    storage_class: str | None = None,
    asked: tuple[list[Wish], list[Failure]] | None = None,
    observer: Observer,
) -> PushReport:
    """Push what ``wishes`` (or ``asked``, in its place) names and the remote lacks; HEAD what is current.

    ``plain``, or ``storage: plain`` in its pointer, has every file of a version stored as an object of its own.
    ``storage_class`` is that of the objects that this push sends, in place of the remote's own; what lies there already
    stays as it is. Raises ConfigError for one that must be restored to be read.

    An old version whose bytes neither side has is a warning; a current one is a Failure with
    MissingContent, unless ``ignore_missing``. May be repeated, interrupted and raced.
    """
    config = _classed(project.remote(remote), storage_class)
    wanted, failures = asked or wishes(project, paths, rev=rev, everything=everything)
    report = PushReport(config.name, config.url, config.name == EMBEDDED, failures=failures)
    if not wanted:
        return report
    room = connect(project, config, create=True, jobs=jobs)
    report.url = room.url
    if plain:
        wanted = [replace(w, pointer=replace(w.pointer, storage="plain")) if w.current else w for w in wanted]
    known = known_pushes(project, room, wanted)
    claimed = [w for w in wanted if w.current and w.key in known]
    # Records of current versions are asked for one by one.
    older = [known[w.key] for w in wanted if not w.current and w.key in known]

    def look_at_catalog() -> set[Pushed]:
        if any(w.key not in known for w in wanted):
            room.graves.look(room.store)  # for what is to be sent
        return retired_pushes(room, project.project_id, older) if older else set()

    damaged, retired = workers.both(lambda: _check_known(project, room, claimed, known, observer), look_at_catalog)
    forget_pushed(project.index, _shelf(project, room), (known[w.key] for w in damaged))
    lumped = [w for w in claimed if w not in damaged and w.pointer.storage == "plain" and not _plain(room, w, known)]
    report.versions = [
        PushedVersion(w.path, w.pointer.digest, "up to date", w.pointer.size, 0, 0, True, w.pointer.size)
        for w in claimed
        if w not in damaged and w not in lumped
    ]
    report.skipped_versions = len(older) - len(retired)
    todo = [w for w in wanted if w.key not in known or known[w.key] in retired or w in damaged or w in lumped]
    todo, gone = without_forgotten(room, todo)
    report.failures += gone
    if todo:
        terms = _Terms(
            storage_for(config.text("compression") or "auto"),
            config.number("multipart_threshold"),
            ignore_missing,
        )
        _send_all(project, room, todo, set(damaged), known, terms, report, observer)
    send_runs(room, lambda: {(row.path, row.version) for row in load_pushed(project.index, _shelf(project, room))})
    return report


def _classed(config: RemoteConfig, storage_class: str | None) -> RemoteConfig:
    if storage_class is None:
        return config
    if not config.url.startswith("s3:"):
        raise UsageError(f"remote {config.name} is a folder, which has no storage classes")
    return config.having("storage_class", storage_class, source="push --storage-class")


def _plain(room: Remote, wish: Wish, known: dict[tuple[str, Digest], Pushed]) -> bool:
    try:
        return is_plain(room, wish, known[wish.key])
    except LobsterError:
        return False


def _check_known(
    project: Project,
    room: Remote,
    wanted: list[Wish],
    known: dict[tuple[str, Digest], Pushed],
    observer: Observer,
) -> list[Wish]:
    """HEAD what earlier pushes claim to have written; returns the versions that are not whole any more."""
    observer(Started("checking", total_items=len(wanted)))
    incomplete = still_complete(room, [(w, known[w.key]) for w in wanted], project_id=project.project_id)
    observer(Finished("checking"))
    return [w for w in wanted if w.key in incomplete]


def _send_all(
    project: Project,
    room: Remote,
    todo: list[Wish],
    damaged: set[Wish],
    known: dict[tuple[str, Digest], Pushed],
    terms: _Terms,
    report: PushReport,
    observer: Observer,
) -> None:
    """Datasets side by side, the versions of each from old to new, so that the next finds what the last one placed."""
    from lobsterdv.ops.placing import Signer, send_version  # noqa: PLC0415 - start-up time: not when nothing is new
    from lobsterdv.ops.proofs import remember_sent  # noqa: PLC0415 - so is this

    signer = Signer(project.project_id, project.git.identity(), project.host)
    by_dataset: dict[str, list[Wish]] = {}
    for wish in todo:
        by_dataset.setdefault(wish.path, []).append(wish)
    observer(Started("pushing", sum(w.pointer.size for w in todo), len(todo)))
    source = CacheSource(project.cache)
    all_placed = [*known.values()]  # grows (append and tuple are atomic): the next dataset may hold the same files

    def send_dataset(versions: list[Wish], jobs: int) -> list[PushedVersion | Failure]:
        done: list[PushedVersion | Failure] = []
        placed = [known[key] for key in known if key[0] == versions[0].path]
        heads = Heads(room, jobs)
        for wish in versions:
            sent = Sent()
            try:
                row = send_version(
                    project, room, wish, source, placed, tuple(all_placed),
                    replace(terms.storage, plain=wish.pointer.storage == "plain"), heads.counting(sent), signer,
                    part_threshold=terms.part_threshold, jobs=jobs,
                    progress=lambda n: observer(Advanced("pushing", n)),
                )  # fmt: skip
            except MissingContent as error:
                if wish.current and not terms.ignore_missing:
                    done.append(Failure(wish.path, error))
                else:
                    observer(Warned(f"{wish.path} {wish.pointer.digest.short} is neither here nor there; left out"))
            except RemoteError:
                raise
            except LobsterError as error:
                done.append(Failure(wish.path, error))
            else:
                placed.append(row)
                all_placed.append(row)
                save_pushed(project.index, _shelf(project, room), [row])
                remember_sent(project.index, room, heads.arrivals, now=project.now())
                heads.arrivals.clear()
                done.append(_pushed(wish, "repaired" if wish in damaged else "pushed", sent))
        return done

    groups = list(by_dataset.values())
    light = [g for g in groups if sum(w.pointer.size for w in g) <= _TOGETHER_BYTES]
    heavy = [g for g in groups if sum(w.pointer.size for w in g) > _TOGETHER_BYTES]
    results: list[list[PushedVersion | Failure]] = []
    for together in _originals_first(light):
        if len(together) > 1:
            results += workers.each(lambda g: send_dataset(g, 1), together, jobs=room.jobs)
        else:
            results += [send_dataset(group, room.jobs) for group in together]
    results += [send_dataset(group, room.jobs) for group in heavy]
    for row in (row for rows in results for row in rows):
        if isinstance(row, Failure):
            report.failures.append(row)
        else:
            report.versions.append(row)
    observer(Finished("pushing"))


def _originals_first(groups: list[list[Wish]]) -> tuple[list[list[Wish]], list[list[Wish]]]:
    """Datasets that may go up side by side, and those that repeat a version of one before them: sent at the same time,
    the same files would travel twice."""
    seen: set[Digest] = set()
    originals: list[list[Wish]] = []
    copies: list[list[Wish]] = []
    for group in groups:
        digests = {wish.pointer.digest for wish in group}
        (copies if digests & seen else originals).append(group)
        seen |= digests
    return originals, copies


def _pushed(wish: Wish, outcome: Outcome, sent: Sent) -> PushedVersion:
    return PushedVersion(
        wish.path,
        wish.pointer.digest,
        outcome,
        wish.pointer.size,
        sent.new_bytes,
        sent.new_objects,
        wish.current,
        sent.reused_bytes,
        sent.packed_bytes,
        sorted(sent.decisions, key=lambda decision: decision.path),
    )


def _shelf(project: Project, room: Remote) -> str:
    return f"{room.marker.store_id}/{project.project_id}"
