"""The only way into the cache: bytes are written, hashed where they lie, and published under the name they have.

One Intake is one batch: what it takes becomes visible at ``commit`` (or earlier, in whole batches), after
one round of syncs. An Intake that is abandoned leaves nothing but temps.
"""

from __future__ import annotations

import os
import stat as stat_module
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from lobsterdv import copying, durable, temps
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.incoming import Incoming
from lobsterdv.blobs.open_files import OpenFiles
from lobsterdv.blobs.packs import PACK_BYTES, PackWriter
from lobsterdv.digest import Digest, Hasher, hash_descriptor, parse_hex
from lobsterdv.errors import ChangedMeanwhile, CorruptContent, LocalIOError, MissingContent, Refused
from lobsterdv.signature import Signature, signature_of

_PENDING_BYTES: Final = 1 << 30  # so much may be lost, at most, when a long fetch is interrupted
_PENDING_FILES: Final = 4096


class Kept(NamedTuple):
    """A file as it was taken in: identity, size in bytes, checksum, and its signature when it was read."""

    digest: Digest
    size: int
    checksum: bytes
    signature: Signature


class Intake:
    """One batch of additions to a cache. Threads may share it. Use it as a context manager: leaving it
    without an error commits, with one abandons. With ``keeps_whole`` a full pack is published at once, and what
    was whole when an error came too."""

    def __init__(self, cache: Cache, *, pack_bytes: int | None = None, keeps_whole: bool = False) -> None:
        self._cache = cache
        self._pack_bytes = pack_bytes or PACK_BYTES
        self._keeps_whole = keeps_whole
        self._pending: list[tuple[Digest, durable.Publication, bytes]] = []
        self._pending_bytes = 0
        self._pack: PackWriter | None = None
        self._packed: set[Digest] = set()
        self._arriving = OpenFiles(flags=os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._failed: LocalIOError | None = None
        self._lock = threading.RLock()
        temps.sweep(cache.temps, now=cache.now())
        cache.packs.refresh()

    def __enter__(self) -> Intake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or (self._keeps_whole and self._failed is None):
                self.commit()
        finally:
            self.abandon()

    def copy_in(
        self,
        source: Path,
        *,
        meant: Callable[[Signature], bool] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Kept:
        """Keep a file as a plain file: copy it, hash the copy, then make sure that the source did not change, and that
        it is the file that was ``meant``.

        Raises ChangedMeanwhile after the second try, Refused for what is not a regular file, LocalIOError.
        """
        for _ in range(2):
            with durable.translating(source):
                kept = self._copied(source, meant, progress)
            if kept is not None:
                return kept
        raise ChangedMeanwhile(str(source))

    def keep_verified(self, files: Iterable[tuple[Digest, bytes]]) -> None:
        """Keep small files in packs, those that are not here; the digests were just computed from the bytes."""
        batch = list(files)
        with self._lock, self._all_or_nothing():
            new = self._cache.packs.missing(digest for digest, _ in batch)
            for digest, data in batch:
                if digest in self._packed or (digest not in new and self._holds(digest)):
                    continue
                self._packed.add(digest)
                if self._pack is None:
                    self._pack = PackWriter(self._cache.packs.folder, self._cache.temps)
                self._pack.append(digest, data)
                if self._pack.size >= self._pack_bytes:
                    self._close_pack()
                    if self._keeps_whole:
                        self.commit()

    def keep_plain(self, digest: Digest, data: bytes | memoryview) -> None:
        """Keep bytes, whose digest the caller has just computed, as a plain file."""
        incoming = self.receive(digest, len(data), name="")
        try:
            incoming.write_at(0, data)
            incoming.finish()
        except BaseException:
            incoming.abandon()
            raise

    def receive(self, digest: Digest, size: int, *, name: str) -> Incoming:
        """Begin a plain file that arrives in parts."""
        return self._incoming(digest, size, name, durable.create_temp(self.temps, digest=digest.hex()))

    def resume(self, digest: Digest, size: int, left: Iterable[Path], *, name: str) -> Incoming | None:
        """Go on with what a process that is gone left of a plain file; None when nothing can be taken over. What
        it holds must be verified."""
        for temp in left:
            taken = durable.adopt_temp(temp, digest=digest.hex())
            if taken is not None:
                return self._incoming(digest, size, name, taken)
        return None

    def left(self) -> dict[Digest, list[Path]]:
        """What interrupted fetches left of plain files, for ``resume``."""
        found: dict[Digest, list[Path]] = {}
        for name, temp in temps.partials(self.temps):
            found.setdefault(parse_hex(name, what="temp"), []).append(temp)
        return found

    def commit(self) -> None:
        """Publish everything taken so far. May be called again after more was taken."""
        with self._all_or_nothing():
            with self._lock:
                self._close_pack()
                pending, self._pending = self._pending, []
                self._pending_bytes = 0
            durable.publish([publication for _, publication, _ in pending])
        rows = []
        for digest, publication, checksum in pending:
            if publication.final.suffix == ".pack":
                self._cache.packs.renew(parse_hex(publication.final.stem, what="pack"))
            if checksum:
                signature = signature_of(publication.final.lstat())
                rows.append((digest.hex(), signature, checksum, self._cache.now()))
        self._cache.ledger.note(rows)
        self._cache.packs.refresh()

    def abandon(self) -> None:
        """Throw away what was not published."""
        with self._lock:
            if self._pack is not None:
                self._pack.abandon()
                self._pack = None
            for _, publication, _ in self._pending:
                publication.temp.unlink(missing_ok=True)
            self._pending.clear()
        self._arriving.close()

    def _incoming(self, digest: Digest, size: int, name: str, opened: tuple[int, Path]) -> Incoming:
        descriptor, temp = opened
        return Incoming(self.accept, digest, size, name=name, files=self._arriving, descriptor=descriptor, temp=temp)

    def _copied(
        self, source: Path, meant: Callable[[Signature], bool] | None, progress: Callable[[int], None] | None
    ) -> Kept | None:
        """One try of ``copy_in``; None when the source changed meanwhile."""
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            before = os.fstat(descriptor)
            if not stat_module.S_ISREG(before.st_mode):
                raise Refused(str(source), "not a regular file", "special-file")
            target, temp = durable.create_temp(self._cache.temps)
            try:
                with durable.translating(temp):
                    digest, checksum, size = _copy_and_hash(descriptor, target, before.st_size, progress)
                signature = signature_of(before)
                is_same = signature_of(os.fstat(descriptor)) == signature == signature_of(source.lstat())
                if not is_same or (meant is not None and not meant(signature)):
                    temp.unlink()
                    return None
                self.accept(digest, size, checksum, temp)
            except BaseException:
                temp.unlink(missing_ok=True)
                raise
            finally:
                os.close(target)
        finally:
            os.close(descriptor)
        return Kept(digest, size, checksum, signature)

    def accept_own(self, kept: Kept, temp: Path, mode: int) -> bool:
        """As ``accept``, for a temp that is a second name of a user's file: of equal files only the first is queued,
        so that the others can take its place."""
        with self._lock:
            if any(row[0] == kept.digest for row in self._pending):
                self.commit()
            return self.accept(kept.digest, kept.size, kept.checksum, temp, mode=mode)

    def accept(self, digest: Digest, size: int, checksum: bytes, temp: Path, *, mode: int = 0o444) -> bool:
        """Queue a verified temp for publication. A name that exists already keeps its bytes, if they are right: then
        the temp is removed, and False returned."""
        final = self._cache.plain_path(digest)
        if final.is_file() and self._is_right(digest):
            temp.unlink()
            return False
        with self._lock:
            self._pending.append((digest, durable.Publication(temp, final, mode), checksum))
            self._pending_bytes += size
            full = self._pending_bytes >= _PENDING_BYTES or len(self._pending) >= _PENDING_FILES
        if full:
            self.commit()
        return True

    @property
    def temps(self) -> Path:
        return self._cache.temps

    def _holds(self, digest: Digest) -> bool:
        """True when a pack holds the bytes undamaged: an old bad copy, or one on a bad sector, must not keep a good one
        out."""
        try:
            return self._cache.read_packed(digest, name="") is not None
        except (CorruptContent, MissingContent, OSError):
            return False

    def _is_right(self, digest: Digest) -> bool:
        """True when the cache's file was read now and is right: the good bytes at hand are given up for it."""
        try:
            return bool(self._cache.verified_path(digest, name="", reads=True))
        except (CorruptContent, MissingContent, OSError):
            return False

    def _close_pack(self) -> None:
        if self._pack is not None:
            pack, self._pack = self._pack, None
            try:
                publications = pack.finish()
            except BaseException:
                pack.abandon()
                raise
            for publication in publications:
                self._pending.append((_NOTHING, publication, b""))

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What was taken before a write failed may be gone with it, so nothing can be committed any more."""
        if self._failed is not None:
            raise self._failed
        try:
            yield
        except LocalIOError as error:
            self._failed = error
            raise


def _copy_and_hash(
    source: int, target: int, size: int, progress: Callable[[int], None] | None
) -> tuple[Digest, bytes, int]:
    """Digest, checksum and size of what the target holds then: a clone is read, a copy hashed on its way."""
    if copying.clone(source, target):
        if progress:
            progress(size)
        return hash_descriptor(target)
    hasher = Hasher()
    copying.copy(source, target, size, seen=hasher.update, progress=progress)
    return hasher.digest(), hasher.checksum(), hasher.size


_NOTHING: Final = Digest(bytes(32))
