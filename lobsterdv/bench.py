"""Measuring a remote: the wiring of ``ops/bench.py``, and the corners it works in.

A face like the command line. Projects of its own lie below the project's state (``bench/``), and what they share below
``bench/`` at the remote; both are removed, however it ends. The user's datasets, cache and index are not touched.
"""

from __future__ import annotations

import datetime
import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final, get_args

from lobsterdv import machine
from lobsterdv.errors import Refused, UsageError
from lobsterdv.events import Advanced, Finished, Observer, Started, silent
from lobsterdv.formats.config import Layer, Remote
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.formats.yamlio import Value
from lobsterdv.git import Git, git_version
from lobsterdv.ops.bench import BenchReport, BenchRow, Environment, Operation, Timing, live
from lobsterdv.ops.bench_subject import Subject
from lobsterdv.ops.context import Project
from lobsterdv.ops.init import init
from lobsterdv.project import CONFIG_NAME, open_project, open_remote
from lobsterdv.stores.base import Store
from lobsterdv.stores.bucket.asking import calls_of
from lobsterdv.stores.line import counting
from lobsterdv.stores.link import Link
from lobsterdv.stores.open import DirectoryPlace, is_loopback, parse_url
from lobsterdv.stores.scratch import new_corner, remove

_NAME: Final = "bench"  # of the remote, in the projects that measure
_OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)
_WARM_UP: Final = 4096  # bytes: one life, not counted, imports and opens whatever is late
_ABANDONED_S: Final = 24 * 3600.0


def bench(
    project: Project,
    subject: Subject,
    *,
    remote: str | None = None,
    line: Link | None = None,
    repeats: int = 3,
    version: str,
    variables: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    observer: Observer,
) -> BenchReport:
    """Measure ``subject`` here and at a remote of ``project``, ``repeats`` times, each with fresh projects and an empty
    place at the remote. A ``line`` is put before the S3 endpoint. ``version`` is lobsterdv's own.

    Raises Refused for the embedded remote, UsageError for a line that cannot be, and, before anything is measured,
    Denied when what is written there could not be removed; then whatever a verb raises.
    """
    config = project.remote(remote)
    if config.name == EMBEDDED:
        raise Refused(EMBEDDED, "it is in this git folder, so there is nothing to compare; add a remote", "embedded")
    environment = dict(os.environ if variables is None else variables)
    if line is not None:
        _check_line(config, environment)
    store = project.store(config)
    with ExitStack() as stack:
        corner = new_corner(store)
        stack.callback(remove, store, corner)
        folder = _new_folder(project.state / "bench", project.now())
        stack.callback(_remove_folder, folder)
        proxies = config.settings["proxies"]
        if line is not None:
            proxies = stack.enter_context(counting(None, replace(line, on=True))).url
        bench_in = _Place(project, config, corner, folder, proxies, environment)
        taken: list[Timing] = []
        observer(Started("measuring", total_items=(repeats + 1) * len(_OPERATIONS)))
        for number in range(repeats + 1):
            this = subject if number else Subject(None, _WARM_UP)
            for timing in bench_in.life(this, number, clock):
                observer(Advanced("measuring", new_items=1))
                if number:
                    taken.append(timing)
        observer(Finished("measuring"))
        return BenchReport(
            config.name, config.url, "S3" if config.url.startswith("s3:") else "folder", subject.name,
            subject.source is None, subject.size, subject.changed, repeats,
            line.megabits_per_second * 1e6 if line and line.megabits_per_second < float("inf") else None,
            line.round_trip_seconds if line else None,
            _environment(project, store, environment, version), rows(taken, subject.size),
        )  # fmt: skip


def rows(taken: list[Timing], size: int) -> list[BenchRow]:
    """The medians of each operation, in the table's order."""
    found = []
    for operation in _OPERATIONS:
        timings = [timing for timing in taken if timing.operation == operation]
        here = [timing.local for timing in timings if timing.local is not None]
        there = [timing.remote for timing in timings if timing.remote is not None]
        of = 0 if operation in ("list", "metadata") else size
        rated = 0 if operation in ("read cached", "write again") else of
        local, remote = (median(runs) if runs else None for runs in (here, there))
        moved = int(median(timing.moved_bytes for timing in timings))
        found.append(
            BenchRow(operation, of, moved, local, remote, _rate(rated, local), _rate(rated, remote), here, there)
        )
    return found


