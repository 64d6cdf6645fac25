"""What everybody else does about forgotten versions: they are not sent, and whoever misses one is told why."""

from __future__ import annotations

from collections.abc import Sequence

from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.tombstones import tombstone_of
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, Forgotten, MissingContent
from lobsterdv.ops.context import Failure
from lobsterdv.ops.wishes import Wish


def without_forgotten(room: Remote, wanted: Sequence[Wish]) -> tuple[list[Wish], list[Failure]]:
    """Those of ``wanted`` that may be sent; a current one that was forgotten is a Failure with Forgotten. One listing
    in a run, none without wishes."""
    gone = room.graves.look(room.store) if wanted else set()
    failures = [
        Failure(wish.path, forgotten_error(room, wish.path, wish.pointer.digest))
        for wish in wanted
        if wish.current and wish.pointer.digest in gone
    ]
    return [wish for wish in wanted if wish.pointer.digest not in gone], failures


def explained(room: Remote, path: str, digest: Digest, error: ContentError) -> ContentError:
    """Why a version's bytes are missing, when they were forgotten."""
    if not isinstance(error, MissingContent) or tombstone_of(room, digest) is None:
        return error
    return forgotten_error(room, path, digest)


def forgotten_error(room: Remote, path: str, digest: Digest) -> Forgotten:
    """The error that names a version's tombstone. A listing and a GET."""
    found = tombstone_of(room, digest)
    return Forgotten(path, str(digest), found.reason if found else "", found.at if found else "")
