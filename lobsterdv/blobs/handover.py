"""A file of the user's becomes the cache's own: a second name for the same inode, no copy, no room needed.

The user's name never goes away: the file gets another name among the cache's temps, becomes read-only, is read once and
hashed, and that other name is published. Killed anywhere, the file is where it was, whole, at worst read-only.
What cannot be shared safely is refused before anything is touched: a file on another file system, one that has further
names (whoever writes through those would write into the cache), one that a program has open for writing.
"""

from __future__ import annotations

import errno
import os
import signal
import stat as stat_module
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from lobsterdv import durable, temps
from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.intake import Intake, Kept
from lobsterdv.digest import Hasher
from lobsterdv.errors import Busy, ChangedMeanwhile, CorruptContent, LocalIOError, MissingContent, Refused
from lobsterdv.signature import Signature, signature_of
from lobsterdv.space import existing

_STEP_BYTES: Final = 8 << 20
_NO_SECOND_NAME: Final = frozenset({errno.EPERM, errno.EACCES, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP})
_READ_ONLY: Final = 0o444
_WRITABLE: Final = 0o222
_A_PROGRAM: Final = "a program that has it open for writing"


class HandedOver(NamedTuple):
    """What was kept; whether the user's name and the cache's are one file once the batch is committed; and the mode
    that the file had."""

    kept: Kept
    is_shared: bool
    mode: int


def refuse_to_share(cache: Cache, source: Path, *, name: str) -> None:
    """Raises Refused or Busy for a file that cannot become the cache's. Changes nothing, but removes names that killed
    processes gave it."""
    with durable.translating(source):
        descriptor = _open(source, name)
        try:
            info = os.fstat(descriptor)
            if info.st_dev != existing(cache.temps).stat().st_dev:
                where = f"it lies on another file system than the cache ({cache.folder})"
                raise Refused(name, f"{where}, so it cannot become the cache's own file", "other-file-system")
            if os.geteuid() not in (0, info.st_uid):
                raise Refused(name, "it belongs to another user, who could change what the cache holds", "foreign")
            if info.st_mode & _WRITABLE and _has_other_names(cache, descriptor, name):
                raise _linked(name)
            if _has_writers(descriptor):
                raise Busy(name, _A_PROGRAM)
        finally:
            os.close(descriptor)


def hand_over(
    cache: Cache, intake: Intake, source: Path, *, seen: Signature, name: str, progress: Callable[[int], None]
) -> HandedOver:
    """Make a file, the one that had the signature ``seen``, the cache's own and keep its name; reads it once. It is
    read-only afterwards.

    If the cache has the same bytes already, verified, the user's name becomes one for that file instead; where that
    is not possible both stay. Raises Refused, Busy, ChangedMeanwhile after the second try, LocalIOError; the file is
    then as it was, mode included.
    """
    for _ in range(2):
        with durable.translating(source):
            done = _try(cache, intake, source, seen, name, progress)
        if done is not None:
            return done
    raise ChangedMeanwhile(name)


def _try(
    cache: Cache, intake: Intake, source: Path, seen: Signature, name: str, progress: Callable[[int], None]
) -> HandedOver | None:
    descriptor = _open(source, name)
    try:
        before = os.fstat(descriptor)
        if signature_of(before)[:2] != seen[:2]:
            return None  # another file, perhaps one behind a link that its folder has become: not ours to touch
        mode = stat_module.S_IMODE(before.st_mode)
        if _has_other_names(cache, descriptor, name):
            return _shared_already(cache, descriptor, source, name, progress)
        temp = _second_name(source, cache.temps, name)
        try:
            if not os.path.samestat(temp.lstat(), before):
                temp.unlink()  # another file had just taken the name; that one is not ours to touch
                return None
            os.fchmod(descriptor, _kept(mode))
            kept = _read(descriptor, source, name, progress)
            if intake.accept_own(kept, temp, _kept(mode)):
                return HandedOver(kept, True, mode)
            return _exchange(cache, descriptor, source, kept, mode)
        except BaseException as error:
            temp.unlink(missing_ok=True)
            os.fchmod(descriptor, mode)
            if isinstance(error, _Changed):
                return None
            raise
    finally:
        os.close(descriptor)


class _Changed(Exception):
    """The file, or whose name it is, changed while it was looked at."""


