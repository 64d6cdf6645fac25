"""Two people, two clones, two remotes, in any order: a user who sees this fail may lose data or get wrong bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from lobsterdv.stores.base import Store
from tests.properties.machine import Clones
from tests.properties.world import REMOTES
from tests.server import Server

STEPS = 30


def run(machine: type[Clones], *, runs: int, fixed: bool = False) -> None:
    """``fixed`` runs the same cases every time, so that a commit is judged by its own change; the long forms search."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            derandomize=fixed,
            phases=[Phase.generate] if fixed else list(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )


def over(server: Server) -> type[Clones]:
    class ClonesOverS3(Clones):
        def stores(self) -> dict[str, Store]:
            bucket = server.new_bucket()
            return {name: server.store(bucket, name) for name in REMOTES}

    return ClonesOverS3


def test_two_clones_share_a_directory() -> None:
    run(Clones, runs=8, fixed=True)


def test_two_clones_share_a_bucket(moto: Server) -> None:
    run(over(moto), runs=3, fixed=True)


@pytest.mark.slow
def test_two_clones_share_a_directory_for_long() -> None:
    run(Clones, runs=200)


@pytest.mark.slow
def test_two_clones_share_a_bucket_for_long(moto: Server) -> None:
    run(over(moto), runs=200)
