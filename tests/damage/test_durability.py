"""If these fail, a power cut after a command that ended well takes with it what the command said it had kept."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.damage.counting import Counters
from tests.damage.durlint import Traced, findings
from tests.ops.lab import Lab

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which sees syncs, is not installed")

MAY_BE_LOST = [
    r"/(index|lineage)\.db",  # rebuilt from git and catalogs
    r"/cache/views/",  # derived from the cache, and made again
    r"/\.tmp-[^/]*$",  # not a name yet
    r"/cache/packs/[0-9a-f]+\.lost",  # notes of what a pack lacks: found again
]
SOURCE = Path(__file__).parents[2]


def traced(lab: Lab, logs: Path, mutant: str = "") -> Traced:
    return Traced(lab.root, {**lab.env, "PYTHONPATH": str(SOURCE)}, logs, mutant=mutant)


def run(by: Traced, lab: Lab, *words: str, healed: bool = False) -> list[str]:
    """Type a command; what the lint has to say of it. One that ``healed`` damage ends with 3."""
    ended, calls = by.type(words)
    assert ended == 0 or (healed and ended == 3), (words, ended)
    return findings(calls, below=lab.root.parent, allowed=MAY_BE_LOST)


def write(lab: Lab) -> None:
    for number in range(5):
        lab.write(f"tree/sub/{number}", f"{number}" * 50)
    lab.write("tree/medium", os.urandom(300 << 10))
    lab.write("large.bin", os.urandom(600 << 10))


RARE = ("fetch", "move", "run", "unprotect", "verify", "reindex", "remove")
"""Verbs that are linted in ``make test-faults`` only: what they write is written by the others' code."""


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.faults)])
def test_every_command_that_writes(whole: bool, lab: Lab, tmp_path: Path, counters: Counters) -> None:
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
        ["unprotect", "sub/larger.bin"],
        ["checkout", "--force", "--rev", "HEAD~1", "tree"],
        ["checkout", "--force", "tree"],
        ["remote", "gc", "--yes"],
        ["verify"],
        ["reindex"],
        ["remove", "copy"],
    ]
    found = []
    with traced(lab, tmp_path / "strace") as by:
        for words in day if whole else [words for words in day if words[0] not in RARE]:
            if words[0] in ("checkout", "pull", "fetch"):
                shutil.rmtree(lab.root / "tree", ignore_errors=True)
            wrong = run(by, lab, *words)
            if "--move" in words:  # the file's name for the cache's file of the same bytes: either is whole
                wrong = [line for line in wrong if not line.endswith("lab/large.bin")]
            counters.tried("commands whose syncs were linted")
            counters.survived("commands whose syncs were linted", not wrong)
            found += [f"{' '.join(words)}: {line}" for line in wrong]
            lab.git("commit", "-q", "-a", "--allow-empty", "-m", words[0])
    assert not found, "\n".join(found)


@pytest.mark.faults
def test_the_rarer_commands_that_write(lab: Lab, tmp_path: Path, counters: Counters) -> None:
    """The rest of them."""
    write(lab)
    (tmp_path / "store").mkdir()
    with traced(lab, tmp_path / "morning") as by:
        for words in (["remote", "add", "lab", str(tmp_path / "store")], ["add", "tree", "large.bin"]):
            assert not run(by, lab, *words)
    lab.git("commit", "-q", "-m", "one")
    lab.git("tag", "one")
    lab.reopen()
    lab.write("large.bin", os.urandom(500 << 10))
    lab.path("tree/medium").unlink()
    lab.add("tree", "large.bin")
    lab.commit("two")
    lab.push()
    lab.write("large.bin", "unsaved")
    some = next(path for path in lab.project.cache.folder.glob("files/*/*"))
    some.chmod(0o644)
    some.write_bytes(b"rot")
    lab.close()
    evening = [
        ["verify", "--repair"],
        ["checkout", "--force", "large.bin"],
        ["undelete", "--force", "large.bin"],
        ["checkout", "--force"],
        ["tag", "tree", "first"],
        ["revert", "tree", "--to", "one"],
        ["forget", "large.bin@one", "--reason", "asked to", "--yes"],
        ["repack", "--yes"],
        ["hooks", "install"],
        ["remote", "add", "other", str(tmp_path / "store")],
        ["remote", "default", "other"],
        ["remote", "remove", "other"],
        ["remote", "trust", "elsewhere"],
    ]
    found = []
    with traced(lab, tmp_path / "evening") as by:
        for words in evening:
            if words[1] == "trust":  # the others would ask it for what they lack
                elsewhere = '  elsewhere:\n    url: "s3://bucket/x"\n    endpoint_url: "https://s3.example.org"\n'
                lab.write(".lobsterdv.yaml", lab.read(".lobsterdv.yaml").decode() + elsewhere)
            wrong = run(by, lab, *words, healed=words[0] == "verify")
            counters.tried("commands whose syncs were linted")
            counters.survived("commands whose syncs were linted", not wrong)
            found += [f"{' '.join(words)}: {line}" for line in wrong]
    assert not found, "\n".join(found)


@pytest.mark.faults
def test_what_makes_room_and_brings_together(lab: Lab, tmp_path: Path, counters: Counters) -> None:
    """A version that nothing names goes to the trash and comes back; two remotes; two branches of a folder."""
    write(lab)
    for name in ("a", "b", "fresh"):
        (tmp_path / name).mkdir()
    lab.add("tree", "large.bin")
    lab.commit("one")
    lab.write("large.bin", os.urandom(500 << 10))
    lab.add("large.bin")
    unnamed = lab.pointer("large.bin").digest
    lab.git("checkout", "-q", "HEAD", "--", ".")
    lab.git("checkout", "-q", "-b", "side")
    lab.write("tree/theirs", "theirs")
    lab.add("tree")
    lab.commit("theirs")
    lab.git("checkout", "-q", "main")
    lab.path("tree/theirs").unlink()
    lab.write("tree/ours", "ours")
    lab.add("tree")
    lab.commit("ours")
    lab.checkout(force=True)
    with pytest.raises(subprocess.CalledProcessError):
        lab.git("merge", "-q", "side")
    lab.write("large.txt", "to the remote alone" * 1000)
    lab.git("init", "-q", str(tmp_path / "fresh"))
    lab.close()
    day = [
        ["merge", "tree"],
        ["gc", "--yes"],
        ["undelete", str(unnamed)],
        ["remote", "add", "a", str(tmp_path / "a")],
        ["remote", "add", "b", str(tmp_path / "b")],
        ["push", "--remote", "a"],
        ["remote", "sync", "a", "b"],
        ["add", "--to-remote", "large.txt"],
        ["-C", str(tmp_path / "fresh"), "init"],
    ]
    found = []
    with traced(lab, tmp_path / "strace", "nothing_is_young") as by:
        for words in day:
            wrong = run(by, lab, *words)
            counters.tried("commands whose syncs were linted")
            counters.survived("commands whose syncs were linted", not wrong)
            found += [f"{' '.join(words)}: {line}" for line in wrong]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("mutant", ["no_sync_of_files", "no_sync_of_folders", "no_sync_of_documents"])
def test_the_lint_finds_a_sync_that_is_missing(lab: Lab, tmp_path: Path, mutant: str, counters: Counters) -> None:
    write(lab)
    with counters.trying("faults planted in lobsterdv, and found"), traced(lab, tmp_path / "strace", mutant) as by:
        assert run(by, lab, "add", "tree", "large.bin")
