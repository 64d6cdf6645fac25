"""SIGKILL at every step of add, push, fetch, checkout and checkout --force: nothing is lost, once more finishes it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from tests.damage import canaries
from tests.damage.conftest import Once
from tests.damage.counting import Counters
from tests.damage.killing import Ended, Fault, Nursery, Said
from tests.damage.oracle import check_cache, check_remote, load, restore, restore_from_cache
from tests.damage.story import DATASETS, Story, tell
from tests.ops.lab import Lab
from tests.properties.trees import picture

UNSAVED = b"unsaved work"
SMALL = 300 << 10
KILLS = 6
"""Kill points of each verb in the default suite; all of them in ``make test-faults``."""


@dataclass
class Scene:
    """A moment before a verb, which can be had again and again at the same place."""

    story: Story
    lab: Lab
    verb: str
    template: Path

    @property
    def here(self) -> Path:
        return self.lab.root.parent

    @property
    def cache(self) -> Path:
        return self.lab.root / ".git/lobsterdv/cache"

    def again(self) -> None:
        shutil.rmtree(self.here)
        subprocess.run(["cp", "-a", str(self.template), str(self.here)], check=True)

    def pictures(self) -> dict[str, object]:
        return {dataset: picture(self.lab.path(dataset)) for dataset in DATASETS}

    def pointer(self, dataset: str) -> bytes:
        return self.lab.read(f"{dataset}.ldv.yaml")


def scene_of(once: Once[Scene], verb: str, large: int) -> Scene:
    """The one that all tests share."""
    return once(f"{verb} {large}", lambda folder: set_scene(verb, folder, large))


def set_scene(verb: str, folder: Path, large: int, *, many: int = 0) -> Scene:
    """Everything up to the moment before ``verb``; ``many`` more small files, nested, are in the tree."""
    here = folder / "here"
    until = {"add": "written", "push": "added"}.get(verb, "pushed")
    story = tell(here, until=until, large=large, many=many)
    lab = story.owner
    if verb in ("fetch", "checkout", "force"):
        lab = story.guest(here / "guest")
    if verb in ("checkout", "force"):
        lab.pull(*DATASETS, rev="v1")
        lab.git("checkout", "-q", "-f", "main")
        lab.fetch()
    if verb == "force":
        lab.write("tree/always", UNSAVED)
        lab.write("lib/small.csv", UNSAVED)
    story.owner.close()
    lab.close()
    canaries.plant(lab.root, lab.env, story.remote)
    subprocess.run(["cp", "-a", str(here), str(folder / "template")], check=True)
    return Scene(story, lab, verb, folder / "template")


def after_add(scene: Scene, done: bool) -> object:
    """The user's files are as they were; pointers name what is kept."""
    story = scene.story
    for dataset in DATASETS:
        assert picture(scene.lab.path(dataset)) == story.trees["v2", dataset]
        kept = restore_from_cache(scene.cache, scene.pointer(dataset))
        assert kept in ([story.trees["v2", dataset]] if done else [story.trees[tag, dataset] for tag in ("v1", "v2")])
    ignored = {p.name: p.read_bytes() for p in scene.lab.root.rglob(".gitignore")}
    return scene.lab.staged(), ignored, [scene.pointer(dataset) for dataset in DATASETS]


def after_push(scene: Scene, done: bool) -> object:
    """A finished push can be restored. That the remote holds what it names was seen before."""
    remote = load(scene.story.remote)
    if done:
        check_remote(remote)
    for (tag, dataset), pointer in scene.story.pointers.items() if done else ():
        assert restore(remote, pointer) == scene.story.trees[tag, dataset]
    return {key for key in remote if not key.startswith(("catalog/", "lobsterdv.json"))}


def after_fetch(scene: Scene, done: bool) -> object:
    """Nothing but whole content is in the cache; the work tree was never touched."""
    assert set(scene.pictures().values()) == {None}
    for dataset in DATASETS if done else ():
        assert restore_from_cache(scene.cache, scene.pointer(dataset)) == scene.story.trees["v2", dataset]
    return set(check_cache(scene.cache))


