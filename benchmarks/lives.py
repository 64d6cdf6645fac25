"""One dataset's life in every tool, side by side: add, status, push, push again, pull elsewhere, status there.

Each tool has a fresh git repository, home and bucket, and an equal copy of the data. The tools take turns step by
step, in another order each repetition. Only the step itself is timed; what it did is checked afterwards, and a
tool whose step failed or did less than its work takes no further part in that life.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import data
import measure
import tools
from counting_proxy import Traffic
from data import Shape
from measure import Measured
from peers import Peers, make_bucket
from tools import Tool


@dataclass(frozen=True)
class Bench:
    """What all lives share. `meter` reads the traffic so far, or is None when nobody counts."""

    tools: tuple[Tool, ...]
    peers: Peers
    work: Path
    endpoint: str
    meter: Callable[[], Traffic] | None = None


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
        return self.clone if step in ("pull", "status-pulled") else self.origin

    def environment(self, repository: Path) -> dict[str, str]:
        return tools.environment(self.tool, self.folder / f"home-{repository.name}")

    def words(self, line: str) -> list[str]:
        return tools.words(self.tool, line, self.shape, self.bucket, self.endpoint)


def start_up(bench: Bench, step: str, repetition: int) -> Iterator[Sample]:
    """`--version` or `--help` of each tool that keeps versions."""
    for tool in _in_turn([tool for tool in bench.tools if tool.versions_data], repetition):
        home = bench.work / f"start-{tool.name}"
        home.mkdir(exist_ok=True)
        line = tool.version if step == "version" else tool.help
        measured = measure.run([*tool.program, line], home, tools.environment(tool, home))
        yield Sample(step, tool.name, repetition, measured, None, _failure(measured))


def live(bench: Bench, shape: Shape, steps: list[str], repetition: int) -> Iterator[Sample]:
    """All `steps` of one life, in order; the folders are gone afterwards, the buckets are the server's."""
    folder = bench.work / f"life-{repetition}-{shape.name}"
    reference = folder / "reference"
    reference.mkdir(parents=True)
    try:
        data.write(shape, reference, seed=repetition)
        sites = [_open(bench, tool, shape, repetition, folder, reference) for tool in bench.tools]
        for step in steps:
            for site in _in_turn([site for site in sites if step in site.tool.steps], repetition):
                yield _take(bench, site, step, repetition, reference)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def push_edit(bench: Bench, tool: Tool, before: Path, after: Path) -> Sample:
    """Push `before`, then `after` under the same name; the sample is the second push."""
    shape = Shape("table.h5ad", 1, before.stat().st_size, compressible=True)
    folder = bench.work / f"edit-{tool.name}"
    first, second = folder / "first", folder / "second"
    try:
        for version, source in ((first, before), (second, after)):
            version.mkdir(parents=True)
            shutil.copyfile(source, version / shape.name)
        site = _open(bench, tool, shape, 0, folder, first)
        for step in ("add", "push"):
            sample = _take(bench, site, step, 0, first)
        if not sample.problem:
            shutil.copyfile(second / shape.name, site.origin / shape.name)
            sample = _take(bench, site, "add", 0, second)
        pushed = _take(bench, site, "push", 0, second)
        pulled = _take(bench, site, "pull", 0, second)
        return replace(pushed, problem=pushed.problem or pulled.problem)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open(bench: Bench, tool: Tool, shape: Shape, repetition: int, folder: Path, reference: Path) -> Site:
    number = f"{repetition}" if repetition >= 0 else "warm"
    bucket = f"bench-{tool.name}-{shape.name.replace('.', '-')}-{number}"
    site = Site(tool, shape, bucket, bench.endpoint, folder / tool.name)
    try:
        make_bucket(bench.peers, bench.endpoint, bucket)
        site.origin.mkdir(parents=True)
        if tool.versions_data:
            _git(site, site.origin, "init -q -b main")
            for line in tool.set_up:
                _untimed(site.words(line), site.origin, site)
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
        os.sync()  # no tool pays for another one's unwritten pages
        before = bench.meter().copy() if bench.meter else None
        measured = measure.run(site.words(site.tool.steps[step]), repository, site.environment(repository))
        traffic = bench.meter().since(before) if bench.meter and before else None
        site.problem = _failure(measured) or "; ".join(_complaints(bench, site, step, reference)[:5])
    except subprocess.CalledProcessError as error:
        site.problem = _said(error)
    return Sample(step, name, repetition, measured, traffic, site.problem)


def _prepare(site: Site, step: str) -> None:
    """What stands between two steps: a commit before the first push, a fresh clone before the pull."""
    if step == "push" and site.tool.versions_data:
        _git(site, site.origin, "commit -qm data")
    if step == "pull":
        if site.tool.versions_data:
            _git(site, site.folder, "clone -q origin clone")
        else:
            site.clone.mkdir()


def _complaints(bench: Bench, site: Site, step: str, reference: Path) -> list[str]:
    """What the step left undone. Nothing here is timed."""
    name = site.shape.name
    if step == "add":
        kept = data.stored_bytes(site.origin / site.tool.cache)
        wrong = data.differences(reference / name, site.origin / name)
        return wrong + _too_few("the cache holds", kept, site.shape)
    if step == "push" and not site.shape.compressible:
        return _too_few("the bucket holds", _bucket_bytes(bench, site), site.shape)
    if step == "pull":
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
