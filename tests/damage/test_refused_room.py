"""Ctrl-C and refusals of the system at the steps of gc: what nothing else holds stays whole; once more finishes it."""

from __future__ import annotations

import signal

import pytest

from tests.damage.counting import Counters
from tests.damage.killing import NEVER, Fault, Nursery, Said
from tests.damage.oracle import check_cache, check_remote, load
from tests.damage.test_every_step import REFUSALS, judge
from tests.damage.test_kill_room import AGED, Scene, names, names_here, scene, whole

__all__ = ["scene"]

FAULTS = {"Ctrl-C": Fault(signal=signal.SIGINT), **REFUSALS}


def go(scene: Scene, nursery: Nursery, fault: Fault) -> Said:
    env = {**scene.lab.env, "LOBSTERDV_JOBS": "1"}
    return nursery.faulted(["gc", "--yes"], scene.lab.root, env, fault, prepare=AGED)


def refuse(scene: Scene, nursery: Nursery, name: str, counters: Counters, *, share: float | None) -> None:
    """At every step, or at the one that lies at that ``share`` of all."""
    end = go(scene, nursery, FAULTS[name]._replace(at=0))
    assert end.code == 0 and end.steps > 3, end
    assert names_here(scene.cache) == names(scene.kept)
    what = f"{name} at a step of gc"
    for at in range(end.steps, 0, -1) if share is None else [max(1, int(end.steps * share))]:
        scene.again()
        case = f"{what}: {at} of {end.steps}"
        counters.tried(what)
        judge(go(scene, nursery, FAULTS[name]._replace(at=at)), FAULTS[name], case)
        assert names(scene.kept) <= names_here(scene.cache), case
        assert names(scene.lonely) <= whole(scene.cache), case
        check_cache(scene.cache)
        again = go(scene, nursery, NEVER)
        assert again.code == 0, (case, again)
        assert names_here(scene.cache) == names(scene.kept), case
        assert names(scene.lonely) <= whole(scene.cache), case
        check_cache(scene.cache)
        counters.survived(what)
    check_remote(load(scene.here / "store"))


@pytest.mark.parametrize("name", list(FAULTS))
def test_refused_here_and_there(name: str, scene: Scene, nursery: Nursery, counters: Counters) -> None:
    """Each at another step."""
    refuse(scene, nursery, name, counters, share=(1 + list(FAULTS).index(name)) / len(FAULTS))


@pytest.mark.faults
@pytest.mark.parametrize("name", list(FAULTS))
def test_refused_everywhere(name: str, scene: Scene, nursery: Nursery, counters: Counters) -> None:
    refuse(scene, nursery, name, counters, share=None)
