"""Which pushed versions are in use: one that is taken for unused goes to an archive, and its readers wait for hours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lobsterdv.blobs.remote_look import Filed
from lobsterdv.digest import digest_of
from lobsterdv.formats.pointer import Pointer
from lobsterdv.formats.record import Record
from lobsterdv.ops.windows import Window, split
from lobsterdv.paths import safe_path

NOW = 1_800_000_000.0
DAY_S = 86_400.0


def pushed(what: str, at: str) -> Filed:
    digest = digest_of(what.encode())
    record = Record(safe_path("d"), Pointer(digest, 1, "file"), digest, at, "ada", "desk")
    return Filed("0" * 32, digest, record, what.encode())


def ago(seconds: float) -> str:
    return datetime.fromtimestamp(NOW - seconds, UTC).isoformat().replace("+00:00", "Z")


def used(rows: list[Filed], window: Window) -> set[bytes]:
    return {row.data for row in split(rows, window, named=(), now=NOW)[0]}


def test_the_newest_and_the_recent_are_in_use() -> None:
    rows = [pushed("new", ago(DAY_S)), pushed("old", ago(20 * DAY_S)), pushed("older", ago(100 * DAY_S))]
    assert used(rows, Window()) == {b"new"}
    assert used(rows, Window(versions=2)) == {b"new", b"old"}
    assert used(rows, Window(days=30)) == {b"new", b"old"}
    older = digest_of(b"older")
    assert {row.data for row in split(rows, Window(), named={older}, now=NOW)[0]} == {b"new", b"older"}


@pytest.mark.parametrize("seconds", [0.5, 0, -0.5, -1])
def test_without_a_window_nothing_is_recent_not_even_what_was_pushed_in_this_second(seconds: float) -> None:
    assert used([pushed("new", ago(seconds - 0.1)), pushed("old", ago(seconds))], Window()) == {b"new"}


def test_a_time_that_cannot_be_read_counts_as_recent() -> None:
    for window in (Window(), Window(days=1)):
        assert b"odd" in used([pushed("new", ago(1)), pushed("odd", "0 o'clock")], window)
