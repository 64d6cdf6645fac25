"""Contents on their way into the cache: every piece of a remote's objects goes where it belongs, and what is whole is
verified and kept. It asks a remote for nothing.

A large file grows on disk, in a temp that a later fetch can go on with. A small file of a directory that comes in
several pieces waits for them in memory, because it shall rest in a pack: who fetches bounds how many wait at once.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from lobsterdv.blobs.incoming import Incoming
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.local_chunks import LocalChunks
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.blobs.ranges import Piece, Range
from lobsterdv.blobs.zframes import decode_frames
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import Archived, ContentError, CorruptContent
from lobsterdv.formats.table import RAW, Content

_REUSED_FILES: Final = 64
"""Of so many at a time, the largest, chunks are looked for in older files here."""
_DECODED_BYTES: Final = 1 << 20
"""So much is decompressed at a time."""


Trouble = ContentError | Archived
"""Why a content cannot be had."""


class Arrivals:
    """Of one attempt to fetch. Threads share it. ``failed`` is what could not be had, and why."""

    def __init__(
        self, intake: Intake, *, packable: bool, name: str, where: str, progress: Callable[[int], None]
    ) -> None:
        self.failed: dict[Digest, Trouble] = {}
        self._intake = intake
        self._packable = packable
        self._name = name
        self._where = where
        self._progress = progress
        self._incoming: dict[Digest, Incoming] = {}
        self._waiting: dict[Digest, bytearray] = {}
        self._left: Counter[Digest] = Counter()
        self._lock = threading.Lock()

    def is_packed(self, content: Content) -> bool:
        """Whether it will rest in a pack."""
        return self._packable and content.size < SMALL_BYTES

    def resume(self, contents: list[Content]) -> dict[Digest, list[bool]]:
        """Take over what an interrupted fetch left; returns which chunks of those contents are right already."""
        left = self._intake.left()
        held = {}
        for content in contents if left else ():
            if content.digest in left and not self.is_packed(content):
                incoming = self._intake.resume(content.digest, content.size, left[content.digest], name=self._name)
                if incoming is not None:
                    self._incoming[content.digest] = incoming
                    chunks = incoming.held(content.lengths, content.chunk_digests)
                    self._progress(sum(n for n, there in zip(content.lengths, chunks, strict=True) if there))
                    held[content.digest] = chunks
        return held

    def reuse(self, local: LocalChunks, contents: list[Content], held: dict[Digest, list[bool]]) -> None:
        """Take what older files here have of the largest contents, and note it in ``held``."""
        large = [c for c in contents if len(c.lengths) > 1 and not self.is_packed(c)]
        for content in sorted(large, key=lambda content: -content.size)[:_REUSED_FILES]:
            chunks = held.get(content.digest) or [False] * len(content.lengths)
            runs = local.runs(content, chunks)
            if not runs:
                continue
            before = local.reused_bytes
            local.fill(self._receiving(content), content, runs, chunks)
            self._progress(local.reused_bytes - before)
            held[content.digest] = chunks

    def expect(self, ranges: Iterable[Range]) -> None:
        """All pieces of their contents that will come are in these; said before the first of them comes."""
        with self._lock:
            self._left.update(piece.content.digest for wanted in ranges for piece in wanted.pieces)

    def complete(self, content: Content) -> None:
        """Nothing of this one has to come: all of it was here, or it is empty."""
        try:
            if content.size:
                self._incoming.pop(content.digest).finish()
            else:
                self._keep([(content, b"")])
        except CorruptContent as error:
            self.fail(content.digest, error)

    def grows_on_disk(self, wanted: Range) -> bool:
        """Whether all of a range can be written where it belongs while it comes, by ``grow``."""
        return all(piece.object.codec == RAW and not self.is_packed(piece.content) for piece in wanted.pieces)

    def grow(self, wanted: Range, at: int, data: memoryview) -> None:
        """Some bytes of a range, ``at`` bytes from its beginning, none of which came before."""
        begin, end = wanted.offset + at, wanted.offset + at + len(data)
        for piece in wanted.pieces:
            first, last = max(piece.offset, begin), min(piece.offset + piece.stored, end)
            if first < last and not self._is_lost(piece.content.digest):
                incoming = self._receiving(piece.content)
                incoming.write_at(piece.raw_offset + first - piece.offset, data[first - begin : last - begin])
                self._progress(last - first)

    def grown(self, wanted: Range) -> None:
        """All of a range came to ``grow``."""
        for piece in wanted.pieces:
            try:
                self._came(piece)
            except CorruptContent as error:
                self.fail(piece.content.digest, error)

    def take(self, wanted: Range, data: bytes) -> None:
        """All bytes of a range. Small files that are whole then are kept together."""
        whole: list[tuple[Content, bytes]] = []
        view = memoryview(data)
        size = 0
        for piece in wanted.pieces:
            content, start = piece.content, piece.offset - wanted.offset
            try:
                if not self.is_packed(content):
                    self._grow_by(piece, view[start : start + piece.stored])
                elif piece.chunks < len(content.lengths):
                    whole += self._assemble(piece, view[start : start + piece.stored])
                elif piece.object.codec == RAW:
                    whole.append((content, data[start : start + piece.stored]))
                else:
                    stored = view[start : start + piece.stored]
                    whole.append((content, b"".join(part for _, part in self._decoded(piece, stored))))
            except CorruptContent as error:
                self.fail(content.digest, error)
            size += _raw_bytes(piece)
        if whole:
            self._keep(whole)
        self._progress(size)

    def fail(self, digest: Digest, error: Trouble) -> None:
        """One cannot be had."""
        with self._lock:
            self._waiting.pop(digest, None)
            if isinstance(error, Archived) and digest in self.failed:
                return  # what is damaged besides is worse news
            self.failed[digest] = error  # its Incoming is thrown away at the end, when no thread writes to it

    def leave(self) -> None:
        """No more will come. What of large files arrived undamaged is left for a later fetch."""
        for digest, incoming in self._incoming.items():
            if self._is_lost(digest):
                incoming.abandon()
            else:
                incoming.suspend()

    def abandon(self) -> None:
        """Throw away what is not whole."""
        for incoming in self._incoming.values():
            incoming.abandon()

    def _is_lost(self, digest: Digest) -> bool:
        """Whether what comes of it is of no use; of what is archived in part, the rest is."""
        return digest in self.failed and not isinstance(self.failed[digest], Archived)

    def _receiving(self, content: Content) -> Incoming:
        with self._lock:
            if content.digest not in self._incoming:
                self._incoming[content.digest] = self._intake.receive(content.digest, content.size, name=self._name)
            return self._incoming[content.digest]

    def _grow_by(self, piece: Piece, stored: memoryview) -> None:
        if self._is_lost(piece.content.digest):
            return
        incoming = self._receiving(piece.content)
        for offset, data in self._decoded(piece, stored):
            incoming.write_at(offset, data)
        self._came(piece)

    def _came(self, piece: Piece) -> None:
        """A piece is on disk; with the last one the file is verified and handed on. Raises CorruptContent."""
        digest = piece.content.digest
        with self._lock:
            if self._is_lost(digest):
                return
            self._left[digest] -= 1
            incoming = self._incoming.pop(digest) if self._left[digest] == 0 else None
        if incoming is not None:
            incoming.finish()

    def _assemble(self, piece: Piece, stored: memoryview) -> list[tuple[Content, bytes]]:
        """A piece of a small file; the file when this was its last. Raises CorruptContent."""
        content = piece.content
        with self._lock:
            if content.digest in self.failed:
                return []
            buffer = self._waiting.setdefault(content.digest, bytearray(content.size))
        target = memoryview(buffer)
        for offset, data in self._decoded(piece, stored):
            target[offset : offset + len(data)] = data
        with self._lock:
            self._left[content.digest] -= 1
            if self._left[content.digest]:
                return []
            self._waiting.pop(content.digest, None)
        return [(content, bytes(buffer))]

    def _decoded(self, piece: Piece, stored: memoryview) -> Iterator[tuple[int, bytes | memoryview]]:
        """A piece's bytes and where in the content they belong; what was compressed in runs of some chunks, because
        sixteen MiB of it may become twice as many, on every connection."""
        if piece.object.codec == RAW:
            yield piece.raw_offset, stored
            return
        content = piece.content
        offset, start, end = piece.raw_offset, 0, 0
        sizes: list[tuple[int, int]] = []
        raw = 0
        for position in range(piece.first_chunk, piece.first_chunk + piece.chunks):
            sizes.append((content.lengths[position], content.stored_lengths[position]))
            raw, end = raw + sizes[-1][0], end + sizes[-1][1]
            if raw >= _DECODED_BYTES or position + 1 == piece.first_chunk + piece.chunks:
                yield offset, decode_frames(stored[start:end], sizes, name=self._name)
                offset, start, sizes, raw = offset + raw, end, [], 0

    def _keep(self, whole: Sequence[tuple[Content, bytes]]) -> None:
        """Small files, those whose bytes are what their names say."""
        right: list[tuple[Digest, bytes]] = []
        for content, data in whole:
            actual = digest_of(data)
            if actual == content.digest:
                right.append((content.digest, data))
            else:
                self.fail(content.digest, CorruptContent(self._name, self._where, str(content.digest), str(actual)))
        if self._packable:
            self._intake.keep_verified(right)
        else:
            for digest, data in right:
                self._intake.keep_plain(digest, data)


def _raw_bytes(piece: Piece) -> int:
    content = piece.content
    if piece.chunks == len(content.lengths):
        return content.size
    return sum(content.lengths[piece.first_chunk : piece.first_chunk + piece.chunks])
