"""If these fail, what other tools read of our lineage is wrong, or a page runs what was said in data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.exports import EXPORTS
from lobsterdv.exports.layers import layered
from lobsterdv.exports.page import page
from lobsterdv.index.graph import Key, Link, Ran
from lobsterdv.ops.lineage import LineageReport
from lobsterdv.ops.staleness import Reason
from lobsterdv.ops.tracing import VersionFacts

HOSTILE = '</script><script>alert(1)</script> "quoted" \\ @TITLE@ @DATA@ ü\n--> end'


def version(dataset: str, digit: str, **facts: Any) -> VersionFacts:
    known: dict[str, Any] = {
        "kind": "file", "size": 10, "files": None, "message": None, "summary": {}, "commit": "c" * 40,
        "at": "2026-05-01T10:00:00Z", "author": "Ada <ada@lab>", "subject": "work", "is_current": True, "stale": [],
        "is_here": True, "is_pushed": True,
    }  # fmt: skip
    return VersionFacts(dataset, "blake3:" + digit * 64, **{**known, **facts})


@pytest.fixture
def report() -> LineageReport:
    """raw and plates -> qc, by a recorded run; qc -> norm, of which only the pointer tells."""
    run = Ran("blake3:" + "f" * 64, {
        "activity": "qc", "command": "python qc.py", "script": "git:abc", "params": {"min": 3},
        "started": "2026-05-01T09:00:00Z", "ended": "2026-05-01T09:01:00Z", "exit_code": 0, "commit_oid": "c" * 40,
        "dirty": True, "by": "Ada <ada@lab>", "host": "lab-1", "environment": {"python": "3.12"},
    })  # fmt: skip
    versions = [
        version("norm data.h5ad", "1", message=HOSTILE, stale=[Reason("upstream", "qc")]),
        version("qc", "2", runs=[run], stale=[Reason("input", "raw", "blake3:aa", "blake3:bb")]),
        version("raw", "3", is_current=False, is_here=False),
        version("plates/ä", "4", files=3),
        version("never", "5", size=None, kind=None, commit=None, at=None, author=None, subject=None, is_current=False,
                is_here=False, is_pushed=None),
    ]  # fmt: skip
    norm, qc, raw, plates, never = (v.key for v in versions)

    def link(made: Key, used: Key, activity: str | None) -> Link:
        command = "python qc.py" if activity == "qc" else None
        return Link(made, used, used.dataset, activity, command, None, "git:abc", Link.params_of({"min": 3}))

    links = [link(norm, qc, HOSTILE), link(norm, never, HOSTILE), link(qc, raw, "qc"), link(qc, plates, "qc")]
    return LineageReport([norm], "up", versions, links)


def test_prov_is_read_by_the_prov_package(report: LineageReport) -> None:
    from prov.model import ProvDerivation, ProvDocument, ProvGeneration, ProvUsage

    document = ProvDocument.deserialize(content=EXPORTS["prov"](report), format="json")
    kinds = {kind: len(list(document.get_records(kind))) for kind in (ProvDerivation, ProvGeneration, ProvUsage)}
    assert kinds == {ProvDerivation: 4, ProvGeneration: 2, ProvUsage: 4}
    qc = next(iter(document.get_record("ldv:version/qc@" + "2" * 64)))
    assert qc.label == "qc"
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert again == document
    times = [str(record.get_startTime()) for record in document.get_records() if hasattr(record, "get_startTime")]
    assert any(time.startswith("2026-05-01 09:00") for time in times)


def test_a_crate_is_read_by_rocrate(report: LineageReport, tmp_path: Path) -> None:
    from rocrate.rocrate import ROCrate

    text = EXPORTS["ro-crate"](report)
    (tmp_path / "ro-crate-metadata.json").write_text(text)
    for name in ("norm data.h5ad", "qc"):
        (tmp_path / name).write_bytes(b"0123456789")
    (tmp_path / "plates" / "ä").mkdir(parents=True)
    crate = ROCrate(tmp_path)
    assert {entity.id for entity in crate.data_entities} == {"norm%20data.h5ad", "qc", "plates/%C3%A4/"}
    action = next(e for e in crate.contextual_entities if e.type == "CreateAction" and e["name"] == "qc")
    assert [made.id for made in action["result"]] == ["qc"] or action["result"].id == "qc"
    assert action["agent"]["name"] == "Ada <ada@lab>" and action["startTime"] == "2026-05-01T09:00:00Z"
    graph = {item["@id"]: item for item in json.loads(text)["@graph"]}
    root = graph["./"]
    assert all(root.get(key) for key in ("name", "description", "datePublished", "license", "hasPart"))
    named = {ref["@id"] for item in graph.values() for ref in refs(item)}
    assert named <= {*graph, "https://w3id.org/ro/crate/1.1"}, "every reference is described"


def refs(item: Any) -> list[dict[str, str]]:
    if isinstance(item, dict):
        own = [item] if set(item) == {"@id"} else []
        return own + [ref for value in item.values() for ref in refs(value)]
    return [ref for value in item for ref in refs(value)] if isinstance(item, list) else []


def test_json_is_read_by_networkx(report: LineageReport) -> None:
    import networkx

    graph = networkx.node_link_graph(json.loads(EXPORTS["json"](report)), edges="links")
    assert graph.number_of_nodes() == 5 and graph.number_of_edges() == 4
    assert graph.nodes["qc@blake3:" + "2" * 64]["state"] == "stale"


def test_drawings_hold_every_node_and_edge_and_nothing_breaks_out(report: LineageReport) -> None:
    dot, mermaid = EXPORTS["dot"](report), EXPORTS["mermaid"](report)
    assert len(re.findall(r"^  v\d+ \[label=", dot, re.MULTILINE)) == 5
    assert len(re.findall(r"^  v\d+ -> v\d+", dot, re.MULTILINE)) == 4
    assert all(line.endswith((";", "{", "}")) for line in dot.splitlines())
    assert len(re.findall(r"^  v\d+\[", mermaid, re.MULTILINE)) == 5
    assert len(re.findall(r"^  v\d+ (?:-->|-- \".*\" -->) v\d+$", mermaid, re.MULTILINE)) == 4
    assert all(line.startswith(("flowchart", "  v", "  class")) for line in mermaid.splitlines())


def test_a_page_holds_its_data_and_runs_none_of_it(report: LineageReport) -> None:
    text = page(report, title="a <b> & c")
    assert text.count("</script>") == 2 and "<title>a &lt;b&gt; &amp; c</title>" in text
    data = json.loads(re.search(r'<script id="lineage"[^>]*>(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert data["nodes"][0]["message"] == HOSTILE
    assert [node["where"] for node in data["nodes"]] == ["both", "both", "remote", "both", "missing"]
    norm, qc, raw, plates, never = (node["id"] for node in data["nodes"])
    assert [(run["used"], run["made"], len(run["records"])) for run in data["runs"]] == [
        ([qc, never], [norm], 0), ([raw, plates], [qc], 1),
    ]  # fmt: skip
    assert data["runs"][1]["records"][0] == {
        "at": "2026-05-01 09:00 UTC", "took": "1 min 0 s", "by": "Ada <ada@lab>", "host": "lab-1",
        "code": "cccccccccc with changes", "environment": "python 3.12",
    }  # fmt: skip
    drawn = {(node["x"], node["y"]) for node in [*data["nodes"], *data["runs"]]}
    assert len(drawn) == 7 and len(data["edges"]) == 6
    assert not re.search(r"(?:src|href)\s*=|@import|url\(", text[: text.index("<script")]), "asks no network"


def test_layers_go_from_left_to_right() -> None:
    edges = [(0, 1), (1, 2), (0, 2), (3, 2), (4, 4)]
    places = layered(5, edges)
    assert all(places[left][0] < places[right][0] for left, right in edges if left != right)
    assert len(set(places)) == 5, "nothing lies on another"
    assert layered(0, []) == []
    circle = layered(3, [(0, 1), (1, 2), (2, 0)])
    assert len(set(circle)) == 3


def test_what_two_outputs_of_one_run_share_is_drawn_once(report: LineageReport) -> None:
    link = report.links[2]
    twin = version("twin", "6")
    report.versions.append(twin)
    report.links += [other._replace(made=twin.key) for other in report.links[2:4]]
    data = json.loads(re.search(r'id="lineage"[^>]*>(.*?)</script>', page(report), re.DOTALL)[1])  # type: ignore[index]
    assert [run["made"] for run in data["runs"] if run["activity"] == "qc"] == [
        [f"{key.dataset}@{key.digest}" for key in (link.made, twin.key)]
    ]


def test_what_was_made_from_nothing_is_drawn_beside_its_first_use() -> None:
    places = layered(5, [(0, 1), (1, 2), (2, 3), (4, 3)])
    assert places[4][0] == places[2][0]


def test_a_thousand_nodes_are_laid_out_quickly() -> None:
    import time

    edges = [((n * 7919) % n, n) for n in range(1, 1000)] + [(n - 1, n) for n in range(1, 1000, 3)]
    began = time.thread_time()
    places = layered(1000, edges)
    assert time.thread_time() - began < 2 and len(set(places)) == 1000


def test_the_page_script_is_built_from_its_source() -> None:
    """A word of each: ours, and the version of cytoscape that its lock file names."""
    root = Path(__file__).parents[2]
    bundle = (root / "lobsterdv" / "exports" / "assets" / "page.js").read_text()
    lock = json.loads((root / "web" / "package-lock.json").read_text())
    assert lock["packages"]["node_modules/cytoscape"]["version"] in bundle
    for word in re.findall(r'getElementById\("(\w+)"\)', (root / "web" / "src" / "page.js").read_text()):
        assert (
            f'getElementById("{word}")' in bundle
            and f'id="{word}"' in (root / "lobsterdv" / "exports" / "assets" / "page.html").read_text()
        )
