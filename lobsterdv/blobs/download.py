"""Content from a remote into the cache, in few ranged reads, every byte verified before it is kept.

A range may hold one part of a large file or thousands of small ones; neighbours in an object are read
together, also across a small gap, because a request costs more than the bytes between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from lobsterdv import workers
from lobsterdv.blobs.arrivals import Arrivals
from lobsterdv.blobs.arrivals import Trouble as Trouble
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.local_chunks import LocalChunks
from lobsterdv.blobs.ranges import Range, plan_ranges
from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import Digest
from lobsterdv.errors import Archived, CorruptContent, KeyMissing, LocalIOError, MissingContent
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import Content
from lobsterdv.stores.base import ReadsInSlices

_WAITING_BYTES: Final = 64 << 20
"""Small files that come in several pieces are planned for so many bytes at a time: they wait in memory."""


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
    for. A content that arrives damaged is fetched once more, whole. Of a large one that is archived in part, what can
    be read is kept for the next time. Raises RemoteError when the remote itself fails. May be repeated.
    """
    wanted = {content.digest: content for content in contents}
    failed: dict[Digest, Trouble] = {}
    for _ in range(2):
        arrivals = Arrivals(intake, packable=packable, name=name, where=remote.url, progress=progress)
        attempt = _Fetch(remote, arrivals, name=name).run(list(wanted.values()), local)
        failed = {d: e for d, e in failed.items() if d not in wanted} | attempt
        wanted = {d: wanted[d] for d, e in failed.items() if d in wanted and isinstance(e, CorruptContent)}
        local = None
        if not wanted:
            break
    return failed


class _Fetch:
    """One attempt: ranges in parallel, contents completed as their last piece arrives."""

    def __init__(self, remote: Remote, arrivals: Arrivals, *, name: str) -> None:
        self._remote = remote
        self._arrivals = arrivals
        self._name = name
        self._archived: dict[Digest, Archived] = {}  # objects that said so: no need to ask for each of their ranges

    def run(self, contents: list[Content], local: LocalChunks | None) -> dict[Digest, Trouble]:
        arrivals = self._arrivals
        try:
            held = arrivals.resume(contents)
            if local is not None:
                arrivals.reuse(local, contents, held)
            left = []
            for content in contents:
                if not content.size or (content.digest in held and all(held[content.digest])):
                    arrivals.complete(content)
                else:
                    left.append(content)
            for _ in workers.each(self._bring, self._planned(left, held), jobs=self._remote.jobs):
                pass
        except LocalIOError:
            arrivals.abandon()  # the disk is full, perhaps
            raise
        finally:
            arrivals.leave()
        return arrivals.failed

    def _planned(self, contents: list[Content], held: Mapping[Digest, Sequence[bool]]) -> Iterator[Range]:
        for group in self._groups(contents):
            ranges = plan_ranges(group, held)
            self._arrivals.expect(ranges)
            yield from ranges

    def _groups(self, contents: list[Content]) -> Iterator[list[Content]]:
        """Neighbours together; a group ends where more small files in several pieces would wait for each other."""
        group: list[Content] = []
        waiting = 0
        for content in contents:
            if len(content.extents) > 1 and self._arrivals.is_packed(content):
                if waiting + content.size > _WAITING_BYTES:
                    yield group
                    group, waiting = [], 0
                waiting += content.size
            group.append(content)
        yield group

    def _bring(self, wanted: Range) -> None:
        arrivals = self._arrivals
        trouble: Trouble | None = self._archived.get(wanted.object.digest)
        if trouble is None:
            try:
                self._read(wanted)
            except KeyMissing:
                trouble = MissingContent(self._name, str(wanted.object.digest), self._remote.url)
            except Archived as error:
                trouble = self._archived[wanted.object.digest] = error
            except CorruptContent as error:
                trouble = error
        if trouble is not None:
            for piece in wanted.pieces:
                arrivals.fail(piece.content.digest, trouble)

    def _read(self, wanted: Range) -> None:
        """Raises KeyMissing, Archived, CorruptContent, RemoteError."""
        store, arrivals, key = self._remote.store, self._arrivals, object_key(wanted.object.digest)
        if isinstance(store, ReadsInSlices) and arrivals.grows_on_disk(wanted):

            def grow(at: int, data: memoryview) -> None:
                arrivals.grow(wanted, at, data)

            store.read_in_slices(key, start=wanted.offset, length=wanted.length, sink=grow)
            arrivals.grown(wanted)
        else:
            arrivals.take(wanted, store.read(key, start=wanted.offset, length=wanted.length))
