"""If these fail, a version claims to be made from what it was not, or the work of a command is lost or run in vain."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from lobsterdv.errors import NotTracked, Refused, UsageError
from lobsterdv.formats.pointer import Pointer, parse_pointer
from lobsterdv.ops.run import RunReport, run
from lobsterdv.ops.run_records import kept_run, kept_runs
from tests.ops.lab import Lab

DOUBLE = "import sys\nopen(sys.argv[2], 'wb').write(open(sys.argv[1], 'rb').read() * 2)\n"


def go(lab: Lab, *words: str, **options: Any) -> RunReport:
    return run(lab.project, words, environment=os.environ, observer=lab.observe, **options)


def double(lab: Lab, source: str = "raw.csv", target: str = "double.csv", **options: Any) -> RunReport:
    return go(lab, sys.executable, "double.py", source, target, inputs=[source], outputs=[target], **options)


def pointer(lab: Lab, name: str) -> Pointer:
    return parse_pointer(lab.path(name + ".ldv.yaml").read_bytes(), what=name)


@pytest.fixture
def raw(lab: Lab) -> Lab:
    lab.write("raw.csv", b"a,b\n")
    lab.path("double.py").write_text(DOUBLE)
    lab.add("raw.csv")
    lab.git("add", "double.py")
    lab.commit()
    return lab


def test_outputs_name_inputs_command_and_code(raw: Lab) -> None:
    report = double(raw, params={"times": 2, "log": True})
    made = pointer(raw, "double.csv")
    assert raw.path("double.csv").read_bytes() == b"a,b\n" * 2
    assert [(i.path, i.digest) for i in made.inputs] == [("raw.csv", pointer(raw, "raw.csv").digest)]
    blob = raw.git("hash-object", "double.py").strip()
    command = f"{sys.executable} double.py raw.csv double.csv"
    assert made.run == {
        "activity": "double", "command": command, "script": f"git:{blob}", "params": {"times": 2, "log": True},
    }  # fmt: skip
    assert report.record is not None
    record = kept_run(raw.project.cache, report.record)
    assert record is not None
    assert (record.commit, record.dirty, record.exit_code) == (raw.git("rev-parse", "HEAD").strip(), False, 0)
    assert [(o.path, o.digest) for o in record.outputs] == [("double.csv", made.digest)]
    assert record.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert [name for name, _ in kept_runs(raw.project.cache)] == [report.record]


def test_equal_work_gives_equal_pointers(raw: Lab) -> None:
    double(raw)
    first = raw.path("double.csv.ldv.yaml").read_bytes()
    raw.path("double.csv").unlink()
    double(raw)
    assert raw.path("double.csv.ldv.yaml").read_bytes() == first
    assert len(list(kept_runs(raw.project.cache))) >= 1


def test_a_command_that_fails_keeps_nothing(raw: Lab) -> None:
    code = "import sys; open('double.csv', 'w').write('half'); sys.exit(7)"
    report = go(raw, sys.executable, "-c", code, inputs=["raw.csv"], outputs=["double.csv"])
    assert (report.exit_code, report.outputs, report.record) == (7, [], None)
    assert not raw.path("double.csv.ldv.yaml").exists()
    assert list(kept_runs(raw.project.cache)) == []


def test_without_in_nothing_was_read(raw: Lab) -> None:
    """No lineage is invented: not of the datasets that happen to be there, changed or not."""
    raw.write("raw.csv", b"edited\n")
    report = go(raw, sys.executable, "-c", "open('new.csv', 'w').write('x')", outputs=["new.csv"], params={"n": 1})
    assert report.inputs == [] and not report.failures
    made = pointer(raw, "new.csv")
    assert made.inputs == () and made.run is not None and made.run["params"] == {"n": 1}


def test_what_a_failed_command_left_is_said_and_stays(raw: Lab) -> None:
    double(raw)
    code = "import sys, os; open('double.csv', 'w').write('half'); open('new', 'w').write('x'); os.remove('raw.csv');"
    report = go(raw, sys.executable, "-c", code + "sys.exit(1)", outputs=["double.csv", "new", "raw.csv", "never"])
    assert {left.path: left.state for left in report.left} == {"double.csv": "changed", "new": "new", "raw.csv": "gone"}
    assert raw.path("double.csv").read_text() == "half" and not raw.path("new.ldv.yaml").exists()
    assert {left.path for left in go(raw, "false").left} == {"double.csv", "raw.csv"}, "without --out, all datasets"


def test_a_signal_is_128_and_its_number(raw: Lab) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert go(raw, sys.executable, "-c", code).exit_code == 137


def test_an_output_that_was_not_written_is_a_failure(raw: Lab) -> None:
    report = go(raw, "true", outputs=["nowhere.csv"])
    assert [failure.path for failure in report.failures] == ["nowhere.csv"] and report.record is None


def test_inputs_must_be_versions(raw: Lab) -> None:
    with pytest.raises(NotTracked):
        double(raw, source="unknown.csv")
    raw.write("raw.csv", b"edited\n")
    with pytest.raises(Refused, match="no version names"):
        double(raw)
    raw.path("raw.csv").unlink()
    with pytest.raises(Refused, match="not here"):
        double(raw)
    assert not raw.path("double.csv").exists(), "nothing was run"


def test_without_out_what_was_modified_is_kept(raw: Lab) -> None:
    report = go(raw, "echo more >> raw.csv", inputs=["raw.csv"])
    assert [row.path for row in report.outputs] == ["raw.csv"]
    made = pointer(raw, "raw.csv")
    assert made.inputs[0].path == "raw.csv" and made.inputs[0].digest != made.digest
    assert go(raw, "true").outputs == []


def test_if_changed(raw: Lab) -> None:
    assert not double(raw, if_changed=True).skipped
    again = double(raw, if_changed=True)
    assert again.skipped and again.outputs == []
    assert not double(raw, if_changed=True, params={"times": 3}).skipped
    raw.path("double.py").write_text(DOUBLE + "# changed\n")
    assert not double(raw, if_changed=True, params={"times": 3}).skipped
    raw.write("raw.csv", b"new\n")
    raw.add("raw.csv")
    assert not double(raw, if_changed=True, params={"times": 3}).skipped
    raw.write("double.csv", b"edited by hand\n")
    assert not double(raw, if_changed=True, params={"times": 3}).skipped
    with pytest.raises(UsageError):
        go(raw, "true", if_changed=True)


def test_content_added_anew_without_a_run_claims_none(raw: Lab) -> None:
    double(raw)
    raw.add("double.csv", message="looked at")
    assert pointer(raw, "double.csv").run is not None, "the same content: only the message is new"
    raw.write("double.csv", b"by hand\n")
    raw.add("double.csv")
    made = pointer(raw, "double.csv")
    assert made.run is None and made.inputs == ()


def test_the_code_is_dirty_when_tracked_files_differ(raw: Lab) -> None:
    raw.path("double.py").write_text(DOUBLE + "# not committed\n")
    report = double(raw)
    assert report.record is not None
    record = kept_run(raw.project.cache, report.record)
    assert record is not None and record.dirty


def test_a_folder_below_the_root(raw: Lab) -> None:
    raw.path("sub").mkdir()
    report = go(raw, "cp ../raw.csv here.csv", inputs=["raw.csv"], outputs=["sub/here.csv"], folder="sub")
    assert [row.path for row in report.outputs] == ["sub/here.csv"]
    made = pointer(raw, "sub/here.csv")
    assert made.run == {"activity": "cp", "command": "cp ../raw.csv here.csv", "folder": "sub"}
