"""The lineage page: one HTML file with everything in it, that opens from a disk and asks no network.

Its script is built from ``web/`` with cytoscape (``make page``); positions are computed here, so that it draws at once.
"""

from __future__ import annotations

import html
import json
from importlib.resources import files
from typing import Any

from lobsterdv.exports.drawings import state
from lobsterdv.exports.layers import layered
from lobsterdv.exports.plain import name_of
from lobsterdv.ops.lineage import LineageReport
from lobsterdv.ops.staleness import Reason
from lobsterdv.ops.tracing import VersionFacts
from lobsterdv.units import size


def page(report: LineageReport, *, title: str | None = None) -> str:
    """The page's text. What was said in data cannot leave its place in it, nor run."""
    numbers = {version.key: number for number, version in enumerate(report.versions)}
    places = layered(len(numbers), [(numbers[link.used], numbers[link.made]) for link in report.links])
    asked = set(report.asked)
    nodes = [
        _node(version, place, version.key in asked and len(asked) == 1)
        for version, place in zip(report.versions, places, strict=True)
    ]
    links = [
        {"source": name_of(link.used), "target": name_of(link.made), "activity": link.activity,
         "command": link.command, "script": link.script, "params": dict(link.params)}
        for link in report.links
    ]  # fmt: skip
    data = json.dumps({"nodes": nodes, "links": links}, ensure_ascii=False).replace("<", "\\u003c")
    assets = files("lobsterdv.exports") / "assets"
    named = title or "Lineage of " + ", ".join(key.dataset for key in report.asked)
    parts = {
        "@TITLE@": html.escape(named),
        "@COUNT@": f"{len(nodes):,}",
        "@SCRIPT@": (assets / "page.js").read_text(encoding="utf-8").replace("</script", "<\\/script"),
        "@DATA@": data,
    }
    text = (assets / "page.html").read_text(encoding="utf-8")
    made = []
    for piece in _pieces(text, list(parts)):
        made.append(parts.get(piece, piece))
    return "".join(made)


def _node(version: VersionFacts, place: tuple[float, float], is_asked: bool) -> dict[str, Any]:
    where = _where(version)
    short = version.digest.removeprefix("blake3:")[:12]
    commit = f"{version.commit[:10]} {version.subject or ''}" if version.commit else None
    committed = f"{(version.at or '')[:16].replace('T', ' ')} UTC by {version.author}" if version.commit else "not yet"
    runs = [
        f"{run.facts['started']} on {run.facts['host']}, code {str(run.facts['commit_oid'])[:10]}"
        + (" with changes" if run.facts["dirty"] else "")
        for run in version.runs
    ]
    said = [version.dataset, version.digest, version.message, version.subject, json.dumps(version.summary)]
    return {
        "id": name_of(version.key), "name": version.dataset, "short": short, "digest": version.digest,
        "state": state(version), "stale": "; ".join(map(_why, version.stale)) or None, "where": where,
        "missing": where == "missing", "asked": is_asked,
        "size": size(version.size) if version.size is not None else None,
        "message": version.message, "commit": commit, "committed": committed, "summary": dict(version.summary),
        "runs": runs, "x": place[0], "y": place[1], "text": " ".join(text for text in said if text).lower(),
    }  # fmt: skip


def _where(version: VersionFacts) -> str:
    if version.is_here:
        return "local" if version.is_pushed is False else "both"
    return "remote" if version.is_pushed else "missing"


def _why(reason: Reason) -> str:
    said = {"input": "has a newer version", "removed": "is tracked no more", "code": "changed", "upstream": "is stale"}
    return f"stale: {reason.path} {said[reason.why]}"


def _pieces(text: str, marks: list[str]) -> list[str]:
    """The text cut at every mark, marks included."""
    pieces = [text]
    for mark in marks:
        pieces = [part for piece in pieces for part in _cut(piece, mark)]
    return pieces


def _cut(text: str, mark: str) -> list[str]:
    first, *rest = text.split(mark)
    return [first] + [part for piece in rest for part in (mark, piece)]
