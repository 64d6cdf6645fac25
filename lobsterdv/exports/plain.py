"""Lineage as JSON: nodes and links, as networkx and D3 read them."""

from __future__ import annotations

import json
from dataclasses import asdict

from lobsterdv.exports.drawings import state
from lobsterdv.index.graph import Key
from lobsterdv.ops.lineage import LineageReport


def node_link(report: LineageReport) -> str:
    """One document: ``nodes`` with an ``id`` (``PATH@DIGEST``), a ``state`` and their facts; ``links`` from ``source``,
    which was used, to ``target``, which was made."""
    nodes = []
    for version in report.versions:
        facts = asdict(version)
        facts["runs"] = [{"name": run.name, **run.facts} for run in version.runs]
        nodes.append({"id": name_of(version.key), "state": state(version), **facts})
    links = [
        {"source": name_of(link.used), "target": name_of(link.made), "path": link.path, "activity": link.activity,
         "command": link.command, "folder": link.folder, "script": link.script, "params": dict(link.params)}
        for link in report.links
    ]  # fmt: skip
    document = {
        "directed": True,
        "multigraph": True,
        "graph": {"asked": [name_of(key) for key in report.asked]},
        "nodes": nodes,
        "links": links,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def name_of(key: Key) -> str:
    """A version in one word."""
    return f"{key.dataset}@{key.digest}"
