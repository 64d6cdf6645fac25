"""W3C PROV-JSON (https://www.w3.org/submissions/prov-json/): versions are entities, what made them activities, and
who ran them agents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lobsterdv.exports.activities import Activity, activities
from lobsterdv.index.graph import Key
from lobsterdv.ops.lineage import LineageReport

PREFIXES = {"ldv": "urn:lobsterdv:", "schema": "https://schema.org/"}


def prov_json(report: LineageReport) -> str:
    """One document. Names are ``ldv:version/PATH@DIGEST``, ``ldv:run/...`` and ``ldv:person/...``, percent-encoded."""
    found = activities(report)
    entities = {}
    for version in report.versions:
        facts = {"prov:label": version.dataset, "ldv:digest": version.digest, "ldv:message": version.message,
                 "ldv:commit": version.commit, "schema:contentSize": version.size, "ldv:kind": version.kind,
                 "prov:type": "prov:Collection" if version.files is not None else None}  # fmt: skip
        entities[entity(version.key)] = _said(facts)
    people = {agent(row.by): {"prov:type": _name("prov:Person"), "prov:label": row.by} for row in found if row.by}
    document: dict[str, Any] = {
        "prefix": PREFIXES,
        "entity": entities,
        "activity": {name_of(row): _activity(row) for row in found},
        "agent": people,
        "used": _numbered("u", [
            {"prov:activity": name_of(row), "prov:entity": entity(key)} for row in found for key in row.used
        ]),
        "wasGeneratedBy": _numbered("g", [
            {"prov:entity": entity(key), "prov:activity": name_of(row)} for row in found for key in row.made
        ]),
        "wasDerivedFrom": _numbered("d", [
            {"prov:generatedEntity": entity(made), "prov:usedEntity": entity(used)}
            for made, used in dict.fromkeys((link.made, link.used) for link in report.links)
        ]),
        "wasAssociatedWith": _numbered("a", [
            {"prov:activity": name_of(row), "prov:agent": agent(row.by)} for row in found if row.by
        ]),
    }  # fmt: skip
    return json.dumps({key: value for key, value in document.items() if value}, indent=2, ensure_ascii=False) + "\n"


def entity(key: Key) -> str:
    """A version's qualified name."""
    return f"ldv:version/{quote(key.dataset)}@{key.digest.removeprefix('blake3:')}"


def agent(person: str) -> str:
    """A person's, who is a name and an address as git writes them."""
    return f"ldv:person/{quote(person, safe='')}"


def name_of(row: Activity) -> str:
    """An activity's."""
    return f"ldv:run/{quote(row.name, safe='')}"


def _activity(row: Activity) -> dict[str, Any]:
    facts = {"prov:label": row.label, "prov:startTime": row.started, "prov:endTime": row.ended,
             "ldv:command": row.command, "ldv:script": row.script, "ldv:commit": row.commit, "ldv:host": row.host,
             "ldv:params": json.dumps(row.params, sort_keys=True) if row.params else None}  # fmt: skip
    return _said(facts)


def _said(facts: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in facts.items() if value is not None}
    return {key: _name(value) if value == "prov:Collection" else value for key, value in known.items()}


def _name(text: str) -> dict[str, str]:
    return {"$": text, "type": "prov:QUALIFIED_NAME"}


def _numbered(letter: str, rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {f"_:{letter}{number}": row for number, row in enumerate(rows, start=1)}
