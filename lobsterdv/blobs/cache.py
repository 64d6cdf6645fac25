"""The cache: verified content on this machine, immutable, shared by the worktrees of a repository.

::

    files/ab/<hex>          plain files, mode 0444
    packs/<hex>.pack .idx   small files of directories
    listings/ab/<hex>       listings of directory versions
    remotes/<store id>/     manifests and segments, as they lie there
    views/                  derived trees and names, can be rebuilt
    quarantine/             what was found damaged; never deleted here
    tmp/                    unfinished writes
    trash/                  what ``gc`` took out (``trash``)
    projects/ lock          who uses it (``tenants``)

Nothing enters unverified (``intake``), nothing leaves unverified. Missing and damaged are two errors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from lobsterdv import copying, durable, temps
from lobsterdv.blobs.packs import Packs
from lobsterdv.digest import (
    Checksum,
    Digest,
    Digests,
    Hasher,
    checksum_of,
    checksum_of_descriptor,
    digest_of,
    hash_descriptor,
    listing_digest,
)
from lobsterdv.errors import CorruptContent, MissingContent
from lobsterdv.formats.listing import Listing, parse_listing
from lobsterdv.reading import naming, read_whole, windows
from lobsterdv.signature import Signature, signature_of
from lobsterdv.writing import write_all

TRUST_SECONDS: Final = 30 * 86400
"""How long an unchanged stat signature stands for verified bytes when a cached file is opened in place."""


class Ledger(Protocol):
    """Remembers when a plain file was proved right (kept in the index; forgetting costs a re-hash)."""

    def look_up(self, name: str) -> tuple[Signature, bytes, float] | None:
        """Signature, checksum and time of the last verification."""

    def note(self, rows: Iterable[tuple[str, Signature, bytes, float]]) -> None:
        """Remember verifications: name, signature, checksum, time."""


class Cache:
    """One cache folder. Threads and processes share it without locks: everything in it is written once."""

    def __init__(self, folder: Path, *, ledger: Ledger, now: Callable[[], float]) -> None:
        self.folder = folder
        self.temps = folder / "tmp"
        self.views = folder / "views"
        self.trash = folder / "trash"
        self.packs = Packs(folder / "packs", folder / "quarantine")
        self.ledger = ledger
        self.now = now
        self._is_swept = False

    def plain_path(self, digest: Digest) -> Path:
        """Where a plain file lies or would lie; says nothing of whether it does."""
        return self.folder / "files" / digest[:1].hex() / digest.hex()

    def has(self, digest: Digest) -> bool:
        """True when the bytes are here, as far as names tell; reading them verifies."""
        self.packs.refresh()
        return self.packs.find(digest) is not None or self.plain_path(digest).is_file()

    def missing(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of ``digests`` that are not here, in their order, without repeats."""
        self.packs.refresh()
        wanted = digests if isinstance(digests, Sequence) else list(digests)
        left = self.packs.missing(wanted.plain() if isinstance(wanted, Digests) else wanted)
        left |= self.packs.lost(wanted)
        if not left:
            return []
        fans = self._fans()  # of ten thousand that are new hardly any is asked for
        return [
            d
            for d in dict.fromkeys(d for d in wanted if d in left)
            if d[:1].hex() not in fans or not self.plain_path(d).is_file()
        ]

    def _fans(self) -> set[str]:
        """The folders that plain files lie in, by name."""
        try:
            return set(os.listdir(self.folder / "files"))
        except FileNotFoundError:
            return set()

    def is_plain(self, digest: Digest) -> bool:
        """True when the bytes lie in a file of their own."""
        return self.plain_path(digest).is_file()

    def read_small(self, digest: Digest, *, name: str) -> bytes:
        """The verified bytes of a file that fits in memory. Raises MissingContent, CorruptContent."""
        data = self.read_packed(digest, name=name)
        if data is not None:
            return data
        try:
            data = read_whole(self.plain_path(digest))
        except FileNotFoundError:
            self.packs.refresh()
            return self.packs.read(digest, name=name)
        if (actual := digest_of(data)) != digest:
            raise self.quarantine(digest, actual, name=name)
        return data

    def read_packed(self, digest: Digest, *, name: str) -> bytes | None:
        """The verified bytes of a file that lies in a pack known so far; None when it lies in none."""
        found = self.packs.find(digest)
        return None if found is None else self.packs.read_at(*found, name=name)

    def verified_path(self, digest: Digest, *, name: str, reads: bool = False) -> Path:
        """The path of a plain file, proved right: by its signature when that was verified in the last 30 days (one that
        ``reads`` wants its checksum of then, too), else by hashing. Raises MissingContent, CorruptContent."""
        path = self.plain_path(digest)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MissingContent(name, str(digest), "the cache") from None
        try:
            signature = signature_of(os.fstat(descriptor))
            known = self.ledger.look_up(digest.hex())
            with naming(path):
                if (
                    known
                    and known[0] == signature
                    and 0 <= self.now() - known[2] < TRUST_SECONDS
                    and (not reads or checksum_of_descriptor(descriptor) == known[1])
                ):
                    return path
                actual, checksum, _ = hash_descriptor(descriptor)
        finally:
            os.close(descriptor)
        if actual != digest:
            raise self.quarantine(digest, actual, name=name)
        self.ledger.note([(digest.hex(), signature, checksum, self.now())])
        return path

    def prove(self, digest: Digest, *, name: str) -> None:
        """Hash what is here, whatever is remembered of it. Raises MissingContent, CorruptContent; what is damaged
        then counts as missing."""
        if self.read_packed(digest, name=name) is not None:
            return
        try:
            descriptor = os.open(self.plain_path(digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MissingContent(name, str(digest), "the cache") from None
        try:
            with naming(self.plain_path(digest)):
                actual = hash_descriptor(descriptor)[0]
        finally:
            os.close(descriptor)
        if actual != digest:
            raise self.quarantine(digest, actual, name=name)

    def relinked(self, digest: Digest) -> None:
        """Note that a plain file, just verified, got another hard link: that changes its signature, not its bytes."""
        known = self.ledger.look_up(digest.hex())
        if known is not None:
            self.ledger.note([(digest.hex(), signature_of(self.plain_path(digest).lstat()), known[1], known[2])])

    def copy_out(
        self,
        digest: Digest,
        target: int,
        *,
        name: str,
        reflink: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[int, bytes]:
        """Write the verified bytes into an empty descriptor open for reading and writing.

        A file whose signature is that of its last verification is compared by the checksum of then, every other one by
        its digest. Returns size and checksum. Raises MissingContent and CorruptContent; the target then holds nothing
        that may be used.
        """
        path = self.plain_path(digest)
        if not path.is_file():
            data = self.read_small(digest, name=name)
            write_all(target, data)
            return len(data), checksum_of(data)
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            info = os.fstat(source)
            size = info.st_size
            known = self.ledger.look_up(digest.hex())
            if known and known[0] == signature_of(info):
                sums = Checksum()
                _carry(source, target, size, sums.update, progress, reflink=reflink)
                if sums.digest() == known[1]:
                    return size, known[1]
                actual, checksum, _ = hash_descriptor(target)
            else:
                hasher = Hasher()
                _carry(source, target, size, hasher.update, progress, reflink=reflink)
                actual, checksum = hasher.digest(), hasher.checksum()
        finally:
            os.close(source)
        if actual != digest:
            raise self.quarantine(digest, actual, name=name)
        return size, checksum

    def quarantine(self, digest: Digest, actual: Digest, *, name: str) -> CorruptContent:
        """Move a damaged plain file aside, so that it counts as missing; returns the error to raise."""
        self._set_aside(self.plain_path(digest), digest.hex())
        return CorruptContent(name, "the cache", str(digest), str(actual))

    def _set_aside(self, path: Path, name: str) -> None:
        """Into the quarantine, unless another process was faster."""
        folder = self.folder / "quarantine"
        with durable.translating(folder):
            durable.make_folder(folder)
            with suppress(FileNotFoundError):
                path.rename(folder / f"{name}.{os.urandom(4).hex()}")
                durable.sync_folder(folder)

    def put_listing(self, digest: Digest, encoded: bytes) -> None:
        """Keep an encoded listing whose digest the caller computed."""
        self._put(self.listing_path(digest), encoded)

    def listing_path(self, digest: Digest) -> Path:
        """Where a listing lies or would lie."""
        return self.folder / "listings" / digest[:1].hex() / digest.hex()

    def has_listing(self, digest: Digest) -> bool:
        """True when a directory version's listing is here; reading it verifies."""
        return self.listing_path(digest).is_file()

    def listing(self, digest: Digest, *, name: str) -> Listing:
        """The verified listing of a directory version. Raises MissingContent, CorruptContent."""
        path = self.listing_path(digest)
        try:
            encoded = read_whole(path)
        except FileNotFoundError:
            raise MissingContent(f"the listing of {name}", str(digest), "the cache") from None
        if (actual := listing_digest(encoded)) != digest:
            self._set_aside(path, f"listing.{digest.hex()}")
            raise CorruptContent(f"the listing of {name}", "the cache", str(digest), str(actual))
        return parse_listing(encoded, what=f"the listing of {name}")

    def keep_remote(self, key: str, stored: bytes) -> None:
        """Keep a manifest or segment under its remote key."""
        self._put(self.folder / key, stored)

    def kept_remote(self, key: str) -> bytes | None:
        """A kept manifest or segment; None when it is not here. The caller verifies."""
        try:
            return read_whole(self.folder / key)
        except FileNotFoundError:
            return None

    def kept_below(self, prefix: str) -> list[str]:
        """Keys of kept manifests below a remote prefix such as ``manifests/<version>/``."""
        try:
            return [prefix + name for name in sorted(os.listdir(self.folder / prefix)) if not name.startswith(".")]
        except FileNotFoundError:
            return []

    def close(self) -> None:
        """Let go of open packs."""
        self.packs.close()

    def _put(self, path: Path, data: bytes) -> None:
        """Write a small document unless it is there, undamaged."""
        try:
            if path.read_bytes() == data:
                return
        except OSError:
            pass  # not there, or not to be read: written anew
        if not self._is_swept:
            self._is_swept = True
            temps.sweep(self.temps, now=self.now())
        durable.make_folder(path.parent)
        durable.write(path, data, temps=self.temps)


def _carry(
    source: int,
    target: int,
    size: int,
    seen: Callable[[memoryview], object],
    progress: Callable[[int], None] | None,
    *,
    reflink: bool,
) -> None:
    """A clone, which is read then, or a copy: ``seen`` is shown all that the target holds."""
    if not (reflink and copying.clone(source, target)):
        copying.copy(source, target, size, seen=seen, progress=progress)
        return
    for view in windows(target):
        seen(view)
        if progress:
            progress(len(view))
