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
    assert fixes[0].startswith("  fix: lobsterdv add 'big file.bin' --move ")
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


def test_move_says_that_the_file_is_read_only_now_and_how_to_edit_it(
    lab: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lab.write("big file.bin", b"b" * 400_000)
    lab.write("d/large", b"l" * 400_000)
    lab.write("d/small", b"s")
    with_free(monkeypatch, 1000)
    printed = lab.ldv("add", "big file.bin", "d", "--move")
    assert (
        "big file.bin is read-only now: it is the cache's own (lobsterdv unprotect 'big file.bin' copies it)"
        in printed.out
    )
    assert "1 file of d is read-only now: it is the cache's own (lobsterdv unprotect d copies it)" in printed.out
    assert path.stat().st_nlink == 2
    assert "read-only" not in lab.ldv("add", "big file.bin", "--move").out
    assert lab.json("add", "d", "--move")["report"]["added"][0]["moved_files"] == 0


def test_move_is_refused_with_the_reason_and_a_way_on(lab: Desk) -> None:
    path = lab.write("x.bin", b"x" * 400_000)
    path.with_name("snapshot").hardlink_to(path)
    printed = lab.ldv("add", "x.bin", "--move", code=1)
    assert "x.bin: it has further names (hard links)" in printed.err
    assert "fix: lobsterdv add x.bin   (keeps a copy)" in printed.err
    with path.open("ab"):
        path.with_name("snapshot").unlink()
        printed = lab.ldv("add", "x.bin", "--move", code=6)
    assert "x.bin is in use by a program that has it open for writing" in printed.err


def test_to_remote_sends_and_says_so(shared: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.write("big.bin", b"b" * 400_000)
    with_free(monkeypatch, 1000)
    printed = shared.ldv("add", "big.bin", code=1)
    assert "   or: lobsterdv add big.bin --to-remote   (sends them past the cache)" in printed.err
    printed = shared.ldv("add", "big.bin", "--to-remote", "-m", "past")
    assert printed.lines[1].startswith("To store: ") and printed.lines[1].endswith(" sent, past the cache")
    assert printed.lines[2:] == ["Next: git commit -m past", "      git push"]
    shared.commit()
    assert "nothing changed, and pushed to store" in shared.ldv("status").out
    assert shared.json("add", "big.bin", "--to-remote")["report"]["added"][0]["sent_bytes"] == 0


def test_to_remote_needs_one(lab: Desk) -> None:
    lab.write("big.bin", "b")
    printed = lab.ldv("add", "big.bin", "--to-remote", code=1)
    assert "fix: lobsterdv remote add lab s3://BUCKET/PREFIX" in printed.err
    for wrong in (["--move", "--to-remote"], ["--remote", "x"]):
        lab.ldv("add", "big.bin", *wrong, code=2)


def test_a_plain_add_and_the_rest(shared: Desk) -> None:
    """What was sent past the cache is pulled like anything else."""
    path = shared.write("big.bin", b"b" * 400_000)
    shared.ldv("add", "big.bin", "--to-remote")
    path.unlink()
    shared.ldv("pull", "big.bin")
    assert path.read_bytes() == b"b" * 400_000
