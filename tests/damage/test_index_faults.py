"""The index is deleted, filled with garbage, cut off, locked at any step, its disk is full or fails: it is a cache, so
every command does its work all the same, and nothing that it says is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.damage.conftest import Once
from tests.damage.counting import Counters
from tests.damage.index_faults import ACTS, FROM_THE_BEGINNING
from tests.damage.killing import NEVER, Fault, Nursery
from tests.damage.test_every_step import every_step, go
from tests.damage.test_kill import CHECKS, SMALL, Scene, scene_of

Act = Callable[[], None]


def fault_of(act: Act) -> Fault:
    return Fault(act=f"{act.__module__}:{act.__name__}")


def without(
    scene: Scene, nursery: Nursery, act: Act, counters: Counters, what: str, points: int | None, share: float = 1
) -> None:
    codes = every_step(
        scene, nursery, fault_of(act), counters, what, points=points, share=share,
        prepare=f"{act.__module__}:impatient",
    )  # fmt: skip
    assert codes == {0}, "it is only a cache"


@pytest.mark.parametrize("verb", list(CHECKS))
def test_the_index_at_a_step(verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    """Of each verb another thing, at another step."""
    turn = list(CHECKS).index(verb)
    without(scene_of(once, verb, SMALL), nursery, ACTS[turn], counters, "an index struck at a step", 1, (turn + 1) / 6)


@pytest.mark.parametrize("fault", FROM_THE_BEGINNING)
@pytest.mark.parametrize("verb", ["add", pytest.param("push", marks=pytest.mark.faults), "force"])
def test_the_disk_of_the_index(fault: Act, verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    scene = scene_of(once, verb, SMALL)
    codes = every_step(
        scene, nursery, Fault(), counters, "an index on a bad disk", points=1,
        prepare=f"{fault.__module__}:{fault.__name__}",
    )  # fmt: skip
    assert codes == {0}, "it is only a cache"
    scene.again()
    said = go(scene, nursery, NEVER, f"{fault.__module__}:{fault.__name__}")
    assert said.code == 0 and "index.db could not be updated" in said.err + said.out, "nothing failed"


@pytest.mark.faults
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("verb", list(CHECKS))
def test_the_index_at_every_step(act: Act, verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    without(scene_of(once, verb, SMALL), nursery, act, counters, "an index struck at every step", None)
