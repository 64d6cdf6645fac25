"""Names of content: BLAKE3 for identity, XXH3-128 for noticing change. It never decides what to hash.

Identity is cryptographic because a crafted collision in a shared bucket would serve one person's
bytes under another's name. XXH3-128 is faster and is kept beside every cached and work-tree file to
notice rot and edits; it is never written into a pointer, a manifest or a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, overload

import xxhash
from blake3 import blake3

from lobsterdv.errors import FormatError
from lobsterdv.reading import windows

DIGEST_BYTES: Final = 32
LISTING_CONTEXT: Final = "lobsterdv 2026-11-23 directory listing v1"
"""BLAKE3 derive-key context of listings (docs/format.md, section 2): no file can pose as a directory."""

_PARALLEL_FROM_BYTES: Final = 4 << 20  # below this, starting threads costs more than it saves
_TEXT: Final = re.compile(r"blake3:[0-9a-f]{64}", re.ASCII)


class Digest(bytes):
    """32 bytes of BLAKE3. ``str()`` gives ``blake3:<64 hex>``; compares and hashes as bytes."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Digest:
        if len(raw) != DIGEST_BYTES:
            raise ValueError(f"a digest has {DIGEST_BYTES} bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    def __str__(self) -> str:
        return "blake3:" + self.hex()

    def __repr__(self) -> str:
        return f"Digest({self.hex()[:12]}…)"

    @property
    def short(self) -> str:
        """``blake3:`` and 12 hex digits, for people."""
        return "blake3:" + self.hex()[:12]


class Digests(Sequence[Digest]):
    """Many digests in one run of bytes, 32 each: a million of them take 32 MB. Equal to any sequence of the same."""

    __slots__ = ("raw",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, raw: bytes | bytearray | memoryview) -> None:
        if len(raw) % DIGEST_BYTES:
            raise ValueError(f"{len(raw)} bytes are no whole number of digests")
        self.raw = raw

    @classmethod
    def of(cls, digests: Iterable[Digest]) -> Digests:
        return cls(b"".join(digests))

    def __len__(self) -> int:
        return len(self.raw) // DIGEST_BYTES

    @overload
    def __getitem__(self, position: int) -> Digest: ...
    @overload
    def __getitem__(self, position: slice) -> Digests: ...
    def __getitem__(self, position: int | slice) -> Digest | Digests:
        if isinstance(position, slice):
            start, stop, step = position.indices(len(self))
            if step != 1:
                raise ValueError("digests are sliced in rows")
            return Digests(self.raw[start * DIGEST_BYTES : stop * DIGEST_BYTES])
        at = range(len(self))[position] * DIGEST_BYTES
        return Digest(bytes(self.raw[at : at + DIGEST_BYTES]))

    def __iter__(self) -> Iterator[Digest]:
        raw = bytes(self.raw)
        for at in range(0, len(raw), DIGEST_BYTES):
            yield Digest(raw[at : at + DIGEST_BYTES])

    def plain(self) -> Iterator[bytes]:
        """Each as plain bytes, which equal the Digest, in half the time."""
        raw = bytes(self.raw)
        return (raw[at : at + DIGEST_BYTES] for at in range(0, len(raw), DIGEST_BYTES))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Digests):
            return self.raw == other.raw
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(bytes.__eq__, self, other))

    def __repr__(self) -> str:
        return f"Digests({len(self)})"


def parse_digest(text: object, *, what: str) -> Digest:
    """``blake3:<64 lower-case hex>`` to a Digest. Raises FormatError naming ``what``."""
    if not isinstance(text, str) or not _TEXT.fullmatch(text):
        raise FormatError(what, f"not a digest: {str(text)[:80]!r} (expected blake3: and 64 lower-case hex digits)")
    return Digest(bytes.fromhex(text[7:]))


def parse_hex(text: str, *, what: str) -> Digest:
    """64 lower-case hex digits, as in object keys and file names, to a Digest. Raises FormatError."""
    return parse_digest("blake3:" + text, what=what)


def digest_of(data: bytes | bytearray | memoryview) -> Digest:
    """The BLAKE3 of ``data``; all cores above 4 MiB."""
    if len(data) < _PARALLEL_FROM_BYTES:
        return Digest(blake3(data).digest())
    return Digest(blake3(data, max_threads=blake3.AUTO).digest())


def listing_digest(encoded: bytes) -> Digest:
    """The digest of an encoded listing: BLAKE3 in derive-key mode (never equal to a file's digest)."""
    return Digest(blake3(encoded, derive_key_context=LISTING_CONTEXT).digest())


def digest_of_file(path: Path) -> Digest:
    """The BLAKE3 of a whole file. Raises OSError."""
    hasher = blake3(max_threads=blake3.AUTO)
    with path.open("rb", buffering=0) as file:
        for view in windows(file.fileno()):
            hasher.update(view)
    return Digest(hasher.digest())


Checksum: Final = xxhash.xxh3_128
"""The XXH3-128 of a stream: ``update``, then ``digest``."""


def checksum_of(data: bytes | bytearray | memoryview) -> bytes:
    """The XXH3-128 of ``data``, 16 bytes: to notice change, never a name."""
    return xxhash.xxh3_128_digest(data)


def checksum_of_descriptor(descriptor: int) -> bytes:
    """The XXH3-128 of an open file. Raises OSError."""
    sums = Checksum()
    for view in windows(descriptor):
        sums.update(view)
    return sums.digest()


def hash_descriptor(descriptor: int) -> tuple[Digest, bytes, int]:
    """Digest, checksum and size of an open file. Raises OSError."""
    hasher = Hasher()
    for view in windows(descriptor):
        hasher.update(view)
    return hasher.digest(), hasher.checksum(), hasher.size


class Hasher:
    """Both hashes of a stream, in one pass. Not to be shared between threads."""

    __slots__ = ("_blake3", "_xxh3", "size")

    def __init__(self) -> None:
        self._blake3 = blake3(max_threads=blake3.AUTO)
        self._xxh3 = xxhash.xxh3_128()
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        self._blake3.update(data)
        self._xxh3.update(data)
        self.size += len(data)

    def digest(self) -> Digest:
        return Digest(self._blake3.digest())

    def checksum(self) -> bytes:
        return self._xxh3.digest()
