"""Documentation that lies is worse than none: docs/cli.md is made from the program and checked against it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from lobsterdv.cli import reference
from lobsterdv.cli.main import COMMANDS, TASKS
from lobsterdv.cli.options import Verb

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_reference_is_what_the_program_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check", str(DOCS)]) == 0, capsys.readouterr().err


def test_every_command_is_documented_with_its_json() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for path, command in reference.commands():
        assert f"### lobsterdv {' '.join(path)}\n" in text
        if isinstance(command, Verb):
            assert reference.shape(reference.report_of(command)) in text


def test_every_command_and_option_says_what_it_does() -> None:
    for path, command in reference.commands():
        assert command.help, path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{path} {option.name}"


def test_every_command_has_a_task() -> None:
    assert {row.task for row in COMMANDS.values()} == set(TASKS)


def test_check_finds_what_is_out_of_date_and_write_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "cli.md"
    page.write_text("# Title\n\nprose\n")
    assert reference.main(["--check", str(page)]) == 1
    assert "out of date" in capsys.readouterr().err
    reference.main(["--write", str(page)])
    assert reference.main(["--check", str(page)]) == 0
    written = page.read_text()
    page.write_text(written.replace("Usage:", "Use:") + "\nafter\n")
    reference.main(["--write", str(page)])
    assert page.read_text() == written + "\nafter\n"
    assert reference.main(["--nonsense"]) == 2


def test_types_read_as_json() -> None:
    assert reference.shape(str | None) == "text | null"
    assert reference.shape(dict[str, int]) == "{text: integer, …}"
    assert reference.shape(list[bool]) == "[true | false, …]"
