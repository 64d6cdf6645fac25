"""``python -m tests.mutation [--most 45] [--seed 1] [MODULE[:LINE,LINE]]...``: prints a table, and what lived."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutation.known import EQUIVALENT
from tests.mutation.near import NEAR
from tests.mutation.running import Planter, Told

MARKS = "not s3 and not slow and not faults and not browser"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("modules", nargs="*", default=list(NEAR))
    parser.add_argument("--most", type=int, default=45, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    told = [one(name, wanted.most, wanted.seed) for name in wanted.modules]
    sys.stdout.write("\n".join([*table(told), ""]))
    return 1 if any(row.broken for row in told) else 0


def one(name: str, most: int, seed: int) -> Told:
    """Of one module, in a process of its own: what it imports is fresh."""
    module, _, lines = name.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "told.json"
        pid = os.fork()
        if not pid:
            planter = Planter(Path(module), most, seed, [int(line) for line in lines.split(",") if line], report)
            pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:logging", "-m", MARKS, *NEAR[module]], [planter])
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        return Told(**json.loads(report.read_text()))


def table(told: list[Told]) -> Iterator[str]:
    yield "| module | mutants | planted | found | equivalent | lived | score |"
    yield "|---|---|---|---|---|---|---|"
    sums = [0, 0, 0, 0, 0]
    for row in told:
        same = [line for line in row.lived if is_equivalent(row.module, line)]
        counts = [row.all, row.planted, row.planted - len(row.lived), len(same), len(row.lived) - len(same)]
        sums = [a + b for a, b in zip(sums, counts, strict=True)]
        yield _row(f"`{row.module.removeprefix('lobsterdv/')}`", counts)
    yield _row("in all", sums)
    for row in told:
        for line in row.lived:
            note = is_equivalent(row.module, line) or ("no test reaches it" if line in row.unreached else "")
            yield f"lived: {row.module} {line}{f' ({note})' if note else ''}"
        yield from (f"hung, so found: {row.module} {line}" for line in row.hung)
        yield from (f"fails as it is: {name}" for name in row.broken)


def _row(name: str, counts: list[int]) -> str:
    _, planted, found, same, _ = counts
    score = f"{100 * found / max(1, planted - same):.0f} %"
    return f"| {name} | {' | '.join(map(str, counts))} | {score} |"


def is_equivalent(module: str, line: str) -> str:
    """Why a mutant does nothing that anybody could notice, if it is known to: by the text of its line."""
    number, _, way = line.removeprefix("line ").partition(": ")
    text = Path(module).read_text().splitlines()[int(number) - 1].strip()
    return EQUIVALENT.get((module, text, way), "")


if __name__ == "__main__":
    sys.exit(main())
