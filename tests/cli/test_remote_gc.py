"""remote gc, typed: people read here what they are about to lose."""

from __future__ import annotations

from tests.cli.conftest import Desk


def abandon(lab: Desk) -> None:
    for words in (["checkout", "-qb", "side"],):
        lab.git(*words)
    lab.write("data/trial.bin", b"t" * 5000)
    lab.ldv("add", "data/trial.bin")
    lab.commit()
    lab.ldv("push")
    lab.git("checkout", "-qf", "main")
    lab.git("branch", "-qD", "side")
    lab.git("reflog", "expire", "--expire=now", "--all")


def test_it_shows_then_does_then_undoes(shared: Desk) -> None:
    shared.ldv("push")
    name = shared.json("remote", "list")["report"]["remotes"]
    remote = next(row["name"] for row in name if row["is_default"])
    abandon(shared)
    told = shared.ldv("remote", "gc")
    assert told.lines[0].startswith("Would retire 1 version that nothing in git names, with ")
    assert "data/trial.bin" in told.lines[1] and "5.0 kB" in told.lines[1]
    assert told.lines[-1] == "Next: lobsterdv remote gc --yes"
    done = shared.ldv("remote", "gc", remote, "--yes")
    assert done.lines[0].startswith("Retired 1 version") and done.lines[-1].endswith(f"remote gc {remote} --undo")
    assert "Retired before" in shared.ldv("remote", "gc").out
    assert [row["path"] for row in shared.json("remote", "gc")["report"]["waiting"]] == ["data/trial.bin"]
    assert "keeps 1 version again" in shared.ldv("remote", "gc", "--undo").out
    assert shared.ldv("remote", "gc", "--undo").lines == ["Nothing of this project is retired there."]


def test_only_some_datasets_are_retired(shared: Desk) -> None:
    shared.ldv("push")
    abandon(shared)
    assert not shared.json("remote", "gc", "--only", "other.bin")["report"]["retired"]
    assert shared.json("remote", "gc", "--only", "data/trial.bin")["report"]["retired"]
