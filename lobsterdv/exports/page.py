"""The lineage page: one HTML file with everything in it, that opens from a disk and asks no network.

Its script is built from ``web/`` with cytoscape (``make page``); positions are computed here, so that it draws at once.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any

from lobsterdv.exports.drawings import state
from lobsterdv.exports.layers import layered
from lobsterdv.exports.plain import name_of
from lobsterdv.index.graph import Key, Ran
from lobsterdv.ops.lineage import LineageReport
from lobsterdv.ops.staleness import Reason
from lobsterdv.ops.tracing import VersionFacts
from lobsterdv.units import duration, shape, size

_SHORT = 12


def page(report: LineageReport, *, title: str | None = None) -> str:
    """The page's text. What was said in data cannot leave its place in it, nor run."""
    asked = set(report.asked)
    nodes = [_node(version, version.key in asked and len(asked) == 1) for version in report.versions]
    makings = _makings(report)
    numbers = {node["id"]: number for number, node in enumerate([*nodes, *makings])}
    edges = [(used, making["id"]) for making in makings for used in making["used"]]
    edges += [(making["id"], made) for making in makings for made in making["made"]]
    places = layered(len(numbers), [(numbers[left], numbers[right]) for left, right in edges])
    for node, (x, y) in zip([*nodes, *makings], places, strict=True):
        node["x"], node["y"] = x, y
    data = json.dumps({"nodes": nodes, "runs": makings, "edges": edges}, ensure_ascii=False)
    assets = files("lobsterdv.exports") / "assets"
    named = title or "Lineage of " + ", ".join(key.dataset for key in report.asked)
    parts = {
        "@TITLE@": html.escape(named),
        "@COUNT@": f"{len(nodes):,}",
        "@SCRIPT@": (assets / "page.js").read_text(encoding="utf-8").replace("</script", "<\\/script"),
        "@DATA@": data.replace("<", "\\u003c"),
    }
    text = (assets / "page.html").read_text(encoding="utf-8")
    return "".join(parts.get(piece, piece) for piece in _pieces(text, list(parts)))


def _node(version: VersionFacts, is_asked: bool) -> dict[str, Any]:
    short = version.digest.removeprefix("blake3:")[:_SHORT]
    commit = f"{version.commit[:10]} {version.subject or ''}" if version.commit else None
    committed = f"{_minute(version.at or '')} by {version.author}" if version.commit else "not yet"
    said = [version.dataset, version.digest, version.message, version.subject, json.dumps(version.summary)]
    return {
        "id": name_of(version.key), "name": version.dataset, "short": short, "digest": version.digest,
        "state": state(version), "stale": [_why(reason) for reason in version.stale], "where": _where(version),
        "asked": is_asked, "size": size(version.size) if version.size is not None else None,
        "shape": shape(version.summary), "message": version.message, "commit": commit, "committed": committed,
        "summary": dict(version.summary), "text": _sought(said),
    }  # fmt: skip


def _makings(report: LineageReport) -> list[dict[str, Any]]:
    """What made what: versions that one command made from the same inputs were made at once. Each with its records."""
    used: dict[Key, dict[Key, None]] = {}
    said: dict[Key, tuple[str | None, str | None, str | None, str | None, Mapping[str, Any]]] = {}
    for link in report.links:
        used.setdefault(link.made, {})[link.used] = None
        said[link.made] = link.activity, link.command, link.folder, link.script, link.params
    runs = {version.key: version.runs for version in report.versions}
    found: dict[str, dict[str, Any]] = {}
    for made, inputs in used.items():
        activity, command, folder, script, params = said[made]
        records = {run.name: run for run in runs.get(made, ())}
        key = repr((activity, command, folder, script, sorted(params.items(), key=repr), sorted(inputs)))
        if key not in found:
            found[key] = {
                "id": f"run-{len(found)}", "activity": activity or "made", "command": command, "folder": folder,
                "script": script, "params": dict(params), "used": [name_of(k) for k in inputs], "made": [],
                "records": {}, "text": _sought([activity, command, script, json.dumps(dict(params), default=str)]),
            }  # fmt: skip
        found[key]["made"].append(name_of(made))
        found[key]["records"] |= {name: _record(run) for name, run in records.items()}
    return [{**making, "records": list(making["records"].values())} for making in found.values()]


def _record(run: Ran) -> dict[str, Any]:
    facts = run.facts
    code = f"{str(facts['commit_oid'])[:10]}{' with changes' if facts['dirty'] else ''}"
    return {
        "at": _minute(str(facts["started"])), "took": _took(str(facts["started"]), str(facts["ended"])),
        "by": facts["by"], "host": facts["host"], "code": code if facts["commit_oid"] else None,
        "environment": ", ".join(f"{name} {value}" for name, value in facts["environment"].items()),
    }  # fmt: skip


def _took(started: str, ended: str) -> str | None:
    try:
        return duration((datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds())
    except ValueError:
        return None


def _minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"


def _sought(texts: list[str | None]) -> str:
    return " ".join(text for text in texts if text).lower()


def _where(version: VersionFacts) -> str:
    if version.is_here:
        return "both" if version.is_pushed else "local" if version.is_pushed is False else "here"
    return "remote" if version.is_pushed else "missing"


def _why(reason: Reason) -> str:
    said = {"input": "has a newer version", "removed": "is tracked no more", "code": "changed", "upstream": "is stale"}
    return f"{reason.path} {said[reason.why]}"


def _pieces(text: str, marks: list[str]) -> list[str]:
    """The text cut at every mark, marks included."""
    pieces = [text]
    for mark in marks:
        pieces = [part for piece in pieces for part in _cut(piece, mark)]
    return pieces


def _cut(text: str, mark: str) -> list[str]:
    first, *rest = text.split(mark)
    return [first] + [part for piece in rest for part in (mark, piece)]
