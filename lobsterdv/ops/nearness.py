"""In which order remotes are asked: by their priority, or the nearest first, by how long each takes to answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from lobsterdv import workers
from lobsterdv.errors import KeyMissing, LobsterError
from lobsterdv.formats.config import Remote
from lobsterdv.formats.layout import MARKER
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.index.latencies import load_latencies, save_latency
from lobsterdv.ops.context import Project

REMEMBERED_S = 24 * 3600.0
_ASKED = 3  # times, after one that opens the connection
_AT_ONCE = 8


def sources(project: Project, name: str | None) -> list[Remote]:
    """The remotes to ask, first to last: the named one alone; else the project's and all others but the embedded one,
    as ``fallback`` says. Measures, for ``nearest``, what was not measured for a day."""
    first = project.remote(name)
    order = project.config.text("fallback")
    if name is not None or order == "off":
        return [first]
    others = [remote for remote in project.config.remotes.values() if remote.name not in (EMBEDDED, first.name)]
    candidates = sorted([first, *others], key=lambda r: (r.number("priority"), r is not first, r.name))
    if order == "nearest" and len(candidates) > 1:
        told = latencies(project, candidates, within=REMEMBERED_S)
        candidates.sort(key=lambda remote: told[remote.name])  # stable: by priority among equals
    return candidates


def latencies(project: Project, remotes: Sequence[Remote], *, within: float = 0.0) -> dict[str, float]:
    """Seconds from asking for a small value's head to the answer, the median of three, by remote; infinity for one that
    does not answer. Measurements of the last ``within`` seconds are believed; new ones are remembered."""
    now = project.now()
    known = load_latencies(project.index) if within else {}

    def measure(remote: Remote) -> float:
        seconds, at = known.get(remote.place, (0.0, -math.inf))
        if 0 <= now - at < within:
            return seconds
        found = _measured(project, remote)
        save_latency(project.index, remote.place, found, now)
        return found

    found = workers.each(measure, remotes, jobs=_AT_ONCE)
    return {remote.name: seconds for remote, seconds in zip(remotes, found, strict=True)}


def _measured(project: Project, remote: Remote) -> float:
    took = []
    for _ in range(1 + _ASKED):
        began = project.now()
        try:
            project.store(remote).head(MARKER)
        except KeyMissing:
            pass  # an answer all the same
        except LobsterError:
            return math.inf
        took.append(max(0.0, project.now() - began))
    return median(took[1:])
