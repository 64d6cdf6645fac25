"""push says how much of an edit travelled, and why: without it nobody can tell a delta from a whole file."""

from __future__ import annotations

import random

from tests.cli.conftest import Desk


def test_an_edit_is_told_as_ranges_and_a_rewrite_as_whole(lab: Desk) -> None:
    data = random.Random(1).randbytes(1 << 20)
    lab.write("x.bin", data)
    lab.ldv("add", "x.bin")
    (first,) = lab.json("push")["report"]["versions"]
    assert first["new_bytes"] == first["packed_bytes"] == len(data) and first["reused_bytes"] == 0
    lab.write("x.bin", data + b"one more column")
    lab.ldv("add", "x.bin")
    (edit,) = lab.json("push")["report"]["versions"]
    (decision,) = edit["stored"]
    assert (decision["path"], decision["size"], decision["how"]) == ("x.bin", len(data) + 15, "ranges")
    assert decision["reused"] == edit["reused_bytes"] > 0.9 * len(data) and decision["ranges"] >= 1
    assert edit["new_bytes"] + edit["reused_bytes"] == len(data) + 15
    lab.write("x.bin", random.Random(2).randbytes(1 << 20))
    lab.ldv("add", "x.bin")
    told = lab.ldv("push", "-v").lines
    (row,) = [line for line in told if line.strip().startswith("packed") or line.strip().startswith("whole")]
    assert "x.bin" in row and "nothing of it was there" in row
