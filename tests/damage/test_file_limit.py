"""A file may not grow beyond a limit (``ulimit -f``, or what the file system can hold): one line names the file,
nothing is lost, and without the limit the same command finishes. Real writes fail here, SQLite's among them."""

from __future__ import annotations

import json

import pytest

from tests.damage.conftest import Once
from tests.damage.counting import Counters
from tests.damage.killing import Fault, Nursery
from tests.damage.test_every_step import every_step, go
from tests.damage.test_kill import CHECKS, SMALL, Scene, scene_of

BELOW_THE_INDEX = 6000
"""Bytes. What a command prints has less, and goes to a file here."""
BELOW_THE_LARGE = 200 << 10


def limit(scene: Scene, nursery: Nursery, counters: Counters, limit_bytes: int) -> set[int]:
    return every_step(
        scene, nursery, Fault(limit_bytes=limit_bytes), counters, "a limit of the size of files", points=1
    )


@pytest.mark.parametrize(
    ("verb", "limit_bytes"), [("add", BELOW_THE_INDEX), ("fetch", BELOW_THE_LARGE), ("checkout", BELOW_THE_INDEX)]
)
def test_a_file_that_may_not_grow(
    verb: str, limit_bytes: int, once: Once[Scene], nursery: Nursery, counters: Counters
) -> None:
    scene = scene_of(once, verb, SMALL)
    assert limit(scene, nursery, counters, limit_bytes) == {1}
    scene.again()
    said = go(scene, nursery, Fault(limit_bytes=limit_bytes))
    errors = json.loads(said.out)["errors"]
    assert {error["type"] for error in errors} == {"LocalIOError"}, said
    assert all("too large" in error["message"] for error in errors), said


@pytest.mark.faults
@pytest.mark.parametrize("verb", list(CHECKS))
def test_at_every_limit(verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    scene = scene_of(once, verb, SMALL)
    codes = set[int]()
    for power in range(40):
        codes |= limit(scene, nursery, counters, int(BELOW_THE_INDEX * 1.12**power))
    assert 1 in codes or 4 in codes
    assert 0 in codes
