"""The cache's part of a verification: every content of the versions, each once, re-hashed against its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lobsterdv.blobs.proving import Proof, prove_contents
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, CorruptContent, LobsterError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.index.seen import load_seen
from lobsterdv.ops.context import Project
from lobsterdv.ops.damage import Area, Damage, State, damage_of
from lobsterdv.ops.datasets import place_of
from lobsterdv.ops.presence import Presence
from lobsterdv.ops.resolve import entries_of
from lobsterdv.ops.rounds import Clock, OutOfTime, Round
from lobsterdv.ops.wishes import Wish


@dataclass
class CacheFindings:
    """``elsewhere`` are versions of which the cache lacks what it need not hold: they were never here whole, or the
    remote had them and nothing says that they were here."""

    area: Area = field(default_factory=lambda: Area("cache"))
    damages: list[Damage] = field(default_factory=list)
    elsewhere: list[Wish] = field(default_factory=list)


def check_listings(project: Project, wanted: Sequence[Wish]) -> tuple[list[Wish], CacheFindings]:
    """Read the listing of every directory version, and every pack's index; the versions whose files are known. What is
    corrupt is set aside."""
    findings = CacheFindings()
    for name, why in project.cache.packs.damaged_indexes():
        state: State = "unreadable" if why.startswith("unreadable") else "corrupt"
        findings.damages.append(Damage("", None, "", "", 0, "cache", "pack index", name, state, why))
    project.cache.packs.refresh()
    presence = Presence(project)
    good = []
    for wish in wanted:
        try:
            entries_of(project, wish.path, wish.pointer)
        except CorruptContent as error:
            findings.damages.append(_listing_damage(wish, "corrupt", f"its bytes are those of {error.found[:19]}"))
        except ContentError:
            if _belongs_here(project, wish, presence, None, set()):
                findings.damages.append(_listing_damage(wish, "missing", ""))
            else:
                findings.elsewhere.append(wish)
        except (OSError, LobsterError) as error:
            findings.damages.append(_listing_damage(wish, "unreadable", str(error)))
        else:
            good.append(wish)
    return good, findings


def check_contents(
    project: Project,
    wanted: Sequence[Wish],
    findings: CacheFindings,
    proved: Round,
    clock: Clock,
    *,
    jobs: int,
    observer: Observer,
) -> None:
    """Read and hash what the cache holds of these versions, whose listings are here. What is corrupt is set aside.
    Stops when time is up."""
    contents: dict[Digest, int] = {}
    for wish in wanted:
        entries = entries_of(project, wish.path, wish.pointer)
        contents.update((entry.digest, entry.size) for entry in entries if entry.digest is not None)
    lacking = set(project.cache.missing(contents))
    bad = _read(project, contents, lacking, findings, proved, clock, jobs, observer)
    _name_all(project, wanted, lacking, bad, findings)


def uses_of(entries: Entries, digests: Mapping[Digest, object] | set[Digest]) -> dict[Digest, list[Entry]]:
    """The entries whose contents are among ``digests``, by content."""
    found: dict[Digest, list[Entry]] = {}
    for entry in entries:
        if entry.digest is not None and entry.digest in digests:
            found.setdefault(entry.digest, []).append(entry)
    return found


def _read(
    project: Project,
    contents: Mapping[Digest, int],
    lacking: set[Digest],
    findings: CacheFindings,
    proved: Round,
    clock: Clock,
    jobs: int,
    observer: Observer,
) -> dict[Digest, Proof]:
    """Prove what is here; returns what is not right."""
    here = [digest for digest in contents if digest not in lacking]
    todo = [digest for digest in here if not proved.was_proved(digest)]
    area, bad = findings.area, dict[Digest, Proof]()
    area.earlier = len(here) - len(todo)
    observer(Started("checking the cache", sum(contents[digest] for digest in todo), len(todo)))
    done: set[Digest] = set()
    try:
        for proofs in prove_contents(project.cache, todo, jobs=jobs, check=clock.check):
            for proof in proofs:
                done.add(proof.digest)
                area.bytes += proof.size
                if proof.state:
                    bad[proof.digest] = proof
                elif proof.digest not in bad:
                    proved.proved(proof.digest)
            observer(Advanced("checking the cache", sum(proof.size for proof in proofs), len(proofs)))
    except OutOfTime:
        pass
    area.items, area.left = len(done), len(todo) - len(done)
    observer(Finished("checking the cache"))
    return bad


def _name_all(
    project: Project,
    versions: Sequence[Wish],
    lacking: set[Digest],
    bad: Mapping[Digest, Proof],
    findings: CacheFindings,
) -> None:
    """Turn what is lacking or damaged into damages of the versions that use it."""
    if not lacking and not bad:
        return
    presence = Presence(project)
    for wish in versions:  # their listings are read again: all at once they might not fit in memory
        entries = Entries.of(entries_of(project, wish.path, wish.pointer))
        gone = uses_of(entries, lacking)
        if gone and not _belongs_here(project, wish, presence, entries, set(gone)):
            findings.elsewhere.append(wish)
            gone = {}
        for digest, users in (gone | uses_of(entries, dict(bad))).items():
            proof = bad.get(digest)
            first = users[0]
            findings.damages.append(
                damage_of(
                    wish, "cache", "content", digest,
                    (proof.state or "corrupt") if proof is not None else "missing",
                    proof.detail if proof is not None else "",
                    file=str(first.path), files=len(users), size=first.size,
                )
            )  # fmt: skip


def _belongs_here(project: Project, wish: Wish, presence: Presence, entries: Entries | None, gone: set[Digest]) -> bool:
    """Should the cache hold what it lacks of this version? Yes when one of the contents was proved right here before,
    or when the version is current and was not left out by choice: fetched in part, or only known at the remote."""
    if any(project.cache.ledger.look_up(digest.hex()) is not None for digest in gone):
        return True
    if not wish.current:
        return False
    memory = load_seen(project.index, str(place_of(project, wish.path)))
    is_ours = memory is not None and memory.digest == wish.pointer.digest
    if is_ours and memory is not None and not memory.whole:
        return False
    all_gone = entries is None or len(gone) == len(set(entries.file_digests().plain()))
    return not (all_gone and presence.of(wish.path, wish.pointer.digest, is_ours=is_ours))


def _listing_damage(wish: Wish, state: State, detail: str) -> Damage:
    files = wish.pointer.files or 0
    return damage_of(wish, "cache", "listing", wish.pointer.digest, state, detail, files=files)