def after_checkout(scene: Scene, done: bool) -> object:
    """Every file is whole, old or new, and after a finished one all are new."""
    trees = scene.story.trees
    for dataset in DATASETS:
        here = picture(scene.lab.path(dataset)) or {}
        if done:
            assert here == trees["v2", dataset]
        for path, node in here.items():
            old = ("file", UNSAVED) if scene.verb == "force" else trees["v1", dataset].get(path)
            assert node[0] == "dir" or node in (old, trees["v1", dataset].get(path), trees["v2", dataset].get(path)), (
                path
            )
        assert restore_from_cache(scene.cache, scene.pointer(dataset)) == trees["v2", dataset]
    if scene.verb == "force":
        places = [
            *(scene.lab.root / ".git/lobsterdv/trash").rglob("*"),
            *map(scene.lab.path, ("tree/always", "lib/small.csv")),
        ]
        kept = [p for p in places if p.is_file() and p.read_bytes() == UNSAVED]
        assert len(kept) == 2, "unsaved work is gone"
    return scene.pictures()


CHECKS: dict[str, Callable[[Scene, bool], object]] = {
    "add": after_add, "push": after_push, "fetch": after_fetch, "checkout": after_checkout,
    "force": after_checkout,
}  # fmt: skip


@dataclass
class Killer:
    """Does a scene's verb again and again, kills it on the way, and sees that nothing is lost and that it goes on."""

    scene: Scene
    nursery: Nursery
    jobs: str = "1"
    steps: int = 0

    def __post_init__(self) -> None:
        """Once unharmed: how many steps it takes, and what is there then."""
        self.scene.again()
        whole = self._do()
        assert not whole.failures and whole.steps > 10
        self.steps = whole.steps
        self.reference = CHECKS[self.scene.verb](self.scene, True)

    def seconds(self) -> float:
        """How long it takes, unharmed; not at the first time, when the nursery itself begins."""
        self.scene.again()
        begun = time.monotonic()
        self._do()
        return time.monotonic() - begun

    def killed(self, case: str, *, at: int = 0, after: float = 0) -> bool:
        """Kill it there, and have it finish. False when it had ended before."""
        scene, check = self.scene, CHECKS[self.scene.verb]
        scene.again()
        ended = self._do(at, after)
        check_cache(scene.cache)
        check_remote(load(scene.story.remote))
        check(scene, not ended.killed)
        again = self._do()
        assert not again.failures and not again.killed, f"{case}, then {again.failures}"
        assert check(scene, True) == self.reference, case
        check_clean_up(scene, case)
        return ended.killed

    def _do(self, kill_at: int = 0, kill_after: float = 0) -> Ended:
        scene = self.scene
        forced = scene.verb == "force"
        return self.nursery.run(
            scene.lab.root,
            {**scene.lab.env, "LOBSTERDV_JOBS": self.jobs},
            "checkout" if forced else scene.verb,
            DATASETS if scene.verb == "add" else [],
            kill_at=kill_at,
            kill_after=kill_after,
            **({"force": True} if forced else {}),
        )


