"""If these fail, a power cut after a command that ended well takes with it what the command said it had kept."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.damage.counting import Counters
from tests.damage.durlint import findings, trace
from tests.ops.lab import Lab

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which sees syncs, is not installed")

MAY_BE_LOST = [
    r"/(index|lineage)\.db",  # rebuilt from git and catalogs
    r"/cache/views/",  # derived from the cache, and made again
    r"/\.tmp-[^/]*$",  # not a name yet
    r"/cache/packs/[0-9a-f]+\.lost",  # notes of what a pack lacks: found again
]
SOURCE = Path(__file__).parents[2]


def run(lab: Lab, logs: Path, *words: str, mutant: str = "", env: dict[str, str] | None = None) -> list[str]:
    """Type a command; what the lint has to say of it."""
    program = ["tests.damage.mutants", mutant] if mutant else ["lobsterdv"]
    code, calls = trace(
        [sys.executable, "-m", *program, *words],
        folder=lab.root, env={**lab.env, **(env or {}), "PYTHONPATH": str(SOURCE)}, logs=logs,
    )  # fmt: skip
    assert code == 0, (words, code)
    return findings(calls, below=lab.root.parent, allowed=MAY_BE_LOST)


def write(lab: Lab) -> None:
    for number in range(5):
        lab.write(f"tree/sub/{number}", f"{number}" * 50)
    lab.write("tree/medium", os.urandom(300 << 10))
    lab.write("large.bin", os.urandom(600 << 10))


def test_every_command_that_writes(lab: Lab, tmp_path: Path, counters: Counters) -> None:
    """In the order of a day's work; each is linted by itself."""
    write(lab)
    (tmp_path / "store").mkdir()
    day = [
        ["remote", "add", "lab", str(tmp_path / "store")],
        ["add", "tree", "large.bin"],
        ["push"],
        ["add", "--move", "large.bin"],
        ["fetch"],
        ["gc", "--yes"],
        ["drop", "--data", "--yes", "large.bin"],
        ["pull"],
        ["move", "large.bin", "sub/larger.bin"],
        ["run", "--in", "tree", "--out", "copy", "--", "cp -r tree copy"],
        ["push"],
        ["checkout", "--force", "--rev", "HEAD~1", "tree"],
        ["checkout", "--force", "tree"],
        ["unprotect", "sub/larger.bin"],
        ["remote", "gc", "--yes"],
        ["verify"],
        ["reindex"],
        ["remove", "copy"],
    ]
    found = []
    for number, words in enumerate(day):
        if words[0] in ("checkout", "pull", "fetch"):
            shutil.rmtree(lab.root / "tree", ignore_errors=True)
        wrong = run(lab, tmp_path / f"strace-{number}", *words)
        if "--move" in words:  # the file's name for the cache's file of the same bytes: before or after, it is whole
            wrong = [line for line in wrong if not line.endswith("lab/large.bin")]
        counters.tried("commands whose syncs were linted")
        counters.survived("commands whose syncs were linted", not wrong)
        found += [f"{' '.join(words)}: {line}" for line in wrong]
        lab.git("commit", "-q", "-a", "--allow-empty", "-m", words[0])
    assert not found, "\n".join(found)


@pytest.mark.parametrize("mutant", ["no_sync_of_files", "no_sync_of_folders", "no_sync_of_documents"])
def test_the_lint_finds_a_sync_that_is_missing(lab: Lab, tmp_path: Path, mutant: str, counters: Counters) -> None:
    write(lab)
    assert run(lab, tmp_path / "strace", "add", "tree", "large.bin", mutant=mutant)
    counters.both("faults planted in lobsterdv, and found")
