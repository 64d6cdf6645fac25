"""One dataset that is being added: what must be read of it, and the reading."""

from __future__ import annotations

import os
import stat as stat_module
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Final, Protocol

from lobsterdv import durable, workers
from lobsterdv.blobs.intake import Kept
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.compact import Texts
from lobsterdv.digest import DIGEST_BYTES, Digest, Digests, checksum_of, digest_of
from lobsterdv.errors import ChangedMeanwhile, LocalIOError, Refused
from lobsterdv.formats.entries import FILES, LINK, Entries, Entry, EntryType
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.index.rows import CHECKSUM_BYTES, FIELDS, SeenFile, SeenFiles
from lobsterdv.index.seen import Seen, digests_of, load_seen
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Pointers, place_of
from lobsterdv.paths import SafeRelPath, check_paths, safe_link, safe_path
from lobsterdv.signature import Signature, signature_of
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.links import see_through
from lobsterdv.worktree.scan import Finds, Found, scan

_BATCH_BYTES: Final = 4 << 20
_BATCH_FILES: Final = 256
_SLOW_SECONDS: Final = 0.0003
_BLOCK: Final = 1024
_READ: Final = 2
_Rows = list[tuple[int, bytes, SeenFile]]


@dataclass
class Addition:
    """One dataset on its way: what was found of it, which files' bytes are known, and the rest of a directory of which
    only parts are added (``carried``).

    Columns by position in ``found``: ``known`` is not 0 where the digest and the checksum count, and _READ where the
    file was read now. A dataset that is a file has the one path ''.
    """

    path: SafeRelPath
    place: Path
    is_directory: bool
    found: Finds
    memory: Seen | None = None
    is_unchanged: bool = False
    linked: dict[str, Path] = field(default_factory=dict)
    handed: dict[str, int | None] = field(default_factory=dict)
    """Files that become the cache's own, and the mode they had, once they are handed over."""
    shared_files: int = 0
    carried: Entries | None = None
    carried_files: SeenFiles | None = None
    known: bytearray = field(default_factory=bytearray)
    digests: bytearray = field(default_factory=bytearray)
    checksums: bytearray = field(default_factory=bytearray)
    read_files: int = 0
    read_bytes: int = 0

    def source(self, item: Found) -> Path:
        """Where a file's bytes are: in its place, or in the cache, when it is a link that checkout made."""
        return self.linked.get(item.path) or (self.place / item.path if item.path else self.place)

    def is_small(self, item: Found) -> bool:
        """True for a file that rests in a pack."""
        return self.is_directory and item.signature.size < SMALL_BYTES and item.path not in self.linked

    def unread(self) -> Iterator[int]:
        """Positions of the files that must be read; none of an unchanged dataset."""
        if self.is_unchanged:
            return
        for at, (code, is_known) in enumerate(zip(self.found.types, self.known, strict=True)):
            if code < FILES and not is_known:
                yield at

    @property
    def unread_bytes(self) -> int:
        return sum(map(self.found.size, self.unread()))

    @property
    def unread_files(self) -> int:
        return sum(1 for _ in self.unread())

    @property
    def copied_bytes(self) -> int:
        """Of these, those that are written once more."""
        found = self.found
        return sum(found.size(at) for at in self.unread() if not self.handed or found.paths[at] not in self.handed)

    @property
    def is_executable(self) -> bool:
        return not self.is_directory and self.found[0].type is EntryType.EXECUTABLE

    def keep(self, at: int, kept: SeenFile) -> None:
        """A file was read."""
        self.known[at] = _READ
        self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES] = kept.digest
        self.checksums[at * CHECKSUM_BYTES : (at + 1) * CHECKSUM_BYTES] = kept.checksum
        self.found.numbers[at * FIELDS : (at + 1) * FIELDS] = array("q", kept.signature)
        self.read_files += 1
        self.read_bytes += kept.signature.size

    def record(self, path: str) -> SeenFile:
        """What is remembered of a file that was read."""
        at = self._position(path)
        return SeenFile(
            self.found.signature(at),
            Digest(bytes(self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES])),
            bytes(self.checksums[at * CHECKSUM_BYTES : (at + 1) * CHECKSUM_BYTES]),
        )

    def touched(self, path: str, signature: Signature) -> None:
        """A file that was read has another signature since, and the same bytes."""
        at = self._position(path)
        self.found.numbers[at * FIELDS : (at + 1) * FIELDS] = array("q", signature)

    def read_paths(self) -> Iterator[str]:
        """The files that were read now."""
        return compress(self.found.paths, (state == _READ for state in self.known))

    def read_again(self, path: str) -> None:
        """A file whose bytes are known shall be read all the same."""
        self.known[self._position(path)] = 0

    def _position(self, path: str) -> int:
        return bisect_left(self.found.paths, path)

    def entries(self) -> Entries:
        """All entries of the version, sorted, once everything is read."""
        found = self.found
        sizes = array("Q", found.numbers[2::FIELDS])
        for at in found.others:
            sizes[at] = 0
        targets = {at: target for at, target in found.others.items() if target}
        entries = Entries(Texts.of(found.paths), bytes(found.types), sizes, bytes(self.digests), targets)
        return self.carried.merged(entries) if self.carried is not None else entries

    def rows(self) -> SeenFiles:
        """All files as the index remembers them, once everything is read."""
        found = self.found
        numbers = memoryview(found.numbers)
        rows = SeenFiles(Texts.of(found.paths), numbers, bytes(self.digests), bytes(self.checksums))
        rows = rows.without(sorted(found.others)) if found.others else rows
        return self.carried_files.merged(rows) if self.carried_files is not None else rows

    def others(self) -> dict[str, str]:
        """Links and empty folders, as the index remembers them."""
        carried = self.carried.others() if self.carried is not None else {}
        return carried | {self.found.paths[at]: target for at, target in self.found.others.items()}


