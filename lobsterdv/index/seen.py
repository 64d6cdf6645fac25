"""What was seen in the work tree: per dataset, every file's stat signature, digest and checksum at one moment.

A file whose signature is unchanged and not racy has unchanged bytes, so status and add read nothing.
One row a dataset, sorted columns inside (``rows``): 10,000 files are written in 5 ms where 10,000 rows take 150
(measured), and a million unchanged files are compared a thousand at a time.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from lobsterdv.compact import Texts
from lobsterdv.digest import DIGEST_BYTES, Digest, Digests
from lobsterdv.index.database import Index, UnreadableIndex
from lobsterdv.index.rows import CHECKSUM_BYTES, FIELDS, SeenFile, SeenFiles
from lobsterdv.signature import RACY_NS, Signature

_BLOCK: Final = 256


class Look(Protocol):
    """What a scan finds now, in columns: sorted paths, five numbers of a signature each; ``others`` are the targets
    of links and an empty text for empty folders, by position."""

    @property
    def paths(self) -> Sequence[str]: ...
    @property
    def numbers(self) -> array[int]: ...
    @property
    def others(self) -> Mapping[int, str]: ...


class Run(NamedTuple):
    """``length`` files in a row that are proved unchanged: positions in what was found and in what was seen."""

    found: int
    seen: int
    length: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A dataset as it was at ``saved_ns`` (when reading began). ``digest`` is the version it then was, ``files``
    are by path below it (the empty path for a dataset that is a file), ``others`` are its links (with their
    targets) and empty folders (with an empty text). Not ``whole``: only parts of the version were put there."""

    saved_ns: int
    digest: Digest
    files: Mapping[str, SeenFile]
    others: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True

    def trusts(self, path: str, signature: Signature) -> SeenFile | None:
        """The file's record when ``signature`` proves its bytes unchanged, else None."""
        found = self.files.get(path)
        if found is not None and found.signature == signature and not signature.is_racy(self.saved_ns):
            return found
        return None

    def carried(self) -> SeenFiles:
        """The files as they may stand in a row saved later: a racy one keeps its place, but no signature."""
        rows = SeenFiles.of(self.files)
        racy = [at for at, mtime_ns in enumerate(rows.numbers[3::FIELDS]) if mtime_ns >= self.saved_ns - RACY_NS]
        return rows.without_signatures(racy) if racy else rows

    def is_unchanged(self, found: Look) -> bool:
        """True when a scan finds exactly what was seen, and every signature proves its file unchanged."""
        files = SeenFiles.of(self.files)
        if len(found.paths) != len(files) + len(self.others) or len(found.others) != len(self.others):
            return False
        if any(self.others.get(found.paths[at]) != target for at, target in found.others.items()):
            return False
        return sum(run.length for run in self.unchanged(found)) == len(files)

    def unchanged(self, found: Look) -> Iterator[Run]:
        """The files of a scan that are proved unchanged, in order; nothing of another file."""
        files = SeenFiles.of(self.files)
        oldest_racy_ns = self.saved_ns - RACY_NS
        at = seen = start = 0  # a run goes from `start` to before `at`
        while at < len(found.paths) and seen < len(files):
            count = min(_BLOCK, len(found.paths) - at, len(files) - seen)
            numbers = found.numbers[at * FIELDS : (at + count) * FIELDS]
            if (
                numbers == files.numbers[seen * FIELDS : (seen + count) * FIELDS]
                and found.paths[at : at + count] == files.paths.block(seen, seen + count)
                and max(numbers[3::FIELDS]) < oldest_racy_ns
            ):
                at, seen = at + count, seen + count
                continue
            for _ in range(count):  # something in this block differs: row by row
                if at == len(found.paths) or seen == len(files):
                    break
                path, known = found.paths[at], files.paths[seen]
                row = found.numbers[at * FIELDS : (at + 1) * FIELDS]
                if path == known and row == files.row(seen) and row[3] < oldest_racy_ns and at not in found.others:
                    at, seen = at + 1, seen + 1
                    continue
                if at > start:
                    yield Run(start, seen - (at - start), at - start)
                at, seen = at + (path <= known), seen + (known <= path)
                start = at
        if at > start:
            yield Run(start, seen - (at - start), at - start)

    def vouched(self, found: Look) -> tuple[bytearray, bytearray]:
        """Of each path of a scan: 1 when it is a file that is proved unchanged, and its digest (else zeros)."""
        files = SeenFiles.of(self.files)
        trusted, digests = bytearray(len(found.paths)), bytearray(DIGEST_BYTES * len(found.paths))
        for at, seen, length in self.unchanged(found):
            trusted[at : at + length] = b"\1" * length
            rows = files.digests[seen * DIGEST_BYTES : (seen + length) * DIGEST_BYTES]
            digests[at * DIGEST_BYTES : (at + length) * DIGEST_BYTES] = rows
        return trusted, digests


