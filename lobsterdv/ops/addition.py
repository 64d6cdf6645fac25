"""One dataset that is being added: what must be read of it, and the reading."""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from lobsterdv import durable, workers
from lobsterdv.blobs.intake import Kept
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.digest import Digest, checksum_of, digest_of
from lobsterdv.errors import ChangedMeanwhile, LocalIOError, Refused
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.index.seen import Seen, SeenFile, digests_of, load_seen
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Pointers, place_of
from lobsterdv.paths import SafeRelPath, safe_link, safe_path
from lobsterdv.signature import Signature, signature_of
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.links import see_through
from lobsterdv.worktree.scan import Found, scan

_BATCH_BYTES: Final = 4 << 20
_BATCH_FILES: Final = 256
_SLOW_SECONDS: Final = 0.0003
_Rows = list[tuple[Found, bytes, SeenFile]]


@dataclass
class Addition:
    """One dataset on its way: entries that are known, files that must be read, and what reading them gave.

    ``entries`` is keyed by path below the dataset; a dataset that is a file has the one key ''.
    """

    path: SafeRelPath
    place: Path
    is_directory: bool
    entries: dict[str, Entry] = field(default_factory=dict)
    unread: list[Found] = field(default_factory=list)
    read: dict[str, SeenFile] = field(default_factory=dict)
    seen_files: dict[str, SeenFile] = field(default_factory=dict)
    memory: Seen | None = None
    is_unchanged: bool = False
    linked: dict[str, Path] = field(default_factory=dict)
    handed: dict[str, int | None] = field(default_factory=dict)
    """Files that become the cache's own, and the mode they had, once they are handed over."""
    shared_files: int = 0

    @property
    def others(self) -> dict[str, str]:
        """Links and empty folders, as the index remembers them."""
        return {entry.path: entry.target or "" for entry in self.entries.values() if entry.digest is None}

    def source(self, item: Found) -> Path:
        """Where a file's bytes are: in its place, or in the cache, when it is a link that checkout made."""
        return self.linked.get(item.path) or (self.place / item.path if item.path else self.place)

    def is_small(self, item: Found) -> bool:
        """True for a file that rests in a pack."""
        return self.is_directory and item.signature.size < SMALL_BYTES and item.path not in self.linked

    @property
    def unread_bytes(self) -> int:
        return sum(item.signature.size for item in self.unread)

    @property
    def copied_bytes(self) -> int:
        """Of these, those that are written once more."""
        if not self.handed:
            return self.unread_bytes
        return sum(item.signature.size for item in self.unread if item.path not in self.handed)

    @property
    def is_executable(self) -> bool:
        return not self.is_directory and self.entries[""].type is EntryType.EXECUTABLE


def prepare(
    project: Project,
    dataset: SafeRelPath,
    parts: Sequence[str],
    known: Pointers,
    *,
    again: Callable[[Addition, list[Found]], list[Found]] | None = None,
    in_cache: bool = True,
) -> Addition:
    """Look at a dataset, or at ``parts`` of it: one stat a file. Files the index vouches for, and whose bytes the
    cache has (or need not have: ``in_cache`` False), need no reading, but those that ``again`` picks.

    Raises Refused for what cannot be kept, UnsafePath for names that could not be checked out again,
    MissingContent when part of a directory is updated whose listing is not here.
    """
    place = place_of(project, dataset)
    seen = [item for below in parts for item in _look_at(project, dataset, below, place)]
    found = see_through(seen, place, project.cache.folder / "files")
    memory = load_seen(project.index, str(place))
    is_part = "" not in parts
    with durable.translating(place):
        is_directory = is_part or stat_module.S_ISDIR(place.lstat().st_mode)
    addition = Addition(dataset, place, is_directory, memory=memory)
    addition.linked = {s.path: Path(s.target) for s, f in zip(seen, found, strict=True) if s.target and f.is_file}
    picked = again(addition, found) if again is not None else []
    if not is_part and not picked and _is_unchanged(project, addition, known, found, in_cache=in_cache):
        addition.is_unchanged = True
        return addition
    if is_part:
        listing = project.cache.listing(known.good[dataset].pointer.digest, name=dataset)
        _carry_over(addition, listing.entries, set(parts), found, memory)
    for item in found:
        _sort_in(addition, item, memory)
    if in_cache:
        _read_again_what_the_cache_lost(project, addition, found)
    for item in picked:
        if addition.entries.pop(item.path, None) is not None:
            del addition.seen_files[item.path]
            addition.unread.append(item)
    return addition


