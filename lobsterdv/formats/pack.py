"""The index of a local pack: which small files a ``.pack`` of the cache holds, and where (docs/format.md, 9).

Uncompressed columns, sorted by digest, closed by their own BLAKE3, so that a damaged index is noticed
before anything is read through it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from lobsterdv.compact import DigestIndex
from lobsterdv.digest import DIGEST_BYTES, Digest, Digests, digest_of, parse_digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import column, encode_columns, integers, pack_integers, parse_columns


class Packed(NamedTuple):
    """One small file in a pack: ``size`` bytes from ``offset``."""

    digest: Digest
    offset: int
    size: int


@dataclass(slots=True)
class PackIndex:
    """``pack`` is the BLAKE3 of the pack's bytes, ``pack_size`` their number. Rows ascend by digest."""

    pack: Digest
    pack_size: int
    digests: bytes
    offsets: array[int]
    sizes: array[int]
    _index: DigestIndex | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[Packed]:
        return map(Packed, Digests(self.digests), self.offsets, self.sizes)

    def find(self, digest: Digest) -> Packed | None:
        """Where the pack holds ``digest``; None when it does not."""
        if self._index is None:
            self._index = DigestIndex(self.digests, is_sorted=True)
        found = self._index.find(digest)
        return None if found < 0 else Packed(digest, self.offsets[found], self.sizes[found])

    def names(self) -> Iterator[bytes]:
        """All digests, as plain bytes (which equal Digests)."""
        return Digests(self.digests).plain()


def encode_pack_index(pack: Digest, pack_size: int, packed: Iterable[Packed]) -> bytes:
    """The one encoding of an index."""
    rows = sorted(packed)
    body = encode_columns(
        "pack",
        {"pack": str(pack), "pack_size": pack_size},
        {
            "digests": b"".join(row.digest for row in rows),
            "offsets": pack_integers([row.offset for row in rows], 8),
            "sizes": pack_integers([row.size for row in rows], 4),
        },
    )
    return body + digest_of(body)


def parse_pack_index(data: bytes, *, what: str) -> PackIndex:
    """Bytes to a PackIndex. Raises FormatError when they are damaged or not an index."""
    body = data[:-DIGEST_BYTES]
    if len(data) <= DIGEST_BYTES or digest_of(body) != data[-DIGEST_BYTES:]:
        raise FormatError(what, "damaged: its checksum does not fit")
    header, columns = parse_columns(body, "pack", what=what)
    names = bytes(column(columns, "digests", what=what))
    offsets = integers(columns, "offsets", 8, what=what)
    sizes = integers(columns, "sizes", 4, what=what)
    pack_size = header.get("pack_size")
    if type(pack_size) is not int or not len(names) == DIGEST_BYTES * len(offsets) == DIGEST_BYTES * len(sizes):
        raise FormatError(what, "its columns do not fit each other")
    if max(map(add, offsets, sizes), default=0) > pack_size:
        raise FormatError(what, "it points outside its pack")
    return PackIndex(parse_digest(header.get("pack"), what=what), pack_size, names, offsets, sizes)
