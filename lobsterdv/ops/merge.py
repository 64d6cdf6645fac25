"""merge: resolve a conflicted pointer by merging the versions that git's two sides name, file by file.

Order: both sides' listings and files into the cache, the merged listing, the work tree, the pointer, git's index.
Killed anywhere, the pointer is conflicted still, and the next merge does the same again.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import Remote, manifests, read_table
from lobsterdv.digest import Digest
from lobsterdv.errors import (
    ContentError,
    FormatError,
    LobsterError,
    MissingContent,
    NotARemote,
    NotTracked,
    Refused,
    UsageError,
)
from lobsterdv.events import Advanced, Observer, Warned
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.formats.listing import digest_of_listing, encode_listing, make_listing
from lobsterdv.formats.merging import MergedEntries, Overlap, Side, merge_entries, merge_pointers
from lobsterdv.formats.pointer import Pointer, encode_pointer, parse_pointer
from lobsterdv.ops.bringing import bring_parts
from lobsterdv.ops.checkout import checkout
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, Selected, dataset_of, pointer_path, write_pointer
from lobsterdv.ops.gitfiles import ignore_dataset, stage
from lobsterdv.ops.resolve import entries_of, listing_from_table
from lobsterdv.ops.room import require_room_to_fetch
from lobsterdv.paths import SafeRelPath, safe_path


@dataclass(frozen=True, slots=True)
class Overlapping:
    """A file that both sides changed, differently: the digest (or link target) that each has, None where it is gone
    or, in ``base``, was not yet."""

    path: str
    base: str | None
    ours: str | None
    theirs: str | None


@dataclass
class MergeReport:
    """``digest`` is the merged version, None while files overlap. ``from_ours`` and ``from_theirs`` count the paths
    that only that side changed; ``trash`` is where unsaved files went that were in the way."""

    path: str
    ours: Digest
    theirs: Digest
    digest: Digest | None = None
    files: int | None = None
    from_ours: int = 0
    from_theirs: int = 0
    picked: int = 0
    overlaps: list[Overlapping] = field(default_factory=list)
    trash: str | None = None
    staged: bool = False
    failures: list[Failure] = field(default_factory=list)


@dataclass
class Picks:
    """Which side overlapping files come from: named ones (exactly, or by a glob), and the ``rest``."""

    ours: Sequence[str] = ()
    theirs: Sequence[str] = ()
    rest: Side | None = None
    used: set[str] = field(default_factory=set)

    def choose(self, path: str) -> Side | None:
        """Raises UsageError for a path that both sides' patterns mean."""
        found: dict[str, None] = {}
        for side, patterns in (("ours", self.ours), ("theirs", self.theirs)):
            for pattern in patterns:
                if pattern == path or fnmatch.fnmatchcase(path, pattern):
                    found[side] = None
                    self.used.add(pattern)
        if len(found) > 1:
            raise UsageError(f"{path} is to be taken from both sides")
        return cast(Side, next(iter(found))) if found else self.rest

    def check_used(self, path: str) -> None:
        """Raises UsageError for a pattern that meant no overlapping file."""
        for pattern in (*self.ours, *self.theirs):
            if pattern not in self.used:
                raise UsageError(f"{pattern} is none of the files in {path} that both sides changed")


def merge(
    project: Project,
    path: str,
    *,
    picks: Picks | None = None,
    remote: str | None = None,
    force: bool = False,
    staging: bool = True,
    observer: Observer,
) -> MergeReport:
    """Merge the two versions of a conflicted dataset into one, put it into the work tree and resolve the pointer.

    What the cache lacks of either side is fetched. Files that both sides changed stay ``overlaps`` of the report
    unless ``picks`` says whose to take; then nothing is changed. Unsaved changes in the way raise WouldOverwrite, or,
    with ``force``, go to the trash. Raises NotTracked, Refused, MissingContent, RemoteError. May be repeated.
    """
    picks = picks or Picks()
    dataset = safe_path(dataset_of(path))
    base, ours, theirs = _sides(project, dataset)
    report = MergeReport(dataset, ours.digest, theirs.digest)
    merged = _merged(project, dataset, (base, ours, theirs), picks, remote, observer)
    report.from_ours, report.from_theirs = merged.from_ours, merged.from_theirs
    report.overlaps = [_shown(overlap) for overlap in merged.overlaps]
    if report.overlaps:
        report.failures = [Failure(dataset, Refused(dataset, _overlap_reason(report.overlaps), "overlapping"))]
        return report
    picks.check_used(dataset)
    report.picked = len(picks.used)
    pointer = _pointer(project, base, ours, theirs, merged.entries)
    selected = Selected(Dataset(dataset, pointer), "")
    placed = checkout(project, force=force, selected=[(selected, merged.entries)], observer=observer)
    if placed.failures:
        report.failures = placed.failures
        return report
    report.trash = placed.checked_out[0].trash
    written: list[SafeRelPath] = [write_pointer(project, dataset, encode_pointer(pointer))]
    ignored = ignore_dataset(project.root, dataset)
    if ignored is not None:
        written.append(ignored)
    report.digest, report.files = pointer.digest, pointer.files
    if staging:
        report.staged = stage(project.git, written, observer=observer)
    return report


