"""add: keep what the user's files hold now, and write the pointers that name it.

Order: bytes into the cache, hashed where they lie (or hashed in place, and sent past the cache); listing; pointer;
.gitignore; index; git's staging area.
Killed anywhere, the user's files are untouched and a pointer never names bytes that are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, cast

from lobsterdv import durable
from lobsterdv.anndata_.describe import describe
from lobsterdv.anndata_.kinds import kind_of
from lobsterdv.blobs.intake import Intake
from lobsterdv.digest import Digest, listing_digest
from lobsterdv.errors import LobsterError, UsageError
from lobsterdv.events import Advanced, Finished, Observer, Started, Warned
from lobsterdv.formats.listing import encode_listing, make_listing
from lobsterdv.formats.pointer import Input, Kind, Pointer, encode_pointer
from lobsterdv.formats.yamlio import Value
from lobsterdv.index.seen import save_seen
from lobsterdv.ops.addition import Addition
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Pointers, pointer_path, work_pointers, write_pointer
from lobsterdv.ops.gitfiles import ignore_dataset, stage
from lobsterdv.ops.past_cache import InPlace, PastCache, past_cache
from lobsterdv.ops.preparing import prepare
from lobsterdv.ops.room import require_room_to_add
from lobsterdv.ops.sharing import choose, give_back, not_shared, settle, share
from lobsterdv.ops.taking_in import take_in
from lobsterdv.ops.targets import by_dataset, check_targets
from lobsterdv.ops.using import uses_cache
from lobsterdv.paths import SafeRelPath, folding_collisions

Outcome = Literal["added", "changed", "unchanged"]
Storage = Literal["auto", "plain"]


class _Told(NamedTuple):
    """What the user says of the versions; what is None stays as it was."""

    message: str | None
    inputs: tuple[Input, ...] | None
    storage: Storage | None
    run: Mapping[str, Value] | None


@dataclass(frozen=True, slots=True)
class Added:
    """One dataset: its version now, how many files and bytes had to be read for it, and how many files became the
    cache's own (they are read-only since), how many bytes went to the remote (``to_remote``)."""

    path: str
    outcome: Outcome
    digest: Digest
    size: int
    files: int | None
    kind: str
    previous: Digest | None
    read_files: int
    read_bytes: int
    moved_files: int = 0
    sent_bytes: int = 0


@dataclass
class AddReport:
    added: list[Added] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    staged: bool = False
    remote: str | None = None


@uses_cache
def add(
    project: Project,
    paths: Sequence[str],
    *,
    message: str | None = None,
    inputs: tuple[Input, ...] | None = None,
    run: Mapping[str, Value] | None = None,
    storage: Storage | None = None,
    move: bool = False,
    to_remote: bool = False,
    remote: str | None = None,
    staging: bool = True,
    observer: Observer,
) -> AddReport:
    """Keep the files and directories at ``paths`` (relative to the project) as new versions.

    With ``move`` large files are not copied: they become the cache's own, in their place, and read-only; one that
    cannot be shared safely fails its dataset before anything of that is touched. With ``storage`` plain each file
    is one object of a remote, byte for byte, from this version on until ``auto``. With ``to_remote`` the bytes go to
    ``remote`` (or the default one), past the cache, before a pointer names them; raises RemoteError, Refused.

    ``inputs`` and ``run`` say what the versions were made from, and how; content added anew without them has none, for
    no lineage is invented.

    Each path fails alone; where the cache has not the room for all of them, NoSpace is raised before the first byte
    is written. Unchanged datasets cost stats. May be repeated and raced: pointers are replaced whole, the last
    writer's stands.
    """
    if move and to_remote:
        raise UsageError("a file cannot both become the cache's own and go past it")
    target = past_cache(project, remote) if to_remote else None
    report = AddReport(remote=target.name if target else None)
    known = work_pointers(project)
    started_ns = int(project.now() * 1e9)
    targets, report.failures = check_targets(project, paths, known)
    prepared = []
    again = partial(not_shared, project) if move else None
    for dataset, parts in by_dataset(targets, known).items():
        try:
            addition = prepare(project, dataset, parts, known, again=again, in_cache=not to_remote)
            if move:
                choose(project, addition)
            prepared.append(addition)
        except LobsterError as error:
            report.failures.append(Failure(dataset, error))
    past = PastCache.to(project, target) if target and prepared else None
    told = _Told(message, inputs, storage, run)
    if not to_remote:
        require_room_to_add(project, prepared, new_bytes=sum(a.copied_bytes for a in prepared))
    observer(Started("hashing", sum(a.unread_bytes for a in prepared), sum(a.unread_files for a in prepared)))
    try:
        taken = _take_in_all(project, prepared, to_remote, report, observer)
    except BaseException:
        give_back(prepared)
        raise
    observer(Finished("hashing"))
    versions: list[tuple[Addition, Pointer]] = []
    for addition in taken:
        try:
            versions.append((addition, _version(project, addition, known, told, observer)))
        except LobsterError as error:
            report.failures.append(Failure(addition.path, error))
    sent = past.send_all(versions, report.failures, observer) if past else {}
    written: list[SafeRelPath] = []
    for addition, pointer in versions:
        try:
            if past is None or addition.path in sent:
                written += _record(project, addition, pointer, known, started_ns, sent.get(addition.path, 0), report)
        except LobsterError as error:
            report.failures.append(Failure(addition.path, error))
    if staging and written:
        report.staged = stage(project.git, written, observer=observer)
    return report