def _is_unchanged(project: Project, addition: Addition, known: Pointers, found: list[Found], *, in_cache: bool) -> bool:
    """True when stats alone prove that all is as the pointer says, and the cache has it, where it should."""
    memory = addition.memory
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

    small = [item for item in addition.unread if addition.is_small(item)]
    big = [item for item in addition.unread if not addition.is_small(item)]

    def read_batch(batch: list[Found]) -> _Rows:
        rows = []
        for item in batch:
            data, signature = _read_small(f"{addition.place}/{item.path}", item.signature)
            rows.append((item, data, SeenFile(signature, digest_of(data), checksum_of(data))))
        return rows

    def copy(item: Found) -> tuple[Found, SeenFile]:
        if share is not None and item.path in addition.handed:
            return item, share(item)
        kept = intake.copy_in(addition.source(item), progress=progress)
        return item, SeenFile(kept.signature, kept.digest, kept.checksum)

    for rows in _spread(project, read_batch, _batches(small)):
        intake.keep_verified((kept.digest, data) for _, data, kept in rows)
        for item, _, kept in rows:
            _complete(addition, item, kept)
        progress(sum(len(data) for _, data, _ in rows))
    for item, kept in workers.each(copy, big, jobs=min(4, project.jobs)):
        _complete(addition, item, kept)


def _spread(project: Project, read: Callable[[list[Found]], _Rows], batches: Iterator[list[Found]]) -> Iterator[_Rows]:
    """Read batches of small files: in this thread where a file costs microseconds (threads would only take turns,
    10 % slower, measured), by several threads where the first batch shows that the disk is far away."""
    first = next(batches, None)
    if first is None:
        return
    started = project.now()
    yield read(first)
    is_slow = project.now() - started > _SLOW_SECONDS * len(first)
    yield from workers.each(read, batches, jobs=project.jobs if is_slow else 1)


def _look_at(project: Project, dataset: str, below: str, place: Path) -> list[Found]:
    """Scan the dataset or the part of it; the paths found are relative to the dataset."""
    target = place / below if below else place
    relative = f"{dataset}/{below}" if below else dataset
    try:
        seen = scan(target, ignore=Ignore.above(project.root, relative), relative=relative, nested_suffix=SUFFIX)
    except FileNotFoundError:
        return []  # a part of a directory that is gone: it leaves the version
    if seen.special:
        path = f"{relative}/{seen.special[0]}".rstrip("/")
        raise Refused(path, "a socket, pipe or device; datasets hold files, folders and links", "special-file")
    if seen.nested:
        raise Refused(f"{relative}/{seen.nested[0]}", "a dataset's pointer or a git repository inside", "overlap")
    if not below:
        return seen.found
    if not seen.found and target.is_dir() and not target.is_symlink():
        return [Found(below, EntryType.FOLDER, signature_of(target.lstat()))]  # an empty folder, added by name
    return [f._replace(path=f"{below}/{f.path}".rstrip("/")) for f in seen.found]


def _carry_over(
    addition: Addition, entries: Iterable[Entry], parts: Set[str], found: list[Found], memory: Seen | None
) -> None:
    """Keep the rest of a directory whose parts are updated. What now has something below it is a folder,
    whatever it was; a folder that lost its last file is an empty one."""
    folders = {folder for item in found for folder in _above(item.path)}
    files = memory.carried() if memory is not None else {}
    for entry in entries:
        if entry.path in parts or entry.path in folders or not parts.isdisjoint(_above(entry.path)):
            continue
        addition.entries[entry.path] = entry
        folders.update(_above(entry.path))
        if entry.path in files:
            addition.seen_files[entry.path] = files[entry.path]
    for part in parts:
        nearest = next((f for f in _above(part) if (addition.place / f).is_dir()), None)
        if nearest is not None and nearest not in folders:
            addition.entries[nearest] = Entry(safe_path(nearest), EntryType.FOLDER)


def _above(path: str) -> Iterator[str]:
    """The folders on the way to a path, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def _sort_in(addition: Addition, item: Found, memory: Seen | None) -> None:
    path = _checked(item.path)
    if item.type is EntryType.FOLDER:
        addition.entries[path] = Entry(path, item.type)
    elif item.type is EntryType.LINK:
        addition.entries[path] = Entry(path, item.type, target=safe_link(path, item.target or ""))
    else:
        known = memory.trusts(item.path, item.signature) if memory is not None else None
        if known is None:
            addition.unread.append(item)
        else:
            addition.entries[path] = Entry(path, item.type, item.signature.size, known.digest)
            addition.seen_files[path] = known


def _read_again_what_the_cache_lost(project: Project, addition: Addition, found: list[Found]) -> None:
    trusted = {e.path: e.digest for e in addition.entries.values() if e.digest is not None}
    gone = set(project.cache.missing(trusted.values()))
    if not addition.is_directory:
        gone.update(d for d in trusted.values() if not project.cache.is_plain(d))
    if gone:
        for item in found:
            if trusted.get(SafeRelPath(item.path)) in gone:
                del addition.entries[item.path], addition.seen_files[item.path]
                addition.unread.append(item)


def _complete(addition: Addition, item: Found, kept: SeenFile) -> None:
    path = SafeRelPath(item.path)  # _sort_in has checked it
    addition.entries[path] = Entry(path, item.type, kept.signature.size, kept.digest)
    addition.read[path] = addition.seen_files[path] = kept


def _checked(path: str) -> SafeRelPath:
    return safe_path(path) if path else SafeRelPath("")


def _batches(items: list[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for item in sorted(items):
        batch.append(item)
        size += item.signature.size
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