@dataclass(frozen=True)
class _Place:
    """Where lives are lived: ``folder`` here, ``corner`` at the remote ``config`` of ``project``."""

    project: Project
    config: Remote
    corner: str
    folder: Path
    proxies: Value
    environment: Mapping[str, str]

    def life(self, subject: Subject, number: int, clock: Callable[[], float]) -> Iterator[Timing]:
        """One life; what it wrote here is gone afterwards, or was not begun."""
        here = self.folder / str(number)
        scratch, variables = self._scratch(number), _identity(self.environment)
        opened: list[Project] = []

        def wired(folder: Path) -> Project:
            opened.append(self._wired(folder, scratch, variables))
            return opened[-1]

        try:
            (here / "ana").mkdir(parents=True)
            Git.create(here / "ana", environment=variables)
            git = Git.find(here / "ana", environment=variables)
            init(git, CONFIG_NAME, project_id=secrets.token_hex(16), observer=silent)
            git.commit("begin")
            ana = wired(here / "ana")
            subject.place(ana.root / subject.name)

            def clone() -> Project:
                ana.git.clone_to(here / "ben")
                return wired(here / "ben")

            yield from live(ana, clone, subject.name, change=subject.change, clock=clock)
        finally:
            for project in opened:
                project.close()
            shutil.rmtree(here, ignore_errors=True)

    def _scratch(self, number: int) -> Remote:
        """A part of the remote, with its settings, through the line."""
        place = parse_url(self.config.url)
        url = f"{self.config.url.rstrip('/')}/{self.corner}/{number}"
        if isinstance(place, DirectoryPlace):
            path = self.project.root / place.path / self.corner / str(number)
            path.mkdir(parents=True)
            url = str(path)
        settings = {**self.config.settings, "url": url, "proxies": self.proxies}
        return Remote(_NAME, settings, dict.fromkeys(settings, "flag"))

    def _wired(self, folder: Path, scratch: Remote, variables: Mapping[str, str]) -> Project:
        """The project in ``folder`` with the user's settings, a cache of its own, and no other remote in use."""
        config = self.project.config
        settings: dict[str, Value] = {key: value for key, value in config.settings.items() if key != "project"}
        settings |= {"remote": _NAME, "cache.dir": str(folder / ".git" / "lobsterdv" / "cache")}
        flags = Layer("flag", "bench", settings, {_NAME: scratch.settings})
        made = open_project(folder, environment=variables, flags=flags)
        # The user's word for the remote, which its store has asked for already, holds for a part of it.
        trusting = replace(config, trusted=config.trusted | {scratch.trust_line})
        made.open_store = lambda _: open_remote(scratch, trusting, root=self.project.root, variables=self.environment)
        return made


def _check_line(config: Remote, environment: Mapping[str, str]) -> None:
    if not config.url.startswith("s3:"):
        raise UsageError(f"remote {config.name} is a folder; --bandwidth and --latency are of the line to an S3 server")
    endpoint = config.text("endpoint_url") or "https://"
    scheme = endpoint.partition(":")[0].lower()
    names = () if is_loopback(endpoint) else (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    set_by = next((name for name in names if environment.get(name)), None)
    if config.text("proxies") not in (None, "none"):
        set_by = "its setting `proxies`"
    elif config.text("proxies") == "none":
        set_by = None
    if set_by is not None:
        problem = f"remote {config.name} is reached through a proxy ({set_by})"
        raise UsageError(f"{problem}; --bandwidth and --latency need a direct connection")


def _new_folder(parent: Path, now: float) -> Path:
    """A folder of our own; what was left there a day ago by whoever was killed goes."""
    folder = parent / secrets.token_hex(8)
    folder.mkdir(parents=True)
    for old in parent.iterdir():
        if now - old.lstat().st_mtime > _ABANDONED_S:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # another bench works there
        folder.parent.rmdir()


def _identity(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with somebody to commit as; the user's hooks, signing and surrounding repository stay out."""
    kept = {key: value for key, value in environment.items() if not key.startswith("GIT_") or "CONFIG_" in key}
    people = {f"GIT_{role}_{field}": "bench" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
    options = {"commit.gpgsign": "false", "core.hooksPath": os.devnull}
    numbered = {
        f"GIT_CONFIG_{part}_{number}": text
        for number, pair in enumerate(options.items())
        for part, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    return {**kept, **people, **numbered, "GIT_CONFIG_COUNT": str(len(options))}


def _environment(project: Project, store: Store, variables: Mapping[str, str], version: str) -> Environment:
    calls = calls_of(store)
    return Environment(
        datetime.datetime.fromtimestamp(project.now(), datetime.UTC).isoformat(timespec="seconds"),
        version, platform.python_version(), _botocore() if calls else "", git_version(environment=variables),
        machine.system(), machine.processor(), machine.cores(), machine.memory_bytes(), machine.load(),
        machine.file_system(project.state), calls.server if calls else "",
    )  # fmt: skip


def _botocore() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - start-up time

    return version("botocore")


def _rate(size: int, seconds: float | None) -> float | None:
    """MB a second."""
    return round(size / seconds / 1e6, 1) if size and seconds else None
