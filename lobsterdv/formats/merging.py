"""Three-way merges, pure: of pointers, for git's merge driver, and of the entries of directory versions.

A merge is silent only where nothing of either side is lost. What two sides changed differently is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, TypeVar

from lobsterdv.formats.entries import BLOCK, Entries, Entry, EntryType
from lobsterdv.formats.pointer import Input, Pointer, encode_pointer
from lobsterdv.formats.yamlio import Value

Fact = TypeVar("Fact")
Side = Literal["ours", "theirs"]
_START: Final = b"<<<<<<< "
_MIDDLE: Final = b"=======\n"
_END: Final = b">>>>>>> "


def merge_pointers(base: Pointer | None, ours: Pointer, theirs: Pointer) -> Pointer | None:
    """One pointer that both sides lead to; None when they name different versions, or differ in what only a newer
    lobsterdv understands.

    Where one side kept the base's version, the other's version is taken with all that describes it. Where both name
    the same, descriptions are merged: inputs are united, two messages joined, and of two runs or summaries of equal
    bytes ours stays.
    """
    extra = _merge_extra(base.extra if base else {}, ours.extra, theirs.extra)
    if extra is None:
        return None
    storage = _pick(base.storage if base else None, ours.storage, theirs.storage)
    if ours.same_version(theirs):
        before = base if ours.same_version(base) else None
        return replace(
            ours,
            storage=storage,
            message=_message(before.message if before else None, ours.message, theirs.message),
            summary=_pick(before.summary if before else None, ours.summary, theirs.summary),
            inputs=_inputs(before.inputs if before else (), ours.inputs, theirs.inputs),
            run=_pick(before.run if before else None, ours.run, theirs.run),
            extra=extra,
        )
    if theirs.same_version(base):
        return replace(ours, storage=storage, extra=extra)
    if ours.same_version(base):
        return replace(theirs, storage=storage, extra=extra)
    return None


def conflict_text(ours: bytes, theirs: bytes) -> bytes:
    """Both sides in one file, one block of git's markers around all lines from the first to the last that differ:
    a conflicted pointer (docs/format.md, 3)."""
    left, right = ours.splitlines(keepends=True), theirs.splitlines(keepends=True)
    least = min(len(left), len(right))
    start = next((n for n in range(least) if left[n] != right[n]), least)
    start = min(start, 1)  # the digests stand in the block, whatever is equal between them
    end = next((n for n in range(least - start) if left[-1 - n] != right[-1 - n]), least - start)
    tail = left[len(left) - end :]
    return b"".join(
        [
            *left[:start],
            _START + b"ours\n",
            *_ended(left[start : len(left) - end]),
            _MIDDLE,
            *_ended(right[start : len(right) - end]),
            _END + b"theirs\n",
            *tail,
        ]
    )


def conflicted_pointer(ours: Pointer, theirs: Pointer) -> bytes:
    """As ``conflict_text``, of two pointers in their one encoding."""
    return conflict_text(encode_pointer(ours), encode_pointer(theirs))


class Overlap(NamedTuple):
    """A path that both sides changed, differently; None where a side has nothing there."""

    path: str
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None


@dataclass
class MergedEntries:
    """``entries`` (sorted) hold everything that merges; of each overlap what ``choose`` said, or nothing yet."""

    entries: Entries
    overlaps: list[Overlap] = field(default_factory=list)
    from_ours: int = 0
    from_theirs: int = 0


def merge_entries(
    base: Sequence[Entry],
    ours: Sequence[Entry],
    theirs: Sequence[Entry],
    *,
    choose: Callable[[str], Side | None],
) -> MergedEntries:
    """Merge three sorted listings path by path; ``choose`` is asked about each overlap, None leaves it open.

    ``from_ours`` and ``from_theirs`` count paths that only that side changed. A file where the other side has a
    folder with something in it is an overlap.
    """
    merged = MergedEntries(Entries.of(()))
    parts: list[Entries] = []
    block: list[Entry] = []
    for path, b, o, t in _together(base, ours, theirs):
        entry = o
        if o != t:
            if o == b:
                entry = t
                merged.from_theirs += 1
            elif t == b:
                merged.from_ours += 1
            else:
                picked = choose(path)
                entry = {"ours": o, "theirs": t, None: None}[picked]
                if picked is None:
                    merged.overlaps.append(Overlap(path, b, o, t))
        if entry is not None:
            block.append(entry)
            if len(block) == BLOCK:
                parts.append(Entries.of(block))
                block = []
    merged.entries = Entries.joined([*parts, Entries.of(block)])
    for path in sorted(_in_the_way(merged.entries)):
        _clear(merged, path, Entries.of(base), Entries.of(ours), Entries.of(theirs), choose)
    return merged


def _clear(
    merged: MergedEntries,
    path: str,
    base: Entries,
    ours: Entries,
    theirs: Entries,
    choose: Callable[[str], Side | None],
) -> None:
    """``path`` is listed and something is listed below it: an empty folder that one side filled is no entry any
    more; a file or link there is an overlap."""
    entry = merged.entries.find(path)
    if entry is None:
        return
    if entry.type is not EntryType.FOLDER:
        picked = choose(path)
        if picked is None:
            merged.overlaps.append(Overlap(path, base.find(path), ours.find(path), theirs.find(path)))
            return
        if (ours if picked == "ours" else theirs).find(path) is not None:
            merged.entries = Entries.of([e for e in merged.entries if not e.path.startswith(path + "/")])
            return
    merged.entries = Entries.of([e for e in merged.entries if e.path != path])


def _together(*sides: Sequence[Entry]) -> Iterator[tuple[str, Entry | None, Entry | None, Entry | None]]:
    """Three sorted sequences, path by path."""
    streams = [iter(side) for side in sides]
    heads = [next(stream, None) for stream in streams]
    while any(head is not None for head in heads):
        path = min(head.path for head in heads if head is not None)
        row = [head if head is not None and head.path == path else None for head in heads]
        heads = [
            next(stream, None) if found is not None else head
            for stream, found, head in zip(streams, row, heads, strict=True)
        ]
        yield path, row[0], row[1], row[2]


def _in_the_way(entries: Entries) -> set[str]:
    """Listed paths that something is listed below."""
    above: set[str] = set()
    for path in entries.paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in above:
            above.add(parent)
            parent = parent.rpartition("/")[0]
    return {path for path in entries.paths if path in above}


def _pick(base: Fact, ours: Fact, theirs: Fact) -> Fact:
    """What one side changed; ours where both did."""
    return theirs if ours == base else ours


def _message(base: str | None, ours: str | None, theirs: str | None) -> str | None:
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    return "; ".join(sorted({text for text in (ours, theirs) if text}))


def _inputs(base: tuple[Input, ...], ours: tuple[Input, ...], theirs: tuple[Input, ...]) -> tuple[Input, ...]:
    """Those of both, less what one side took out; sorted where both sides changed them."""
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    gone = {i for i in base if i not in ours or i not in theirs}
    return tuple(sorted({*ours, *theirs} - gone, key=lambda i: (i.path, str(i.digest))))


def _merge_extra(
    base: Mapping[str, Value], ours: Mapping[str, Value], theirs: Mapping[str, Value]
) -> dict[str, Value] | None:
    merged = {}
    for key in dict.fromkeys([*ours, *theirs]):
        o, t, b = ours.get(key), theirs.get(key), base.get(key)
        if o != t and b not in (o, t):
            return None
        chosen, holder = (t, theirs) if o == b else (o, ours)
        if key in holder:
            merged[key] = chosen
    return merged


def _ended(lines: list[bytes]) -> list[bytes]:
    """Lines of which the last ends, so that a marker begins its own."""
    return [*lines[:-1], lines[-1] if lines[-1].endswith(b"\n") else lines[-1] + b"\n"] if lines else []
