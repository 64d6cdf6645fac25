"""If these fail, Python code claims to have made what it did not, or its lineage is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lobsterdv
from lobsterdv.errors import UsageError
from lobsterdv.ops.run_records import kept_runs
from lobsterdv.recording import plain
from tests.ops.lab import Lab


@pytest.fixture
def dm(lab: Lab) -> Any:
    lab.write("raw.bin", b"1")
    lab.write("side.bin", b"2")
    lab.add("raw.bin", "side.bin")
    lab.commit()
    with lobsterdv.DataManager(lab.root) as manager:
        yield manager


def double(dm: Any, source: str, target: str) -> None:
    path = Path(dm.root) / target
    path.write_bytes(Path(dm.load(source)).read_bytes() * 2)
    dm.save(path, target)


def test_loads_are_inputs_and_saves_outputs(lab: Lab, dm: Any) -> None:
    with dm.run("double", params={"times": 2, "path": Path("x"), "odd": object()}) as run:
        double(dm, "raw.bin", "a.bin")
        double(dm, "side.bin", "b.bin")
    a, b = lab.pointer("a.bin"), lab.pointer("b.bin")
    assert [item.path for item in a.inputs] == ["raw.bin"]
    assert [item.path for item in b.inputs] == ["raw.bin", "side.bin"]  # all that was loaded before it was saved
    assert a.run == b.run == {"activity": "double", "params": {"times": 2, "path": "x", "odd": "object"}}
    ((name, record),) = kept_runs(lab.project.cache)
    assert name == run.record and [out.path for out in record.outputs] == ["a.bin", "b.bin"]
    assert record.commit == lab.git("rev-parse", "HEAD") and "python" in record.environment


def test_a_decorator_records_each_call_with_its_arguments(lab: Lab, dm: Any) -> None:
    @dm.run("double", params={"by": "hand"})
    def work(target: str, times: int = 2) -> int:
        double(dm, "raw.bin", target)
        return times

    assert work("a.bin") == 2 and work("b.bin", times=3) == 3
    runs = [lab.pointer(name).run or {} for name in ("a.bin", "b.bin")]
    assert [run["params"] for run in runs] == [
        {"by": "hand", "target": "a.bin", "times": 2}, {"by": "hand", "target": "b.bin", "times": 3},
    ]  # fmt: skip
    assert len(list(kept_runs(lab.project.cache))) == 2


def test_a_run_that_fails_keeps_the_data_and_claims_nothing(lab: Lab, dm: Any) -> None:
    with pytest.raises(ZeroDivisionError), dm.run("double"):
        double(dm, "raw.bin", "a.bin")
        1 / 0
    assert lab.pointer("a.bin").inputs == () and lab.pointer("a.bin").run is None
    assert list(kept_runs(lab.project.cache)) == []
    with dm.run("again"):  # and the next run begins anew
        double(dm, "side.bin", "b.bin")
    assert [item.path for item in lab.pointer("b.bin").inputs] == ["side.bin"]


def test_runs_do_not_nest(dm: Any) -> None:
    with dm.run("outer"), pytest.raises(UsageError, match="inside run 'outer'"), dm.run("inner"):
        pass
    with dm.run("after"):
        pass


def test_a_run_without_outputs_leaves_nothing(lab: Lab, dm: Any) -> None:
    with dm.run("look") as run:
        dm.load("raw.bin")
    assert run.record is None and list(kept_runs(lab.project.cache)) == []


def test_an_old_version_that_was_loaded_is_the_input(lab: Lab, dm: Any) -> None:
    old = lab.pointer("raw.bin").digest
    lab.write("raw.bin", b"new")
    lab.add("raw.bin")
    with dm.run("double"):
        double(dm, "raw.bin@HEAD", "a.bin")
    assert [item.digest for item in lab.pointer("a.bin").inputs] == [old]


def test_parameters_are_plain() -> None:
    import numpy as np

    assert plain({1: (np.int64(3), np.float32(0.5), float("nan"), None, True)}) == {"1": [3, 0.5, "nan", None, True]}
    assert plain(np.zeros(3)) == "ndarray"


def test_questions(lab: Lab, dm: Any) -> None:
    with dm.run("double"):
        double(dm, "raw.bin", "a.bin")
    lab.commit("doubled it")
    assert [v.dataset for v in dm.lineage("a.bin").versions] == ["a.bin", "raw.bin"]
    assert dm.lineage("raw.bin", direction="down").graph().number_of_edges() == 1
    assert [row.version.dataset for row in dm.impact("raw.bin").affected] == ["a.bin"]
    assert dm.stale().stale == [] and dm.stale().checked == 1
    assert [hit.version.dataset for hit in dm.search("doubled").hits] == ["a.bin"]
    assert [row.dataset for row in dm.log("a.bin").versions] == ["a.bin"]
    assert dm.show("a.bin@latest").version.runs[0].facts["activity"] == "double"
    assert dm.resolve("a.bin@HEAD").digest == dm.resolve("a.bin").digest
    with pytest.raises(UsageError, match="another"):
        dm.resolve("a.bin@HEAD", rev="main")
