"""Too little room: where, how much, and what to type. Half of the answer leaves the user at `du`."""

from __future__ import annotations

import pytest

import lobsterdv.project
from tests.cli.conftest import Desk


def with_free(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(lobsterdv.project, "free_bytes", lambda folder: number)


def test_add_says_how_much_where_and_how_to_go_on(lab: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write("big file.bin", b"b" * 400_000)
    with_free(monkeypatch, 1000)
    printed = lab.ldv("add", "big file.bin", code=1)
    first, *fixes = printed.err.splitlines()
    assert first == f"lobsterdv: {lab.here}/.git/lobsterdv/cache: not enough room: 400.0 kB are needed, 1.0 kB are free"
    assert any("LOBSTERDV_CACHE_DIR=" in fix for fix in fixes)
    assert any(f"df -h {lab.here}/.git/lobsterdv" in fix for fix in fixes), "a folder that is there"
    (error,) = lab.json("add", "big file.bin", code=1)["errors"]
    assert error["type"] == "NoSpace"
    assert (error["facts"]["needed"], error["facts"]["free"]) == (400_000, 1000)


def test_pull_and_checkout_offer_links(lab: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lab.write("x.bin", b"x" * 400_000)
    lab.ldv("add", "x.bin")
    lab.ldv("push")
    path.unlink()
    with_free(monkeypatch, 1000)
    for command in ("pull", "checkout"):
        printed = lab.ldv(command, "x.bin", code=1)
        assert f"  fix: LOBSTERDV_CACHE_LINK=hardlink,copy lobsterdv {command} x.bin" in printed.err
    monkeypatch.setenv("LOBSTERDV_CACHE_LINK", "hardlink,copy")
    lab.ldv("pull", "x.bin")
    assert path.stat().st_nlink == 2