def kill_everywhere(
    scene: Scene, nursery: Nursery, counters: Counters, what: str, *, kills: int | None, jobs: str
) -> int:
    """Kill at up to ``kills`` points, spread evenly over all of them; returns how many were tried."""
    killer = Killer(scene, nursery, jobs)
    step = 1 if kills is None else max(1, killer.steps // kills)
    points = range(killer.steps, 0, -step)
    tried = 0
    for at in points:
        with counters.trying(what) as attempt:
            attempt.times = int(killer.killed(f"{scene.verb} killed at step {at} of {killer.steps}", at=at))
        tried += attempt.times
    return tried


def check_clean_up(scene: Scene, case: str) -> None:
    """No staged tree is left, and ``status`` has nothing to tell."""
    assert not list(scene.lab.root.rglob(".lobsterdv-stage-*")), case
    lab = replace(scene.lab).reopen()
    try:
        report = lab.status()
        assert not report.interrupted and not report.failures and not report.conflicts, f"{case}: {report}"
    finally:
        lab.close()


@pytest.mark.parametrize("verb", list(CHECKS))
def test_killed_here_and_there(verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    scene = scene_of(once, verb, SMALL)
    tried = kill_everywhere(scene, nursery, counters, f"kill -9 at a step of {verb}", kills=KILLS, jobs="1")
    assert tried >= KILLS - 2


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.faults)])
@pytest.mark.parametrize("verb", ["add", "push"])
def test_temps_of_killed_processes_go_after_a_day(verb: str, whole: bool, once: Once[Scene], nursery: Nursery) -> None:
    """Unfinished copies as large as the data stayed in the cache and at the remote for ever, and odd files beside the
    user's. What is being synced is a temp: killed at each sync until all kinds were left, at all of them in ``make
    test-faults``."""
    scene = scene_of(once, verb, SMALL)

    def do(at: int) -> Said:
        fault = Fault(at, signal.SIGKILL, only=("lobsterdv.sync",))
        return nursery.faulted([verb, *DATASETS], scene.lab.root, {**scene.lab.env, "LOBSTERDV_JOBS": "1"}, fault)

    kinds = {"cache", "lib"} if verb == "add" else {"objects"}
    kinds |= {"manifests", "catalog", "cache"} if verb == "push" and whole else set()
    seen: set[str] = set()
    for point in range(1, do(0).steps + 1):
        if kinds <= seen and not whole:
            break
        scene.again()
        do(point)
        left = list(scene.here.rglob(".tmp-*"))
        for path in left:
            os.utime(path, (0, 0))
        assert do(0).code == 0
        assert not [p for p in left if p.exists()], f"killed at {point}"
        seen |= {kind for path in left for kind in kinds & set(path.parts)}
    assert kinds <= seen


@pytest.mark.faults
@pytest.mark.parametrize("jobs", ["1", "8"])
@pytest.mark.parametrize("verb", list(CHECKS))
def test_killed_everywhere(verb: str, jobs: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    scene = scene_of(once, verb, (8 << 20) + 4321)
    tried = kill_everywhere(scene, nursery, counters, f"kill -9 at every step of {verb}", kills=None, jobs=jobs)
    assert tried > 50


@pytest.mark.faults
@pytest.mark.parametrize("verb", list(CHECKS))
def test_killed_in_a_deep_tree(verb: str, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    """200 more files, nested: at 40 steps, spread evenly."""
    scene = once(f"{verb} deep", lambda folder: set_scene(verb, folder, SMALL, many=200))
    tried = kill_everywhere(
        scene, nursery, counters, f"kill -9 at a step of {verb}, 200 nested files", kills=40, jobs="1"
    )
    assert tried >= 35


@pytest.mark.parametrize("kills", [2, pytest.param(200, marks=pytest.mark.faults)])
@pytest.mark.parametrize("verb", list(CHECKS))
def test_killed_at_any_moment(verb: str, kills: int, once: Once[Scene], nursery: Nursery, counters: Counters) -> None:
    """Not at a step but by the clock: between two of them, within a system call, in other threads too."""
    killer = Killer(scene_of(once, verb, SMALL), nursery, jobs="2")
    random = Random(f"{verb} {kills}")
    seconds, tried = killer.seconds(), 0
    for _ in range(kills):
        moment = random.uniform(0.001, seconds)
        with counters.trying(f"kill -9 at a random moment of {verb}") as attempt:
            attempt.times = int(killer.killed(f"{verb} killed after {moment:.4f} s", after=moment))
        tried += attempt.times
    assert tried >= kills // 10, "few are too late"
