"""Eight processes, or fifty, at once in one project and on one remote: all succeed, and what they leave is whole."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest

from tests.damage.counting import Counters
from tests.damage.killing import Nursery, Said
from tests.damage.oracle import check_cache, check_remote, load, restore, restore_from_cache
from tests.ops.lab import Lab
from tests.properties.trees import picture

CROWD = 8
NOT_NOW = {0, 1, 3, 5, 6}
"""How a command may end whose project others change meanwhile; docs/cli.md says what each means."""


@pytest.fixture
def shared(tmp_path: Path, lab: Lab) -> Path:
    """A directory remote that is the default."""
    remote = tmp_path / "remote"
    remote.mkdir()
    lab.write(
        ".lobsterdv.yaml", lab.read(".lobsterdv.yaml").decode() + f'remote: r\nremotes:\n  r:\n    url: "{remote}"\n'
    )
    lab.git("commit", "-qam", "remote")
    lab.reopen()
    return remote


def all_well(said: list[Said]) -> None:
    for one in said:
        assert one.code == 0, one
        assert "Traceback" not in one.err, one


def test_adding_different_datasets(lab: Lab, nursery: Nursery) -> None:
    """A pointer, a .gitignore line or a staged file was lost when two people's scripts ran at once."""
    names = []
    for number in range(CROWD):
        lab.write(f"data/d{number}/same", "the same in all")
        lab.write(f"data/d{number}/own", f"{number}" * 1000)
        lab.write(f"data/f{number}.bin", f"{number}" * 300_000)
        names.append([f"data/d{number}", f"data/f{number}.bin"])
    verbs = [["add", *pair] for pair in names] + [["status"]] * 3
    all_well(nursery.crowd(verbs, lab.root, lab.env))
    staged = lab.staged()
    for name in (name for pair in names for name in pair):
        assert f"{name}.ldv.yaml" in staged
        kept = restore_from_cache(lab.project.cache.folder, lab.read(f"{name}.ldv.yaml"))
        assert kept == picture(lab.path(name))
    assert not [p for p in lab.git("status", "--porcelain").split("\n") if p.startswith("??")]
    assert {row.work for row in lab.reopen().status().datasets} == {"clean"}


def test_adding_the_same_dataset(lab: Lab, nursery: Nursery) -> None:
    lab.write("d/small", "small")
    lab.write("d/large", "x" * 400_000)
    all_well(nursery.crowd([["add", "d"]] * CROWD, lab.root, lab.env))
    assert restore_from_cache(lab.project.cache.folder, lab.read("d.ldv.yaml")) == picture(lab.path("d"))
    assert lab.staged() == [".gitignore", "d.ldv.yaml"]
    assert lab.reopen().state("d").work == "clean"


def test_pushing_the_same_content(lab: Lab, shared: Path, nursery: Nursery, tmp_path: Path) -> None:
    """Eight clones push one content to one new remote; the marker and every object are whole in the end."""
    lab.write("f.bin", "y" * 300_000)
    lab.version("d", {str(n): f"{n}" * 99 for n in range(20)}, "one")
    lab.add("f.bin")
    lab.commit()
    clones = [lab.root]
    for number in range(3):
        subprocess.run(["cp", "-a", str(lab.root), str(tmp_path / f"clone{number}")], check=True)
        clones.append(tmp_path / f"clone{number}")
    verbs = [["-C", str(clones[n % len(clones)]), "push"] for n in range(CROWD)]
    all_well(nursery.crowd([*verbs, ["status"], ["status"]], lab.root, lab.env))
    remote = load(shared)
    check_remote(remote, {name: lab.read(f"{name}.ldv.yaml") for name in ("d", "f.bin")})
    for name in ("d", "f.bin"):
        assert restore(remote, lab.read(f"{name}.ldv.yaml")) == picture(lab.path(name))
    assert not list(shared.rglob(".tmp-*"))


def test_bringing_the_same_content(lab: Lab, shared: Path, nursery: Nursery, tmp_path: Path) -> None:
    """Fetches side by side, one pull among them, and status all the while."""
    lab.write("f.bin", "z" * 300_000)
    lab.version("d", {str(n): f"{n}" * 99 for n in range(20)}, "one")
    lab.add("f.bin")
    lab.commit()
    lab.push()
    guest = lab.clone(tmp_path / "guest")
    guest.close()
    all_well(nursery.crowd([["pull"], *[["fetch"]] * (CROWD - 2), ["status"]], guest.root, guest.env))
    check_cache(guest.root / ".git/lobsterdv/cache")
    for name in ("d", "f.bin"):
        assert picture(guest.path(name)) == picture(lab.path(name))


def test_checking_out_at_once(lab: Lab, nursery: Nursery) -> None:
    """Everyone asks for the same version: whoever is late finds it there."""
    lab.version("d", {str(n): f"{n}" * 99 for n in range(20)}, "one", tag="v1")
    lab.version("d", {str(n): f"{n}" * 98 for n in range(15)}, "two")
    said = nursery.crowd([["checkout", "d", "--rev", "v1"]] * CROWD, lab.root, lab.env)
    assert {one.code for one in said} <= {0, 1, 5} and not any("Traceback" in one.err for one in said), said
    assert nursery.command(["checkout", "d", "--rev", "v1"], lab.root, lab.env).code == 0
    assert {path: data for path, (_, data) in (picture(lab.path("d")) or {}).items()} == {
        **{str(n): f"{n}".encode() * 99 for n in range(20)}
    }


@pytest.mark.parametrize(("many", "rounds"), [(CROWD, 1), pytest.param(50, 10, marks=pytest.mark.faults)])
def test_all_kinds_of_commands(
    many: int, rounds: int, lab: Lab, shared: Path, nursery: Nursery, counters: Counters
) -> None:
    """Each dataset is added by one of them, while the others push, pull, check out and collect, again and again: every
    version that an add was content with is at the remote in the end, and in the cache while it is current."""
    random = Random(many)
    adders = many * 2 // 5
    names = [f"d{number}" for number in range(adders)]
    versions: dict[bytes, object] = {}
    for turn in range(rounds):
        for name in names:
            lab.write(f"{name}/small", f"{turn} {name}")
            lab.write(f"{name}/large", f"{turn} {name} " * 40_000)
            lab.write(f"{name}/same", "the same in all")
        others = [["push"], ["pull"], ["checkout"], ["gc", "--yes"], ["push", names[0]], ["checkout", names[-1]]]
        commands = [["add", name] for name in names]
        commands += [others[number % len(others)] for number in range(many - adders)]
        random.shuffle(commands)
        written = {name: picture(lab.path(name)) for name in names}
        with counters.trying("processes of all kinds at once", many):
            said = nursery.crowd(commands, lab.root, lab.env, prepare="tests.damage.ageing:nothing_is_young")
            for command, one in zip(commands, said, strict=True):
                assert one.code in ({0} if command[0] == "add" else NOT_NOW), (command, one)
                assert "Traceback" not in one.err + one.out and "internal error" not in one.err + one.out, one
            check_cache(lab.project.cache.folder)
            check_remote(load(shared))
            for name in names:
                pointer = lab.read(f"{name}.ldv.yaml")
                assert restore_from_cache(lab.project.cache.folder, pointer) == written[name], name
                versions[pointer] = written[name]
        lab.git("add", "-A")
        lab.commit()
    lab.reopen().push()
    remote = load(shared)
    check_remote(remote)
    assert len(versions) == adders * rounds
    for pointer, tree in versions.items():
        assert restore(remote, pointer) == tree
    assert not list(shared.rglob(".tmp-*"))
