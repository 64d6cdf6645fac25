"""A script that reads our JSON must find one document, the same frame, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path

import pytest

from lobsterdv.cli.jsonout import document, plain, shown_fields
from lobsterdv.cli.options import Verb
from lobsterdv.cli.reference import commands, report_of
from lobsterdv.digest import digest_of
from lobsterdv.paths import safe_path


class Colour(Enum):
    RED = "red"


@dataclass
class Inner:
    digest: object
    colour: Colour = Colour.RED


@dataclass
class Outer:
    inner: list[Inner]
    pairs: dict[str, int]
    path: Path
    failures: list[object] = field(default_factory=list)


def test_reports_become_plain_json() -> None:
    digest = digest_of(b"x")
    value = plain(Outer([Inner(digest)], {"b": 1}, Path("/x")))
    assert value == {
        "inner": [{"digest": str(digest), "colour": "red"}],
        "pairs": {"b": 1},
        "path": "/x",
    }
    assert type(plain(safe_path("a/b"))) is str
    assert plain(frozenset({"b", "a"})) == ["a", "b"]


def test_what_json_cannot_say_is_a_bug_not_a_guess() -> None:
    with pytest.raises(TypeError):
        plain(b"bytes")


def test_the_frame() -> None:
    text = document("push", report=None, exit_code=3, warnings=["w\udcff"], errors=[{"path": "x"}])
    assert json.loads(text) == {
        "lobsterdv": 1,
        "command": "push",
        "ok": False,
        "exit": 3,
        "report": None,
        "warnings": ["w\udcff"],
        "errors": [{"path": "x"}],
    }
    assert text.isascii()


def test_every_command_names_its_report_and_no_report_leaks_objects() -> None:
    found = {" ".join(path): command for path, command in commands() if isinstance(command, Verb)}
    for name, command in found.items():
        assert command.report, name
        report = report_of(command)
        assert is_dataclass(report)
        shown = {f.name for f in fields(report)} & set(shown_fields(report))
        assert "failures" not in shown and "entries" not in shown
