"""verify: is every byte of the versions what its name says? In the cache and the work tree, or at a remote.

Missing, corrupt and unreadable are told apart, each by dataset, version and file. Only a repair changes anything,
but for this: what is corrupt in the cache is set aside in its quarantine, never deleted. A verification that runs out
of time or is interrupted goes on where it stopped (``rounds.py`` says where that is kept).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lobsterdv.digest import Digest, parse_digest
from lobsterdv.errors import LobsterError
from lobsterdv.events import Observer
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.damage import Area, Damage, with_revs
from lobsterdv.ops.datasets import work_pointers
from lobsterdv.ops.forgotten import without_forgotten
from lobsterdv.ops.repair import heal_contents, heal_listings, heal_packs, heal_work_tree
from lobsterdv.ops.repair_remote import heal_remote
from lobsterdv.ops.rounds import Clock, Round
from lobsterdv.ops.verifying_cache import CacheFindings, check_contents, check_listings
from lobsterdv.ops.verifying_remote import Level, RemoteFindings, check_remote
from lobsterdv.ops.verifying_work import WorkFindings, check_work_tree
from lobsterdv.ops.wishes import Wish, wishes
from lobsterdv.stores.base import TellsChecksums
from lobsterdv.stores.capabilities import Checking

_COLLEAGUE = "push by whoever has this version"


@dataclass(frozen=True, slots=True)
class Left:
    """A version that was not looked at, or not wholly, because it is not there: no damage by what is known here."""

    path: str
    version: Digest


@dataclass
class VerifyReport:
    """``areas`` say how much was looked at, and what there was no time for; ``level`` how objects were. ``edited`` are
    files of the work tree that somebody changed, ``elsewhere`` versions that the cache need not hold, ``unpushed``
    those that the remote never got. Of ``objects``, ``compared`` had a checksum of the server's that could be compared
    and ``sampled`` were read (None: no sample); ``archived`` are there, and cannot be read before a `restore`.
    ``checking`` is what the server was seen to do with a checksum that comes along: unless that is "verified", what was
    compared is what some client sent, not what the server has."""

    remote: str | None
    url: str | None
    level: Level
    versions: int = 0
    areas: list[Area] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    elsewhere: list[Left] = field(default_factory=list)
    unpushed: list[Left] = field(default_factory=list)
    objects: int = 0
    compared: int = 0
    checking: Checking = ""
    sampled: int | None = None
    archived: int = 0
    repaired: bool = False
    failures: list[Failure] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """False when time ran out."""
        return not any(area.left for area in self.areas)

    @property
    def is_whole(self) -> bool:
        """True when nothing that was looked at is damaged any more."""
        return all(damage.healed for damage in self.damages)


def verify(
    project: Project,
    paths: Sequence[str] = (),
    *,
    everything: bool = False,
    repair: bool = False,
    max_seconds: float | None = None,
    jobs: int | None = None,
    observer: Observer,
) -> VerifyReport:
    """Hash what the cache holds of the current versions (with ``everything`` of all refs' versions), and the files of
    the work tree that should be as their pointers say. No network is used, except by a ``repair``.
    """
    clock = Clock(project.now, max_seconds)
    wanted, failures = _wanted(project, paths, everything)
    report = VerifyReport(None, None, "data", len(wanted), repaired=repair, failures=failures)
    good, cache = check_listings(project, wanted)
    healed: dict[Digest, str] = {}
    lost = {row.version for row in cache.damages if row.what == "listing"}
    if repair and lost:
        lost_wishes = [wish for wish in wanted if wish.pointer.digest in lost]
        healed |= heal_listings(project, list({w.pointer.digest: w for w in lost_wishes}.values()))
        good += [wish for wish in lost_wishes if wish.pointer.digest in healed]
    if repair:
        cache.damages = _with_packs(cache.damages, heal_packs(project))
    jobs = jobs or project.jobs
    # The work tree first: setting a cached file aside changes the stat of a hard link to it.
    work = _work_tree(project, good, clock, jobs, observer)
    with Round(project.state, "cache", now=project.now) as proved:
        check_contents(project, good, cache, proved, clock, jobs=jobs, observer=observer)
        if not cache.area.left:
            proved.complete()
    if repair:
        _repair_here(project, wanted, cache, work, healed, observer)
    report.areas = [cache.area, work.area]
    report.damages = with_revs(project, [*cache.damages, *work.damages])
    report.edited = sorted(work.edited)
    report.elsewhere = [Left(wish.path, wish.pointer.digest) for wish in cache.elsewhere]
    return report


def verify_remote(
    project: Project,
    paths: Sequence[str] = (),
    *,
    remote: str | None = None,
    everything: bool = False,
    level: Level = "heads",
    sample: float | None = None,
    repair: bool = False,
    max_seconds: float | None = None,
    jobs: int | None = None,
    observer: Observer,
) -> VerifyReport:
    """Look at everything that the current versions (with ``everything`` those of all refs) need at a remote: documents
    by their bytes, objects as ``level`` says, with ``sample`` (0 to 1) only a random share of them by their bytes.
    Raises RemoteError.
    """
    clock = Clock(project.now, max_seconds)
    config = project.remote(remote)
    wanted, failures = _wanted(project, paths, everything)
    report = VerifyReport(config.name, config.url, level, len(wanted), repaired=repair, failures=failures)
    if not wanted:
        return report
    room = connect(project, config, jobs=jobs)
    report.url = room.url
    wanted, gone = without_forgotten(room, wanted)
    report.failures += gone
    name = f"remote-{room.marker.store_id}-{level}"
    with Round(project.state, name, now=project.now, keep=sample is None) as proved:
        found = check_remote(project, room, wanted, proved, clock, level=level, sample=sample, observer=observer)
        if not found.area.left:
            proved.complete()
    if repair:
        outcome = heal_remote(project, config, room, found, observer=observer)
        hidden = _hidden(found, outcome)
        found.damages = [_told(row, outcome) for row in found.damages]
        if hidden:
            with Round(project.state, name, now=project.now, keep=False) as proved:
                behind = check_remote(
                    project, room, hidden, proved, clock, level=level, sample=sample, observer=observer
                )
            outcome = heal_remote(project, config, room, behind, observer=observer)
            found.damages += [_told(row, outcome) for row in behind.damages]
            found.area.left += behind.area.left
    report.areas = [found.area]
    report.damages = with_revs(project, found.damages)
    report.unpushed = [Left(wish.path, wish.pointer.digest) for wish in found.unpushed]
    report.objects, report.compared, report.sampled = found.objects, found.compared, found.sampled
    report.archived = found.archived
    if isinstance(room.store, TellsChecksums):
        report.checking = room.store.checking
    return report


def _wanted(project: Project, paths: Sequence[str], everything: bool) -> tuple[list[Wish], list[Failure]]:
    found, failures = wishes(project, paths, everything=everything)
    return [wish for wish in found if everything or wish.current], failures


def _work_tree(project: Project, good: Sequence[Wish], clock: Clock, jobs: int, observer: Observer) -> WorkFindings:
    named = {(path, dataset.pointer.digest) for path, dataset in work_pointers(project).good.items()}
    with Round(project.state, "work-tree", now=project.now) as proved:
        here = [wish for wish in good if wish.key in named]
        work = check_work_tree(project, here, proved, clock, jobs=jobs, observer=observer)
        if not work.area.left:
            proved.complete()
    return work


def _repair_here(
    project: Project,
    wanted: Sequence[Wish],
    cache: CacheFindings,
    work: WorkFindings,
    healed: dict[Digest, str],
    observer: Observer,
) -> None:
    """Heal the cache, then the work tree from it, and say so in the damages."""
    rows = [row for row in cache.damages if row.what == "content" and row.state != "unreadable"]
    # A rotten file of the work tree is replaced by the cache's copy, which it may lack by choice.
    needed = {parse_digest(row.name, what="damage") for row in [*rows, *work.damages] if row.state != "unreadable"}
    if needed:
        healed |= heal_contents(project, wanted, needed, observer=observer)
    cache.damages = [_healed(row, healed) for row in cache.damages]
    replaced = heal_work_tree(project, work.damages, observer=observer)
    work.damages = [
        replace(row, healed=replaced.get(row, ""), remedy="" if row in replaced else _remedy(row))
        for row in work.damages
    ]


def _with_packs(damages: Sequence[Damage], found: Mapping[str, int]) -> list[Damage]:
    """Damaged indexes are healed: what is not read out of their packs heals like any other content. One that is gone is
    damage only if its pack held what the cache lacked."""
    told = {row.name for row in damages if row.what == "pack index"}
    gone = [
        Damage("", None, "", "", 0, "cache", "pack index", name, "missing", "") for name in found if name not in told
    ]
    return [
        replace(row, healed=f"files read out of its pack without it: {found.get(row.name, 0)}")
        if row.what == "pack index" and row.state != "unreadable" else row
        for row in [*damages, *gone]
    ]  # fmt: skip


def _hidden(found: RemoteFindings, outcome: dict[tuple[str, Digest], str | LobsterError]) -> list[Wish]:
    """Versions that were healed and whose documents were damaged: what these name was not looked at before."""
    unread = {(row.path, row.version) for row in found.damages if row.what in ("record", "manifest", "segment")}
    return [wish for wish in found.damaged if wish.key in unread and isinstance(outcome.get(wish.key), str)]


def _healed(row: Damage, healed: dict[Digest, str]) -> Damage:
    if row.what == "pack index":
        return row if row.healed else replace(row, remedy=_remedy(row))
    source = healed.get(parse_digest(row.name, what="damage"), "")
    return replace(row, healed=source, remedy="" if source else _remedy(row))


def _told(row: Damage, outcome: dict[tuple[str, Digest], str | LobsterError]) -> Damage:
    result = outcome.get((row.path, row.version)) if row.version is not None else None
    if isinstance(result, str):
        return replace(row, healed=result)
    return replace(row, remedy=f"{result or ''}; {_COLLEAGUE}".removeprefix("; "))


def _remedy(row: Damage) -> str:
    return "look at the disk, then again" if row.state == "unreadable" else _COLLEAGUE
