"""What happened, for formats that have a word for it: recorded runs, and else what pointers say of a making."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lobsterdv.digest import digest_of
from lobsterdv.index.graph import Key
from lobsterdv.ops.lineage import LineageReport


@dataclass(frozen=True)
class Activity:
    """``name`` is a run record's digest, or is made of what the pointer says; times are UTC, None where no record is
    known."""

    name: str
    label: str
    made: tuple[Key, ...]
    used: tuple[Key, ...]
    command: str | None
    script: str | None
    params: Mapping[str, Any]
    started: str | None = None
    ended: str | None = None
    commit: str | None = None
    by: str | None = None
    host: str | None = None


def activities(report: LineageReport) -> list[Activity]:
    """One for each run record that made one of the versions, and one for each making that no record is known of. Two
    versions that one command made from the same inputs were made at once."""
    runs = {version.key: version.runs for version in report.versions}
    used: dict[Key, dict[Key, None]] = {}
    said: dict[Key, tuple[str | None, str | None, str | None, Mapping[str, Any]]] = {}
    for link in report.links:
        used.setdefault(link.made, {})[link.used] = None
        said[link.made] = link.activity, link.command, link.script, link.params
    found: dict[str, Activity] = {}
    for made, inputs in used.items():
        activity, command, script, params = said[made]
        for run in runs.get(made, []):
            facts = run.facts
            row = Activity(
                run.name, facts["activity"], (made,), tuple(inputs), facts["command"], facts["script"],
                facts["params"], facts["started"], facts["ended"], facts["commit_oid"], facts["by"] or None,
                facts["host"],
            )  # fmt: skip
            found[run.name] = _joined(found.get(run.name), row)
        if not runs.get(made):
            text = repr((activity, command, script, sorted(params.items()), sorted(inputs)))
            name = f"said-{digest_of(text.encode()).hex()[:32]}"
            row = Activity(name, activity or "made", (made,), tuple(inputs), command, script, params)
            found[name] = _joined(found.get(name), row)
    return list(found.values())


def _joined(old: Activity | None, new: Activity) -> Activity:
    if old is None:
        return new
    made, used = dict.fromkeys((*old.made, *new.made)), dict.fromkeys((*old.used, *new.used))
    return Activity(**{**old.__dict__, "made": tuple(made), "used": tuple(used)})
