"""Hostile index files: crafted, not worn. If these fail, a file in the git folder stops every command, or makes it
believe what nobody wrote."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv.events import Event, Warned
from lobsterdv.index.database import SCHEMA_VERSION, Index
from lobsterdv.index.pushed import load_marker, load_pushed, save_marker
from lobsterdv.index.seen import load_seen, save_seen
from lobsterdv.index.verified import load_verified
from tests.index.test_index import SEEN

ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select i as place, i, i, i from n"
SCHEMAS = {
    "an endless view": f"drop table seen; create view seen as {ENDLESS}",
    "an endless trigger": f"create trigger t after insert on seen begin {ENDLESS}; end",
    "a trigger that forges": "create trigger t after insert on seen begin update seen set state = x'00'; end",
    "a virtual table": "drop table seen; create virtual table seen using fts5(place, saved_ns, digest, state)",
    "other columns": "drop table seen; create table seen (a, b, c)",
    "a generated column": "drop table seen; create table seen (place, saved_ns as (1), digest, state)",
    "a missing table": "drop table markers",
    "one table more": "create table more (x)",
    "a quoted name": 'create table "x"" ; drop table seen; --" (x)',
    "an index over it": "create index i on pushed (at)",
}
VALUES = [None, 7, -1, 1.5, "text", "\x00", b"", b"\x00" * 39, b"\x00" * 40, b"\xff" * 5000, 1 << 62]


@pytest.fixture
def crafted(tmp_path: Path) -> Callable[[str], Index]:
    """An index file that this SQL was run on, opened; ``said`` is what its observer was told."""

    def craft(sql: str) -> Index:
        index = Index(tmp_path / "index.db")
        save_seen(index, "/p", SEEN)
        save_marker(index, "s", "e", "i")
        index.close()
        connection = sqlite3.connect(index.path)
        connection.executescript(sql)
        connection.close()
        return index

    return craft


@pytest.mark.parametrize("case", list(SCHEMAS))
@pytest.mark.parametrize("version", [SCHEMA_VERSION, SCHEMA_VERSION + 1, 0])
def test_a_crafted_schema_is_set_aside_or_begun_anew(case: str, version: int, crafted: Callable[[str], Index]) -> None:
    said: list[Event] = []
    index = crafted(f"{SCHEMAS[case]}; pragma user_version={version}")
    index.observer = said.append
    begun = time.monotonic()
    for _ in range(2):
        load_seen(index, "/p")
        load_pushed(index, "s")
        save_seen(index, "/p", SEEN)
    assert load_seen(index, "/p") == SEEN and time.monotonic() - begun < 1
    index.close()
    if version == SCHEMA_VERSION:
        assert [e for e in said if isinstance(e, Warned) and "set aside" in e.message], said
        assert index.path.with_name("index.db.damaged").exists()


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_of_another_type_are_not_known(value: object, crafted: Callable[[str], Index]) -> None:
    index = crafted("")
    connection = sqlite3.connect(index.path)
    held = value if value is not None else ""
    for column in ("saved_ns", "digest", "state"):
        connection.execute("delete from seen")
        row = {"place": "/p", "saved_ns": 1, "digest": b"\x00" * 32, "state": b"\x00" * 40} | {column: held}
        connection.execute("insert into seen values (:place, :saved_ns, :digest, :state)", row)
        connection.commit()
        found = load_seen(index, "/p")
        assert found is None, "a crafted state has no checksum that fits"
    for column in range(1, 4):
        row = ["n", b"\x00" * 40, b"\x00" * 16, 1.0]
        row[column] = held
        connection.execute("insert or replace into verified values (?, ?, ?, ?)", row)
        connection.commit()
        known = load_verified(index, "n")
        assert known is None or (isinstance(known.checksum, bytes) and isinstance(known.at, int | float))
    for column in range(1, 6):
        row = ["s", "p", b"\x00" * 32, b"\x01" * 32, b"\x02" * 32, "2026"]
        row[column] = held
        connection.execute("delete from pushed")
        connection.execute("insert into pushed values (?, ?, ?, ?, ?, ?)", row)
        connection.commit()
        assert all(isinstance(p.path, str) and isinstance(p.at, str) for p in load_pushed(index, "s"))
    connection.execute("update markers set store_id = ?", (held,))
    connection.commit()
    marker = load_marker(index, "s")
    assert marker is None or isinstance(marker[1], str)
    connection.close()
    index.close()


@pytest.mark.parametrize("kind", ["folder", "link to a device", "dangling link", "fifo"])
def test_what_is_no_file_does_not_stop_work(kind: str, tmp_path: Path) -> None:
    import os

    path = tmp_path / "index.db"
    match kind:
        case "folder":
            path.mkdir()
        case "link to a device":
            path.symlink_to("/dev/null")
        case "dangling link":
            path.symlink_to(tmp_path / "nowhere" / "x")
        case _:
            os.mkfifo(path)
    said: list[Event] = []
    index = Index(path, said.append)
    begun = time.monotonic()
    save_seen(index, "/p", SEEN)
    load_seen(index, "/p")
    assert time.monotonic() - begun < 5
    index.close()
