"""RO-Crate 1.1 (https://w3id.org/ro/crate/1.1): the text of ``ro-crate-metadata.json`` for the root of the project.

Versions that the work tree's pointers name are the crate's data; older ones are named beside them. Runs are
CreateActions, as the crate's section on provenance has them.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from lobsterdv.exports.activities import Activity, activities
from lobsterdv.index.graph import Key
from lobsterdv.ops.lineage import LineageReport
from lobsterdv.ops.tracing import VersionFacts

CRATE: Final = "https://w3id.org/ro/crate/1.1"
_UNKNOWN_DATE: Final = "1970-01-01T00:00:00Z"


def ro_crate(report: LineageReport) -> str:
    """One JSON-LD document. Times and names come from git; a licence is not known here, and said to be so."""
    names = {version.key: _name(version) for version in report.versions}
    found = activities(report)
    dates = [version.at for version in report.versions if version.at]
    asked = ", ".join(key.dataset for key in report.asked)
    parts = [_ref(names[version.key]) for version in report.versions if version.is_current]
    graph: list[dict[str, Any]] = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "conformsTo": _ref(CRATE), "about": _ref("./")},
        {"@id": "./", "@type": "Dataset", "name": asked, "description": f"What {asked} was made from, and how",
         "datePublished": max(dates, default=_UNKNOWN_DATE), "license": "not stated",
         "hasPart": parts, "mentions": [_ref(_action(row)) for row in found]
         + [_ref(names[version.key]) for version in report.versions if not version.is_current]},
    ]  # fmt: skip
    graph += [_version(version, names) for version in report.versions]
    for row in found:
        graph += _run(row, names)
    people = dict.fromkeys(row.by for row in found if row.by)
    graph += [{"@id": _person(person), "@type": "Person", "name": person} for person in people]
    unique = {item["@id"]: item for item in graph}
    document = {"@context": f"{CRATE}/context", "@graph": list(unique.values())}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _version(version: VersionFacts, names: dict[Key, str]) -> dict[str, Any]:
    kind = "Dataset" if version.files is not None else "File"
    facts = {
        "@id": names[version.key],
        "@type": kind if version.is_current else "CreativeWork",
        "name": version.dataset,
        "description": version.message,
        "version": version.digest,
        "identifier": version.digest,
        "contentSize": str(version.size) if version.size is not None and kind == "File" else None,
        "dateModified": version.at,
        "encodingFormat": version.kind if kind == "File" and version.is_current else None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _run(row: Activity, names: dict[Key, str]) -> list[dict[str, Any]]:
    action = {
        "@id": _action(row),
        "@type": "CreateAction",
        "name": row.label,
        "description": row.command,
        "startTime": row.started,
        "endTime": row.ended,
        "agent": _ref(_person(row.by)) if row.by else None,
        "instrument": _ref(_code(row)) if row.script or row.command else None,
        "object": [_ref(names[key]) for key in row.used],
        "result": [_ref(names[key]) for key in row.made],
    }
    found = [{key: value for key, value in action.items() if value is not None}]
    if row.script or row.command:
        code = {"@id": _code(row), "@type": "SoftwareSourceCode", "name": row.command or row.label,
                "version": row.script or row.commit}  # fmt: skip
        found.append({key: value for key, value in code.items() if value is not None})
    return found


def _name(version: VersionFacts) -> str:
    if version.is_current:
        return quote(version.dataset) + ("/" if version.files is not None else "")
    return f"#{quote(version.dataset)}@{version.digest.removeprefix('blake3:')}"


def _action(row: Activity) -> str:
    return f"#run-{quote(row.name, safe='')}"


def _code(row: Activity) -> str:
    return f"#code-{quote(row.script or row.command or '', safe='')}"


def _person(person: str | None) -> str:
    return f"#person-{quote(person or '', safe='')}"


def _ref(name: str) -> dict[str, str]:
    return {"@id": name}
