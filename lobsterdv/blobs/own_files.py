"""The user's own files as the source of a push that goes past the cache (``add --to-remote``). They may change at any
time, so nothing that is read from them is believed: not their bytes, not their size, not that they are still there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from lobsterdv import durable
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import ChangedMeanwhile, ContentError, CorruptContent, MissingContent
from lobsterdv.formats.layout import object_key
from lobsterdv.reading import Unsteady
from lobsterdv.signature import Signature, signature_of
from lobsterdv.stores.base import Stat, Store, Upload

WORK_TREE: Final = "the work tree"
_OBJECTS: Final = object_key(Digest(bytes(32))).partition("/")[0] + "/"


class Hashed(Protocol):
    """A file as it was when it was hashed."""

    @property
    def signature(self) -> Signature: ...
    @property
    def digest(self) -> Digest: ...


class OwnFiles:
    """Files that were hashed where they lie, as a Source. ``place`` gives a file's absolute path."""

    def __init__(self, files: Mapping[str, Hashed], place: Callable[[str], Path]) -> None:
        self._files = files
        self._place = place
        self._paths: dict[Digest, str] = {}
        self._opened: set[str] = set()
        for path, known in files.items():
            self._paths.setdefault(known.digest, path)

    def missing(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of which there is no file that is as it was hashed. One stat each."""
        return [d for d in digests if d not in self._paths or not self._is_as_hashed(self._paths[d])]

    def read_small(self, digest: Digest, *, name: str) -> bytes:
        """As Source says; raises ChangedMeanwhile too."""
        descriptor = self.open(digest, name=name)
        try:
            data = bytearray()
            while part := os.read(descriptor, max(1, os.fstat(descriptor).st_size + 1 - len(data))):
                data += part
        finally:
            os.close(descriptor)
        if (actual := digest_of(data)) != digest:
            raise self.damaged(digest, actual, name=name)
        return bytes(data)

    def open(self, digest: Digest, *, name: str) -> int:
        """As Source says; raises ChangedMeanwhile for a file that is not as it was hashed."""
        if digest not in self._paths:
            raise MissingContent(name, str(digest), WORK_TREE)
        path = self._paths[digest]
        place = self._place(path)
        self._opened.add(path)
        with durable.translating(place):
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            if signature_of(os.fstat(descriptor)) != self._files[path].signature:
                os.close(descriptor)
                raise ChangedMeanwhile(str(place))
        return Unsteady(descriptor, str(place))

    def damaged(self, digest: Digest, actual: Digest, *, name: str) -> ContentError:
        """Nothing is set aside: the file is the user's, and has just changed."""
        return CorruptContent(name, WORK_TREE, str(digest), str(actual))

    def check(self, digest: Digest) -> None:
        """Raises CorruptContent when the file of a content is not as it was hashed. One stat."""
        path = self._paths.get(digest)
        if path is not None and not self._is_as_hashed(path):
            raise CorruptContent(path, WORK_TREE, str(digest), "a file that changed meanwhile")

    def changed(self, paths: Iterable[str]) -> str | None:
        """The first of ``paths``, and of the files that were opened, that is not as it was hashed. One stat each."""
        return next((path for path in {*paths, *self._opened} if not self._is_as_hashed(path)), None)

    def _is_as_hashed(self, path: str) -> bool:
        try:
            return signature_of(self._place(path).lstat()) == self._files[path].signature
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class ProvingStore:
    """A store in which no object gets a name that its bytes do not have, although they come from files that may change
    between being hashed and being sent."""

    inner: Store
    files: OwnFiles

    @property
    def url(self) -> str:
        return self.inner.url

    def head(self, key: str) -> Stat:
        return self.inner.head(key)

    def read(self, key: str, *, start: int, length: int) -> bytes:
        return self.inner.read(key, start=start, length=length)

    def read_whole(self, key: str, *, limit: int) -> bytes:
        return self.inner.read_whole(key, limit=limit)

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        """As Store says. ``data`` is memory of our own, so what is proved is what is sent.
        Raises CorruptContent."""
        if (name := _named(key)) is not None and (actual := digest_of(data)) != name:
            raise CorruptContent(key, WORK_TREE, str(name), str(actual))
        return self.inner.put(key, data, if_absent=if_absent)

    def upload(self, key: str, size: int) -> Upload:
        upload = self.inner.upload(key, size)
        name = _named(key)
        return upload if name is None else _ProvingUpload(upload, self.files, name)

    def list(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        return self.inner.list(prefix, after=after)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    def clock(self) -> float:
        return self.inner.clock()

    def refresh(self, key: str) -> bool:
        return self.inner.refresh(key)

    def delete_exact(self, stat: Stat) -> bool:
        return self.inner.delete_exact(stat)

    @property
    def is_exact(self) -> bool:
        return self.inner.is_exact

    def close(self) -> None:
        self.inner.close()


class _ProvingUpload:
    """While its parts are sent the file is hashed once more; that both saw the same bytes its signature must tell."""

    def __init__(self, inner: Upload, files: OwnFiles, digest: Digest) -> None:
        self.part_size = inner.part_size
        self.part_count = inner.part_count
        self._inner = inner
        self._files = files
        self._digest = digest

    def send(self, number: int, data: bytes | memoryview) -> None:
        self._inner.send(number, data)

    def complete(self) -> None:
        self._files.check(self._digest)
        self._inner.complete()

    def abort(self) -> None:
        self._inner.abort()

    def suspend(self) -> None:
        self._inner.suspend()


def _named(key: str) -> Digest | None:
    """The digest that an object's key claims for its bytes."""
    return Digest(bytes.fromhex(key.rpartition("/")[2])) if key.startswith(_OBJECTS) else None
