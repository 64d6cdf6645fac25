"""Marking what nothing names at a remote, and deleting what two marks agree on. The caller holds the lock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import CorruptContent, Denied, FormatError, KeyMissing, ObjectLocked, Refused
from lobsterdv.formats.columns import MAX_BODY_BYTES
from lobsterdv.formats.layout import MARKS, mark_key, name_in_key, record_key
from lobsterdv.formats.mark import Mark, encode_mark, parse_mark
from lobsterdv.stores.base import Stat

_VERSIONS = 100


@dataclass
class Swept:
    """``spared`` were written or refreshed since the first mark, or gone; ``denied`` the store would not give up, and
    ``denial`` says why where it is not a retention period or a legal hold."""

    keys: list[str] = field(default_factory=list)
    bytes: int = 0
    spared: int = 0
    denied: list[str] = field(default_factory=list)
    denial: Denied | None = None


def read_marks(room: Remote) -> list[tuple[str, Mark]]:
    """Keys and marks, oldest first. Raises Refused for one that cannot be read: it is not known what it saw."""
    found = []
    for stat in room.store.list(MARKS):
        try:
            name = name_in_key(stat.key, what=stat.key)
        except FormatError:
            continue
        try:
            data = room.store.read_whole(stat.key, limit=MAX_BODY_BYTES)
            if digest_of(data) != name:
                raise FormatError(stat.key, "its bytes are not those of its name")
            found.append((stat.key, parse_mark(data, what=stat.key)))
        except (KeyMissing, CorruptContent, FormatError) as error:
            raise Refused(stat.key, f"it is a mark and cannot be read ({error})", "unreadable-root") from error
    return sorted(found, key=lambda pair: pair[1].at)


def make_mark(dead: Iterable[Stat], records: Iterable[Digest], *, began: float) -> Mark:
    rows = sorted((stat.key, stat.size) for stat in dead)
    return Mark(int(began * 1000), [key for key, _ in rows], [size for _, size in rows], sorted(records))


def write_mark(room: Remote, mark: Mark) -> None:
    data = encode_mark(mark)
    room.store.put(mark_key(digest_of(data)), data, if_absent=True)


def lost_records(
    room: Remote, listed: Collection[Digest], expected: Iterable[Digest], projects: Collection[str]
) -> set[Digest]:
    """Hold a list of the catalogs against the records that are known to have been there: those that are gone. Raises
    Refused when one is there that was not listed."""
    lost = set(expected).difference(listed)
    for name in lost:
        for project_id in projects:
            try:
                room.store.head(record_key(project_id, name))
            except KeyMissing:
                continue
            raise Refused(room.url, f"a list of its catalog left out {name.short}, which is there", "list")
    return lost


def ripe(room: Remote, marks: Sequence[tuple[str, Mark]], *, began: float) -> Mark | None:
    """The latest mark that is as old as the grace."""
    old = [mark for _, mark in marks if mark.at / 1000 <= began - room.grace_s]
    return old[-1] if old else None


def candidates(dead: Iterable[Stat], first: Mark) -> list[Stat]:
    """What ``first`` saw unnamed too, and nobody wrote or refreshed since it began."""
    chosen = []
    for stat in dead:
        at = bisect_left(first.keys, stat.key)
        if at < len(first.keys) and first.keys[at] == stat.key and stat.modified <= first.at / 1000:
            chosen.append(stat)
    return chosen


def sweep(room: Remote, chosen: Iterable[Stat], first: Mark, *, before_each: Callable[[], None]) -> Swept:
    """Look at each once more and delete it, names before what they name. ``before_each`` raises when this must stop.
    May be interrupted anywhere: what is left is still a candidate. Raises RemoteError."""
    swept = Swept()
    for stat in chosen:
        before_each()
        try:
            gone = _delete(room, stat.key, first)
        except Denied as error:
            swept.denied.append(stat.key)
            if not isinstance(error, ObjectLocked):
                swept.denial = swept.denial or error
            continue
        if gone:
            swept.keys.append(stat.key)
            swept.bytes += stat.size
        else:
            swept.spared += 1
    return swept


def _delete(room: Remote, key: str, first: Mark) -> bool:
    """Delete what lies under a key, as far as it is from before the first mark. In a bucket that keeps versions the one
    below comes to light each time. False when there was nothing of that age."""
    gone = False
    for _ in range(_VERSIONS):
        try:
            now = room.store.head(key)
        except KeyMissing:
            break
        if now.modified > first.at / 1000 or not room.store.delete_exact(now):
            break
        gone = True
        if not now.version:
            break
    return gone
