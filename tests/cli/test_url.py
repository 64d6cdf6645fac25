"""url at the command line: the URL alone, or how to get one."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Desk


def test_the_fix_gives_the_url(shared: Desk) -> None:
    for name, dataset in (("counts.csv", "counts.csv"), ("raw/a.txt", "raw")):
        printed = shared.ldv("url", name, "--rev", "v1", code=1)
        assert f"lobsterdv: {name} has no URL: it " in printed.err
        fix = f"lobsterdv push --plain --rev v1 {dataset}"
        assert f"  fix: {fix}   (stores each file as one object, as it is)" in printed.err
        shared.ldv(*fix.split()[1:])
        printed = shared.ldv("-q", "url", name, "--rev", "v1")
        assert Path(printed.out.strip()).read_bytes() == (shared.here / name).read_bytes()
        assert shared.json("url", name)["report"]["url"] == printed.out.strip()
    assert "fix: lobsterdv path raw " in shared.ldv("url", "raw", code=1).err
