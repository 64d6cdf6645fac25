"""The retirement of a catalog record: its push need not be kept any longer (docs/format.md, section 8.4).

It carries the whole record, which leaves the catalog afterwards: so it can be put back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lobsterdv.digest import Digest, digest_of, parse_digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.record import MAX_RECORD_BYTES, Record, parse_record
from lobsterdv.formats.yamlio import FORMAT, Value, check_format, dump_mapping, load_mapping

MAX_RETIREMENT_BYTES: Final = 8 * MAX_RECORD_BYTES
"""The record is one text here, whose characters take up to six bytes."""
_MAX_EVENTS: Final = 100
"""Its keys and values are few, only one text is long; a megabyte of small ones would take a second to read."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """``record`` are the bytes of the one that is retired; ``at`` is UTC in ISO 8601, by the clock of whoever did."""

    record: bytes
    at: str
    by: str
    host: str

    @property
    def name(self) -> Digest:
        """The retired record's."""
        return digest_of(self.record)

    def push(self) -> Record | None:
        """What was retired; None for an event of another kind. Raises FormatError."""
        return parse_record(self.record, what="a retired record")


def encode_retirement(retirement: Retirement) -> bytes:
    """Its one encoding; its BLAKE3 is its name."""
    mapping: dict[str, Value] = {
        "lobsterdv": FORMAT,
        "event": "retire",
        "at": retirement.at,
        "by": retirement.by,
        "host": retirement.host,
        "record": str(retirement.name),
        "was": retirement.record.decode(),
    }
    return dump_mapping(mapping)


def parse_retirement(data: bytes, *, what: str) -> Retirement:
    """Raises FormatError, also when the record in it is not the one that it names."""
    mapping = load_mapping(data, what=what, max_bytes=MAX_RETIREMENT_BYTES, max_events=_MAX_EVENTS)
    check_format(mapping, what=what)
    found = [mapping.get(key) for key in ("at", "by", "host", "was")]
    texts = [value for value in found if isinstance(value, str)]
    if mapping.get("event") != "retire" or len(texts) != len(found):
        raise FormatError(what, "it is no retirement")
    at, by, host, was = texts
    retirement = Retirement(was.encode(), at, by, host)
    if retirement.name != parse_digest(mapping.get("record"), what=what):
        raise FormatError(what, "the record in it is not the one it names")
    return retirement
