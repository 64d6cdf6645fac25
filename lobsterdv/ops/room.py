"""Is there room for what a verb is about to write? Asked once a run, before the first byte of content.

What is demanded is never more than what will be written, so nothing is refused that could have been done: first a
generous guess that costs nothing, and, only where that does not fit, the files themselves: those that the cache
has, that the work tree has, or that the file system can share (reflink, links) need no room.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lobsterdv import copying, durable, temps
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.blobs.remote import Remote, manifests, read_table
from lobsterdv.errors import LobsterError, NoSpace
from lobsterdv.formats.listing import Entry, EntryType
from lobsterdv.index.seen import load_seen
from lobsterdv.ops.addition import Addition
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Dataset, Selected
from lobsterdv.ops.plan import Plan, make_plan
from lobsterdv.ops.resolve import entries_below
from lobsterdv.space import Demand, check_space, existing

Chosen = Mapping[Selected, Sequence[Entry]]


def require_room_to_add(project: Project, additions: Sequence[Addition], *, new_bytes: int) -> None:
    """Raises NoSpace when the cache has not the room for the files to be copied into it, ``new_bytes`` in all."""

    def demand(new_bytes: int) -> list[Demand]:
        return [Demand(project.cache.folder, new_bytes, "the cache")]

    if check_space(demand(new_bytes), free=project.free_bytes):
        problem = check_space(demand(_bytes_to_keep(project, additions)), free=project.free_bytes)
        if problem is not None:
            raise problem


def require_room_to_fetch(
    project: Project, room: Remote, missing: Sequence[Selected], known: Chosen, *, checking_out: bool
) -> bool:
    """Raises NoSpace when there is not the room for the content of ``missing`` in the cache, and, when a checkout of
    it and of ``known`` follows, in the work tree. Documents of the remote may be read, and are kept, for that.

    Returns whether room is so short that the checkout must look once more.
    """
    generous = [Demand(project.cache.folder, _whole(missing), "the cache")]
    if checking_out:
        generous += _whole_trees(project, [*missing, *known])
    if check_space(generous, free=project.free_bytes) is None:
        return False
    entries = {**_stored(project, room, missing, known), **{s: known[s] for s in missing if s in known}}
    wanted = {e.digest: e.size for found in entries.values() for e in found if e.digest is not None}
    arrived = _arrived(project)
    new_bytes = sum(max(0, wanted[d] - arrived.get(d.hex(), 0)) for d in project.cache.missing(wanted))
    cache = Demand(project.cache.folder, new_bytes, "the cache")
    chosen = {**known, **entries} if checking_out else {}
    _require_exactly(project, [cache], chosen)
    return True


def require_room_to_check_out(project: Project, chosen: Chosen) -> bool:
    """Raises NoSpace when the work tree has not the room for the files that a checkout would write. Returns whether
    room is so short that it must look once more, with ``require_room_for``."""
    generous = _whole_trees(project, chosen)
    if check_space(generous, free=project.free_bytes) is None:
        return False
    _require_exactly(project, [], chosen)
    return True


def require_room_for(project: Project, selection: Selected, plan: Plan) -> None:
    """Raises NoSpace when the work tree has not the room for what one plan writes."""
    demand = _tree_demand(project, selection, _written(project, selection, plan.write))
    problem = check_space([demand], free=project.free_bytes)
    if problem is not None:
        raise problem


def require_room_to_copy(project: Project, place: Path, file: Path, new_bytes: int) -> None:
    """Raises NoSpace when there is not the room for copies of ``file`` and others at ``place``, nor for clones."""
    problem = check_space([Demand(place, new_bytes, "copies")], free=project.free_bytes)
    if problem is not None and not _can_clone(file, _beside(project, place)):
        raise problem


def _require_exactly(project: Project, others: list[Demand], chosen: Chosen) -> None:
    """By what the index remembers of the work tree; what does not fit then, by looking at it."""

    def problem(count: Callable[[Project, Selected, Sequence[Entry]], int]) -> NoSpace | None:
        demands = [_tree_demand(project, s, count(project, s, entries)) for s, entries in chosen.items()]
        return check_space([*others, *demands], free=project.free_bytes)

    if problem(_bytes_unlike_memory) and (found := problem(_bytes_to_write)):
        raise found


def _bytes_to_keep(project: Project, additions: Sequence[Addition]) -> int:
    """What adding will write: not what can be cloned, and not files that were only touched, as far as the index tells:
    they are copied to be hashed, and the copy is thrown away. The largest of these counts."""
    clones: dict[int, bool] = {}
    kept = touched = 0
    for addition in additions:
        remembered = addition.memory.files if addition.memory is not None else {}
        unread = list(map(addition.found.__getitem__, addition.unread()))
        likely = {i.path: known.digest for i in unread if (known := remembered.get(i.path)) is not None
                  and known.signature.size == i.signature.size}  # fmt: skip
        gone = set(project.cache.missing(likely.values()))
        for item in unread:
            size = item.signature.size
            if item.path in addition.handed:
                continue
            if addition.is_small(item):
                kept += 0 if item.path in likely and likely[item.path] not in gone else size
                continue
            source = addition.source(item)
            if item.signature.device not in clones:
                clones[item.signature.device] = _can_clone(source, project.cache.temps)
            if clones[item.signature.device]:
                continue
            size = _allocated(source, size)
            if item.path in addition.linked or (item.path in likely and likely[item.path] not in gone):
                touched = max(touched, size)
            else:
                kept += size
    return kept + touched


def _allocated(source: Path, size: int) -> int:
    """What a copy of a file writes: its holes stay holes."""
    try:
        return min(size, copying.allocated_bytes(source.stat()))
    except OSError:
        return size


def _arrived(project: Project) -> dict[str, int]:
    """By digest, the bytes that an interrupted fetch left of contents: the next one goes on with them."""
    found: dict[str, int] = {}
    for digest, temp in temps.partials(project.cache.temps):
        try:
            found[digest] = max(found.get(digest, 0), temp.lstat().st_blocks * 512)  # there are holes between
        except OSError:
            continue
    return found


def _whole(selections: Iterable[Selected]) -> int:
    return sum(dataset.pointer.size for dataset in {dataset for dataset, _ in selections})


def _whole_trees(project: Project, selections: Iterable[Selected]) -> list[Demand]:
    datasets = dict.fromkeys(dataset for dataset, _ in selections)
    return [_tree_demand(project, Selected(dataset, ""), dataset.pointer.size) for dataset in datasets]


def _tree_demand(project: Project, selection: Selected, new_bytes: int) -> Demand:
    return Demand(project.root / selection.dataset.path, new_bytes, "the work tree")


def _stored(project: Project, room: Remote, missing: Iterable[Selected], known: Chosen) -> Chosen:
    """What selections consist of, by the remote; nothing when that cannot be told now: fetching them will say why."""
    parts: dict[Dataset, list[str]] = {}
    for dataset, below in missing:
        if (dataset, below) not in known:
            parts.setdefault(dataset, []).append(below)
    found: dict[Selected, Sequence[Entry]] = {}
    for dataset, belows in parts.items():
        with suppress(LobsterError):
            offers = manifests(room, dataset.pointer.digest, name=dataset.path, is_directory=True)
            rows = read_table(room, next(offers)[1], name=dataset.path, below=belows).entries
            for below in belows:
                with suppress(LobsterError):
                    found[Selected(dataset, below)] = entries_below(rows, below, dataset.path)
    return found


def _bytes_unlike_memory(project: Project, selection: Selected, entries: Sequence[Entry]) -> int:
    place = project.root / selection.dataset.path
    if not os.path.lexists(place):
        return _written(project, selection, entries)
    memory = load_seen(project.index, str(place))
    if memory is None or (memory.whole and memory.digest == selection.dataset.pointer.digest):
        return 0
    digests = {path: known.digest for path, known in memory.files.items()}
    return _written(project, selection, [e for e in entries if digests.get(e.path) != e.digest])


def _bytes_to_write(project: Project, selection: Selected, entries: Sequence[Entry]) -> int:
    dataset, below = selection
    is_directory = dataset.pointer.is_directory
    try:
        plan = make_plan(project, dataset.path, entries, is_directory=is_directory, below=below)
    except LobsterError:
        return 0  # the checkout will say why
    return _written(project, selection, plan.write)


def _written(project: Project, selection: Selected, entries: Sequence[Entry]) -> int:
    """The bytes of ``entries`` that a checkout copies: those that it cannot link or clone (``staging``)."""
    total = sum(e.size for e in entries)
    links = project.config.links
    if not total or links == ("copy",):
        return total
    is_directory = selection.dataset.pointer.is_directory
    shared = [e for e in entries if not (is_directory and e.size < SMALL_BYTES)]
    linkable = sum(e.size for e in shared if e.type is EntryType.FILE)
    ways = _ways(project, project.root / selection.dataset.path)
    if "clone" in ways:
        return total - sum(e.size for e in shared)
    return total - linkable if "link" in ways else total


def _ways(project: Project, place: Path) -> set[str]:
    """How files get there without a copy: ``link``, ``clone``, in the order of ``cache.link``; or not at all."""
    folder = _beside(project, place)
    ways = set()
    for link in project.config.links:
        if link in ("reflink", "copy"):
            break
        if link == "symlink" or folder.stat().st_dev == existing(project.cache.folder).stat().st_dev:
            ways.add("link")
    if "reflink" in project.config.links and _clones_out(project, folder):
        ways.add("clone")
    return ways


def _beside(project: Project, place: Path) -> Path:
    """A folder on the file system of ``place`` that is no dataset's: nothing tried there can end up in a version."""
    folder = existing(place if place.is_dir() else place.parent)
    return project.state if folder.stat().st_dev == project.state.stat().st_dev else existing(place.parent)


def _clones_out(project: Project, folder: Path) -> bool:
    try:
        descriptor, sample = durable.create_temp(project.cache.temps)
        try:
            os.write(descriptor, b"\0" * 4096)
            return _can_clone(sample, folder)
        finally:
            os.close(descriptor)
            sample.unlink()
    except (OSError, LobsterError):
        return False


def _can_clone(source: Path, folder: Path) -> bool:
    """Whether a file there can share its blocks with a new one in ``folder``, by trying."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            target, temp = durable.create_temp(folder)
            try:
                return copying.clone(descriptor, target)
            finally:
                os.close(target)
                temp.unlink()
        finally:
            os.close(descriptor)
    except (OSError, LobsterError):
        return False
