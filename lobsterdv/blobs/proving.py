"""Is what the cache holds what its names say? Every byte is read and hashed, whatever is remembered of it.

Corrupt files are moved to the quarantine (files of packs are noted there), and count as missing from then on; what
cannot be read is left where it is: a cable or a mount may be at fault. Nothing is deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

from lobsterdv import workers
from lobsterdv.blobs.cache import Cache
from lobsterdv.digest import Digest, Hasher
from lobsterdv.errors import LocalIOError
from lobsterdv.formats.pack import Packed, PackIndex
from lobsterdv.reading import windows
from lobsterdv.signature import Signature, signature_of

_AT_ONCE: Final = 1 << 16
_BATCH_FILES: Final = 256
_BATCH_BYTES: Final = 8 << 20


class Proof(NamedTuple):
    """A content that was read: ``state`` is empty when it is right, ``size`` are the bytes that were read."""

    digest: Digest
    state: Literal["", "missing", "corrupt", "unreadable"]
    detail: str
    size: int


class _Row(NamedTuple):
    pack: PackIndex
    packed: Packed


def prove_contents(
    cache: Cache, digests: Sequence[Digest], *, jobs: int, check: Callable[[], None]
) -> Iterator[list[Proof]]:
    """Read contents that the cache holds; their proofs in portions, in no promised order. ``check`` is called between
    windows of 4 MiB and may raise to stop. Raises what it raises."""
    for start in range(0, len(digests), _AT_ONCE):
        packed: list[_Row] = []
        plain: list[Digest] = []
        for digest in digests[start : start + _AT_ONCE]:
            found = cache.packs.find(digest)
            if found is not None:
                packed.append(_Row(*found))
            if found is None or cache.is_plain(digest):
                plain.append(digest)
        packed.sort(key=lambda row: (row.pack.pack, row.packed.offset))
        yield from workers.each(lambda batch: _prove_packed(cache, batch, check), _batches(packed), jobs=jobs)
        for proofs in workers.each(lambda digest: _prove_plain(cache, digest, check), plain, jobs=jobs):
            yield [proofs]


def _batches(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Neighbours of one pack."""
    for _, group in groupby(rows, key=lambda row: row.pack.pack):
        batch: list[_Row] = []
        size = 0
        for row in group:
            batch.append(row)
            size += row.packed.size
            if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch


def _prove_packed(cache: Cache, batch: list[_Row], check: Callable[[], None]) -> list[Proof]:
    check()
    proofs = []
    for index, packed in batch:
        try:
            actual = cache.packs.actual(index, packed)
        except FileNotFoundError:
            proofs.append(Proof(packed.digest, "missing", "its pack is gone", 0))
        except OSError as error:
            proofs.append(Proof(packed.digest, "unreadable", _reason(error), 0))
        else:
            wrong = "" if actual == packed.digest else f"its bytes in a pack are those of {actual.short}"
            proofs.append(Proof(packed.digest, "corrupt" if wrong else "", wrong, packed.size))
    bad = [proof.digest for proof in proofs if proof.state in ("missing", "corrupt")]
    if bad:
        try:
            cache.packs.note_damaged(batch[0].pack, bad)
        except LocalIOError:
            pass  # a read-only cache: it is told all the same, and whoever reads verifies
    return proofs


def _prove_plain(cache: Cache, digest: Digest, check: Callable[[], None]) -> Proof:
    try:
        descriptor = os.open(cache.plain_path(digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return Proof(digest, "missing", "", 0)
    except OSError as error:
        return Proof(digest, "unreadable", _reason(error), 0)
    try:
        hasher = Hasher()
        signature: Signature = signature_of(os.fstat(descriptor))
        for view in windows(descriptor):
            check()
            hasher.update(view)
    except OSError as error:
        return Proof(digest, "unreadable", _reason(error), hasher.size)
    finally:
        os.close(descriptor)
    actual = hasher.digest()
    if actual == digest:
        cache.ledger.note([(digest.hex(), signature, hasher.checksum(), cache.now())])
        return Proof(digest, "", "", hasher.size)
    detail = f"its {hasher.size} bytes are those of {actual.short}"
    try:
        cache.quarantine(digest, actual, name="")
    except LocalIOError as error:
        detail += f"; it could not be set aside ({error.detail})"
    return Proof(digest, "corrupt", detail, hasher.size)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