def prepare(
    project: Project,
    dataset: SafeRelPath,
    parts: Sequence[str],
    known: Pointers,
    *,
    again: Callable[[Addition], list[str]] | None = None,
    in_cache: bool = True,
) -> Addition:
    """Look at a dataset, or at ``parts`` of it: one stat a file. Files the index vouches for, and whose bytes the
    cache has (or need not have: ``in_cache`` False), need no reading, but those that ``again`` picks.

    Raises Refused for what cannot be kept, UnsafePath for names that could not be checked out again,
    MissingContent when part of a directory is updated whose listing is not here.
    """
    place = place_of(project, dataset)
    seen = Finds.joined([_look_at(project, dataset, below, place) for below in parts])
    found = see_through(seen, place, project.cache.folder / "files")
    memory = load_seen(project.index, str(place))
    is_part = "" not in parts
    with durable.translating(place):
        is_directory = is_part or stat_module.S_ISDIR(place.lstat().st_mode)
    addition = Addition(dataset, place, is_directory, found, memory)
    addition.linked = {
        seen.paths[at]: Path(target) for at, target in seen.others.items() if target and at not in found.others
    }
    picked = again(addition) if again is not None else []
    if not is_part and not picked and _is_unchanged(project, addition, known, in_cache=in_cache):
        addition.is_unchanged = True
        return addition
    _check_paths(addition)
    if is_part:
        listing = project.cache.listing(known.good[dataset].pointer.digest, name=dataset)
        _carry_over(addition, Entries.of(listing.entries), sorted(set(parts)))
    _trust(addition)
    if in_cache:
        _read_again_what_the_cache_lost(project, addition)
    for path in picked:
        addition.read_again(path)
    return addition


