"""Content from a remote into the cache, in few ranged reads, every byte verified before it is kept.

A range may hold one part of a large file or thousands of small ones; neighbours in an object are read
together, also across a small gap, because a request costs more than the bytes between.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.incoming import Incoming
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.local_chunks import LocalChunks
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.blobs.ranges import Piece, Range, plan_ranges
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.zframes import decode_frames
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import Archived, ContentError, CorruptContent, KeyMissing, LocalIOError, MissingContent
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import RAW, Content

_REUSED_FILES: Final = 64
"""Of so many at a time, the largest, chunks are looked for in older files here."""
_DECODED_BYTES: Final = 1 << 20
"""So much is decompressed at a time."""


Trouble = ContentError | Archived
"""Why a content cannot be had."""


def fetch_contents(
    remote: Remote,
    contents: Iterable[Content],
    intake: Intake,
    *,
    packable: bool,
    name: str,
    progress: Callable[[int], None],
    local: LocalChunks | None = None,
) -> dict[Digest, Trouble]:
    """Bring contents into the cache; returns what could not be had: MissingContent, CorruptContent or Archived.

    ``packable`` lets small ones rest in packs (those of directories). What ``local`` has of a large one is not asked
    for. A content that arrives damaged is fetched once more, whole. Of one that is archived in part, what can be read
    is kept for the next time. Raises RemoteError when the remote itself fails. May be repeated.
    """
    wanted = {content.digest: content for content in contents}
    failed: dict[Digest, Trouble] = {}
    for _ in range(2):
        attempt = _Fetch(remote, intake, local, packable=packable, name=name, progress=progress)
        failed = {d: e for d, e in failed.items() if d not in wanted} | attempt.run(list(wanted.values()))
        wanted = {d: wanted[d] for d, e in failed.items() if d in wanted and isinstance(e, CorruptContent)}
        local = None
        if not wanted:
            break
    return failed


class _Fetch:
    """One attempt: ranges in parallel, contents completed as their last piece arrives."""

    def __init__(
        self,
        remote: Remote,
        intake: Intake,
        local: LocalChunks | None,
        *,
        packable: bool,
        name: str,
        progress: Callable[[int], None],
    ) -> None:
        self._remote = remote
        self._intake = intake
        self._local = local
        self._packable = packable
        self._name = name
        self._progress = progress
        self._failed: dict[Digest, Trouble] = {}
        self._archived: dict[Digest, Archived] = {}  # objects that said so: no need to ask for each of their ranges
        self._incoming: dict[Digest, Incoming] = {}
        self._left: Counter[Digest] = Counter()
        self._lock = threading.Lock()

    def run(self, contents: list[Content]) -> dict[Digest, Trouble]:
        try:
            held = self._resume(contents)
            self._reuse(contents, held)
            ranges = plan_ranges([c for c in contents if c.digest not in held or not all(held[c.digest])], held)
            self._left.update(piece.content.digest for r in ranges for piece in r.pieces)
            for content in contents:
                if not content.size:
                    self._keep(content, b"")
                elif content.digest in held and all(held[content.digest]):
                    self._finish(content)
            for _ in workers.each(self._bring, ranges, jobs=self._remote.jobs):
                pass
        except LocalIOError:
            for incoming in self._incoming.values():
                incoming.abandon()  # the disk is full, perhaps
            raise
        finally:
            for digest, incoming in self._incoming.items():
                if digest in self._failed and not isinstance(self._failed[digest], Archived):
                    incoming.abandon()
                else:
                    incoming.suspend()
        return self._failed

    def _resume(self, contents: list[Content]) -> dict[Digest, list[bool]]:
        """Take over what an interrupted fetch left; returns which chunks of those contents are right already."""
        left = self._intake.left()
        held = {}
        for content in contents if left else ():
            if content.digest in left and not self._is_packed(content):
                incoming = self._intake.resume(content.digest, content.size, left[content.digest], name=self._name)
                if incoming is not None:
                    self._incoming[content.digest] = incoming
                    chunks = incoming.held(content.lengths, content.chunk_digests)
                    self._progress(sum(n for n, there in zip(content.lengths, chunks, strict=True) if there))
                    held[content.digest] = chunks
        return held

    def _reuse(self, contents: list[Content], held: dict[Digest, list[bool]]) -> None:
        """Take what older files here have of the largest contents; a file stays open for each."""
        if self._local is None:
            return
        large = [c for c in contents if len(c.lengths) > 1 and not self._is_packed(c)]
        for content in sorted(large, key=lambda content: -content.size)[:_REUSED_FILES]:
            chunks = held.get(content.digest) or [False] * len(content.lengths)
            runs = self._local.runs(content, chunks)
            if not runs:
                continue
            if content.digest not in self._incoming:
                self._incoming[content.digest] = self._intake.receive(content.digest, content.size, name=self._name)
            before = self._local.reused_bytes
            self._local.fill(self._incoming[content.digest], content, runs, chunks)
            self._progress(self._local.reused_bytes - before)
            held[content.digest] = chunks

    def _finish(self, content: Content) -> None:
        try:
            self._incoming.pop(content.digest).finish()
        except CorruptContent as error:
            self._fail(content.digest, error)

    def _bring(self, wanted: Range) -> None:
        if wanted.object.digest in self._archived:
            self._fail_all(wanted, self._archived[wanted.object.digest])
            return
        try:
            data = memoryview(
                self._remote.store.read(object_key(wanted.object.digest), start=wanted.offset, length=wanted.length)
            )
        except KeyMissing:
            self._fail_all(wanted, MissingContent(self._name, str(wanted.object.digest), self._remote.url))
            return
        except Archived as error:
            self._archived[wanted.object.digest] = error
            self._fail_all(wanted, error)
            return
        except CorruptContent as error:
            self._fail_all(wanted, error)
            return
        for piece in wanted.pieces:
            start = piece.offset - wanted.offset
            try:
                self._arrive(piece, data[start : start + piece.stored])
            except CorruptContent as error:
                self._fail(piece.content.digest, error)
            self._progress(sum(piece.content.lengths[piece.first_chunk : piece.first_chunk + piece.chunks]))

    def _arrive(self, piece: Piece, stored: memoryview) -> None:
        content = piece.content
        with self._lock:
            if content.digest in self._failed and not isinstance(self._failed[content.digest], Archived):
                return
            incoming = self._incoming.get(content.digest)
        is_whole = piece.chunks == len(content.lengths)
        if incoming is None and is_whole and (piece.object.codec == RAW or content.size <= _DECODED_BYTES):
            ((_, data),) = self._decoded(piece, stored)
            self._keep(content, data)
            return
        with self._lock:
            if content.digest not in self._incoming:
                self._incoming[content.digest] = self._intake.receive(content.digest, content.size, name=self._name)
            incoming = self._incoming[content.digest]
        for offset, data in self._decoded(piece, stored):
            incoming.write_at(offset, data)
        with self._lock:
            self._left[content.digest] -= 1
            done = self._left[content.digest] == 0
            if done:
                del self._incoming[content.digest]
        if done:
            incoming.finish()

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

    def _keep(self, content: Content, data: bytes | memoryview) -> None:
        actual = digest_of(data)
        if actual != content.digest:
            raise CorruptContent(self._name, self._remote.url, str(content.digest), str(actual))
        if self._is_packed(content):
            self._intake.keep_verified([(content.digest, bytes(data))])
        else:
            self._intake.keep_plain(content.digest, data)

    def _is_packed(self, content: Content) -> bool:
        return self._packable and content.size < SMALL_BYTES

    def _fail_all(self, wanted: Range, error: Trouble) -> None:
        for piece in wanted.pieces:
            self._fail(piece.content.digest, error)

    def _fail(self, digest: Digest, error: Trouble) -> None:
        with self._lock:
            if isinstance(error, Archived) and digest in self._failed:
                return  # what is damaged besides is worse news
            self._failed[digest] = error  # its Incoming is thrown away at the end, when no thread writes to it
