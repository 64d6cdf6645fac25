"""Lineage as a graph: what the index knows, and what pointers of the work tree say that no commit has yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lobsterdv.digest import parse_digest
from lobsterdv.formats.pointer import Pointer
from lobsterdv.index.graph import Connection, Key, Link, Ran, datasets_with, known, links, runs_of
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Dataset
from lobsterdv.ops.presence import Presence
from lobsterdv.ops.runs import utc
from lobsterdv.ops.staleness import Reason


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What is known of a version. ``size`` is None when it is only named as an input of another. ``commit``, ``at``
    (UTC), ``author`` and ``subject`` are of the first commit that named it. ``is_current``: the work tree's pointer
    names it; ``stale`` says why that is not up to date. ``is_here``: the cache holds it (of a directory, its listing);
    ``is_pushed``: the default remote does, None when this machine does not know."""

    dataset: str
    digest: str
    kind: str | None
    size: int | None
    files: int | None
    message: str | None
    summary: Mapping[str, Any]
    commit: str | None
    at: str | None
    author: str | None
    subject: str | None
    is_current: bool
    stale: list[Reason]
    is_here: bool
    is_pushed: bool | None
    runs: list[Ran] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return Key(self.dataset, self.digest)


def key_of(dataset: Dataset) -> Key:
    """The version that a pointer names."""
    return Key(str(dataset.path), str(dataset.pointer.digest))


class Tracer:
    """Follows links from versions to versions, over an open lineage file and the work tree's pointers (``work``)."""

    def __init__(self, connection: Connection, work: Mapping[str, Dataset]) -> None:
        self.connection = connection
        self.work = work
        self._pending = [link for dataset in work.values() for link in self._links_of(dataset)]

    def links(self, starts: Collection[Key], *, down: bool) -> list[Link]:
        """Every link that leads away from ``starts``, ``down`` to what was made of them or else up, nearest first."""
        found = dict.fromkeys(links(self.connection, starts, down=down))
        nodes = {*starts, *(link.made if down else link.used for link in found)}
        pending = [link for link in self._pending if link not in found]
        is_growing = True
        while is_growing:
            is_growing = False
            for link in pending:
                near, far = (link.used, link.made) if down else (link.made, link.used)
                if link in found or near not in nodes:
                    continue
                is_growing = True
                found[link] = None
                further = links(self.connection, [far], down=down)
                found.update(dict.fromkeys(further))
                nodes |= {far, *(other.made if down else other.used for other in further)}
        return _nearest_first(list(found), starts, down=down)

    def _links_of(self, dataset: Dataset) -> list[Link]:
        pointer = dataset.pointer
        run = pointer.run or {}
        said = {key: value for key, value in run.items() if isinstance(value, str)}
        params = run.get("params")
        held = Link.params_of(params if isinstance(params, dict) else {})
        made = key_of(dataset)
        return [
            Link(made, self.input_key(str(item.path), str(item.digest)), str(item.path), said.get("activity"),
                 said.get("command"), said.get("folder"), said.get("script"), held)
            for item in pointer.inputs
        ]  # fmt: skip

    def input_key(self, path: str, digest: str) -> Key:
        """The version that an input is, or lies in."""
        names = datasets_with(self.connection, digest)
        names += [name for name, dataset in self.work.items() if str(dataset.pointer.digest) == digest]
        around = [name for name in names if path == name or path.startswith(name + "/")]
        return Key(max(around, key=len) if around else path, digest)


def within(found: Iterable[Link], starts: Collection[Key], depth: int, *, down: bool) -> list[Link]:
    """The links that are at most ``depth`` steps away; they come nearest first."""
    distance = dict.fromkeys(starts, 0)
    kept = []
    for link in found:
        near, far = (link.used, link.made) if down else (link.made, link.used)
        if distance.get(near, depth) < depth:
            distance.setdefault(far, distance[near] + 1)
            kept.append(link)
    return kept


def facts_of(
    project: Project,
    connection: Connection,
    keys: Collection[Key],
    work: Mapping[str, Dataset],
    stale: Mapping[str, list[Reason]],
) -> dict[Key, VersionFacts]:
    """What is known of versions, from the index, the work tree's pointers and the cache. Asks no remote."""
    said = known(connection, keys)
    runs = runs_of(connection, keys)
    presence = Presence(project)
    found = {}
    for key in keys:
        row = said.get(key)
        current = work.get(key.dataset)
        is_current = current is not None and key_of(current) == key
        pointer = current.pointer if current is not None and is_current else None
        digest = parse_digest(key.digest, what=key.dataset)
        is_here = project.cache.has_listing(digest) or project.cache.has(digest)
        shape = _shape_of(pointer) if row is None or row.size is None else row[:5]
        found[key] = VersionFacts(
            key.dataset, key.digest, *shape,
            commit=row.commit if row else None,
            at=utc(row.at) if row and row.at is not None else None,
            author=row.author if row else None,
            subject=row.subject if row else None,
            is_current=is_current,
            stale=list(stale.get(key.dataset, ())) if is_current else [],
            is_here=is_here,
            is_pushed=presence.of(key.dataset, digest, is_ours=is_here),
            runs=runs.get(key, []),
        )  # fmt: skip
    return found


def _shape_of(pointer: Pointer | None) -> tuple[str | None, int | None, int | None, str | None, Mapping[str, Any]]:
    if pointer is None:
        return None, None, None, None, {}
    return pointer.kind, pointer.size, pointer.files, pointer.message, pointer.summary or {}


def _nearest_first(found: list[Link], starts: Collection[Key], *, down: bool) -> list[Link]:
    by_near: dict[Key, list[Link]] = {}
    for link in sorted(found, key=lambda link: (link.made, link.used, link.path)):
        by_near.setdefault(link.used if down else link.made, []).append(link)
    ordered: list[Link] = []
    seen = set(starts)
    waiting = deque(starts)
    while waiting:
        for link in by_near.get(waiting.popleft(), ()):
            ordered.append(link)
            far = link.made if down else link.used
            if far not in seen:
                seen.add(far)
                waiting.append(far)
    return ordered