def digests_of(seen: Seen) -> Digests:
    """The digests of all files that were seen, in the order of their paths."""
    return Digests(SeenFiles.of(seen.files).digests)


def version_seen(index: Index, place: str) -> Digest | None:
    """The version that was seen at ``place`` last; None when nothing, or nothing readable."""
    try:
        with index.reading() as connection:
            row = connection.execute("select digest from seen where place = ?", (place,)).fetchone()
        return None if row is None else Digest(row[0])
    except (UnreadableIndex, ValueError, TypeError):
        return None


def load_seen(index: Index, place: str) -> Seen | None:
    """What was seen at ``place`` (an absolute path); None when nothing, or nothing readable."""
    try:
        with index.reading() as connection:
            row = connection.execute("select saved_ns, digest, state from seen where place = ?", (place,)).fetchone()
    except UnreadableIndex:
        return None
    if row is None:
        return None
    try:
        return Seen(row[0], Digest(row[1]), *_decode(row[2]))
    except (ValueError, IndexError, TypeError, zlib.error):
        return None


def save_seen(index: Index, place: str, seen: Seen) -> None:
    """Remember what was seen at ``place``, in one transaction."""
    index.write(
        lambda connection: connection.execute(
            "insert or replace into seen values (?, ?, ?, ?)",
            (place, seen.saved_ns, bytes(seen.digest), _encode(seen)),
        )
    )


def forget_seen(index: Index, place: str) -> None:
    """Forget ``place``: the next look reads its bytes."""
    index.write(lambda connection: connection.execute("delete from seen where place = ?", (place,)))


def _encode(seen: Seen) -> bytes:
    files = SeenFiles.of(seen.files)
    others = "\n".join(f"{path}\t{target}" for path, target in seen.others.items()).encode(errors="surrogateescape")
    parts: list[bytes | memoryview] = [
        array("q", [len(files), len(files.paths.bytes), len(others), seen.whole]).tobytes(),
        files.paths.bytes,
        others,
        files.numbers.cast("B"),
        files.digests,
        files.checksums,
    ]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return b"".join([checksum.to_bytes(4), *parts])


def _decode(state: bytes) -> tuple[SeenFiles, dict[str, str], bool]:
    """The columns are views into ``state``: a million files are 100 MB, once."""
    body = memoryview(state)[4:]
    if zlib.crc32(body).to_bytes(4) != state[:4]:
        raise ValueError("damaged")
    head = array("q")
    head.frombytes(body[:32])
    count, path_bytes, other_bytes, whole = head
    sizes = iter([32, path_bytes, other_bytes, 8 * FIELDS * count, 32 * count, CHECKSUM_BYTES * count])
    at = 0

    def following() -> memoryview:
        nonlocal at
        size = next(sizes)
        at += size
        return body[at - size : at]

    _, paths, lines, numbers, digests, checksums = [following() for _ in range(6)]
    if at != len(body):
        raise ValueError("damaged")
    texts = bytes(lines).decode(errors="surrogateescape")
    others = dict(line.split("\t", 1) for line in (texts.split("\n") if texts else []))
    rows = SeenFiles(Texts(bytes(paths)), numbers.cast("q"), digests, checksums)
    if len(rows.paths) != count:
        raise ValueError("damaged")
    return rows, others, bool(whole)
