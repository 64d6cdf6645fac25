"""New contents from a source into objects: read, cut, compared with what is there, and on to blocks (objects.py)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import chain, count
from typing import Final

from blake3 import blake3

from lobsterdv import workers
from lobsterdv.blobs.bases import Bases
from lobsterdv.blobs.bundle import SmallFile, contents_of, piece_of
from lobsterdv.blobs.cutting import BLOCK_BYTES, Cut, Piece, bits_for, cut_data, cut_file, read_rows, stream_file
from lobsterdv.blobs.draft import Draft, Row, Segment, segments_of
from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.objects import Block, Run, Stored, gather, store_blocks
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.source import Source
from lobsterdv.blobs.storage import Decision, How, Storage, against_ranges, sample_of_file, zstd_pays
from lobsterdv.blobs.verbatim import Whole, send_whole
from lobsterdv.chunker import AVERAGE_BITS
from lobsterdv.digest import Digest, hash_descriptor
from lobsterdv.formats.contents import ZSTD, Content, Contents, StoredObject

SHARED_BELOW_BYTES: Final = 8 << 20
"""Smaller files share objects."""
_READERS: Final = 2
_SHARED: Final = 0  # the group of blocks that may share objects


@dataclass(frozen=True, slots=True)
class Wanted:
    """A content that a version needs: its digest, its size in bytes, and a path that has it."""

    digest: Digest
    size: int
    path: str = ""


class Sending:
    """The new contents of one version on their way. Its generators run in the caller's thread."""

    def __init__(
        self,
        source: Source,
        bases: Bases,
        anew: Set[Digest],
        storage: Storage,
        heads: Heads,
        *,
        name: str,
        progress: Callable[[int], None],
        place: Callable[[Contents], None],
    ) -> None:
        self._source = source
        self._bases = bases
        self._anew = anew  # contents that are stored anew although their chunks are there
        self._storage = storage
        self._heads = heads
        self._name = name
        self._progress = progress
        self._numbers = count()
        self._drafts: dict[int, Draft] = {}
        self._done = place
        self._verbatim: list[Whole] = []

    def run(self, remote: Remote, new: Sequence[Wanted], *, part_threshold: int, jobs: int) -> None:
        """Send them, and place each. Raises MissingContent, CorruptContent, RemoteError."""
        blocks = self._blocks(new, jobs=jobs)
        for item, rows in store_blocks(
            remote, blocks, self._storage, self._heads, jobs=jobs, name=self._name, progress=self._progress
        ):
            for row in rows:
                self._arrived(item, row)
        assert not self._drafts
        for content in send_whole(
            self._source, self._verbatim, self._heads,
            part_threshold=part_threshold, jobs=jobs, name=self._name, progress=self._progress,
        ):  # fmt: skip
            self._done(Contents.of([content]))

    def _blocks(self, new: Sequence[Wanted], *, jobs: int) -> Iterator[Block]:
        """New bytes in blocks: small files and ranges together, each compressed file by itself."""
        if self._storage.plain:
            self._leave_plain(new)
            return
        small = (w for w in new if w.size < SHARED_BELOW_BYTES)
        large: list[tuple[Wanted, Cut | None]] = [(w, None) for w in new if w.size >= SHARED_BELOW_BYTES]
        shared = self._small_runs(small, jobs=jobs)
        if self._bases.have_chunks:
            left: list[tuple[Wanted, Cut | None]] = []
            yield from gather(chain(shared, self._large_runs((w for w, _ in large), left)), _SHARED)
            large = left
        else:
            yield from gather(shared, _SHARED)
        for group, (item, cut) in enumerate(large, start=_SHARED + 1):
            yield from self._whole(item, cut, group)

    def _leave_plain(self, new: Sequence[Wanted]) -> None:
        for item in new:
            bits = bits_for(item.size, None)
            if item.size:
                self._verbatim.append(Whole(item.digest, item.size, bits))
                self._note(item, "plain", 0, 1, "")
            else:
                self._start(item, bits, None)

    def _small_runs(self, small: Iterable[Wanted], *, jobs: int) -> Iterator[Run]:
        """Small files, in listing order: all of each, or its new chunks."""
        for rows in workers.each(self._read_group, groups(small), jobs=min(jobs, _READERS), ahead=_READERS):
            whole = [(item, cut, data) for item, cut, segments, data in rows if segments is None and data]
            if whole:
                files = [SmallFile(item.digest, item.size, cut) for item, cut, _ in whole]
                yield Run(files, piece_of(files, [data for _, _, data in whole]), True)
            for item, cut, segments, data in rows:
                if segments is None:
                    if not item.size:
                        self._start(item, cut.average_bits, cut)
                    continue
                owner = self._start(item, cut.average_bits, cut)
                for segment, offset in self._new_segments(owner, cut, segments):
                    lengths = cut.lengths[segment.first : segment.end]
                    yield Run(owner, Piece(segment.first, data[offset : offset + sum(lengths)], lengths), True)

    def _read_group(self, group: list[Wanted]) -> list[tuple[Wanted, Cut, list[Segment] | None, bytes]]:
        """Small files, read and cut; the segments of those that are stored as ranges."""
        rows = []
        for item in group:
            data = self._source.read_small(item.digest, name=self._name) if item.size else b""
            cut = cut_data(data, item.digest, self._bits_for(item))
            segments = None
            if len(cut.lengths) > 1 and self._bases.have_chunks and item.digest not in self._anew:
                segments = self._decide(item, cut, "packed")
            rows.append((item, cut, segments, data))
        return rows

    def _large_runs(self, large: Iterable[Wanted], left: list[tuple[Wanted, Cut | None]]) -> Iterator[Run]:
        """The new chunks of large files that share enough with older versions; the others are ``left``."""
        for item in large:
            descriptor = self._source.open(item.digest, name=self._name)
            try:
                cut, actual = cut_file(descriptor, self._bits_for(item))
                if actual != item.digest:
                    raise self._source.damaged(item.digest, actual, name=self._name)
                segments = self._decide(item, cut, "whole")
                if segments is None:
                    left.append((item, cut))
                    continue
                owner = self._start(item, cut.average_bits, cut)
                for segment, offset in self._new_segments(owner, cut, segments):
                    for piece in read_rows(descriptor, offset, cut, segment.first, segment.end):
                        yield Run(owner, piece, False)
            finally:
                os.close(descriptor)

    def _whole(self, item: Wanted, cut: Cut | None, group: int) -> Iterator[Block]:
        """A large file of which too little is there: compressed, in objects of its own, or left for later, verbatim."""
        bits = cut.average_bits if cut is not None else self._bits_for(item)
        descriptor = self._source.open(item.digest, name=self._name)
        try:
            if not zstd_pays(sample_of_file(descriptor), self._storage.level):
                self._verbatim.append(Whole(item.digest, item.size, bits, cut))
                self._note(item, "whole", 0, 1, "zstd would save too little" if self._storage.level else "")
                return
            self._note(item, "compressed", 0, 1, "")
            owner = self._start(item, bits, cut)
            if cut is not None:
                for piece in read_rows(descriptor, 0, cut, 0, len(cut.lengths)):
                    yield Block([Run(owner, piece, False)], ZSTD, group)
                return
            hasher = blake3(max_threads=blake3.AUTO)
            for piece in stream_file(descriptor, bits, hasher):
                yield Block([Run(owner, piece, False)], ZSTD, group)
            if (actual := Digest(hasher.digest())) != item.digest:
                raise self._source.damaged(item.digest, actual, name=self._name)
        finally:
            os.close(descriptor)

    def _decide(self, item: Wanted, cut: Cut, otherwise: How) -> list[Segment] | None:
        """The segments to store a cut file as, or None when it is better stored whole."""
        while True:
            segments = segments_of(cut, self._bases)
            reused = sum(sum(cut.lengths[s.first : s.end]) for s in segments if s.object is not None)
            why = against_ranges(item.size, reused, len(segments))
            if why is not None:
                if reused or otherwise == "packed":
                    self._note(item, otherwise, reused, len(segments), why)
                return None
            absent = self._heads.absent(s.object for s in segments if s.object is not None)
            if not absent:
                self._note(item, "ranges", reused, len(segments), "")
                return segments
            self._bases.forget(absent)

    def _new_segments(self, owner: int, cut: Cut, segments: Sequence[Segment]) -> Iterator[tuple[Segment, int]]:
        """Segments that must be sent, with their offset in the content; the others are placed here."""
        offset = 0
        for segment in segments:
            lengths = cut.lengths[segment.first : segment.end]
            size = sum(lengths)
            if segment.object is None:
                yield segment, offset
            else:
                self._heads.sent.add(reused_bytes=size)
                self._progress(size)
                row = Row(segment.first, segment.object, segment.offset, segment.stored, lengths, None)
                self._place(owner, row)
            offset += size

    def _bits_for(self, item: Wanted) -> int:
        """The average chunk size: what the dataset began with, where that matters and is known."""
        could_share = item.size > 1 << AVERAGE_BITS[0] - 2 and self._bases.have_chunks
        return bits_for(item.size, self._bases.average_bits(item.path) if could_share else None)

    def _start(self, item: Wanted, bits: int, cut: Cut | None) -> int:
        owner = next(self._numbers)
        if item.size:
            self._drafts[owner] = Draft(item.digest, item.size, bits, cut)
        else:
            self._done(Contents.of([Content(item.digest, 0, bits, (), (), (), ())]))
        return owner

    def _arrived(self, item: StoredObject, row: Stored) -> None:
        if not isinstance(row.owner, int):
            self._done(contents_of(row.owner, item, row.offset, row.stored))
            return
        draft = self._drafts[row.owner]
        if draft.cut is not None and row.digests is not None and not draft.agrees(row.first, row.digests):
            descriptor = self._source.open(draft.digest, name=self._name)
            try:  # the disk gave two answers
                raise self._source.damaged(draft.digest, hash_descriptor(descriptor)[0], name=self._name)
            finally:
                os.close(descriptor)
        self._place(row.owner, Row(row.first, item, row.offset, row.stored, row.lengths, row.digests))

    def _place(self, owner: int, row: Row) -> None:
        draft = self._drafts[owner]
        draft.place(row)
        if draft.is_complete:
            self._done(Contents.of([self._drafts.pop(owner).content()]))

    def _note(self, item: Wanted, how: How, reused: int, ranges: int, why: str) -> None:
        self._heads.sent.decided(Decision(item.path or self._name, item.size, how, reused, ranges, why))


def groups(small: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """Small files in listing order, in groups of at most BLOCK_BYTES."""
    group: list[Wanted] = []
    size = 0
    for item in small:
        if group and size + item.size > BLOCK_BYTES:
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield group
