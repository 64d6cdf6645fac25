"""If these fail, a lab is told the wrong origin of its data, or trusts what is out of date."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.errors import NotTracked, Refused, UnknownRevision, UsageError
from lobsterdv.index.graph import Key, links
from lobsterdv.index.lineage import Lineage
from lobsterdv.ops.datasets import pointers
from lobsterdv.ops.lineage import impact, lineage
from lobsterdv.ops.lineage_index import lineage_of, rebuild, up_to_date
from lobsterdv.ops.log import log
from lobsterdv.ops.names import commit_of, revision, split_name
from lobsterdv.ops.reproduce import reproduce
from lobsterdv.ops.revert import revert
from lobsterdv.ops.run import RunReport, run
from lobsterdv.ops.search import search
from lobsterdv.ops.show import show
from lobsterdv.ops.stale import stale
from lobsterdv.ops.tag import tag
from tests.ops.lab import Lab

COPY = """
import sys
source, target, *rest = sys.argv[1:]
open(target, "w").write(open(source).read().strip() + (rest[0] if rest else "") + "\\n")
"""


def step(lab: Lab, source: str, target: str, suffix: str = "", **options: Any) -> RunReport:
    words = [sys.executable, "copy.py", source, target, *([suffix] if suffix else [])]
    report = run(
        lab.project, words, inputs=[source], outputs=[target], name=f"to-{target}", environment=os.environ,
        observer=lab.observe, **options,
    )  # fmt: skip
    assert not report.failures and not report.exit_code
    lab.commit(f"made {target}")
    return report


def again(lab: Lab, *paths: str, **options: Any) -> list[tuple[str, str]]:
    report = reproduce(lab.project, paths, environment=os.environ, observer=lab.observe, **options)
    assert not report.failures
    return [(row.activity, row.fate) for row in report.steps]


@pytest.fixture
def chain(lab: Lab) -> Lab:
    """raw -> qc -> norm, and raw -> other."""
    lab.path("copy.py").write_text(COPY)
    lab.write("raw", "1\n")
    lab.add("raw", message="raw counts")
    lab.git("add", "copy.py")
    lab.commit("raw")
    step(lab, "raw", "qc", "+qc", message="after quality control")
    step(lab, "qc", "norm", "+norm")
    step(lab, "raw", "other")
    return lab


def stale_names(lab: Lab) -> list[str]:
    return [row.path for row in stale(lab.project, observer=lab.observe).stale]


def test_up_and_down(chain: Lab) -> None:
    up = lineage(chain.project, "norm", observer=chain.observe)
    assert [v.dataset for v in up.versions] == ["norm", "qc", "raw"]
    assert [(link.made.dataset, link.used.dataset, link.activity) for link in up.links] == [
        ("norm", "qc", "to-norm"), ("qc", "raw", "to-qc"),
    ]  # fmt: skip
    assert [v.dataset for v in lineage(chain.project, "raw", direction="down", observer=chain.observe).versions] == [
        "raw", "other", "qc", "norm",
    ]  # fmt: skip
    near = lineage(chain.project, "qc", direction="both", depth=1, observer=chain.observe)
    assert {v.dataset for v in near.versions} == {"qc", "raw", "norm"}
    graph = up.graph()
    assert [key.dataset for key in graph.successors(up.asked[0])] == []
    assert {key.dataset for key in graph.predecessors(up.asked[0])} == {"qc"}


def test_what_is_not_committed_yet_is_known_too(chain: Lab) -> None:
    run(
        chain.project, [sys.executable, "copy.py", "norm", "late"], inputs=["norm"], outputs=["late"],
        environment=os.environ, observer=chain.observe,
    )  # fmt: skip
    found = lineage(chain.project, "late", observer=chain.observe)
    assert [(v.dataset, v.commit is None) for v in found.versions] == [
        ("late", True), ("norm", False), ("qc", False), ("raw", False),
    ]  # fmt: skip
    assert "late" in {row.version.dataset for row in impact(chain.project, "raw", observer=chain.observe).affected}


def test_stale_impact_and_reproduce(chain: Lab) -> None:
    assert stale_names(chain) == []
    chain.write("raw", "2\n")
    chain.add("raw")
    assert stale_names(chain) == ["qc", "norm", "other"]
    rows = {row.version.dataset: row for row in impact(chain.project, "raw", observer=chain.observe).affected}
    assert {name: (row.steps, [r.why for r in row.stale]) for name, row in rows.items()} == {
        "qc": (1, ["input"]), "other": (1, ["input"]), "norm": (2, ["upstream"]),
    }  # fmt: skip
    assert again(chain, "norm", dry_run=True) == [("to-qc", "would run"), ("to-norm", "would run")]
    assert chain.read("norm") == b"1+qc+norm\n"
    assert again(chain, "norm") == [("to-qc", "ran"), ("to-norm", "ran")]
    assert chain.read("norm") == b"2+qc+norm\n" and stale_names(chain) == ["other"]
    assert again(chain) == [("to-other", "ran")]
    assert again(chain) == []


def test_a_step_that_comes_out_the_same_stops_there(chain: Lab) -> None:
    chain.write("raw", "1\n\n")
    chain.add("raw")
    assert again(chain, "norm") == [("to-qc", "ran"), ("to-norm", "up to date")]
    assert stale_names(chain) == ["other"]


def test_changed_code_is_a_reason(chain: Lab) -> None:
    chain.path("copy.py").write_text(COPY + "\n# better\n")
    reasons = {row.path: [r.why for r in row.reasons] for row in stale(chain.project, observer=chain.observe).stale}
    assert reasons == {"other": ["code"], "qc": ["code"], "norm": ["code", "upstream"]}
    chain.path("copy.py").unlink()
    assert stale(chain.project, ["qc"], observer=chain.observe).stale[0].reasons[0].now is None


def test_a_command_that_fails_ends_it_and_what_ran_is_kept(chain: Lab) -> None:
    chain.write("raw", "2\n")
    chain.add("raw")
    chain.path("copy.py").write_text("import sys\nif 'norm' in sys.argv[2]: sys.exit(3)\n" + COPY)
    report = reproduce(chain.project, ["norm"], environment=os.environ, observer=chain.observe)
    assert [(row.fate, row.exit_code) for row in report.steps] == [("ran", 0), ("failed", 3)]
    assert report.exit_code == 3 and chain.read("qc") == b"2+qc\n"


def test_what_no_command_made_cannot_be_reproduced(chain: Lab) -> None:
    chain.write("by-hand", "x\n")
    from lobsterdv.ops.runs import resolve_inputs

    chain.add("by-hand", inputs=resolve_inputs(chain.project, ["raw"], observer=chain.observe))
    step(chain, "by-hand", "after")
    chain.write("raw", "2\n")
    chain.add("raw")
    report = reproduce(chain.project, environment=os.environ, observer=chain.observe)
    assert [(f.path, type(f.error)) for f in report.failures] == [("by-hand", Refused)]
    fates = {row.outputs[0]: row.fate for row in report.steps}
    assert fates == {"after": "not reached", "qc": "ran", "norm": "ran", "other": "ran"}


def test_parts_of_a_directory_are_inputs_of_the_whole(lab: Lab) -> None:
    lab.path("copy.py").write_text(COPY)
    lab.write("plates/1/a", "a\n")
    lab.write("plates/2/b", "b\n")
    lab.add("plates")
    lab.commit()
    step(lab, "plates/1/a", "made")
    found = lineage(lab.project, "made", observer=lab.observe)
    assert [(link.used.dataset, link.path) for link in found.links] == [("plates", "plates/1/a")]
    lab.write("plates/1/a", "aa\n")
    lab.add("plates")
    assert [(r.why, r.path) for r in stale(lab.project, observer=lab.observe).stale[0].reasons] == [
        ("input", "plates/1/a")
    ]


def test_circles_end(lab: Lab) -> None:
    """raw -> qc -> raw, in place: each version once."""
    lab.path("copy.py").write_text(COPY)
    lab.write("raw", "1\n")
    lab.add("raw")
    lab.commit()
    step(lab, "raw", "qc")
    report = run(
        lab.project, [sys.executable, "copy.py", "qc", "raw", "+"], inputs=["qc"], outputs=["raw"],
        environment=os.environ, observer=lab.observe,
    )  # fmt: skip
    assert not report.failures
    lab.commit()
    revert(lab.project, ["raw"], to="HEAD~1", observer=lab.observe)
    lab.add("raw")
    found = lineage(lab.project, "raw", rev="HEAD", observer=lab.observe)
    assert [v.dataset for v in found.versions] == ["raw", "qc", "raw"]
    assert stale_names(lab) in (["qc"], [])
    assert again(lab, dry_run=True) in ([], [("to-qc", "would run")])


# Names


def test_names_of_versions(chain: Lab) -> None:
    first = str(chain.pointer("raw").digest)
    tag(chain.project, "raw", "v1", observer=chain.observe)
    chain.write("raw", "2\n")
    chain.add("raw")
    second = chain.commit("raw, again")

    def digest(name: str) -> str:
        return show(chain.project, name, observer=chain.observe).version.digest

    now = digest("raw")
    assert now != first
    assert digest("raw@v1") == digest(f"raw@{first[7:15]}") == digest("raw@HEAD~1") == digest(f"raw@{first}") == first
    assert digest("raw@latest") == digest("raw@2099-01-01") == digest(f"raw@{second[:10]}") == now
    assert show(chain.project, "raw@v1", observer=chain.observe).tags == ["v1"]
    assert commit_of(chain.project, "v1") == commit_of(chain.project, "raw@v1")
    chain.pull("raw", rev="v1")
    assert chain.read("raw") == b"1\n"
    for wrong in ("raw@1999-01-01", "raw@nix", "raw@ffffffff"):
        with pytest.raises(UnknownRevision):
            digest(wrong)
    with pytest.raises(NotTracked):
        digest("nix@v1")


def test_an_at_in_a_name_is_no_revision(lab: Lab) -> None:
    lab.write("a@b", "1\n")
    lab.add("a@b")
    lab.commit()
    assert show(lab.project, "a@b", observer=lab.observe).version.dataset == "a@b"
    assert show(lab.project, "a@b@HEAD", observer=lab.observe).version.dataset == "a@b"


def test_tags(chain: Lab) -> None:
    for wrong in ("latest", "2026-05-01", "abcdef", "a b", "-x", "a@b", ""):
        with pytest.raises(UsageError):
            tag(chain.project, "raw", wrong, observer=chain.observe)
    tag(chain.project, "raw", "v1", observer=chain.observe)
    tag(chain.project, "qc", "v1", observer=chain.observe)
    with pytest.raises(Refused, match="already"):
        tag(chain.project, "raw", "v1", observer=chain.observe)
    chain.write("raw", "2\n")
    chain.add("raw")
    with pytest.raises(Refused, match="not committed"):
        tag(chain.project, "raw", "v2", observer=chain.observe)
    chain.commit()
    tag(chain.project, "raw", "v1", move=True, observer=chain.observe)
    with pytest.raises(UnknownRevision, match="several"):
        commit_of(chain.project, "v1")
    listed = tag(chain.project, observer=chain.observe).tags
    assert [(row.dataset, row.name) for row in listed] == [("qc", "v1"), ("raw", "v1")]
    tag(chain.project, "raw", "v1", delete=True, observer=chain.observe)
    assert [row.dataset for row in tag(chain.project, observer=chain.observe).tags] == ["qc"]
    with pytest.raises(UnknownRevision):
        tag(chain.project, "raw", "v1", delete=True, observer=chain.observe)


# log, search, revert


def test_log(chain: Lab) -> None:
    chain.git("tag", "release")
    chain.write("raw", "2\n")
    chain.add("raw", message="counts, again")
    rows = log(chain.project, ["raw"], patch=True, observer=chain.observe).versions
    assert [(row.what, row.message, row.tags) for row in rows] == [
        ("uncommitted", "counts, again", []), ("added", "raw counts", ["release"]),
    ]  # fmt: skip
    chain.commit("second")
    rows = log(chain.project, ["raw"], patch=True, observer=chain.observe).versions
    assert rows[0].previous == rows[1].digest and rows[0].author == "Ada <ada@lab>"
    assert '+message: "counts, again"' in rows[0].patch and "-message: raw counts" in rows[0].patch
    assert [row.dataset for row in log(chain.project, limit=2, observer=chain.observe).versions] == ["raw", "other"]
    assert len(log(chain.project, ["raw"], rev="release", observer=chain.observe).versions) == 1
    chain.git("rm", "-q", "--cached", "raw.ldv.yaml")
    chain.path("raw.ldv.yaml").unlink()
    chain.commit("gone")
    assert [row.what for row in log(chain.project, ["raw"], observer=chain.observe).versions] == [
        "removed", "changed", "added",
    ]  # fmt: skip
    failures = log(chain.project, ["nix"], observer=chain.observe).failures
    assert isinstance(failures[0].error, NotTracked)


def test_log_of_branches(chain: Lab) -> None:
    chain.git("checkout", "-q", "-b", "side")
    chain.write("raw", "side\n")
    chain.add("raw")
    chain.commit("on the side")
    chain.git("checkout", "-q", "main")
    chain.write("qc", "mine\n")
    chain.add("qc")
    chain.commit("on main")
    assert "on the side" not in [row.subject for row in log(chain.project, observer=chain.observe).versions]
    assert "on the side" in [
        row.subject for row in log(chain.project, everything=True, observer=chain.observe).versions
    ]
    chain.git("merge", "-q", "side", "-m", "merged")
    drawn = log(chain.project, graph=True, observer=chain.observe)
    assert any("|" in drawing for drawing, _ in drawn.graph)
    assert sorted(number for _, numbers in drawn.graph for number in numbers) == list(range(len(drawn.versions)))


def test_log_before_the_first_dataset(lab: Lab) -> None:
    assert log(lab.project, observer=lab.observe).versions == []


def test_search(chain: Lab) -> None:
    def names(*words: str) -> list[str]:
        return [hit.version.dataset for hit in search(chain.project, words, observer=chain.observe).hits]

    assert names("quality") == ["qc"] and names("qual", "CONTROL") == ["qc"] and names("quality", "raw") == ["qc"]
    assert names("nothing-like-it") == [] and "norm" in names("to-norm")
    with pytest.raises(UsageError):
        names('"*')


def test_revert(chain: Lab) -> None:
    before = chain.read("qc.ldv.yaml")
    chain.write("qc", "worse\n")
    chain.add("qc")
    chain.commit("worse")
    chain.push()
    chain.lose_cache()
    report = revert(chain.project, ["qc"], to="HEAD~1", observer=chain.observe)
    assert isinstance(report.failures[0].error.__class__, type) and not report.staged  # that version was never pushed
    chain.write("qc", "1+qc\n")
    chain.add("qc")
    chain.push()
    report = revert(chain.project, ["qc"], to="HEAD~1", observer=chain.observe)
    assert not report.failures and chain.read("qc") == b"1+qc\n" and chain.read("qc.ldv.yaml") == before


# The index


def dump(lab: Lab) -> dict[str, list[str]]:
    """Everything in the file, in words that do not depend on the order it was written in."""
    queries = {
        "history": "select * from history", "lineage": "select * from lineage", "runs": "select * from runs",
        "pushes": "select * from pushes", "used": "select * from run_used", "made": "select * from run_made",
        "versions": "select dataset, digest, kind, size, files, summary from versions",
        "revisions": "select a.dataset, a.digest, b.digest from revisions join versions a on a.id = version_id"
        " join versions b on b.id = previous_id",
        "texts": "select dataset, message, run, summary, subject from texts",
    }  # fmt: skip
    with closing(sqlite3.connect(lineage_of(lab.project).path)) as connection:
        found = {name: sorted(map(repr, connection.execute(query))) for name, query in queries.items()}
        matches = connection.execute("select count(*) from texts_fts where texts_fts match 'raw'").fetchone()
    return found | {"matches": [repr(matches)]}


def check_rebuilt(lab: Lab) -> None:
    up_to_date(lab.project, observer=lab.observe)
    kept = dump(lab)
    rebuild(lab.project, observer=lab.observe)
    assert kept == dump(lab)


def test_kept_up_to_date_or_rebuilt_it_says_the_same(chain: Lab) -> None:
    check_rebuilt(chain)
    chain.push()
    check_rebuilt(chain)
    chain.git("checkout", "-q", "-b", "side", "HEAD~2")
    chain.write("raw", "side\n")
    chain.add("raw")
    chain.commit("side")
    step(chain, "raw", "qc")
    check_rebuilt(chain)
    chain.git("checkout", "-q", "main")
    chain.git("commit", "-q", "--amend", "-m", "other words")
    check_rebuilt(chain)
    chain.git("branch", "-q", "-D", "side")
    check_rebuilt(chain)
    assert not any("side" in line for line in dump(chain)["history"])


def test_an_input_that_becomes_known_later(chain: Lab, tmp_path: Path) -> None:
    """Its dataset was committed after what was made from a part of it."""
    chain.write("plates/1", "x\n")
    chain.add("plates")
    from lobsterdv.ops.runs import resolve_inputs

    chain.write("made", "y\n")
    chain.add("made", inputs=resolve_inputs(chain.project, ["plates/1"], observer=chain.observe))
    chain.git("reset", "-q")
    chain.git("add", "made.ldv.yaml")
    chain.commit("made")
    up_to_date(chain.project, observer=chain.observe)
    chain.git("add", "plates.ldv.yaml")
    chain.commit("plates")
    check_rebuilt(chain)
    assert any("'plates'" in line for line in dump(chain)["lineage"])


@pytest.mark.parametrize("damage", ["garbage", "empty", "other schema", "gone", "cut"])
def test_a_damaged_index_is_rebuilt(chain: Lab, damage: str) -> None:
    check_rebuilt(chain)
    before = dump(chain)
    path = lineage_of(chain.project).path
    if damage == "gone":
        path.unlink()
    elif damage == "other schema":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma user_version=99")
    else:
        data = path.read_bytes()
        path.write_bytes({"garbage": b"x" * 9000, "empty": b"", "cut": data[: len(data) // 2]}[damage])
    assert [v.dataset for v in lineage(chain.project, "norm", observer=chain.observe).versions] == ["norm", "qc", "raw"]
    assert dump(chain) == before


def test_run_records_travel(chain: Lab, tmp_path: Path) -> None:
    chain.project.git.stage([])
    from lobsterdv.stores.memory import MemoryStore

    store = MemoryStore()
    chain.use(store)
    chain.push()
    keys = [stat.key for stat in store.list("runs/")]
    assert len(keys) == 3
    chain.push()
    other = chain.clone(tmp_path / "other")
    try:
        assert show(other.project, "norm", observer=other.observe).version.runs == []
        report = rebuild(other.project, remote="embedded", observer=other.observe)
        assert (report.runs, report.pushes) == (3, 4)
        shown = show(other.project, "norm", observer=other.observe).version
        assert shown.runs[0].facts["activity"] == "to-norm" and shown.is_pushed
    finally:
        other.close()


def test_a_digest_of_another_dataset_that_begins_so_too_is_not_meant(chain: Lab, monkeypatch: Any) -> None:
    """``PATH@PREFIX`` looks among the versions of PATH alone; and the work tree's own has that name before a commit."""
    other = pointers(chain.project, None).good["other"].pointer.digest
    raw = pointers(chain.project, None).good["raw"].pointer.digest
    chain.git("rm", "-q", "other.ldv.yaml")
    chain.commit("gone")
    assert raw == other, "the copy has the bytes of what it copies"
    assert revision(chain.project, split_name(chain.project, f"raw@{raw.hex()[:6]}")) == chain.git(
        "rev-parse", "HEAD~4"
    )
    chain.write("raw", "not committed\n")
    chain.add("raw")
    now = pointers(chain.project, None).good["raw"].pointer.digest
    assert show(chain.project, f"raw@{now.hex()[:8]}", observer=chain.observe).version.commit is None
    with pytest.raises(UnknownRevision):
        show(chain.project, f"norm@{now.hex()[:8]}", observer=chain.observe)


