"""A mark: what one look at a remote found that no catalog record names (docs/format.md, section 8.5).

Written once. A collection deletes only what two marks, the grace apart, agree on.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lobsterdv.digest import Digest, Digests
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import (
    column,
    compress,
    decompress,
    digests,
    encode_columns,
    integers,
    pack_array,
    pack_texts,
    parse_columns,
    texts,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """``at`` is when the look began, in milliseconds since 1970 by the store's clock. ``keys`` are those of what
    nothing named, in order, with their sizes in bytes; ``records`` all catalog records, retired ones too, in order."""

    at: int
    keys: Sequence[str]
    sizes: Sequence[int]
    records: Sequence[Digest] = field(default_factory=list)


def encode_mark(mark: Mark) -> bytes:
    """The stored form (zstd). Its BLAKE3 is the mark's name. Raises FormatError above 64 MiB."""
    columns = {
        "keys": pack_texts(mark.keys),
        "sizes": pack_array(array("Q", mark.sizes)),
        "records": b"".join(mark.records),
    }
    return compress(encode_columns("mark", {"at": mark.at}, columns))


def parse_mark(stored: bytes, *, what: str) -> Mark:
    """Raises FormatError."""
    header, columns = parse_columns(decompress(stored, what=what), "mark", what=what)
    at = header.get("at")
    sizes = integers(columns, "sizes", 8, what=what)
    records: Digests = digests(columns, "records", what=what)
    lines = bytes(column(columns, "keys", what=what)).count(b"\n")  # before a bomb of line breaks becomes a list
    if type(at) is not int or not 0 <= at < 1 << 63 or lines != len(sizes):
        raise FormatError(what, "its columns do not fit each other")
    keys = texts(columns, "keys", what=what)
    if any(a >= b for a, b in pairwise(keys)):
        raise FormatError(what, "its keys are out of order")
    return Mark(at, keys, sizes, list(records))
