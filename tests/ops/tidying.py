"""Short words for making room: a lab with a remote, time that passes, what the cache and the trash hold."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lobsterdv.blobs.tenants import in_use
from lobsterdv.digest import Digest, digest_of
from lobsterdv.events import silent
from lobsterdv.ops.drop import DropReport, drop
from lobsterdv.ops.gc import GcReport, gc
from lobsterdv.ops.undelete import UndeleteReport, undelete
from tests.damage.oracle import check_cache
from tests.ops.lab import Lab, checked

HOURS = 3600
DAYS = 86400


def share(lab: Lab, folder: Path) -> Lab:
    """Give the project a directory remote, as everybody sees it."""
    folder.mkdir(exist_ok=True)
    config = lab.read(".lobsterdv.yaml").decode()
    lab.write(".lobsterdv.yaml", f'{config}remote: shared\nremotes:\n  shared:\n    url: "{folder}"\n')
    lab.git("commit", "-qam", "remote")
    return lab.reopen()


def later(lab: Lab, seconds: float = 2 * HOURS) -> Lab:
    """That much time passes."""
    lab.project.now = lambda: time.time() + seconds
    return lab


def collect(lab: Lab, **options: Any) -> GcReport:
    """``gc --yes``, two hours later."""
    before = lab.project.now
    if not options.pop("at_once", False):
        now = before()
        lab.project.now = lambda: now + 2 * HOURS
    try:
        return checked(gc(lab.project, **{"yes": True, "observer": lab.observe, **options}))
    finally:
        lab.project.now = before
        if cache_of(lab).is_dir():
            check_cache(cache_of(lab))


def dropped(lab: Lab, *paths: str, **options: Any) -> DropReport:
    return checked(try_drop(lab, *paths, **options))


def try_drop(lab: Lab, *paths: str, **options: Any) -> DropReport:
    return drop(lab.project, paths, **{"yes": True, "observer": lab.observe, **options})


def undeleted(lab: Lab, *names: str, **options: Any) -> UndeleteReport:
    report = checked(undelete(lab.project, names, observer=silent, **options))
    check_cache(cache_of(lab))
    return report


def version(lab: Lab, name: str, data: bytes | dict[str, bytes], *, commit: bool = True) -> Digest:
    """Add a version of a file, or of a directory with exactly these files; returns its digest."""
    place = lab.path(name)
    if place.is_dir():
        shutil.rmtree(place)
    elif isinstance(data, dict) or place.is_symlink():
        place.unlink(missing_ok=True)
    for path, content in {"": data}.items() if isinstance(data, bytes) else data.items():
        lab.write(f"{name}/{path}".rstrip("/"), content)
    lab.add(name)
    if commit:
        lab.commit()
    return lab.pointer(name).digest


def cache_of(lab: Lab) -> Path:
    return lab.project.cache.folder


def holds(lab: Lab, content: bytes | Digest) -> bool:
    """The cache has these bytes, and they read right."""
    digest = content if isinstance(content, Digest) else digest_of(content)
    if not lab.project.cache.has(digest):
        return False
    lab.project.cache.prove(digest, name="a test")
    return True


def forget_history(lab: Lab) -> None:
    """Nothing of git's but the present commit is left."""
    lab.git("reset", "-q", "--soft", lab.git("commit-tree", "-m", "squashed", lab.git("write-tree")))
    lab.git("reflog", "expire", "--expire=now", "--all")
    for note in ("ORIG_HEAD", "FETCH_HEAD"):
        (lab.root / ".git" / note).unlink(missing_ok=True)


@contextmanager
def somebody_reads(lab: Lab) -> Iterator[None]:
    """Another command that relies on the cache is running."""
    with in_use(cache_of(lab)):
        yield