def test_impact_of_an_old_version_names_what_is_made_of_the_new_one_too(chain: Lab) -> None:
    chain.write("raw", "2\n")
    chain.add("raw")
    again(chain, "norm")
    found = impact(chain.project, "raw@latest", observer=chain.observe)
    assert {row.version.dataset: bool(row.stale) for row in found.affected} == {
        "qc": False, "norm": False, "other": True,
    }  # fmt: skip


# Large graphs


def large_graph(path: Path, count: int, deep: int) -> None:
    """``count`` versions: a chain of ``deep`` steps, one with ``deep`` children, and a forest of small trees."""
    from lobsterdv.digest import digest_of
    from lobsterdv.formats.pointer import Input, Pointer
    from lobsterdv.index.lineage import Lineage
    from lobsterdv.index.news import ChangeRow, CommitRow, News
    from lobsterdv.paths import safe_path

    keys = [graph_key(number) for number in range(count)]
    digests = [digest_of(key.dataset.encode()) for key in keys]
    news = News()
    for number in range(count):
        parent = number - 1 if 0 < number < deep else deep if deep < number <= 2 * deep else None
        if number > 2 * deep and number % 10:
            parent = number - number % 10 + (number % 10 - 1) // 2
        inputs = () if parent is None else (Input(safe_path(keys[parent].dataset), digests[parent]),)
        pointer = Pointer(digests[number], 10, "file", message=f"number {number}", inputs=inputs)
        news.pointers[f"{number:040x}", keys[number].dataset] = pointer
        commit = CommitRow(f"{number:040x}", 1_700_000_000 + number, "Ada <a@l>", "work")
        news.changes.append(ChangeRow(commit, keys[number].dataset, f"{number:040x}", ()))
    Lineage(path).rebuild(news, {"tips": "{}"})


