"""Local packs: the small files of directories, many in one file, each pack with its own index.

``packs/<BLAKE3 of the pack>.pack`` and ``.idx`` beside it. The index is published after its pack, and removed
before it, so a pack without one is unfinished and means nothing. Packs are never changed; ``collect`` replaces them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

from blake3 import blake3

from lobsterdv import durable
from lobsterdv.blobs.open_files import OpenFiles
from lobsterdv.blobs.pack_map import PackMap
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import CorruptContent, FormatError, MissingContent
from lobsterdv.formats.pack import Packed, PackIndex, encode_pack_index, parse_pack_index
from lobsterdv.linux_sync import begin_sync
from lobsterdv.writing import write_all

SMALL_BYTES: Final = 256 << 10
"""Files of directories below this rest in packs; larger ones are plain files that can be linked and opened."""
PACK_BYTES: Final = 256 << 20
_BUFFER_BYTES: Final = 4 << 20


class Packs:
    """The packs in one folder. Threads share it; packs that other processes add are found on the next ``refresh``."""

    def __init__(self, folder: Path, damaged: Path) -> None:
        self.folder = folder
        self._damaged = damaged
        self._indexes: dict[str, PackIndex] = {}
        self._last: PackIndex | None = None  # neighbours in a directory are neighbours in a pack
        self._map: tuple[dict[str, PackIndex], PackMap] | None = None
        self._left_to_ask = 0
        self._bad: set[str] = set()
        self._files = OpenFiles()
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Load the indexes that appeared since the last time, forget those that went; one listing of the folder."""
        with self._lock:
            try:
                names = os.listdir(self.folder)
            except FileNotFoundError:
                return
            # Replaced whole: other threads are looking things up meanwhile.
            there = set(names)
            indexes = {name: index for name, index in self._indexes.items() if name in there}
            if len(indexes) < len(self._indexes):
                self._last = None
            for name in names:
                if name.endswith(".idx") and name not in indexes:
                    try:
                        index = parse_pack_index((self.folder / name).read_bytes(), what=f"cache pack {name}")
                    except (FormatError, OSError):
                        continue  # unreadable: what it held counts as missing, and is fetched or added again
                    if name == f"{index.pack.hex()}.idx":  # else it is another pack's, and worth as little
                        indexes[name] = index
            if indexes.keys() != self._indexes.keys():
                self._know(indexes)
            if self._damaged.is_dir():
                self._bad = {name for name in os.listdir(self._damaged) if "-" in name}

    def indexes(self) -> list[PackIndex]:
        """The packs as of the last ``refresh``."""
        return list(self._indexes.values())

    def without_index(self) -> list[Path]:
        """Packs whose index is gone or cannot be used, as of the last ``refresh``; one that is being written, too."""
        known = {index.pack.hex() for index in self.indexes()}
        with suppress(FileNotFoundError):
            return [path for path in sorted(self.folder.glob("*.pack")) if path.stem not in known]
        return []

    def find(self, digest: Digest) -> tuple[PackIndex, Packed] | None:
        """A pack that holds ``digest`` and was not seen to hold it damaged."""
        last = self._last
        for index in self._candidates(digest) if last is None else chain([last], self._candidates(digest)):
            packed = index.find(digest)
            if packed is not None and (not self._bad or self._note(index, digest) not in self._bad):
                self._last = index
                return index, packed
        return None

    def _know(self, indexes: dict[str, PackIndex]) -> None:
        self._indexes = indexes
        self._left_to_ask = sum(map(len, indexes.values())) // 5  # about what a map costs

    def _candidates(self, digest: Digest) -> Iterator[PackIndex]:
        """All packs; once they were asked so often that a map of them had cost less, those that it names."""
        indexes = self._indexes
        if self._map is None or self._map[0] is not indexes:
            self._left_to_ask -= len(indexes)
            if self._left_to_ask > 0:
                yield from indexes.values()
                return
            self._map = indexes, PackMap(list(indexes.values()))
        yield from self._map[1].holders(digest)

    def missing(self, digests: Iterable[bytes]) -> set[bytes]:
        """Those of ``digests`` that no pack holds; for many at once."""
        left = set(digests)
        for index in self._indexes.values():
            if not left:
                break
            if len(left) * 8 < len(index):
                left = {d for d in left if not index.find(Digest(d))}
            else:
                left.difference_update(index.names())
        return left

    def lost(self, digests: Iterable[Digest]) -> set[bytes]:
        """Those of ``digests`` that packs hold damaged, and only so."""
        return {d for d in digests if self.find(d) is None} if self._bad else set()

    def read(self, digest: Digest, *, name: str) -> bytes:
        """The verified bytes of a packed file. Raises MissingContent when no pack holds it and CorruptContent
        when the one that does is damaged there (which is noted, so that it then counts as missing)."""
        found = self.find(digest)
        if found is None:
            raise MissingContent(name, str(digest), "the cache")
        return self.read_at(*found, name=name)

    def read_at(self, index: PackIndex, packed: Packed, *, name: str) -> bytes:
        """The verified bytes of what ``find`` found. Raises CorruptContent."""
        digest = packed.digest
        try:
            data = self._bytes(index, packed)
        except FileNotFoundError:
            if (self.folder / f"{index.pack.hex()}.idx").exists():
                self._set_aside(index, digest)  # damage: a pack goes after its index
                raise MissingContent(name, str(digest), "the cache") from None
            self.refresh()  # another process collected the pack; what is live in it lies in another one now
            if (again := self.find(digest)) is None:
                raise MissingContent(name, str(digest), "the cache") from None
            return self.read_at(*again, name=name)
        actual = digest_of(data)
        if actual != digest:
            self._set_aside(index, digest)
            raise CorruptContent(name, "the cache", str(digest), str(actual))
        return data

    def actual(self, index: PackIndex, packed: Packed) -> Digest:
        """What the bytes in a file's place hash to, whatever is noted of them. Raises OSError; FileNotFoundError means
        that the pack is gone."""
        return digest_of(self._bytes(index, packed))

    def note_damaged(self, index: PackIndex, digests: Iterable[Digest]) -> None:
        """Have these files of a pack, which were just found damaged or gone, count as missing. Raises LocalIOError."""
        bad = {self._note(index, digest) for digest in digests}
        self._bad |= bad
        self._write_notes(bad)

    def damaged_indexes(self) -> list[tuple[str, str]]:
        """Names of index files that cannot be used, and why; those that are corrupt are moved to the quarantine, those
        that cannot be read (``why`` then begins with ``unreadable``) stay. Raises LocalIOError."""
        found = []
        try:
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(".idx"))
        except FileNotFoundError:
            return []
        for name in names:
            try:
                index = parse_pack_index((self.folder / name).read_bytes(), what=f"cache pack {name}")
                why = "" if name == f"{index.pack.hex()}.idx" else "it is another pack's"
            except FormatError as error:
                why = error.problem
            except OSError as error:
                found.append((name, f"unreadable: {error.strerror}"))
                continue
            if why:
                with durable.translating(self._damaged):
                    durable.make_folder(self._damaged)
                    (self.folder / name).rename(self._damaged / f"{name}.{os.urandom(4).hex()}")
                with self._lock:
                    self._know({known: index for known, index in self._indexes.items() if known != name})
                    self._last = None
                found.append((name, why))
        return found

    def renew(self, pack: Digest) -> None:
        """A pack was just written, perhaps over a damaged one of the same name: what was noted of that is past."""
        with self._lock:
            past = {note for note in self._bad if note.startswith(pack.hex())}
            for note in past:
                (self._damaged / note).unlink(missing_ok=True)
            self._bad -= past
            self._files.forget(pack)

    def close(self) -> None:
        self._files.close()

    def _bytes(self, index: PackIndex, packed: Packed) -> bytes:
        if not packed.size:
            return b""
        return self._files.read(index.pack, self.folder / f"{index.pack.hex()}.pack", packed.size, packed.offset)

    def _note(self, index: PackIndex, digest: Digest) -> str:
        return f"{index.pack.hex()}-{digest.hex()}"

    def _set_aside(self, index: PackIndex, digest: Digest) -> None:
        """Note what a pack holds damaged. Damage seldom comes alone, so all of the pack is looked through: what is
        lost counts as missing at once, not file by file with every command."""
        bad = {self._note(index, digest)}
        for packed in index:
            note = self._note(index, packed.digest)
            if note not in self._bad and not self._is_right(index, packed):
                bad.add(note)
        self._bad |= bad
        self._write_notes(bad)

    def _write_notes(self, notes: Iterable[str]) -> None:
        with durable.translating(self._damaged):
            durable.make_folder(self._damaged)
            for note in notes:  # not synced: what a crash forgets is found again
                os.close(os.open(self._damaged / note, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))

    def _is_right(self, index: PackIndex, packed: Packed) -> bool:
        try:
            data = self._bytes(index, packed)
        except OSError:
            return False
        return digest_of(data) == packed.digest


