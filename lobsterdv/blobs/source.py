"""Where a push takes bytes from: the cache, or the user's own files when they go past it (``add --to-remote``)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from lobsterdv.blobs.cache import Cache
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, MissingContent


class Source(Protocol):
    """Contents by digest. Threads share it."""

    def missing(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those that it does not have, in their order."""

    def read_small(self, digest: Digest, *, name: str) -> bytes:
        """The verified bytes of a content that fits in memory. Raises MissingContent, CorruptContent."""

    def open(self, digest: Digest, *, name: str) -> int:
        """A descriptor to read a content from; whoever reads verifies. Raises MissingContent."""

    def damaged(self, digest: Digest, actual: Digest, *, name: str) -> ContentError:
        """Deal with a content whose bytes proved to be ``actual``; returns the error to raise."""


@dataclass(frozen=True, slots=True)
class CacheSource:
    """The cache as a Source: what is found damaged goes to its quarantine."""

    cache: Cache

    def missing(self, digests: Iterable[Digest]) -> list[Digest]:
        return self.cache.missing(digests)

    def read_small(self, digest: Digest, *, name: str) -> bytes:
        return self.cache.read_small(digest, name=name)

    def open(self, digest: Digest, *, name: str) -> int:
        try:
            return os.open(self.cache.plain_path(digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MissingContent(name, str(digest), "the cache") from None

    def damaged(self, digest: Digest, actual: Digest, *, name: str) -> ContentError:
        return self.cache.quarantine(digest, actual, name=name)
