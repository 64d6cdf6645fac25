"""What must be read of a dataset that is being added: it is looked at, and the index is believed as far as stats go."""

from __future__ import annotations

import stat as stat_module
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Final

from lobsterdv import durable
from lobsterdv.compact import Texts
from lobsterdv.digest import DIGEST_BYTES, Digests
from lobsterdv.errors import ChangedMeanwhile, Refused
from lobsterdv.formats.entries import LINK, Entries, Entry, EntryType
from lobsterdv.formats.pointer import SUFFIX
from lobsterdv.index.rows import CHECKSUM_BYTES, SeenFiles
from lobsterdv.index.seen import digests_of, load_seen
from lobsterdv.ops.addition import Addition
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Pointers, place_of
from lobsterdv.paths import SafeRelPath, check_paths, safe_link, safe_path
from lobsterdv.signature import signature_of
from lobsterdv.worktree.ignore import Ignore
from lobsterdv.worktree.links import see_through
from lobsterdv.worktree.scan import Finds, Found, scan

_BLOCK: Final = 1024


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

    Raises Refused for what cannot be kept, UnsafePath for names that could not be checked out again, ChangedMeanwhile,
    MissingContent when part of a directory is updated whose listing is not here.
    """
    place = place_of(project, dataset)
    seen = Finds.joined([_look_at(project, dataset, below, place) for below in parts])
    found = see_through(seen, place, project.cache.folder / "files")
    memory = load_seen(project.index, str(place))
    is_part = "" not in parts
    with durable.translating(place):
        try:
            mode = place_of(project, dataset).lstat().st_mode  # no folder became a link while it was looked at
        except FileNotFoundError:
            raise ChangedMeanwhile(str(place)) from None
    is_directory = is_part or stat_module.S_ISDIR(mode)
    if not is_directory and (len(found) != 1 or not found[0].is_file or found.paths != [""]):
        raise ChangedMeanwhile(str(place))
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
