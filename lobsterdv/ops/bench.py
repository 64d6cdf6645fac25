"""bench: one dataset's life here and at a remote, each operation timed once. The caller makes the projects, repeats
and removes. Times are of the work itself: the connection is open, and no program starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lobsterdv.errors import KeyMissing
from lobsterdv.events import silent
from lobsterdv.formats.layout import MARKER
from lobsterdv.ops.add import add
from lobsterdv.ops.checkout import checkout
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import pointer_path, pointers
from lobsterdv.ops.listing import list_project, list_remote
from lobsterdv.ops.pull import pull
from lobsterdv.ops.push import push
from lobsterdv.ops.stats import stats
from lobsterdv.paths import SafeRelPath
from lobsterdv.stores.base import Store

Operation = Literal[
    "write", "read", "list", "metadata", "read cached", "write again", "write changed", "read changed"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that one operation took here and at the remote, None where there is no such thing, and the bytes of
    content that crossed to or from the remote."""

    operation: Operation
    local: float | None
    remote: float | None
    moved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class BenchRow:
    """The medians of one operation over all ``runs``. ``size`` is that of the dataset that was written or read, 0 where
    none was; a rate is ``size`` over the median, where bytes had to be written. ``moved_bytes`` of content crossed to
    or from the remote."""

    operation: Operation
    size: int
    moved_bytes: int
    local_seconds: float | None
    remote_seconds: float | None
    local_mb_per_second: float | None
    remote_mb_per_second: float | None
    local_runs: list[float]
    remote_runs: list[float]


@dataclass(frozen=True, slots=True)
class Environment:
    """What the figures were measured with. ``at`` is UTC; ``server`` is what it calls itself; ``load`` is that of the
    beginning."""

    at: str
    lobsterdv: str
    python: str
    botocore: str
    git: str
    system: str
    processor: str
    cores: int
    memory_bytes: int
    load: str
    file_system: str
    server: str


@dataclass
class BenchReport:
    """``bits_per_second`` and ``latency_seconds`` (of a round trip) are those of the line that was put before the
    remote; None where nothing was. ``changed`` says in words how the second version differs from the first."""

    remote: str
    url: str
    place: Literal["S3", "folder"]
    file: str
    generated: bool
    size: int
    changed: str
    repeats: int
    bits_per_second: float | None
    latency_seconds: float | None
    environment: Environment
    rows: list[BenchRow] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def live(
    ana: Project,
    clone: Callable[[], Project],
    name: SafeRelPath,
    *,
    change: Callable[[Path], None],
    clock: Callable[[], float],
) -> Iterator[Timing]:
    """Write, share and read the file ``name`` of the fresh project ``ana``, whose remote is empty; ``clone`` gives one
    of a colleague with an empty cache, which the caller closes. Raises LobsterError at the first thing that fails."""
    file, pointer, remote = ana.root / name, pointer_path(name), ana.remote().name

    def timed(work: Callable[[], object]) -> float:
        began = clock()
        work()
        return clock() - began

    def kept() -> float:
        return timed(lambda: _checked(add(ana, [name], observer=silent).failures))

    def placed() -> float:
        file.unlink()
        return timed(lambda: _checked(checkout(ana, [name], observer=silent).failures))

    def pushed() -> tuple[float, int]:
        began = clock()
        report = push(ana, observer=silent)
        took = clock() - began
        _checked(report.failures)
        return took, sum(version.new_bytes for version in report.versions)

    def pulled() -> tuple[float, int]:
        began = clock()
        report = pull(ben, remote=remote, observer=silent)
        took = clock() - began
        _checked(report.failures)
        return took, report.fetch.travelled_bytes

    here = kept()
    ana.git.commit("first version")
    _open(ana)
    yield Timing("write", here, *pushed())
    here = placed()
    ben = clone()
    store = _open(ben)
    found = timed(lambda: list_project(ana, observer=silent))
    yield Timing("list", found, timed(lambda: list_remote(store, jobs=ben.jobs)))
    told = timed(lambda: pointers(ana, None))
    yield Timing("metadata", told, timed(lambda: _checked(stats(ben, [name], remote=remote, observer=silent).failures)))
    yield Timing("read", here, *pulled())
    (ben.root / name).unlink()
    yield Timing("read cached", None, *pulled())
    yield Timing("write again", kept(), *pushed())
    change(file)
    here = kept()
    ana.git.commit("second version")
    yield Timing("write changed", here, *pushed())
    here = placed()
    (ben.root / pointer).write_bytes((ana.root / pointer).read_bytes())  # as `git pull` does
    yield Timing("read changed", here, *pulled())


def _open(project: Project) -> Store:
    """Its remote's store, whose connection is open."""
    store = project.store(project.remote())
    with suppress(KeyMissing):
        store.head(MARKER)
    return store


def _checked(failures: list[Failure]) -> None:
    if failures:
        raise failures[0].error
