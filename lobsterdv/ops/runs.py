"""Runs: what is known of one before it starts, and the record of it when it is over."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lobsterdv.blobs.cache import Cache
from lobsterdv.digest import Digest, digest_of, parse_hex
from lobsterdv.errors import FormatError, GitFailed, NotTracked, Refused, UnknownRevision
from lobsterdv.events import Observer
from lobsterdv.formats.layout import run_key
from lobsterdv.formats.pointer import SUFFIX, Input
from lobsterdv.formats.runs import RunRecord, encode_run, parse_run
from lobsterdv.formats.yamlio import Value
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Selected, pointers, select
from lobsterdv.ops.status import status
from lobsterdv.paths import safe_path
from lobsterdv.runner import is_shell_line

RUNS = "runs"


def resolve_inputs(project: Project, paths: Sequence[str], *, observer: Observer) -> tuple[Input, ...]:
    """The versions that ``paths`` name in the work tree, in their order, without repeats.

    Raises NotTracked, or Refused for one whose files are not that version: what was read would have no name.
    """
    selected, failures = select(pointers(project, None), paths)
    if failures:
        raise failures[0].error
    if not selected:
        return ()
    report = status(project, [str(s.dataset.path) for s in selected], observer=observer)
    states = {row.path: row.work for row in report.datasets}
    for dataset in dict.fromkeys(s.dataset for s in selected):
        state = states.get(dataset.path, "unknown")
        if state in ("modified", "unknown"):
            raise Refused(dataset.path, "it has changes that no version names", "unnamed-input")
        if state in ("absent", "outdated"):
            raise Refused(dataset.path, "its files are not here as the pointer names them", "absent-input")
    return tuple(dict.fromkeys(reference(selection) for selection in selected))


def reference(selection: Selected) -> Input:
    """A selected version, or a part of one: the part's path with the digest of the whole."""
    dataset, below = selection
    return Input(safe_path(f"{dataset.path}/{below}" if below else dataset.path), dataset.pointer.digest)


def dataset_digests(project: Project, paths: Sequence[str]) -> tuple[Input, ...]:
    """The versions that the work tree's pointers name for datasets. Raises NotTracked."""
    known = pointers(project, None).good
    for path in paths:
        if path not in known:
            raise NotTracked(path)
    return tuple(Input(safe_path(path), known[path].pointer.digest) for path in paths)


def script_of(project: Project, words: Sequence[str], folder: Path) -> str | None:
    """``git:<blob>`` of the first word that names, from ``folder``, a file of the project that is not data: the code
    that a command runs. Two git processes."""
    parts = shlex.split(words[0]) if is_shell_line(words) else words
    data = pointers(project, None).good
    root = project.root.resolve()
    for word in parts:
        place = (folder / word).resolve()
        if not place.is_file() or not place.is_relative_to(root):
            continue
        name = place.relative_to(root).as_posix()
        if name.endswith(SUFFIX) or name in data or any(name.startswith(f"{path}/") for path in data):
            continue
        try:
            return f"git:{project.git.ask('hash-object', '--', str(place)).decode().strip()}"
        except GitFailed:
            return None
    return None


def code_state(project: Project) -> tuple[str | None, bool]:
    """HEAD, None before the first commit; and whether tracked files other than pointers differ from it. Two
    git processes."""
    try:
        commit = project.git.commit_of("HEAD")
    except UnknownRevision:
        return None, True
    changed = project.git.ask("diff", "--name-only", "-z", "HEAD", "--").decode(errors="surrogateescape").split("\0")
    return commit, any(name and not name.endswith((SUFFIX, ".gitignore")) for name in changed)


def run_block(
    activity: str, command: str | None, script: str | None, params: Mapping[str, Value], folder: str = ""
) -> dict[str, Value]:
    """What a pointer says of the run: only what is equal for equal work. ``folder``: where, below the root."""
    block: dict[str, Value] = {"activity": activity}
    if command is not None:
        block["command"] = command
    if folder:
        block["folder"] = folder
    if script is not None:
        block["script"] = script
    if params:
        block["params"] = dict(params)
    return block


def keep_run(cache: Cache, record: RunRecord) -> Digest:
    """Keep a run record in the cache; returns its name."""
    data = encode_run(record)
    name = digest_of(data)
    cache.keep_remote(run_key(name), data)
    return name


def kept_run(cache: Cache, name: Digest) -> RunRecord | None:
    """A record of the cache, None when it is not here or is not what its name says."""
    data = cache.kept_remote(run_key(name))
    if data is None or digest_of(data) != name:
        return None
    try:
        return parse_run(data, what=f"run {name.short}")
    except FormatError:
        return None


def kept_run_names(cache: Cache) -> list[Digest]:
    """The names of the run records in the cache, in order. At most 257 listings."""
    found = []
    for folder in cache.kept_below(f"{RUNS}/"):
        for key in cache.kept_below(f"{folder}/"):
            try:
                found.append(parse_hex(key.rpartition("/")[2], what=key))
            except FormatError:
                continue
    return found


def kept_runs(cache: Cache) -> Iterator[tuple[Digest, RunRecord]]:
    """Every readable run record of the cache, in the order of their names."""
    for name in kept_run_names(cache):
        if (record := kept_run(cache, name)) is not None:
            yield name, record


def utc(seconds: float) -> str:
    """Seconds since 1970 as records write them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
