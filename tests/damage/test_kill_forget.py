"""SIGKILL at every step of forget and repack: what other versions need is at the remote, whole, and once more finishes
it. A version that was to be forgotten stays so once its tombstone is there."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv.errors import Forgotten
from lobsterdv.ops import repack as ops_repack
from lobsterdv.ops.gc_remote import collect_remote
from tests.damage import canaries
from tests.damage.counting import Counters
from tests.damage.killing import Ended, Nursery
from tests.damage.oracle import check_cache, check_remote, load, restore
from tests.ops.lab import Lab
from tests.ops.tidying import forget_history, share
from tests.properties.trees import picture

KILLS = 4
"""Kill points of each verb in the default suite; all of them in ``make test-faults``."""
HERS = random.Random("hers").randbytes(90_000)


def set_scene(verb: str, here: Path) -> Lab:
    """v1 has what must go; v2, which is current, shares most of an object with it. For a repack v1 is retired."""
    here.mkdir()
    lab = share(Lab.create(here / "lab", home=here / "home"), here / "store")
    lab.version("d", {"hers": HERS, **{f"{n}": random.Random(n).randbytes(9000) for n in range(9)}}, "1", tag="v1")
    lab.push()
    for name in ("hers", *map(str, range(2, 9))):
        lab.path(f"d/{name}").unlink()
    lab.version("d", {"new": "without her"}, "2", tag="v2")
    lab.push()
    if verb == "repack":
        lab.git("tag", "-d", "v1", "v2")
        forget_history(lab)
        assert collect_remote(lab.project, yes=True, observer=lab.observe).retired
    lab.close()
    canaries.plant(lab.root, lab.env, here / "store")
    return lab


def forget(nursery: Nursery, lab: Lab, kill_at: int = 0) -> Ended:
    more = {"rev": "v1", "reason": "consent withdrawn", "yes": True}
    return nursery.run(lab.root, lab.env, "forget", ["d"], kill_at=kill_at, **more)


def repack(nursery: Nursery, lab: Lab, kill_at: int = 0) -> Ended:
    return nursery.run(lab.root, lab.env, "repack", [], kill_at=kill_at, yes=True)


def is_forgotten(lab: Lab) -> None:
    """Neither here nor there, also for who would fetch it."""
    assert HERS not in check_cache(lab.root / ".git/lobsterdv/cache").values()
    lab.reopen()
    with pytest.raises(Forgotten):
        lab.fetch("d", rev="v1")
    lab.close()


def is_repacked(lab: Lab) -> None:
    """Nothing is left to repack."""
    lab.reopen()
    assert not ops_repack.repack(lab.project, observer=lab.observe).versions
    lab.close()


VERBS: dict[str, tuple[Callable[..., Ended], Callable[[Lab], None]]] = {
    "forget": (forget, is_forgotten),
    "repack": (repack, is_repacked),
}


@pytest.mark.parametrize("kills", [KILLS, pytest.param(10_000, marks=pytest.mark.faults)])
@pytest.mark.parametrize("verb", list(VERBS))
def test_killed_here_and_there(verb: str, kills: int, tmp_path: Path, nursery: Nursery, counters: Counters) -> None:
    here, spare = tmp_path / "here", tmp_path / "spare"
    lab = set_scene(verb, here)
    tree, pointer = picture(lab.path("d")), lab.read("d.ldv.yaml")
    subprocess.run(["cp", "-a", str(here), str(spare)], check=True)
    do, is_done = VERBS[verb]
    whole = do(nursery, lab)
    assert not whole.failures and whole.steps > 8, whole
    is_done(lab)
    tried = 0
    what = f"kill -9 at a step of {verb}" if kills == KILLS else f"kill -9 at every step of {verb}"
    for point in range(whole.steps, 0, -max(1, whole.steps // kills)):
        with counters.trying(what) as attempt:
            shutil.rmtree(here)
            subprocess.run(["cp", "-a", str(spare), str(here)], check=True)
            case = f"{verb} killed at step {point} of {whole.steps}"
            attempt.times = int(do(nursery, lab, point).killed)
            tried += attempt.times
            for again in (False, True):
                if again:
                    ended = do(nursery, lab)
                    assert not ended.failures and not ended.killed, (case, ended)
                remote = load(here / "store")
                check_remote(remote, {"d": pointer})
                assert restore(remote, pointer) == tree == picture(lab.path("d")), case
                check_cache(lab.root / ".git/lobsterdv/cache")
            is_done(lab)
    assert tried >= min(kills, whole.steps) - 1
