"""Where the bytes of versions are: counted from their tables, each byte of an object once. Pure: it reads nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate

from lobsterdv.digest import Digest
from lobsterdv.formats.contents import RAW, Content, Contents, StoredObject
from lobsterdv.formats.entries import Entries
from lobsterdv.formats.table import Table, content_positions


@dataclass
class Sizes:
    """Bytes. ``logical - identical - dedupe - zstd == stored``, always; so do their sums.

    ``logical``    the version's files, one by one, as they lie in a work tree
    ``identical``  files whose content is placed already, by an earlier version or by an earlier file of this one, and
                   that this version places nowhere else
    ``dedupe``     of the other files: parts that lie in ranges of objects which earlier versions (or files) named
    ``zstd``       of the parts that are left: what compression saved (less than nothing where frames cost more)
    ``stored``     ranges of objects that this version was the first to name: what it added to the remote
    ``again``      besides: ranges that only further manifests of this version named (another push, a repack)
    ``unused``     besides: bytes of objects, which this version was the first to use, that no version names

    The objects that the versions use have ``stored + again + unused`` bytes in all.
    """

    logical: int = 0
    identical: int = 0
    dedupe: int = 0
    zstd: int = 0
    stored: int = 0
    again: int = 0
    unused: int = 0

    def __iadd__(self, other: Sizes) -> Sizes:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self


class Account:
    """Versions entered from the oldest to the newest. ``owner`` is any number that stands for a version."""

    def __init__(self) -> None:
        self._contents: set[bytes] = set()
        self._named: dict[Digest, _Spans] = {}
        self._objects: dict[Digest, tuple[int, int]] = {}  # size and first owner
        self._segments: dict[Digest, int] = {}

    def enter(self, table: Table, owner: int) -> Sizes:
        """Count a table, or a part of one; what was entered before is no more counted as stored."""
        sizes = Sizes()
        contents = Contents.of(table.contents)
        entries = Entries.of(table.entries)
        uses = Counter(content_positions(entries, contents)) if len(entries) else Counter({0: 1})
        for at, content in enumerate(contents):
            sizes.logical += content.size * uses[at]
            sizes.identical += content.size * (uses[at] - 1)
            self._enter_content(content, owner, sizes)
        return sizes

    def enter_segment(self, name: Digest, table: Table, owner: int) -> Sizes:
        """As ``enter``, for a segment: once it was counted, ``known_segment`` spares reading it."""
        sizes = self.enter(table, owner)
        self._segments[name] = sizes.logical
        return sizes

    def known_segment(self, name: Digest) -> Sizes | None:
        """What a segment adds that was entered before: the same files at the same places. None for a new one."""
        logical = self._segments.get(name)
        return None if logical is None else Sizes(logical=logical, identical=logical)

    def unused(self) -> Counter[int]:
        """Bytes of objects that nothing entered names, by the owner that first used the object."""
        found: Counter[int] = Counter()
        for name, (size, owner) in self._objects.items():
            found[owner] += size - self._named[name].total
        return found

    def waste(self) -> dict[Digest, tuple[int, int]]:
        """Of every object: its size, and how many of its bytes nothing entered names."""
        return {name: (size, size - self._named[name].total) for name, (size, _) in self._objects.items()}

    def _enter_content(self, content: Content, owner: int, sizes: Sizes) -> None:
        stored = covered = zstd = chunk = 0
        for extent in content.extents:
            last = chunk + extent.chunks
            lengths = content.lengths[chunk:last]
            inside = lengths if extent.object.codec == RAW else content.stored_lengths[chunk:last]
            new, raw_covered, saved = self._claim(extent.object, extent.offset, lengths, inside, owner)
            stored, covered, zstd = stored + new, covered + raw_covered, zstd + saved
            chunk = last
        name = bytes(content.digest)
        if name in self._contents and not stored:
            sizes.identical += content.size
        else:
            sizes.dedupe += covered
        self._contents.add(name)
        sizes.stored += stored
        sizes.zstd += zstd

    def _claim(
        self, item: StoredObject, offset: int, lengths: Sequence[int], inside: Sequence[int], owner: int
    ) -> tuple[int, int, int]:
        """Name a run of chunks: bytes stored anew, content bytes that others stored, and bytes that zstd saved."""
        self._objects.setdefault(item.digest, (item.size, owner))
        spans = self._named.setdefault(item.digest, _Spans())
        raw, stored = sum(lengths), sum(inside)
        free = spans.free(offset, offset + stored)
        if free in (0, stored):
            spans.add(offset, offset + stored)
            return (0, raw, 0) if not free else (stored, 0, raw - stored)
        new = covered = saved = 0
        ends = list(accumulate(inside, initial=offset))
        for length, start, end in zip(lengths, ends, ends[1:], strict=False):
            free = spans.free(start, end)
            spans.add(start, end)
            new += free
            if item.codec == RAW:
                covered += length - free
            elif free:  # a frame counts whole: no part of it is of use alone
                saved += length - free
            else:
                covered += length
        return new, covered, saved


class _Spans:
    """Parts of an object, as disjoint spans that do not touch, in order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0

    def free(self, start: int, end: int) -> int:
        """How much of a span is not here."""
        at = bisect_left(self._ends, start)
        taken = 0
        while at < len(self._starts) and self._starts[at] < end:
            taken += max(0, min(self._ends[at], end) - max(self._starts[at], start))
            at += 1
        return end - start - taken

    def add(self, start: int, end: int) -> None:
        self.total += self.free(start, end)
        first = last = bisect_left(self._ends, start)
        while last < len(self._starts) and self._starts[last] <= end:
            start, end = min(start, self._starts[last]), max(end, self._ends[last])
            last += 1
        self._starts[first:last], self._ends[first:last] = [start], [end]
