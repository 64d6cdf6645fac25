"""The checks themselves: each fault that is planted in lobsterdv (``mutants.py``) must be found. ``test_durability.py``
does the same for missing syncs."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from tests.damage.conftest import Once
from tests.damage.counting import Counters
from tests.damage.killing import Nursery
from tests.damage.oracle import Wrong, check_cache, restore_from_cache
from tests.damage.story import DATASETS, put
from tests.damage.test_kill import SMALL, Scene, scene_of


def test_the_oracle_imports_nothing_of_lobsterdv() -> None:
    """Else one mistake could be made in both."""
    tree = ast.parse((Path(__file__).parent / "oracle.py").read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert "yaml" in names and not [name for name in names if name.split(".")[0] in ("lobsterdv", "tests")]


@pytest.mark.parametrize("mutant", ["", "tests.damage.mutants:pointer_first"])
def test_a_pointer_that_comes_before_its_content(
    mutant: str, once: Once[Scene], nursery: Nursery, counters: Counters
) -> None:
    """Killed in between, the pointer names what is not there: the oracle says so, and only of the mutant."""
    scene = scene_of(once, "add", SMALL)
    whole = nursery.run(scene.lab.root, scene.lab.env, "add", DATASETS, prepare=mutant)
    assert not whole.failures
    found = 0
    for point in range(whole.steps - 1, 0, -2 if mutant else -9):
        if found:
            break
        scene.again()
        nursery.run(scene.lab.root, scene.lab.env, "add", DATASETS, prepare=mutant, kill_at=point)
        for dataset in DATASETS:
            try:
                restore_from_cache(scene.cache, scene.pointer(dataset))
            except (Wrong, KeyError):
                found += 1
    with counters.trying("faults planted in lobsterdv, and found", bool(mutant)):
        assert bool(found) == bool(mutant)


@pytest.mark.parametrize("mutant", ["", "tests.damage.mutants:believing"])
def test_bytes_that_nobody_checked(mutant: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    """A flipped byte in every object of the remote: refused, or, by the mutant, kept under a name not its own."""
    scene = scene_of(once, "fetch", SMALL)
    for path in [path for path in (scene.story.remote / "objects").rglob("*") if path.is_file()]:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        put(path, bytes(data))
    shutil.rmtree(scene.cache, ignore_errors=True)
    ended = nursery.run(scene.lab.root, scene.lab.env, "fetch", prepare=mutant)
    if mutant:
        with counters.trying("faults planted in lobsterdv, and found"), pytest.raises(Wrong):
            check_cache(scene.cache)
    else:
        assert ended.failures
        check_cache(scene.cache)


BESIDE = ["writes_at_home", "leaves_a_temporary_file", "follows_a_link_out", "tidies_too_much"]


@pytest.mark.parametrize("mutant", BESIDE)
def test_whatever_is_written_beside_the_project(
    mutant: str, once: Once[Scene], nursery: Nursery, counters: Counters
) -> None:
    """The canaries that every killed and refused command is judged by."""
    scene = scene_of(once, "add", SMALL)
    with counters.trying("faults planted in lobsterdv, and found"), pytest.raises(AssertionError, match="beside"):
        nursery.run(scene.lab.root, scene.lab.env, "add", DATASETS, prepare=f"tests.damage.mutants:{mutant}")
    scene.again()