def _read(descriptor: int, source: Path, name: str, progress: Callable[[int], None]) -> Kept:
    """Hash a file. Read, not mapped: somebody may cut it off meanwhile. Raises _Changed."""
    if _has_writers(descriptor):
        raise Busy(name, _A_PROGRAM)
    signature = signature_of(os.fstat(descriptor))
    hasher = Hasher()
    while data := os.pread(descriptor, _STEP_BYTES, hasher.size):
        hasher.update(data)
        progress(len(data))
    now = signature_of(os.fstat(descriptor))
    if now != signature or hasher.size != now.size or signature_of(source.lstat()) != now or _has_writers(descriptor):
        raise _Changed
    return Kept(hasher.digest(), hasher.size, hasher.checksum(), now)


def _exchange(cache: Cache, descriptor: int, source: Path, kept: Kept, mode: int) -> HandedOver:
    """The cache has these bytes, verified, in a file of its own: give that one the user's name, in one step."""
    now = signature_of(os.fstat(descriptor))  # its second name is gone again, which changes the ctime alone
    is_shared = False
    try:
        cache.prove(kept.digest, name=source.name)  # by its bytes: the good ones at hand are given up for them
    except (CorruptContent, MissingContent):
        raise _Changed from None  # it is set aside: the next try makes this file the cache's own
    cached = cache.plain_path(kept.digest)
    try:
        temps.drop_links(cache.temps, cached.lstat())  # what a killed process left
        if stat_module.S_IMODE(cached.lstat().st_mode) != _kept(mode):  # others would read more, or less, than before
            raise PermissionError(errno.EPERM, "the cache's file has other readers", str(cached))
        other = durable.link_temp(cached, cache.temps)
        try:
            if other.lstat().st_nlink == 2:  # nobody else's: files keep their times, tools compare them
                with suppress(PermissionError):
                    os.utime(other, ns=(now.mtime_ns, now.mtime_ns))
            if signature_of(source.lstat()) != now or now[:4] != kept.signature[:4] or _has_writers(descriptor):
                raise _Changed
            other.replace(source)
            is_shared = True
        finally:
            other.unlink(missing_ok=True)
            cache.relinked(kept.digest)
    except (OSError, LocalIOError):  # or too many names, or another mount of the same disk: both files stay
        os.fchmod(descriptor, mode)
    return HandedOver(kept._replace(signature=signature_of(source.lstat())), is_shared, mode)


def _kept(mode: int) -> int:
    """The mode of a file that is the cache's: read-only, for those who could read it before."""
    return mode & _READ_ONLY | stat_module.S_IRUSR


def _shared_already(
    cache: Cache, descriptor: int, source: Path, name: str, progress: Callable[[int], None]
) -> HandedOver | None:
    """A file with further names is right only when the cache's is one of them. Raises Refused for any other."""
    if os.fstat(descriptor).st_mode & _WRITABLE:
        raise _linked(name)
    try:
        kept = _read(descriptor, source, name, progress)
        if os.path.samestat(cache.plain_path(kept.digest).lstat(), os.fstat(descriptor)):
            cache.ledger.note([(kept.digest.hex(), kept.signature, kept.checksum, cache.now())])
            return HandedOver(kept, True, _READ_ONLY)
    except _Changed:
        return None
    except FileNotFoundError:
        pass
    raise _linked(name)


def _second_name(source: Path, temps: Path, name: str) -> Path:
    try:
        return durable.link_temp(source, temps)
    except LocalIOError as error:
        if error.errno not in _NO_SECOND_NAME:
            raise
        reason = f"it cannot have a second name in the cache ({error.detail})"
        raise Refused(name, reason, "other-file-system") from error


def _has_other_names(cache: Cache, descriptor: int, name: str) -> bool:
    """Whether a file has names besides this one, after those are gone that killed processes left. Raises Busy when
    another process is just handing it over."""
    if os.fstat(descriptor).st_nlink > 1 and temps.drop_links(cache.temps, os.fstat(descriptor)):
        raise Busy(name, "another lobsterdv, which is adding it")
    return os.fstat(descriptor).st_nlink > 1


def _has_writers(descriptor: int) -> bool:
    """Whether anybody has the file open for writing. Only Linux tells, by refusing a read lease (man 2 fcntl); where
    it cannot be told the answer is no, and the stat signature has to notice what is written."""
    if sys.platform != "linux":
        return False
    import fcntl  # noqa: PLC0415 - start-up time

    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # were it broken at once: a signal that nobody minds
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _open(source: Path, name: str) -> int:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat_module.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused(name, "not a regular file", "special-file")
    return descriptor


def _linked(name: str) -> Refused:
    reason = "it has further names (hard links); a change through one of them would change what the cache holds"
    return Refused(name, reason, "hard-links")