def _is_unchanged(project: Project, addition: Addition, known: Pointers, *, in_cache: bool) -> bool:
    """True when stats alone prove that all is as the pointer says, and the cache has it, where it should."""
    memory, found = addition.memory, addition.found
    if memory is None or addition.path not in known.good:
        return False
    pointer = known.good[addition.path].pointer
    if not memory.whole or memory.digest != pointer.digest or pointer.is_directory != addition.is_directory:
        return False
    if not memory.is_unchanged(found) or (in_cache and project.cache.missing(digests_of(memory))):
        return False
    if addition.is_directory:
        return project.cache.has_listing(pointer.digest)
    if in_cache and not project.cache.is_plain(pointer.digest):
        return False
    return (found[0].type is EntryType.EXECUTABLE) == pointer.executable


class Keeper(Protocol):
    """What becomes of the bytes of files that are read: see Intake."""

    def copy_in(self, source: Path, *, progress: Callable[[int], None] | None = None) -> Kept: ...
    def keep_verified(self, files: Iterable[tuple[Digest, bytes]]) -> None: ...


def take_in(
    project: Project,
    addition: Addition,
    intake: Keeper,
    *,
    share: Callable[[Found], SeenFile] | None = None,
    progress: Callable[[int], None],
) -> None:
    """Read what must be read into the cache and complete the entries; ``share`` takes the files that are handed over.
    Raises ChangedMeanwhile, LocalIOError."""
    found = addition.found
    big: list[int] = []

    def small() -> Iterator[int]:
        for at in addition.unread():
            is_small = addition.is_directory and found.size(at) < SMALL_BYTES
            if is_small and not (addition.linked and found.paths[at] in addition.linked):
                yield at
            else:
                big.append(at)

    def read_batch(batch: list[int]) -> _Rows:
        rows = []
        for at in batch:
            data, signature = _read_small(f"{addition.place}/{found.paths[at]}", found.signature(at))
            rows.append((at, data, SeenFile(signature, digest_of(data), checksum_of(data))))
        return rows

    def copy(at: int) -> tuple[int, SeenFile]:
        if share is not None and found.paths[at] in addition.handed:
            return at, share(found[at])
        kept = intake.copy_in(addition.source(found[at]), progress=progress)
        return at, SeenFile(kept.signature, kept.digest, kept.checksum)

    for rows in _spread(project, read_batch, _batches(small(), found)):
        intake.keep_verified((kept.digest, data) for _, data, kept in rows)
        for at, _, kept in rows:
            addition.keep(at, kept)
        progress(sum(len(data) for _, data, _ in rows))
    for at, kept in workers.each(copy, big, jobs=min(4, project.jobs)):
        addition.keep(at, kept)


def _spread(project: Project, read: Callable[[list[int]], _Rows], batches: Iterator[list[int]]) -> Iterator[_Rows]:
    """Read batches of small files: in this thread where a file costs microseconds (threads would only take turns,
    10 % slower, measured), by several threads where the first batch shows that the disk is far away."""
    first = next(batches, None)
    if first is None:
        return
    started = project.now()
    yield read(first)
    is_slow = project.now() - started > _SLOW_SECONDS * len(first)
    yield from workers.each(read, batches, jobs=project.jobs if is_slow else 1)


def _look_at(project: Project, dataset: str, below: str, place: Path) -> Finds:
    """Scan the dataset or the part of it; the paths found are relative to the dataset."""
    target = place / below if below else place
    relative = f"{dataset}/{below}" if below else dataset
    try:
        seen = scan(target, ignore=Ignore.above(project.root, relative), relative=relative, nested_suffix=SUFFIX)
    except FileNotFoundError:
        return Finds()  # a part of a directory that is gone: it leaves the version
    if seen.special:
        path = f"{relative}/{seen.special[0]}".rstrip("/")
        raise Refused(path, "a socket, pipe or device; datasets hold files, folders and links", "special-file")
    if seen.nested:
        raise Refused(f"{relative}/{seen.nested[0]}", "a dataset's pointer or a git repository inside", "overlap")
    if not below:
        return seen.found
    if not seen.found and target.is_dir() and not target.is_symlink():  # an empty folder, added by name
        return Finds.of([Found(below, EntryType.FOLDER, signature_of(target.lstat()))])
    return seen.found.below(below)


