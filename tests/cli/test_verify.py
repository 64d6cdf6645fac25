"""What a user reads when bytes rotted: which data, which version, what to type; and scripts get exit 3."""

from __future__ import annotations

from pathlib import Path

import pytest

from lobsterdv.digest import digest_of
from tests.cli.conftest import Desk


def corrupt(path: Path) -> None:
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def cached(desk: Desk, name: str) -> Path:
    digest = digest_of((desk.here / name).read_bytes())
    return desk.here / ".git/lobsterdv/cache/files" / digest[:1].hex() / digest.hex()


def test_all_is_well(shared: Desk) -> None:
    for args in ([], ["--all"], ["--remote"], ["--remote", "store", "--read-data"], ["--checksums"]):
        assert "all is well" in shared.ldv("verify", *args).out


def test_rot_is_named_repaired_and_gone(shared: Desk) -> None:
    corrupt(cached(shared, "counts.csv"))
    told = shared.ldv("verify", code=3)
    assert "corrupt  cache  counts.csv" in told.out and "(v1)" in told.out
    assert "Next: lobsterdv verify --repair" in told.out
    assert "healed from the work tree" in shared.ldv("verify", "--repair").out
    assert "all is well" in shared.ldv("verify").out


def test_a_remote_is_healed(shared: Desk, tmp_path: Path) -> None:
    for path in [p for p in (tmp_path / "store/objects").rglob("*") if p.is_file()]:
        corrupt(path)
    assert "all is well" in shared.ldv("verify", "--remote").out  # presence and size say no more
    found = shared.json("verify", "--remote", "store", "--read-data", code=3)
    assert {row["path"] for row in found["report"]["damages"]} == {"counts.csv", "raw"}
    assert {row["state"] for row in found["report"]["damages"]} == {"corrupt"}
    shared.ldv("verify", "--remote", "--read-data", "--repair")
    assert "all is well" in shared.ldv("verify", "--remote", "--read-data").out


def test_what_cannot_be_healed_ends_with_3_and_says_who_may(shared: Desk, tmp_path: Path) -> None:
    for path in [p for p in (tmp_path / "store/objects").rglob("*") if p.is_file()]:
        corrupt(path)
    corrupt(cached(shared, "counts.csv"))
    shared.write("counts.csv", "edited")
    told = shared.ldv("verify", "--repair", code=3)
    assert "not healed: push by whoever has this version" in told.out


def test_an_edit_is_mentioned_and_is_no_damage(shared: Desk) -> None:
    shared.write("counts.csv", "edited")
    assert "counts.csv" in shared.ldv("verify").out


def test_out_of_time_is_said(shared: Desk) -> None:
    told = shared.json("verify", "--max-time", "0s")
    assert sum(area["left"] for area in told["report"]["areas"]) > 0
    assert "Time is up" in shared.ldv("verify", "--max-time", "0s").out


@pytest.mark.parametrize(
    "args",
    [
        ["--checksums", "--read-data"],
        ["--sample", "5%"],
        ["--read-data", "--sample", "0%"],
        ["--read-data", "--sample", "5"],
        ["--max-time", "soon"],
    ],
)
def test_options_that_mean_nothing(shared: Desk, args: list[str]) -> None:
    shared.ldv("verify", *args, code=2)


def test_the_gate(shared: Desk) -> None:
    assert "whole" in shared.ldv("push", "--check").out
    shared.write("more.csv", "more")
    shared.ldv("add", "more.csv")
    told = shared.ldv("push", "--check", code=3)
    assert "more.csv" in told.out and "Next: lobsterdv push" in told.out
    assert shared.json("push", "--check", code=3)["report"]["lacking"][0]["path"] == "more.csv"
    shared.ldv("push")
    shared.ldv("push", "--check")
    shared.ldv("push", "--check", "--plain", code=2)
