"""dot for Graphviz, and mermaid, which GitHub and GitLab draw in Markdown."""

from __future__ import annotations

import json

from lobsterdv.index.graph import Key
from lobsterdv.ops.lineage import LineageReport
from lobsterdv.ops.tracing import VersionFacts


def dot(report: LineageReport) -> str:
    """A directed graph from what was used to what was made, boxes by state, edges by activity."""
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    names = _names(report)
    for version in report.versions:
        style = {"stale": ', style=filled, fillcolor="#fde68a"', "old": ', color="#9ca3af"'}.get(state(version), "")
        lines.append(f"  {names[version.key]} [label={_quoted(_label(version))}{style}];")
    for link in report.links:
        label = f" [label={_quoted(link.activity)}]" if link.activity else ""
        lines.append(f"  {names[link.used]} -> {names[link.made]}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(report: LineageReport) -> str:
    """The same as a mermaid flowchart."""
    lines = ["flowchart LR"]
    names = _names(report)
    for version in report.versions:
        label = "<br/>".join(_plain(line) for line in _label(version).splitlines())
        lines.append(f'  {names[version.key]}["{label}"]')
    for link in report.links:
        arrow = f'-- "{_plain(link.activity)}" -->' if link.activity else "-->"
        lines.append(f"  {names[link.used]} {arrow} {names[link.made]}")
    stale = [names[v.key] for v in report.versions if state(v) == "stale"]
    if stale:
        lines += ["  classDef stale fill:#fde68a", f"  class {','.join(stale)} stale"]
    return "\n".join(lines) + "\n"


def state(version: VersionFacts) -> str:
    """``stale``, ``current``, ``old`` (another version is the work tree's) or ``unknown`` (only named as an input)."""
    if version.is_current:
        return "stale" if version.stale else "current"
    return "unknown" if version.size is None else "old"


def _names(report: LineageReport) -> dict[Key, str]:
    return {version.key: f"v{number}" for number, version in enumerate(report.versions)}


def _label(version: VersionFacts) -> str:
    lines = [version.dataset, version.digest.removeprefix("blake3:")[:12]]
    if version.message:
        lines.append(version.message)
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that mermaid shows as it is, in one line."""
    codes = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "\\": "#92;"}
    return "".join(codes.get(character, character) for character in " ".join(text.split()))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
