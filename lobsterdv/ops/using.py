"""uses_cache: what every verb does first that relies on the cache."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar, cast

from lobsterdv.blobs.tenants import in_use, register
from lobsterdv.errors import LobsterError
from lobsterdv.events import Observer
from lobsterdv.ops.context import Project

P = ParamSpec("P")
R = TypeVar("R")


def uses_cache(verb: Callable[Concatenate[Project, P], R]) -> Callable[Concatenate[Project, P], R]:
    """Register the project in its cache, and let nothing be collected there while ``verb`` runs. Verbs may call
    verbs. A cache that cannot be written to is used all the same: nobody can collect there either. Raises Busy when a
    collection does not end, or is halted."""

    @functools.wraps(verb)
    def running(project: Project, /, *args: P.args, **options: P.kwargs) -> R:
        cache = project.cache.folder
        observer = options.get("observer")
        with in_use(cache, observer=cast(Observer, observer) if callable(observer) else project.observer):
            try:
                register(cache, project.git.common_dir, project.config.text("project") or "")
            except (LobsterError, OSError):
                pass  # read-only or full: the verb says so where it matters
            return verb(project, *args, **options)

    return running
