"""Which versions of the work tree were made from what is not the newest any more, and why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lobsterdv.errors import GitFailed
from lobsterdv.formats.pointer import Pointer
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Dataset, enclosing
from lobsterdv.ops.runs import script_in

Why = Literal["input", "removed", "code", "upstream"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a version is stale. ``input``: ``path`` has another version now, ``was`` was used and ``now`` is the newest;
    ``removed``: it is no dataset any more; ``code``: the script at ``path`` changed; ``upstream``: the input at
    ``path`` is itself stale."""

    why: Why
    path: str
    was: str | None = None
    now: str | None = None


def reasons(project: Project, known: Mapping[str, Dataset]) -> dict[str, list[Reason]]:
    """Of each dataset that names inputs or a script, why it is stale; an empty list when it is not. One git
    process."""
    made = {path: dataset.pointer for path, dataset in known.items() if dataset.pointer.inputs or dataset.pointer.run}
    scripts = _scripts(project, made, known)
    found = {path: [*_inputs(pointer, known), *scripts.get(path, ())] for path, pointer in made.items()}
    return {path: found[path] + _upstream(path, made, found, known) for path in made}


def input_datasets(pointer: Pointer, known: Mapping[str, Dataset]) -> list[str]:
    """The datasets of the work tree that a version's inputs are, or lie in; those that are gone left out."""
    names = (_dataset(str(item.path), known) for item in pointer.inputs)
    return list(dict.fromkeys(name for name in names if name is not None))


def in_order(paths: Iterable[str], known: Mapping[str, Dataset]) -> list[str]:
    """Datasets so that each comes after those that it was made from; what was made from itself, in a circle, in any."""
    ordered: dict[str, None] = {}
    wanted = list(paths)
    for first in wanted:
        stack = [(first, False)]
        under_way: set[str] = set()
        while stack:
            path, is_done = stack.pop()
            if is_done:
                ordered[path] = None
            elif path not in ordered and path not in under_way:
                under_way.add(path)
                stack.append((path, True))
                if path in known:
                    stack.extend((other, False) for other in input_datasets(known[path].pointer, known))
    return [path for path in ordered if path in set(wanted)]


def _dataset(path: str, known: Mapping[str, Dataset]) -> str | None:
    return path if path in known else enclosing(known, path)


def _inputs(pointer: Pointer, known: Mapping[str, Dataset]) -> list[Reason]:
    found = []
    for item in pointer.inputs:
        name = _dataset(str(item.path), known)
        if name is None:
            found.append(Reason("removed", str(item.path), str(item.digest)))
        elif known[name].pointer.digest != item.digest and known[name].pointer.digest != pointer.digest:
            found.append(Reason("input", str(item.path), str(item.digest), str(known[name].pointer.digest)))
    return found


def _upstream(
    path: str, made: Mapping[str, Pointer], direct: Mapping[str, list[Reason]], known: Mapping[str, Dataset]
) -> list[Reason]:
    """The inputs that are stale themselves, directly or by theirs."""
    found = []
    for first in input_datasets(made[path], known):
        if first != path and _is_stale(first, path, made, direct, known):
            found.append(Reason("upstream", first))
    return found


def _is_stale(
    first: str, end: str, made: Mapping[str, Pointer], direct: Mapping[str, list[Reason]], known: Mapping[str, Dataset]
) -> bool:
    seen, waiting = {end}, [first]
    while waiting:
        path = waiting.pop()
        if path in seen or path not in made:
            continue
        seen.add(path)
        if direct[path]:
            return True
        waiting.extend(input_datasets(made[path], known))
    return False


def _scripts(project: Project, made: Mapping[str, Pointer], known: Mapping[str, Dataset]) -> dict[str, list[Reason]]:
    """Of each whose script is another by now."""
    recorded: dict[str, tuple[str, str | None]] = {}
    places: dict[str, Path] = {}
    for path, pointer in made.items():
        run = pointer.run or {}
        command, script, folder = run.get("command"), run.get("script"), run.get("folder")
        if not isinstance(command, str) or not isinstance(script, str):
            continue
        try:
            place = script_in(project, shlex.split(command), project.root / str(folder or ""), known)
        except ValueError:  # not a shell's words
            continue
        recorded[path] = script, place.relative_to(project.root.resolve()).as_posix() if place else None
        if place is not None:
            places[path] = place
    blobs = _blobs(project, places)
    found = {}
    for path, (script, name) in recorded.items():
        now = blobs.get(path)
        if now != script:
            found[path] = [Reason("code", name or "its script", script, now)]
    return found


def _blobs(project: Project, places: Mapping[str, Path]) -> dict[str, str]:
    if not places:
        return {}
    names = dict.fromkeys(str(place) for place in places.values())
    if any("\n" in name for name in names):
        names = {name: None for name in names if "\n" not in name}
    try:
        out = project.git.ask("hash-object", "--stdin-paths", stdin="".join(f"{n}\n" for n in names).encode())
    except GitFailed:
        return {}
    ids = dict(zip(names, out.decode().split(), strict=True))
    return {path: f"git:{ids[str(place)]}" for path, place in places.items() if str(place) in ids}
