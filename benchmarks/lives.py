"""One dataset's life in every tool, side by side: add, status, push, push again, pull elsewhere, status there; or
add and push in one, for tools that know no difference; or add and commit alone.

Each tool has a fresh repository, home and bucket, and an equal copy of the data. The tools take turns step by
step, in another order each repetition. Only the step itself is timed; what it did is checked afterwards, and a
tool whose step failed or did less than its work takes no further part in that life.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import data
import measure
import tools
from data import Shape
from measure import Measured
from peers import Peers, make_bucket
from tools import Tool

from lobsterdv.stores.line import Proxy, Traffic


@dataclass(frozen=True)
class Bench:
    """What all lives share. With a `proxy`, its URL is the endpoint, and every step's traffic is in its sample; with
    `slow`, the steps run over its slow line, and nothing else does."""

    tools: tuple[Tool, ...]
    peers: Peers
    work: Path
    endpoint: str
    proxy: Proxy | None = None
    slow: bool = False

    @contextmanager
    def counted(self) -> Iterator[list[Traffic]]:
        """What crosses the proxy meanwhile, over the slow line if so; empty when there is no proxy."""
        seen: list[Traffic] = []
        if self.proxy is None:
            yield seen
            return
        before = self.proxy.traffic.copy()
        self.proxy.link.on = self.slow
        try:
            yield seen
        finally:
            self.proxy.link.on = False
        seen.append(self.proxy.traffic.since(before))


@dataclass(frozen=True)
class Sample:
    """One tool's one run of one step. `problem` is empty when the outcome was checked and right."""

    step: str
    tool: str
    repetition: int
    measured: Measured | None
    traffic: Traffic | None
    problem: str = ""


@dataclass
class Site:
    """One tool's two machines: `origin` adds and pushes, `clone` pulls. `problem` once it fell out."""

    tool: Tool
    shape: Shape
    bucket: str
    endpoint: str
    folder: Path
    problem: str = ""

    @property
    def origin(self) -> Path:
        return self.folder / "origin"

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    def repository(self, step: str) -> Path:
        return self.clone if step in ("pull", "status-pulled", "restore") else self.origin

    def environment(self, repository: Path) -> dict[str, str]:
        return tools.environment(self.tool, self.folder / f"home-{repository.name}")

    def words(self, line: str) -> list[str]:
        return tools.words(self.tool, line, self.shape, self.bucket, self.endpoint)

    def commands(self, step: str) -> list[list[str]]:
        return tools.commands(self.tool, step, self.shape, self.bucket, self.endpoint)


def start_up(bench: Bench, step: str, repetition: int) -> Iterator[Sample]:
    """`--version` or `--help` of each tool that keeps versions."""
    for tool in _in_turn([tool for tool in bench.tools if tool.in_git], repetition):
        home = bench.work / f"start-{tool.name}"
        home.mkdir(exist_ok=True)
        line = tool.version if step == "version" else tool.help
        measured = measure.run([*tool.program, line], home, tools.environment(tool, home))
        yield Sample(step, tool.name, repetition, measured, None, _failure(measured))


def live(bench: Bench, shape: Shape, steps: list[str], repetition: int) -> Iterator[Sample]:
    """All `steps` of one life, in order; the folders are gone afterwards, the buckets are the server's."""
    folder = bench.work / f"life-{repetition}-{steps[0]}-{shape.name}"
    reference = folder / "reference"
    reference.mkdir(parents=True)
    try:
        data.write(shape, reference, seed=repetition)
        fitting = [tool for tool in bench.tools if tool.steps.keys() & set(steps)]
        sites = [_open(bench, tool, shape, f"{repetition}-{steps[0]}", folder, reference) for tool in fitting]
        for step in steps:
            for site in _in_turn([site for site in sites if step in site.tool.steps], repetition):
                yield _take(bench, site, step, repetition, reference)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def push_edit(bench: Bench, tool: Tool, before: Path, after: Path, repetition: int) -> Sample:
    """Add and push `before`, then `after` under the same name; the sample is the second time."""
    with _edited(bench, tool, before, after, f"{repetition}-edit{'-slow' * bench.slow}") as (site, first, second):
        quick = replace(bench, slow=False)
        _take(quick, site, "archive", repetition, first)
        if tool.in_git and not site.problem:
            _git(site, site.origin, "commit -qm first")
        shutil.copyfile(second / site.shape.name, site.origin / site.shape.name)
        pushed = _take(bench, site, "archive", repetition, second)
        pulled = _take(quick, site, "restore", repetition, second)
        return replace(pushed, step="archive-edit", problem=pushed.problem or pulled.problem)


def pull_edit(bench: Bench, tool: Tool, before: Path, after: Path, repetition: int) -> Sample:
    """Pull `after` where `before` was pulled earlier; the sample is that second pull."""
    with _edited(bench, tool, before, after, f"{repetition}-edit-pull") as (site, first, second):
        quick = replace(bench, slow=False)
        for step in ("archive", "restore"):
            _take(quick, site, step, repetition, first)
        shutil.copyfile(second / site.shape.name, site.origin / site.shape.name)
        pushed = _take(quick, site, "archive", repetition, second)
        if site.problem:
            return replace(pushed, step="restore-edit")
        _git(site, site.origin, "commit -qam second")
        _git(site, site.clone, "pull -q")
        with bench.counted() as seen:
            measured = _measure(site, "restore", site.clone)
        problem = _failure(measured) or "; ".join(_complaints(bench, site, "restore", second)[:5])
        return Sample("restore-edit", tool.name, repetition, measured, seen[0] if seen else None, problem)