def graph_key(number: int) -> Key:
    from lobsterdv.digest import digest_of

    name = f"d{number:06}"
    return Key(name, str(digest_of(name.encode())))


def ask(path: Path, number: int, *, down: bool, count_steps: bool = False) -> tuple[int, float, int]:
    """On a connection of its own: how many links, seconds of CPU, and hundreds of SQLite's steps (when counted)."""
    steps = [0]

    def one_more() -> int:
        steps[0] += 1
        return 0

    key = graph_key(number)
    began = time.thread_time()
    with Lineage(path).reading() as connection:
        if count_steps:
            connection.set_progress_handler(one_more, 100)
        found = len(links(connection, [key], down=down))
    return found, time.thread_time() - began, steps[0]


def test_a_question_costs_what_its_answer_is_long_not_what_the_graph_is_large(tmp_path: Path) -> None:
    """By SQLite's own steps, which no other work on the machine changes."""
    costs = {}
    for count in (1000, 4000):
        path = tmp_path / f"{count}.db"
        large_graph(path, count, 300)
        costs[count] = {
            question: ask(path, *question[:1], down=question[1], count_steps=True)
            for question in ((299, False), (0, True), (300, True), (655, False), (650, True))
        }
        answers = [found for found, _, _ in costs[count].values()]
        assert answers == [299, 299, 309, 2, 9]
    for question, (found, _, steps) in costs[4000].items():
        assert steps <= found + 2, "below a hundred steps a link"
        assert abs(steps - costs[1000][question][2]) <= 1


@pytest.mark.slow
def test_queries_of_a_large_graph_are_quick(tmp_path: Path) -> None:
    """p95 below 10 ms, each on a connection of its own, over deep, wide and common nodes of 100,000 versions."""
    path = tmp_path / "lineage.db"
    large_graph(path, 100_000, 2000)
    sizes = [ask(path, number, down=down)[0] for number, down in ((1999, False), (0, True), (2000, True))]
    assert sizes == [1999, 1999, 2009]
    sample = [(number, down) for number in range(10, 100_000, 997) for down in (False, True)]
    seconds = sorted(min(ask(path, number, down=down)[1] for _ in range(3)) for number, down in sample)
    deep = [min(ask(path, n, down=d)[1] for _ in range(5)) for n, d in ((999, False), (1999, False), (2000, True))]
    p95 = seconds[int(len(seconds) * 0.95)]
    figures = ", ".join(f"{took * 1000:.1f}" for took in (p95, *deep))
    sys.stdout.write(f"100,000 versions, ms of CPU: p95, depth 999, depth 1,999, 2,000 children: {figures}\n")
    assert p95 < 0.01, seconds[-5:]
    assert max(deep) < 0.1, deep