class PackWriter:
    """A pack being written. Not for several threads. ``finish`` gives what is to be published. After a
    LocalIOError it can only be abandoned."""

    def __init__(self, folder: Path, temps: Path) -> None:
        self.folder = folder
        self._fd, self._temp = durable.create_temp(temps)
        self._temps = temps
        self._hasher = blake3(max_threads=blake3.AUTO)
        self._buffer = bytearray()
        self._packed: list[Packed] = []
        self.size = 0
        self._written = 0  # of its bytes; the disk has begun with them

    def append(self, digest: Digest, data: bytes) -> None:
        """Add one file's bytes, whose digest the caller has just computed from them."""
        self._packed.append(Packed(digest, self.size, len(data)))
        self._buffer += data
        self.size += len(data)
        if len(self._buffer) >= _BUFFER_BYTES:
            self._flush()

    def finish(self) -> list[durable.Publication]:
        """Close the pack; what to publish, pack before index.

        The pack ends in the BLAKE3 of its files' digests: the same bytes cut into other files make another pack.
        """
        trailer = digest_of(b"".join(row.digest for row in self._packed))
        self._buffer += trailer
        self.size += len(trailer)
        self._flush()
        pack = Digest(self._hasher.digest())
        index_fd, index_temp = durable.create_temp(self._temps)
        with durable.translating(index_temp):
            try:
                with os.fdopen(index_fd, "wb") as file:
                    file.write(encode_pack_index(pack, self.size, self._packed))
            except BaseException:
                index_temp.unlink(missing_ok=True)
                raise
        os.close(self._fd)
        return [
            durable.Publication(self._temp, self.folder / f"{pack.hex()}.pack", 0o444),
            durable.Publication(index_temp, self.folder / f"{pack.hex()}.idx", 0o444),
        ]

    def abandon(self) -> None:
        """Throw the unfinished pack away."""
        os.close(self._fd)
        self._temp.unlink(missing_ok=True)

    def _flush(self) -> None:
        view = memoryview(self._buffer)
        self._hasher.update(view)
        with durable.translating(self._temp):
            write_all(self._fd, view)
            begin_sync(self._fd, self._written, len(self._buffer))
        self._written += len(self._buffer)
        self._buffer = bytearray()
