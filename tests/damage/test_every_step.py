"""Ctrl-C and every refusal of the system, at every step of the verbs: nothing is lost, one line says what happened, and
the same command then finishes. Steps are what Python's audit hooks see of the disk (``killing.py``)."""

from __future__ import annotations

import errno
import json
import signal

import pytest

from tests.damage.conftest import Once
from tests.damage.counting import Counters
from tests.damage.killing import NEVER, READS, Fault, Nursery, Said
from tests.damage.oracle import check_cache, check_remote, load
from tests.damage.story import DATASETS
from tests.damage.test_kill import CHECKS, SMALL, Scene, check_clean_up, scene_of

EXITS = {0, 1, 3, 4, 5, 6, 8}
"""What a command may end with when the system refuses it something: docs/cli.md, but for usage and interruption."""
CREATES = ("open", "os.mkdir", "os.link", "os.symlink", "os.rename")
REFUSALS = {
    "ENOSPC": Fault(errno=errno.ENOSPC, lasting=True, only=CREATES),
    "EROFS": Fault(errno=errno.EROFS, lasting=True),
    "EACCES": Fault(errno=errno.EACCES),
    "EIO": Fault(errno=errno.EIO),
    "EIO of syncs": Fault(errno=errno.EIO, only=("lobsterdv.sync",)),
    "EIO of reads": Fault(errno=errno.EIO, only=(READS,)),
    "EMFILE": Fault(errno=errno.EMFILE, only=("open",), every_open=True),
    "EXDEV": Fault(errno=errno.EXDEV, only=("os.rename", "os.link")),
}
ASKED_TO_END = {signal.SIGINT: 130, signal.SIGTERM: 143}
POINTS = 3
"""Of each fault of each verb in the default suite; all of them in ``make test-faults``."""


def words(scene: Scene) -> list[str]:
    if scene.verb == "add":
        return ["add", *DATASETS]
    return ["checkout", "--force"] if scene.verb == "force" else [scene.verb]


def go(scene: Scene, nursery: Nursery, fault: Fault, prepare: str = "") -> Said:
    env = {**scene.lab.env, "LOBSTERDV_JOBS": "1"}
    return nursery.faulted(words(scene), scene.lab.root, env, fault, prepare=prepare)


def every_step(
    scene: Scene,
    nursery: Nursery,
    fault: Fault,
    counters: Counters,
    what: str,
    *,
    points: int | None,
    share: float = 1,
    prepare: str = "",
) -> set[int]:
    """The fault at up to ``points`` steps, spread evenly over that ``share`` of all, in processes where ``prepare`` was
    called before; returns the exit codes that were seen."""
    check = CHECKS[scene.verb]
    scene.again()
    whole = go(scene, nursery, fault._replace(at=0, limit_bytes=0))
    assert whole.code == 0, whole
    # A push in two goes may fill its objects otherwise than one in one; what it must hold is restored by the check.
    is_same = scene.verb != "push"
    reference = check(scene, True)
    codes = set()
    step = 1 if points is None else max(1, whole.steps // points)
    for at in range(max(1, int(whole.steps * share)), 0, -step):
        scene.again()
        case = f"{what} at step {at} of {whole.steps} of {scene.verb}"
        counters.tried(what)
        said = go(scene, nursery, fault._replace(at=at), prepare)
        codes.add(said.code)
        judge(said, fault, case)
        check_cache(scene.cache)
        check_remote(load(scene.story.remote))
        state = check(scene, said.code == 0)
        if said.code == 0 and scene.verb not in ("add", "push"):
            assert state == reference, case
        again = go(scene, nursery, NEVER)
        assert again.code == 0, f"{case}, then {again}"
        state = check(scene, True)
        assert state == reference or not is_same, case
        check_clean_up(scene, case)
        counters.survived(what)
    return codes


def judge(said: Said, fault: Fault, case: str) -> None:
    """A documented exit, one JSON document with typed errors, no traceback, no internal error."""
    assert "Traceback" not in said.err + said.out, f"{case}: {said}"
    assert "internal error" not in said.err + said.out, f"{case}: {said}"
    if fault.signal in ASKED_TO_END:
        assert said.code in (0, ASKED_TO_END[fault.signal]), f"{case}: {said}"
        return
    assert said.code in EXITS, f"{case}: {said}"
    document = json.loads(said.out)
    assert document["exit"] == said.code, case
    if said.code:
        assert document["errors"], f"{case}: {said}"
        for message in (error["message"] for error in document["errors"]):
            assert "/" in message and "\n" not in message, f"{case} does not say in one line what it is about: {said}"


@pytest.mark.parametrize("verb", list(CHECKS))
def test_interrupted_here_and_there(verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    scene = scene_of(once, verb, SMALL)
    every_step(scene, nursery, Fault(signal=signal.SIGINT), counters, "Ctrl-C at a step", points=POINTS)


@pytest.mark.parametrize("verb", list(CHECKS))
def test_refused_here_and_there(verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    """Every other refusal of each verb, at one step, another one for each."""
    scene = scene_of(once, verb, SMALL)
    for turn, (name, fault) in list(enumerate(REFUSALS.items()))[list(CHECKS).index(verb) % 2 :: 2]:
        share = (turn + 1) / len(REFUSALS)
        every_step(scene, nursery, fault, counters, f"{name} at a step", points=1, share=share)


@pytest.mark.parametrize("verb", ["add", "force"])
def test_told_to_end_half_way(verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    """A batch system's SIGTERM. It left temps for a day, and whoever asked got no word of what was kept."""
    scene = scene_of(once, verb, SMALL)
    fault = Fault(signal=signal.SIGTERM)
    codes = every_step(scene, nursery, fault, counters, "SIGTERM at a step", points=1, share=0.5)
    assert codes == {143}
    scene.again()
    said = go(scene, nursery, fault._replace(at=9))
    assert said.code == 143 and json.loads(said.out)["errors"][0]["type"] == "Interrupted", said
    assert not [p for p in scene.lab.root.rglob(".tmp-*") if p.stat().st_size], "temps are removed"


@pytest.mark.faults
@pytest.mark.parametrize("verb", list(CHECKS))
def test_interrupted_everywhere(verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    scene = scene_of(once, verb, SMALL)
    codes = every_step(
        scene, nursery, Fault(signal=signal.SIGINT), counters, f"Ctrl-C at every step of {verb}", points=None
    )
    assert 130 in codes


@pytest.mark.faults
@pytest.mark.parametrize("refusal", list(REFUSALS))
@pytest.mark.parametrize("verb", list(CHECKS))
def test_refused_everywhere(verb: str, refusal: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    scene = scene_of(once, verb, SMALL)
    every_step(scene, nursery, REFUSALS[refusal], counters, f"{refusal} at every step", points=None)
