"""One thing that several remotes may give: they are asked one after another, in the order in which fetch asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeVar

from lobsterdv.blobs.remote import Remote, manifests
from lobsterdv.errors import (
    Archived,
    ContentError,
    CorruptContent,
    LobsterError,
    MissingContent,
    NotARemote,
    NotVerbatim,
    RemoteError,
)
from lobsterdv.events import Observer, Warned
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.manifest import Manifest
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Dataset
from lobsterdv.ops.forgotten import explained
from lobsterdv.ops.nearness import sources

T = TypeVar("T")
_ELSEWHERE: Final = (MissingContent, CorruptContent, Archived, NotVerbatim)
"""What another remote may yet give."""


def by_each_manifest(
    room: Remote,
    dataset: Dataset,
    make: Callable[[Manifest], T],
    *,
    name: str,
    passing: tuple[type[LobsterError], ...] = (ContentError,),
) -> Iterator[T]:
    """What ``make`` makes of each manifest of a version at a remote; one with which it fails in one of the ways
    ``passing`` is passed over. When there are no more, raises the first of these errors, or why there is no manifest.
    """
    problem: LobsterError | None = None
    pointer = dataset.pointer
    try:
        for _, manifest in manifests(room, pointer.digest, name=dataset.path, is_directory=pointer.is_directory):
            try:
                made = make(manifest)
            except passing as error:
                problem = problem or error
                continue
            yield made
    except (MissingContent, CorruptContent) as error:
        problem = problem or explained(room, name, pointer.digest, error)
    if problem is not None:
        raise problem


def given(
    project: Project,
    name: str | None,
    ask: Callable[[RemoteConfig, Remote], Iterator[T]],
    *,
    missing: MissingContent,
    observer: Observer,
) -> Iterator[T]:
    """What ``ask`` gives at the named remote, or at all that ``sources`` tells, each asked when those before it have no
    more. ``missing`` is the error of one of several to which nothing was pushed yet.

    Raises only when none gave anything: the first one's error, a MissingContent with every place that was asked. What a
    first one that could not be asked has is not known, so its RemoteError goes before a MissingContent. Others that
    could not be asked are warned of. An error that no other remote would mend is raised at once.
    """
    order = sources(project, name)
    asked: list[str] = []
    problem: LobsterError | None = None
    refused: dict[str, RemoteError] = {}
    warned: set[str] = set()
    is_given = False

    def warn() -> None:
        for refusing in refused.keys() - warned:
            observer(Warned(f"remote {refusing} was passed over: {refused[refusing]}"))
            warned.add(refusing)

    for config in order:
        try:
            for found in ask(config, connect(project, config)):
                warn()
                is_given = True
                yield found
        except NotARemote as error:
            if not error.is_empty or len(order) == 1:
                refused[config.name] = error
                continue
            problem = problem or replace(missing, where=error.url)
        except _ELSEWHERE as error:
            problem = problem or error
        except RemoteError as error:
            refused[config.name] = error
            continue
        asked.append(project.store(config).url)
    if is_given:
        return
    first = refused.get(order[0].name)
    if first is not None and (problem is None or isinstance(problem, MissingContent)):
        raise first
    warn()
    if isinstance(problem, MissingContent) and len(asked) > 1:
        raise replace(problem, where=", ".join(asked))
    raise problem or next(iter(refused.values()), missing)