@contextmanager
def _edited(bench: Bench, tool: Tool, before: Path, after: Path, life: str) -> Iterator[tuple[Site, Path, Path]]:
    """A site that has `before`, and the folders of both versions; all is gone afterwards."""
    shape = Shape("table.h5ad", 1, before.stat().st_size, compressible=True)
    folder = bench.work / f"{life}-{tool.name}"
    first, second = folder / "first", folder / "second"
    try:
        for version, source in ((first, before), (second, after)):
            version.mkdir(parents=True)
            shutil.copyfile(source, version / shape.name)
        yield _open(bench, tool, shape, life, folder, first), first, second
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open(bench: Bench, tool: Tool, shape: Shape, life: str, folder: Path, reference: Path) -> Site:
    bucket = f"bench-{tool.name}-{shape.name.replace('.', '-')}-{life}"
    site = Site(tool, shape, bucket, bench.endpoint, folder / tool.name)
    try:
        make_bucket(bench.peers, bench.endpoint, bucket)
        site.origin.mkdir(parents=True)
        if tool.in_git:
            _git(site, site.origin, "init -q -b main")
        for line in tool.set_up:
            _untimed(site.words(line), site.origin, site)
        tools.configure(tool, site.folder / "home-origin")
        if tool.in_git:
            _git(site, site.origin, "add -A", "commit -qm set-up")
        _copy(reference / shape.name, site.origin / shape.name)
    except subprocess.CalledProcessError as error:
        site.problem = _said(error)
    return site


def _take(bench: Bench, site: Site, step: str, repetition: int, reference: Path) -> Sample:
    """Run one step: prepare untimed, settle the disk, time, check."""
    name = site.tool.name
    if site.problem:
        return Sample(step, name, repetition, None, None, f"not run, the tool failed before: {site.problem}")
    measured = traffic = None
    try:
        _prepare(site, step)
        repository = site.repository(step)
        with bench.counted() as seen:
            measured = _measure(site, step, repository)
        traffic = seen[0] if seen else None
        site.problem = _failure(measured) or "; ".join(_complaints(bench, site, step, reference)[:5])
    except subprocess.CalledProcessError as error:
        site.problem = _said(error)
    return Sample(step, name, repetition, measured, traffic, site.problem)


def _measure(site: Site, step: str, repository: Path) -> Measured:
    """The commands of a step, one after another, up to the first that fails."""
    runs = []
    for argv in site.commands(step):
        runs.append(measure.run(argv, repository, site.environment(repository)))
        if runs[-1].exit_code:
            break
    return measure.together(runs)


def _prepare(site: Site, step: str) -> None:
    """What stands between two steps: a commit before the first push, a fresh clone before the pull."""
    if step == "push" and site.tool.in_git:
        _git(site, site.origin, "commit -qm data")
    if step in ("pull", "restore"):
        if site.tool.in_git:
            if step == "restore":
                _git(site, site.origin, "commit -qm data")
            _git(site, site.folder, "clone -q origin clone")
        else:
            site.clone.mkdir()


def _complaints(bench: Bench, site: Site, step: str, reference: Path) -> list[str]:
    """What the step left undone. Nothing here is timed."""
    name = site.shape.name
    if step in ("add", "keep"):
        kept = data.stored_bytes(site.origin / site.tool.cache)
        wrong = data.differences(reference / name, site.origin / name)
        return wrong + _too_few("the cache holds", kept, site.shape)
    if step in ("push", "archive") and not site.shape.compressible:
        return _too_few("the bucket holds", _bucket_bytes(bench, site), site.shape)
    if step in ("pull", "restore"):
        return data.differences(reference / name, site.clone / name)
    if step == "status" and _says_changed(site, site.origin):
        return ["status reports a change where there is none"]
    if step == "status-pulled":
        if _says_changed(site, site.clone):
            return ["status reports a change right after the pull"]
        data.change_one_byte(site.shape, site.clone)
        if not _says_changed(site, site.clone):
            return ["status does not see a changed byte"]
    return []


def _too_few(what: str, count: int, shape: Shape) -> list[str]:
    return (
        [] if count >= shape.total_bytes else [f"{what} {count} bytes, less than the {shape.total_bytes} of the data"]
    )


def _says_changed(site: Site, repository: Path) -> bool:
    done = measure.run(site.words(site.tool.check), repository, site.environment(repository))
    return done.exit_code != 0


def _bucket_bytes(bench: Bench, site: Site) -> int:
    argv = [bench.peers.s5cmd, "--endpoint-url", bench.endpoint, "du", f"s3://{site.bucket}/*"]
    done = subprocess.run(argv, env=site.environment(site.origin), check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


def _git(site: Site, repository: Path, *lines: str) -> None:
    for line in lines:
        _untimed(["git", *line.split()], repository, site)


def _untimed(argv: list[str], repository: Path, site: Site) -> None:
    subprocess.run(argv, cwd=repository, env=site.environment(repository), check=True, capture_output=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _failure(measured: Measured) -> str:
    if measured.exit_code == 0:
        return ""
    return f"exit {measured.exit_code}: {(measured.stderr or measured.stdout).strip()[-3000:]}"


def _said(error: subprocess.CalledProcessError) -> str:
    """What an untimed command printed, with the command without its program's path."""
    output = (error.stderr or error.stdout or b"").strip()
    text = output.decode(errors="replace") if isinstance(output, bytes) else output
    return f"`{' '.join([Path(error.cmd[0]).name, *error.cmd[1:]])}` exit {error.returncode}: {text[-3000:]}"


def _in_turn(items: list[Any], repetition: int) -> list[Any]:
    """Another one first in each repetition."""
    first = repetition % len(items) if items else 0
    return items[first:] + items[:first]
