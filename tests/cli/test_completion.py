"""Tab must offer what is there, quickly, and stay silent when something is wrong."""

from __future__ import annotations

import os

from tests.cli.conftest import Desk, Printed


def complete(desk: Desk, line: str) -> list[str]:
    words = line.split(" ")
    environment = {
        **os.environ,
        "_LOBSTERDV_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    printed: Printed = desk.shell(env=environment)
    assert printed.err == ""
    return printed.out.split()


def test_commands(desk: Desk) -> None:
    assert complete(desk, "lobsterdv pu") == ["plain,push", "plain,pull"]
    assert "plain,trust" in complete(desk, "lobsterdv remote ")


def test_datasets_from_where_the_user_is(shared: Desk) -> None:
    assert complete(shared, "lobsterdv push c") == ["plain,counts.csv"]
    assert complete(shared, "lobsterdv pull ") == ["plain,counts.csv", "plain,raw"]
    shared.cd(shared.here / "raw")
    assert complete(shared, "lobsterdv path ../c") == ["plain,../counts.csv"]


def test_files_where_files_are_meant(shared: Desk) -> None:
    assert complete(shared, "lobsterdv add c") == ["file,c"]
    assert complete(shared, "lobsterdv pull raw/") == ["file,raw/"]


def test_remotes(shared: Desk) -> None:
    assert complete(shared, "lobsterdv push --remote s") == ["plain,store"]
    assert complete(shared, "lobsterdv remote remove ") == ["plain,embedded", "plain,store"]


def test_nothing_outside_a_project(desk: Desk) -> None:
    assert complete(desk, "lobsterdv push --remote ") == []
    assert complete(desk, "lobsterdv push c") == []