def _take_in_all(
    project: Project, prepared: Sequence[Addition], in_place: bool, report: AddReport, observer: Observer
) -> list[Addition]:
    """Bring the bytes into the cache, in one batch, or only hash them; returns the additions that went well."""

    def progress(new_bytes: int) -> None:
        observer(Advanced("hashing", new_bytes))

    taken = []
    with nullcontext() if in_place else Intake(project.cache) as intake:
        for addition in prepared:
            try:
                give = partial(share, project, addition, intake, progress=progress) if intake else None
                take_in(project, addition, intake or InPlace(), share=give, progress=progress)
                taken.append(addition)
            except LobsterError as error:
                report.failures.append(Failure(addition.path, error))
    return taken


def _version(project: Project, addition: Addition, known: Pointers, told: _Told, observer: Observer) -> Pointer:
    """The pointer of a version whose bytes were read; a directory's listing is kept."""
    old = known.good[addition.path].pointer if addition.path in known.good else None
    _warn_of_going_back(addition, old, observer)
    executable = False
    settle(project, addition)
    if addition.is_unchanged and old is not None:
        digest, size, files, executable = old.digest, old.size, old.files, old.executable
    elif addition.is_directory:
        entries = addition.entries()
        listing = make_listing(entries)
        for first, second in folding_collisions(entries.paths):
            observer(Warned(f"{addition.path}: {first!r} and {second!r} are one file on macOS and Windows"))
        encoded = encode_listing(listing)
        digest, size, files = listing_digest(encoded), listing.size, listing.files
        project.cache.put_listing(digest, encoded)
    else:
        entry = addition.entries()[0]
        assert entry.digest is not None
        digest, size, files, executable = entry.digest, entry.size, None, addition.is_executable
    return _pointer(project, addition.path, old, (digest, size, files, executable), told)


def _record(
    project: Project,
    addition: Addition,
    pointer: Pointer,
    known: Pointers,
    started_ns: int,
    sent_bytes: int,
    report: AddReport,
) -> list[SafeRelPath]:
    """Write pointer, .gitignore line and index row of content that is kept; returns what git should stage."""
    old = known.good[addition.path].pointer if addition.path in known.good else None
    written = [pointer_path(addition.path)]  # also when it is right already: an earlier add may not have staged it
    if pointer != old:
        write_pointer(project, addition.path, encode_pointer(pointer))
    ignored = ignore_dataset(project.root, addition.path)
    if ignored is not None:
        written.append(ignored)
    if not addition.is_unchanged:
        save_seen(project.index, str(project.root / addition.path), addition.seen(started_ns, pointer.digest))
    same = pointer.same_version(old)
    report.added.append(
        Added(
            addition.path,
            "unchanged" if same else "changed" if old else "added",
            pointer.digest,
            pointer.size,
            pointer.files,
            pointer.kind,
            None if same or old is None else old.digest,
            addition.read_files,
            addition.read_bytes,
            addition.shared_files,
            sent_bytes,
        )
    )
    return written


def _warn_of_going_back(addition: Addition, old: Pointer | None, observer: Observer) -> None:
    """An untouched old version is added again where the pointer has moved on, after `git pull` say."""
    memory = addition.memory
    if old is None or memory is None or addition.read_files or memory.digest == old.digest:
        return
    observer(
        Warned(
            f"{addition.path} was not edited since {memory.digest.short} was put there, while its pointer had moved "
            f"on to {old.digest.short}: the pointer names the old version again (was `lobsterdv checkout` meant?)"
        )
    )


def _pointer(
    project: Project,
    path: str,
    old: Pointer | None,
    found: tuple[Digest, int, int | None, bool],
    told: _Told,
) -> Pointer:
    """The pointer to write for ``found`` (digest, size, files, executable): of unchanged content only what was told
    anew differs."""
    stored = old.storage if old is not None else None
    if told.storage is not None:
        stored = "plain" if told.storage == "plain" else None
    digest, size, files, executable = found
    if old is not None and old.identity == (digest, files is not None, executable):
        return replace(
            old,
            message=old.message if told.message is None else told.message,
            inputs=old.inputs if told.inputs is None else told.inputs,
            run=old.run if told.run is None else told.run,
            storage=stored,
        )
    place = project.root / path
    content = place if files is not None or not project.cache.is_plain(digest) else project.cache.plain_path(digest)
    with durable.translating(place):
        kind = kind_of(place)
        summary = _summary(project, content, kind, Path(path).name)
    return Pointer(
        digest=digest,
        size=size,
        kind=kind,
        files=files,
        executable=executable,
        message=told.message,
        summary=summary,
        inputs=told.inputs or (),
        run=told.run,
        storage=stored,
        extra=old.extra if old is not None else {},
    )


def _summary(project: Project, content: Path, kind: Kind, name: str) -> dict[str, Value] | None:
    if not project.config.settings["describe"] or kind in ("file", "directory"):
        return None
    return cast(dict[str, Value], describe(content, kind, name=name)) or None