def _sides(project: Project, dataset: SafeRelPath) -> tuple[Pointer | None, Pointer, Pointer]:
    """Base (None when both sides added it), ours and theirs, as git's index holds them. Two git processes."""
    name = pointer_path(dataset)
    rows = {row.stage: row.blob for row in project.git.staged(f":(literal,top){name}")}
    if not rows:
        raise NotTracked(dataset)
    if 2 not in rows and 3 not in rows:
        raise Refused(dataset, "its pointer is not in conflict", "no-conflict")
    if 2 not in rows or 3 not in rows:
        raise Refused(dataset, "one side removed it and the other changed it", "one-sided")
    contents = project.git.read(rows.values())
    ours, theirs = (parse_pointer(contents[rows[n]], what=name) for n in (2, 3))
    try:
        base = parse_pointer(contents[rows[1]], what=name) if 1 in rows else None
    except FormatError:  # the merge of several ancestors may hold markers itself
        base = None
    return base, ours, theirs


def _merged(
    project: Project,
    dataset: SafeRelPath,
    sides: tuple[Pointer | None, Pointer, Pointer],
    picks: Picks,
    remote: str | None,
    observer: Observer,
) -> MergedEntries:
    base, ours, theirs = sides
    if ours.is_directory != theirs.is_directory:
        raise Refused(dataset, "it is a folder on one side and a file on the other", "two-kinds")
    listings = [_entries(project, dataset, pointer, remote, observer) for pointer in (ours, theirs)]
    ancestor: Sequence[Entry] = ()
    if base is not None and base.is_directory == ours.is_directory:
        ancestor = _ancestor(project, dataset, base, remote, observer)
    return merge_entries(ancestor, *listings, choose=picks.choose)


def _entries(
    project: Project, dataset: SafeRelPath, pointer: Pointer, remote: str | None, observer: Observer
) -> Sequence[Entry]:
    """The entries of a version, with all its content in the cache: what is not there is fetched."""
    try:
        entries = entries_of(project, dataset, pointer)
        if not project.cache.missing(Entries.of(entries).file_digests()):
            return entries
    except ContentError:
        pass
    room = _room(project, dataset, pointer, remote)
    whole = Dataset(dataset, pointer)
    require_room_to_fetch(project, room, [Selected(whole, "")], {}, checking_out=False)
    with Intake(project.cache, keeps_whole=True) as intake:
        brought = bring_parts(project, room, whole, [""], intake, progress=lambda n: observer(Advanced("fetching", n)))[
            ""
        ]
    if isinstance(brought, LobsterError):
        raise brought
    return brought.entries


def _ancestor(
    project: Project, dataset: SafeRelPath, pointer: Pointer, remote: str | None, observer: Observer
) -> Sequence[Entry]:
    """The entries both sides began with; no content is fetched. Where that version is nowhere, only what is equal
    on both sides or new on one merges, and the observer is told."""
    try:
        return entries_of(project, dataset, pointer)
    except ContentError:
        pass
    try:
        room = _room(project, dataset, pointer, remote)
        for _, manifest in manifests(room, pointer.digest, name=dataset, is_directory=True):
            table = read_table(room, manifest, name=dataset)
            return listing_from_table(project, dataset, pointer.digest, table, room.url).entries
    except ContentError:
        pass
    observer(
        Warned(
            f"{dataset} {pointer.digest.short}, which both sides began with, is neither here nor there: "
            "files that one side deleted come back"
        )
    )
    return ()


def _room(project: Project, dataset: SafeRelPath, pointer: Pointer, remote: str | None) -> Remote:
    try:
        return connect(project, project.remote(remote))
    except NotARemote as error:
        if not error.is_empty:
            raise
        raise MissingContent(dataset, str(pointer.digest), f"the cache or {error.url}", pointer.size) from None


def _pointer(project: Project, base: Pointer | None, ours: Pointer, theirs: Pointer, entries: Entries) -> Pointer:
    """The pointer of the merged version; its listing is kept first."""
    together = merge_pointers(base, ours, theirs)
    if not ours.is_directory:
        picked = ours if entries and entries[0].digest == ours.digest else theirs
        return together or picked
    listing = make_listing(entries)
    digest = digest_of_listing(listing)
    for side in (ours, theirs):
        if digest == side.digest:
            return together if together is not None and together.digest == digest else side
    project.cache.put_listing(digest, encode_listing(listing))
    message = "; ".join(sorted({text for text in (ours.message, theirs.message) if text})) or None
    return replace(
        ours,
        digest=digest,
        size=listing.size,
        files=listing.files,
        kind=ours.kind if ours.kind == theirs.kind else "directory",
        message=message,
        summary=None,
        inputs=tuple(sorted({*ours.inputs, *theirs.inputs}, key=lambda i: (i.path, str(i.digest)))),
        run=None,
        extra={**theirs.extra, **ours.extra},
    )


def _shown(overlap: Overlap) -> Overlapping:
    def text(entry: Entry | None) -> str | None:
        return None if entry is None else str(entry.digest or entry.target or entry.type.value)

    return Overlapping(overlap.path, text(overlap.base), text(overlap.ours), text(overlap.theirs))


def _overlap_reason(overlaps: Sequence[Overlapping]) -> str:
    first = overlaps[0].path or "it"
    more = f" and {len(overlaps) - 1} more" if len(overlaps) > 1 else ""
    return f"both sides changed {first}{more}, differently"
