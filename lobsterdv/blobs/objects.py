"""Runs of chunks on their way into objects: gathered, compressed where that pays, filled up, sent, and seen there.

Three steps, each with threads of its own, so that reading and compressing go on while objects travel; what
waits between them is bounded (about 250 MB in all).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

from lobsterdv import workers
from lobsterdv.blobs.bundle import SmallFile
from lobsterdv.blobs.cutting import BLOCK_BYTES, Piece, name_chunks
from lobsterdv.blobs.heads import Heads
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.storage import Storage, sample_of, zstd_pays
from lobsterdv.blobs.zframes import encode_frames
from lobsterdv.digest import Digest, digest_of
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import RAW, ZSTD, StoredObject

_PACKERS: Final = 2
_SENDERS: Final = 6


Owner = int | Sequence[SmallFile]


class Run(NamedTuple):
    """Chunks in a row. ``owner`` is whatever the caller wants to know them by. With ``is_cut`` the bytes were
    compared with their digests already."""

    owner: Owner
    piece: Piece
    is_cut: bool


class Block(NamedTuple):
    """Runs that go together, at most BLOCK_BYTES. ``codec`` is decided (RAW, ZSTD) or not (None: a sample tells).
    A block of another ``group`` starts a new object."""

    runs: Sequence[Run]
    codec: str | None
    group: int


class Stored(NamedTuple):
    """Where chunks of ``owner`` lie now, from number ``first`` on: at ``offset`` in an object, with these stored
    lengths; ``digests`` of those that had not been compared yet."""

    owner: Owner
    first: int
    lengths: Sequence[int]
    offset: int
    stored: Sequence[int]
    digests: Sequence[Digest] | None


class _Packed(NamedTuple):
    """A block as it will be stored; what it was made from is let go."""

    data: bytes
    codec: str
    group: int
    raw_bytes: int
    rows: Sequence[Stored]


def gather(runs: Iterable[Run], group: int) -> Iterator[Block]:
    """Runs in blocks as full as they get without cutting a run. Runs are at most BLOCK_BYTES each."""
    block: list[Run] = []
    size = 0
    for run in runs:
        if block and size + len(run.piece.data) > BLOCK_BYTES:
            yield Block(block, None, group)
            block, size = [], 0
        block.append(run)
        size += len(run.piece.data)
    if block:
        yield Block(block, None, group)


def store_blocks(
    remote: Remote,
    blocks: Iterable[Block],
    storage: Storage,
    heads: Heads,
    *,
    jobs: int,
    name: str,
    progress: Callable[[int], None],
) -> Iterator[tuple[StoredObject, list[Stored]]]:
    """Send blocks as objects of at most 16 MiB; yields what each holds, in order. Every object was seen at
    the remote when it is yielded. Raises CorruptContent, RemoteError."""

    def pack(block: Block) -> _Packed:
        return _pack(block, storage, name=name)

    def send(parts: list[_Packed]) -> tuple[StoredObject, list[Stored]]:
        sent = _send(remote, parts, heads, name=name)
        progress(sum(part.raw_bytes for part in parts))
        return sent

    packed = workers.each(pack, blocks, jobs=min(jobs, _PACKERS), ahead=_PACKERS + 1)
    yield from workers.each(send, _filled(packed), jobs=min(jobs, _SENDERS), ahead=_SENDERS)


def _pack(block: Block, storage: Storage, *, name: str) -> _Packed:
    data = block.runs[0].piece.data if len(block.runs) == 1 else b"".join(run.piece.data for run in block.runs)
    raw_bytes = len(data)
    lengths = array("I", chain.from_iterable(run.piece.lengths for run in block.runs))
    codec = block.codec or (ZSTD if zstd_pays(sample_of(data, lengths), storage.level) else RAW)
    digests = None if all(run.is_cut for run in block.runs) else name_chunks(memoryview(data), lengths)
    stored: Sequence[int] = lengths
    if codec == ZSTD:
        assert storage.level is not None
        data, stored = encode_frames(data, lengths, level=storage.level, name=name)
    rows = []
    first = offset = 0
    for run in block.runs:
        chunks = slice(first, first + len(run.piece.lengths))
        names = digests[chunks] if digests is not None and not run.is_cut else None
        rows.append(Stored(run.owner, run.piece.first, run.piece.lengths, offset, stored[chunks], names))
        first, offset = chunks.stop, offset + sum(stored[chunks])
    return _Packed(data, codec, block.group, raw_bytes, rows)


def _filled(packed: Iterable[_Packed]) -> Iterator[list[_Packed]]:
    """What fits into one object: of one codec and group, at most BLOCK_BYTES as stored."""
    parts: list[_Packed] = []
    size = 0
    for item in packed:
        other = parts and (item.codec, item.group) != (parts[0].codec, parts[0].group)
        if parts and (other or size + len(item.data) > BLOCK_BYTES):
            yield parts
            parts, size = [], 0
        parts.append(item)
        size += len(item.data)
    if parts:
        yield parts


def _send(remote: Remote, parts: list[_Packed], heads: Heads, *, name: str) -> tuple[StoredObject, list[Stored]]:
    data = parts[0].data if len(parts) == 1 else b"".join(part.data for part in parts)
    target = StoredObject(digest_of(data), len(data), parts[0].codec)
    if not heads.has(target):
        remote.store.put(object_key(target.digest), data)
        heads.arrived(target, name=name)
        heads.sent.add(packed_bytes=sum(part.raw_bytes for part in parts))
    rows = list(parts[0].rows)
    start = len(parts[0].data)
    for part in parts[1:]:
        rows += [row._replace(offset=start + row.offset) for row in part.rows]
        start += len(part.data)
    return target, rows
