"""The trash's bounds: what is deleted for good, and what never is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lobsterdv.blobs.trash import SAFE_S, delete_entry, held_in, new_entry, out_of_bounds, trash_entries

NOW = 2_000_000_000.0
DAY = 86400


def entry(trash: Path, age_s: float, size: int) -> str:
    folder = new_entry(trash, now=NOW - age_s, about={"why": "a test"})
    (folder / "data").write_bytes(b"x" * size)
    return folder.name


def gone(trash: Path, *, most_bytes: int = 10**9, most_s: float = 30 * DAY) -> list[str]:
    return [e.name for e in out_of_bounds(trash_entries(trash), now=NOW, most_bytes=most_bytes, most_s=most_s)]


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    old = entry(tmp_path, 30 * DAY + 1, 10)
    entry(tmp_path, 30 * DAY - 1, 10)
    assert gone(tmp_path) == [old]


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    first, second, _ = (entry(tmp_path, days * DAY, 100) for days in (5, 4, 3))
    assert gone(tmp_path, most_bytes=300) == []
    assert gone(tmp_path, most_bytes=299) == [first]
    assert gone(tmp_path, most_bytes=100) == [first, second]


def test_nothing_within_a_day(tmp_path: Path) -> None:
    """However full the trash is: who made a mistake this morning can undo it this evening."""
    entry(tmp_path, SAFE_S - 1, 1000)
    entry(tmp_path, -5 * DAY, 1000)  # a clock that was wrong
    assert gone(tmp_path, most_bytes=0, most_s=0) == []


def test_a_day_old_goes_when_the_trash_is_full(tmp_path: Path) -> None:
    old = entry(tmp_path, SAFE_S, 1000)
    entry(tmp_path, 0, 1000)
    assert gone(tmp_path, most_bytes=0) == [old]


def test_only_its_own_entries_are_entries(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "123-abc").mkdir()
    (tmp_path / "100-0123456z").mkdir()
    (tmp_path / "100-01234567").write_text("no folder")
    assert trash_entries(tmp_path) == [] and trash_entries(tmp_path / "nowhere") == []


def test_the_note_is_there_before_the_folder_and_goes_after_it(tmp_path: Path) -> None:
    name = entry(tmp_path, 0, 1)
    note = tmp_path / f"{name}.json"
    assert json.loads(note.read_bytes()) == {"lobsterdv": 1, "why": "a test"}
    delete_entry(tmp_path / name)
    delete_entry(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("note", [b"", b"[]", b"{", b"\xff"])
def test_a_damaged_note_hides_nothing(tmp_path: Path, note: bytes) -> None:
    name = entry(tmp_path, 0, 7)
    (tmp_path / f"{name}.json").write_bytes(note)
    (found,) = trash_entries(tmp_path)
    assert found.name == name and found.size == 7 and found.about == {}


def test_what_an_entry_holds(tmp_path: Path) -> None:
    folder = new_entry(tmp_path, now=NOW, about={})
    for place, name in (("files", "ab" * 32), ("files", "odd"), ("listings", "cd" * 32), ("packs", "ef" * 32 + ".idx")):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / name).write_bytes(b"")
    held = held_in(folder)
    assert held.contents == {b"\xab" * 32} and held.listings == {b"\xcd" * 32}