def _check_paths(addition: Addition) -> None:
    found = addition.found
    if found.paths == [""]:
        return
    for start in range(0, len(found.paths), _BLOCK):
        check_paths(found.paths[start : start + _BLOCK])
    for at, target in found.others.items():
        if found.types[at] == LINK:
            safe_link(safe_path(found.paths[at]), target)


def _carry_over(addition: Addition, entries: Entries, parts: Sequence[str]) -> None:
    """Keep the rest of a directory whose parts are updated. What now has something below it is a folder,
    whatever it was; a folder that lost its last file is an empty one."""
    folders = {folder for path in addition.found.paths for folder in _above(path)}

    replaced = {at for part in parts for at in range(len(entries))[entries.range_below(part)]}
    replaced.update(at for folder in folders if (at := entries.paths.find(folder)) >= 0)
    kept = entries.without(sorted(replaced))
    if addition.memory is not None:
        files = addition.memory.carried()
        addition.carried_files = files.without(_positions_of_others(files.paths, kept.paths))
    hollow = []
    for part in parts:
        nearest = next((f for f in _above(part) if (addition.place / f).is_dir()), None)
        if nearest is not None and nearest not in folders and not kept.below(nearest) and nearest not in hollow:
            hollow.append(nearest)
    more = [Entry(safe_path(path), EntryType.FOLDER) for path in sorted(hollow)]
    addition.carried = kept.merged(Entries.of(more)) if more else kept


def _positions_of_others(paths: Texts, kept: Texts) -> Iterator[int]:
    """Where, among sorted paths, those stand that are not ``kept``."""
    following = iter(kept)
    next_kept = next(following, None)
    for at, path in enumerate(paths):
        while next_kept is not None and next_kept < path:
            next_kept = next(following, None)
        if path != next_kept:
            yield at


def _above(path: str) -> Iterator[str]:
    """The folders on the way to a path, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def _trust(addition: Addition) -> None:
    """Take over what the index knows of files that are proved unchanged."""
    count = len(addition.found)
    addition.known = bytearray(count)
    addition.digests = bytearray(DIGEST_BYTES * count)
    addition.checksums = bytearray(CHECKSUM_BYTES * count)
    memory = addition.memory
    if memory is None:
        return
    files = SeenFiles.of(memory.files)
    addition.known, addition.digests = memory.vouched(addition.found)
    for at, seen, length in memory.unchanged(addition.found):
        rows = files.checksums[seen * CHECKSUM_BYTES : (seen + length) * CHECKSUM_BYTES]
        addition.checksums[at * CHECKSUM_BYTES : (at + length) * CHECKSUM_BYTES] = rows


def _read_again_what_the_cache_lost(project: Project, addition: Addition) -> None:
    trusted = Digests(b"".join(compress(Digests(addition.digests).plain(), addition.known)))
    gone = set(project.cache.missing(trusted))
    if not addition.is_directory:
        gone.update(digest for digest in trusted if not project.cache.is_plain(digest))
    for at in compress(range(len(addition.known)), addition.known) if gone else ():
        if bytes(addition.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]) in gone:
            addition.known[at] = 0


def _batches(positions: Iterable[int], found: Finds) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for at in positions:
        batch.append(at)
        size += found.size(at)
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read_small(path: str, expected: Signature) -> tuple[bytes, Signature]:
    """A small file's bytes and the signature they were read under; a second try when it changes meanwhile.

    ``expected`` is what the scan saw: equal after the read, nothing changed in between, at the price of one stat.
    """
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            break
        except OSError as error:
            with durable.translating(Path(path)):
                raise error
        try:
            if expected.size >= SMALL_BYTES:
                break  # it was small when it was scanned
            data = os.read(descriptor, expected.size + 1)
            after = signature_of(os.fstat(descriptor))
            if after == expected and len(data) == after.size:
                return data, after
            expected = after
        except OSError as error:
            raise LocalIOError(path, error.strerror or str(error), error.errno or 0) from error
        finally:
            os.close(descriptor)
    raise ChangedMeanwhile(path)
