"""Small files out of packs whose index is gone.

A pack does not say where a file ends, but the listings in the cache say which contents, of which sizes, may lie there,
and a guess proves itself by its BLAKE3.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.digest import DIGEST_BYTES, Digest, digest_of

_WINDOW_BYTES: Final = 16 * SMALL_BYTES
_UNSURE: Final = 4
"""Files that may turn out to be the beginning of a larger one: they are told once that many more were found."""


class Guess(NamedTuple):
    """A content that may lie in a pack."""

    digest: Digest
    size: int


class _Found(NamedTuple):
    place: int
    """Of the guess that was right."""
    at: int
    end: int


def salvage(pack: Path, guesses: Iterable[Guess]) -> Iterator[tuple[Digest, bytes]]:
    """The files at the beginning of a pack, in their order, up to the first whose content nobody guessed.

    ``guesses`` in the order of listings, in which packs are mostly written: the one that follows the last is tried
    first, then all others, the largest first. Where nothing fits, the last few are looked at again. Of one pack at most
    4 MiB are in memory. What cannot be read ends it.
    """
    order = list(dict.fromkeys(guess for guess in guesses if 0 < guess.size <= SMALL_BYTES))
    try:
        with pack.open("rb", buffering=0) as file:
            walk = _Walk(file.fileno(), order)
            for found in walk.files():
                yield order[found.place].digest, bytes(walk.view(found.at, found.end))
    except OSError:
        return


class _Walk:
    """From file to file through an open pack."""

    def __init__(self, descriptor: int, order: list[Guess]) -> None:
        self._descriptor = descriptor
        self._length = os.fstat(descriptor).st_size
        self._order = order
        self._places = {guess.digest: place for place, guess in enumerate(order)}
        self._sizes = sorted({guess.size for guess in order}, reverse=True)
        self._window = memoryview(b"")
        self._start = 0

    def files(self) -> Iterator[_Found]:
        """Raises OSError."""
        unsure: list[tuple[_Found, Iterator[_Found]]] = []
        furthest: list[_Found] = []
        tries = self._fitting(0, 0)
        while True:
            found = next(tries, None)
            if found is not None:
                unsure.append((found, tries))
                if self._length - found.end == DIGEST_BYTES:  # the pack's own
                    break
                if len(unsure) > _UNSURE:
                    yield unsure.pop(0)[0]
                    furthest = []
                tries = self._fitting(found.end, found.place + 1)
                continue
            if unsure and (not furthest or furthest[-1].end < unsure[-1][0].end):
                furthest = [sure for sure, _ in unsure]
            if not unsure:
                yield from furthest
                return
            tries = unsure.pop()[1]
        for found, _ in unsure:
            yield found

    def view(self, at: int, end: int) -> memoryview:
        """Bytes of the pack; fewer where it ends. Raises OSError."""
        if not self._start <= at <= end <= self._start + len(self._window):
            self._start = at
            self._window = memoryview(os.pread(self._descriptor, _WINDOW_BYTES, at))
        return self._window[at - self._start : end - self._start]

    def _fitting(self, at: int, following: int) -> Iterator[_Found]:
        """What may lie ``at`` a place, the guess that is the likeliest first. Raises OSError."""
        likely = self._order[following].size if following < len(self._order) else 0
        for size in (likely, *(size for size in self._sizes if size != likely)):
            if 0 < size <= self._length - at:
                place = self._places.get(digest_of(self.view(at, at + size)))
                if place is not None:
                    yield _Found(place, at, at + size)
