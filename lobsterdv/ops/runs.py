"""Runs: what is known of one before it starts: its inputs, its code, the state of the repository."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lobsterdv.errors import GitFailed, NotTracked, Refused, UnknownRevision
from lobsterdv.events import Observer
from lobsterdv.formats.pointer import SUFFIX, Input
from lobsterdv.formats.yamlio import Value
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Selected, enclosing, pointers, select
from lobsterdv.ops.status import status
from lobsterdv.paths import safe_path
from lobsterdv.runner import is_shell_line


def resolve_inputs(project: Project, paths: Sequence[str], *, observer: Observer) -> tuple[Input, ...]:
    """The versions that ``paths`` name in the work tree, in their order, without repeats; none without paths.

    Raises NotTracked, or Refused for one whose files are not that version: what was read would have no name.
    """
    if not paths:
        return ()
    selected, failures = select(pointers(project, None), paths)
    if failures:
        raise failures[0].error
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
    """``git:<blob>`` of the script that a command runs (``script_in``). Two git processes."""
    parts = shlex.split(words[0]) if is_shell_line(words) else words
    place = script_in(project, parts, folder, pointers(project, None).good)
    if place is None:
        return None
    try:
        return f"git:{project.git.ask('hash-object', '--', str(place)).decode().strip()}"
    except GitFailed:
        return None


def script_in(project: Project, words: Sequence[str], folder: Path, data: Collection[str]) -> Path | None:
    """The first of a command's words that names, from ``folder``, a file of the project that is neither in a dataset
    (``data``) nor a pointer: the code that it runs."""
    root = project.root.resolve()
    for word in words:
        try:
            place = (folder / word).resolve()
            if not place.is_file() or not place.is_relative_to(root):
                continue
        except (OSError, ValueError):  # too long for a path, or not one at all
            continue
        name = place.relative_to(root).as_posix()
        if not name.endswith(SUFFIX) and name not in data and enclosing(data, name) is None:
            return place
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


def utc(seconds: float) -> str:
    """Seconds since 1970 as records write them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
