"""The frame around every command: help, typing errors, exit codes, interruptions, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lobsterdv import __version__
from lobsterdv.cli import main
from lobsterdv.cli.reference import commands
from lobsterdv.errors import WouldOverwrite
from tests.cli.conftest import Desk


def test_alone_it_prints_help_by_task(desk: Desk) -> None:
    printed = desk.ldv()
    positions = [printed.out.index(f"\n{task}:\n") for task in main.TASKS]
    assert positions == sorted(positions)
    assert all(f"\n  {name} " in printed.out for name in main.COMMANDS)


def test_the_table_says_what_the_commands_say_of_themselves() -> None:
    for path, command in commands():
        if len(path) == 1:
            assert (command.help or "").split("\n")[0] == main.COMMANDS[path[0]].help


def test_version_flag_and_command(desk: Desk) -> None:
    assert desk.ldv("--version").out == f"lobsterdv {__version__}\n"
    assert desk.json("version")["report"]["lobsterdv"] == __version__
    assert f"lobsterdv {__version__}" in desk.ldv("version", "-q").out


@pytest.mark.parametrize(
    ("typed", "meant"), [("psh", "push"), ("stauts", "stats or status"), ("rm", "remove"), ("ls", "list")]
)
def test_a_misspelt_command_gets_a_suggestion(desk: Desk, typed: str, meant: str) -> None:
    printed = desk.ldv(typed, code=2)
    assert f"did you mean {meant}" in printed.err
    assert printed.out == ""


def test_json_without_a_command_is_a_usage_error(desk: Desk) -> None:
    assert desk.ldv("--json", code=2).json["errors"][0]["message"] == "--json needs a command"


def test_a_command_like_no_other_gets_no_suggestion(desk: Desk) -> None:
    assert "did you mean" not in desk.ldv("xyzzy", code=2).err


@pytest.mark.parametrize(
    "args", [["add"], ["push", "--nonsense"], ["push", "-j", "0"], ["push", "--rev", "v1", "--all"], ["path"]]
)
def test_usage_errors_exit_2_and_say_how_to_go_on(lab: Desk, args: list[str]) -> None:
    printed = lab.ldv(*args, code=2)
    assert printed.err.startswith("lobsterdv: ")
    assert f"fix: lobsterdv {args[0]} --help" in printed.err
    document = lab.json(*args, code=2)
    assert document["errors"][0]["type"] == "UsageError"
    assert document["command"] == args[0]


def test_common_options_go_before_or_after(lab: Desk, tmp_path: Path) -> None:
    lab.cd(tmp_path)
    for args in (["-C", "lab", "--json", "list"], ["list", "-C", "lab", "--json"], ["-C", "lab", "list", "--json"]):
        assert lab.ldv(*args).json["report"]["datasets"] == []
    assert lab.ldv("-C", ".", "-C", "lab", "list", "--json").json["ok"]


def test_a_folder_that_is_not_there_is_a_usage_error(desk: Desk) -> None:
    assert "no such folder" in desk.ldv("-C", "nowhere", "status", code=2).err


def test_outside_git_and_outside_a_project(desk: Desk) -> None:
    printed = desk.ldv("status", code=1)
    assert "not in a git repository" in printed.err
    assert "fix: git init && lobsterdv init" in printed.err
    desk.git("init", "-q")
    printed = desk.ldv("status", code=1)
    assert "not in a lobsterdv project" in printed.err
    assert "fix: lobsterdv init" in printed.err
    assert desk.json("status", code=1)["errors"][0]["type"] == "NotAProject"


def failing_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("lobsterdv.ops.status.status", fail)


def test_an_internal_error_is_one_line_and_a_traceback_only_on_demand(
    lab: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failing_with(monkeypatch, ZeroDivisionError("oh\x1b[2J no\nsecond line"))
    printed = lab.ldv("status", code=1)
    assert printed.err == (
        "lobsterdv: internal error: ZeroDivisionError: oh\\x1b[2J no (please report; -v shows the traceback)\n"
    )
    assert lab.json("status", code=1)["errors"][0]["type"] == "InternalError"
    assert main.run(["status", "-v"]) == 1
    assert "Traceback" in capfd.readouterr().err


def test_an_interruption_exits_130_with_one_line(lab: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(monkeypatch, KeyboardInterrupt())
    printed = lab.ldv("status", code=130)
    assert "interrupted" in printed.err
    assert lab.json("status", code=130)["errors"][0]["type"] == "Interrupted"


def test_an_error_of_the_operating_system_is_one_line(lab: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(monkeypatch, OSError(28, "No space left on device", "/disk/x"))
    printed = lab.ldv("status", code=1)
    assert printed.err.startswith("lobsterdv: /disk/x: no space left on device\n  fix: df -h /disk")
    facts = lab.json("status", code=1)["errors"][0]["facts"]
    assert facts["errno"] == 28


def test_an_error_s_own_exit_code_is_the_program_s(lab: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(monkeypatch, WouldOverwrite("x", "in the way"))
    assert "lobsterdv: x: in the way" in lab.ldv("status", code=5).err


def test_the_current_folder_may_be_gone(desk: Desk) -> None:
    gone = desk.here / "gone"
    gone.mkdir()
    code = f"import os, sys; os.rmdir({str(gone)!r}); from lobsterdv.cli.main import run; sys.exit(run(['status']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lobsterdv: ")
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(shared: Desk) -> None:
    for number in range(300):
        shared.write(f"many/{number:04}-{'x' * 200}", "1")
    shared.ldv("add", "many")
    for args in (["list", "many"], ["list", "many", "--json"], ["--help"]):
        command = [sys.executable, "-m", "lobsterdv", *args]
        process = subprocess.Popen(command, cwd=shared.here, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate()
        assert err == b"", err


def test_ctrl_c_in_a_process_of_its_own(lab: Desk) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job's children ignore it
        "import lobsterdv.ops.status as module\n"
        "def wait(*a, **k): print('ready', flush=True); time.sleep(30)\n"
        "module.status = wait\n"
        "sys.argv = ['lobsterdv', 'status']\n"
        "from lobsterdv.cli.main import entry\n"
        "entry()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=lab.here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in err


def test_both_console_scripts_are_this_program() -> None:
    for name in ("lobsterdv", "ldv"):
        script = Path(sys.executable).parent / name
        if script.exists():
            done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
            assert done.stdout == f"lobsterdv {__version__}\n"


def test_a_terminal_without_utf_8_still_gets_its_answer(shared: Desk) -> None:
    shared.write("größe.csv", "1")
    shared.ldv("add", "größe.csv")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    printed = shared.shell("list", env=environment)
    assert "gr\\xf6\\xdfe.csv" in printed.out
