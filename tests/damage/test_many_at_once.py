"""Many scripts in one project: nothing is lost, nobody fails, nobody waits for long."""

from __future__ import annotations

import pytest

from tests.damage.counting import Counters
from tests.damage.killing import Nursery
from tests.damage.oracle import check_cache, restore_from_cache
from tests.ops.lab import Lab
from tests.properties.trees import picture


@pytest.mark.parametrize("many", [4, pytest.param(10, marks=pytest.mark.faults)])
def test_adding_beside_readers(many: int, lab: Lab, nursery: Nursery, counters: Counters) -> None:
    """Scripts that add, each its own, while others look and resolve: nobody fails, and nobody waits for long."""
    lab.write("old", "old")
    lab.add("old")
    lab.commit()
    for number in range(many):
        lab.write(f"d{number}/own", f"{number}" * 100_000)
        lab.write(f"d{number}/same", "same")
    adding = [["add", f"d{number}"] for number in range(many)]
    reading = [["status", "old"], ["path", "old"], ["list"], ["log", "old"], ["lineage", "old"]] * (many // 4)
    with counters.trying("processes that added to one project at once", many):
        said = nursery.crowd([*adding, *reading], lab.root, lab.env)
        assert [one.code for one in said] == [0] * len(said), said
        slowest = sorted(one.seconds for one in said)[-1]
        assert slowest < 30, f"somebody waited {slowest:.1f} s"
        for number in range(many):
            kept = restore_from_cache(lab.project.cache.folder, lab.read(f"d{number}.ldv.yaml"))
            assert kept == picture(lab.path(f"d{number}"))
        check_cache(lab.project.cache.folder)
        assert {f"d{number}.ldv.yaml" for number in range(many)} <= set(lab.staged())
