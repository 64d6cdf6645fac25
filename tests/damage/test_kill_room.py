"""SIGKILL at every step of gc, drop and undelete: each content stays somewhere whole, and once more finishes it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from blake3 import blake3

from lobsterdv.formats.pack import parse_pack_index
from tests.damage import canaries
from tests.damage.conftest import Once
from tests.damage.counting import Counters
from tests.damage.killing import Nursery
from tests.damage.oracle import check_cache, check_remote, load
from tests.ops.lab import Lab
from tests.ops.tidying import forget_history, share, version
from tests.properties.trees import picture

KILLS = 4
"""Kill points of each verb in the default suite; all of them in ``make test-faults``."""
BIG = 300_000
AGED = "tests.damage.ageing:nothing_is_young"


def content(seed: str, size: int) -> bytes:
    return (seed.encode() * (size // len(seed) + 1))[:size]


@dataclass
class Scene:
    """Contents by what becomes of them: ``kept`` are named, the others are not: ``held`` are at the remote too,
    ``lonely`` nowhere else."""

    lab: Lab
    template: Path
    kept: dict[str, bytes]
    held: dict[str, bytes]
    lonely: dict[str, bytes]

    @property
    def here(self) -> Path:
        return self.lab.root.parent

    @property
    def cache(self) -> Path:
        return self.lab.root / ".git/lobsterdv/cache"

    def again(self) -> None:
        shutil.rmtree(self.here)
        subprocess.run(["cp", "-a", str(self.template), str(self.here)], check=True)

    def keep(self) -> None:
        """This is the moment to come back to."""
        shutil.rmtree(self.template, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.here), str(self.template)], check=True)


def files(seed: str) -> dict[str, bytes]:
    """Two plain files and a few that are packed."""
    return {f"{n}": content(f"{seed} {n} ", BIG if n < 2 else 500 + n) for n in range(8)}


@pytest.fixture
def scene(once: Once[Scene]) -> Scene:
    return once("gc", set_scene)


def set_scene(folder: Path) -> Scene:
    """A history squashed: one version is current, one was pushed, of one the cache has the only copy. Files of two of
    them lie in one pack."""
    here = folder / "here"
    here.mkdir()
    lab = share(Lab.create(here / "lab", home=here / "home"), here / "store")
    kept, held, lonely = files("kept"), files("held"), files("lonely")
    version(lab, "x", {**held, **{f"k{name}": data for name, data in kept.items()}})
    lab.push()
    version(lab, "x", {**lonely, **{f"h{name}": data for name, data in held.items()}})
    version(lab, "x", {f"k{name}": data for name, data in kept.items()})
    forget_history(lab)
    lab.push()
    lab.close()
    canaries.plant(lab.root, lab.env, here / "store")
    made = Scene(lab, folder / "template", kept, held, lonely)
    made.keep()
    return made


def whole(cache: Path) -> set[bytes]:
    """Digests of all contents that lie in the cache or its trash, whole; by the format alone."""
    found: set[bytes] = set()
    for path in [*cache.glob("files/*/*"), *cache.glob("trash/*/files/*")]:
        if len(path.name) == 64 and blake3(path.read_bytes()).hexdigest() == path.name:
            found.add(bytes.fromhex(path.name))
    for index in [*cache.glob("packs/*.idx"), *cache.glob("trash/*/packs/*.idx")]:
        packs = [index.with_suffix(".pack"), cache / "packs" / index.with_suffix(".pack").name]
        data = next((p.read_bytes() for p in packs if p.exists()), b"")
        for row in parse_pack_index(index.read_bytes(), what=index.name):
            if blake3(data[row.offset : row.offset + row.size]).digest() == bytes(row.digest):
                found.add(bytes(row.digest))
    return found


def names(contents: dict[str, bytes]) -> set[bytes]:
    return {blake3(data).digest() for data in contents.values()}


def points(steps: int, kills: int | None) -> Iterator[int]:
    yield from range(steps, 0, -(1 if kills is None else max(1, steps // kills)))


def kill_gc(scene: Scene, nursery: Nursery, kills: int | None, counters: Counters, what: str) -> int:
    options = {"yes": True, "prepare": AGED}
    end = nursery.run(scene.lab.root, scene.lab.env, "gc", **options)
    assert not end.failures and end.steps > 20, end
    tried = 0
    for point in points(end.steps, kills):
        with counters.trying(what) as attempt:
            scene.again()
            ended = nursery.run(scene.lab.root, scene.lab.env, "gc", kill_at=point, **options)
            attempt.times = int(ended.killed)
            tried += attempt.times
            case = f"killed at step {point} of {end.steps}"
            assert names(scene.kept) <= names_here(scene.cache), case
            assert names(scene.lonely) <= whole(scene.cache), case
            assert not nursery.run(scene.lab.root, scene.lab.env, "gc", **options).failures, case
            check_cache(scene.cache)
            assert names_here(scene.cache) == names(scene.kept), case
            lab = scene.lab.reopen()
            entries = sorted({p.name for p in (scene.cache / "trash").iterdir() if p.is_dir()})
            lab.close()
            ended = nursery.run(lab.root, lab.env, "undelete", entries)
            assert not ended.failures, (case, ended.failures)
            assert names(scene.lonely) | names(scene.kept) <= names_here(scene.cache), case
            check_cache(scene.cache)
    check_remote(load(scene.here / "store"))
    return tried


def names_here(cache: Path) -> set[bytes]:
    """What is in the cache itself."""
    found = {bytes.fromhex(p.name) for p in cache.glob("files/*/*") if len(p.name) == 64}
    for index in cache.glob("packs/*.idx"):
        found |= set(parse_pack_index(index.read_bytes(), what=index.name).names())
    return found


def kill_drop(scene: Scene, nursery: Nursery, kills: int | None, counters: Counters, what: str) -> int:
    before = picture(scene.lab.path("x")) or {}
    options = {"yes": True, "data": True}
    end = nursery.run(scene.lab.root, scene.lab.env, "drop", ["x"], **options)
    assert not end.failures and end.steps > 10, end
    assert not scene.lab.path("x").exists() and not names(scene.kept) & names_here(scene.cache)
    tried = 0
    for point in points(end.steps, kills):
        with counters.trying(what) as attempt:
            scene.again()
            attempt.times = int(
                nursery.run(scene.lab.root, scene.lab.env, "drop", ["x"], kill_at=point, **options).killed
            )
            tried += attempt.times
            case = f"killed at step {point} of {end.steps}"
            check_cache(scene.cache)
            here = picture(scene.lab.path("x")) or {}
            assert all(before[path] == node for path, node in here.items()), case
            assert names(scene.lonely) <= whole(scene.cache), case
            again = nursery.run(scene.lab.root, scene.lab.env, "drop", ["x"], **options)
            assert not again.failures, (case, again.failures)
            assert not scene.lab.path("x").exists() and not names(scene.kept) & names_here(scene.cache), case
            lab = scene.lab.reopen()
            lab.pull("x")
            lab.close()
            assert picture(lab.path("x")) == before, case
    return tried


def kill_undelete(scene: Scene, nursery: Nursery, kills: int | None, counters: Counters, what: str) -> int:
    ended = nursery.run(scene.lab.root, scene.lab.env, "gc", yes=True, prepare=AGED)
    assert not ended.failures
    scene = replace(scene, template=scene.template.with_name("collected"))
    scene.keep()
    (entry,) = [p.name for p in (scene.cache / "trash").iterdir() if p.is_dir()]
    end = nursery.run(scene.lab.root, scene.lab.env, "undelete", [entry])
    assert not end.failures and end.steps > 5, end
    tried = 0
    for point in points(end.steps, kills):
        with counters.trying(what) as attempt:
            scene.again()
            attempt.times = int(nursery.run(scene.lab.root, scene.lab.env, "undelete", [entry], kill_at=point).killed)
            tried += attempt.times
            case = f"killed at step {point} of {end.steps}"
            assert names(scene.lonely) | names(scene.kept) <= whole(scene.cache), case
            if (scene.cache / "trash" / entry).exists():
                again = nursery.run(scene.lab.root, scene.lab.env, "undelete", [entry])
                assert not again.failures or not any(p.is_file() for p in (scene.cache / "trash" / entry).rglob("*")), (
                    case
                )
            assert names(scene.lonely) <= names_here(scene.cache), case
            check_cache(scene.cache)
    return tried


VERBS = {"gc": kill_gc, "drop": kill_drop, "undelete": kill_undelete}


@pytest.mark.parametrize("verb", list(VERBS))
def test_killed_here_and_there(verb: str, scene: Scene, nursery: Nursery, counters: Counters) -> None:
    tried = VERBS[verb](scene, nursery, KILLS, counters, f"kill -9 at a step of {verb}")
    assert tried >= KILLS - 2


@pytest.mark.faults
@pytest.mark.parametrize("verb", list(VERBS))
def test_killed_everywhere(verb: str, scene: Scene, nursery: Nursery, counters: Counters) -> None:
    tried = VERBS[verb](scene, nursery, None, counters, f"kill -9 at every step of {verb}")
    assert tried > KILLS
