"""Every request of the rarer commands that speak to a remote, over S3: remote sync, forget, drop, gc, repack and
add --to-remote, killed at, refused, or cut off after it was done. What others need is whole at every moment, nothing of
the user's goes, and the same command finishes.

The default suite takes some requests; ``make test-faults`` takes every one. In front of SeaweedFS, ``make
test-faults-s3``, kills take every one, and faults one in four. (``undelete`` speaks to nobody.)
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lobsterdv.ops.gc_remote import collect_remote
from tests.damage import faults
from tests.damage.counting import Counters
from tests.damage.far import Far
from tests.damage.killing import Nursery, Said
from tests.damage.oracle import Tree, Wrong, check_cache, check_remote, restore
from tests.damage.proxy import Exchange, proxy_to
from tests.ops.lab import Lab
from tests.ops.tidying import forget_history
from tests.properties.trees import picture
from tests.servers import Server

COMMANDS = {
    "sync": ["remote", "sync", "r", "t"],
    "forget": ["forget", "d@v1", "--reason", "asked to", "--yes"],
    "drop": ["drop", "--yes", "d", "f.bin"],
    "gc": ["gc", "--yes"],
    "repack": ["repack", "--yes"],
    "to remote": ["add", "--to-remote", "late.txt"],
}
NOTICED = (0, 1, 3, 4)
FAULTS = {"reset after": (0,), "503": (0,), "flipped": NOTICED, **dict.fromkeys(faults.LISTS, NOTICED)}
"""And how a command may end that met one."""
CURRENT = ("d", "f.bin", "x")
HERS, HELD, LATE = (random.Random(name).randbytes(90_000) for name in ("hers", "held", "late"))


@dataclass
class Scene:
    """A project as it is before each command, and its remote's bytes. ``pointers`` are those of the work tree."""

    lab: Lab
    template: Path
    far: Far
    stock: dict[str, bytes]
    forgotten: str
    pointers: dict[str, bytes]
    trees: dict[str, Tree | None]
    is_slow: bool = False
    _counts: dict[str, list[Exchange]] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.lab.root / ".git/lobsterdv/cache"

    def again(self) -> None:
        shutil.rmtree(self.lab.root)
        subprocess.run(["cp", "-a", str(self.template), str(self.lab.root)], check=True)
        prefix = self.far.turn(self.stock)
        start = (self.lab.root / ".lobsterdv.yaml").read_text().split("remote:")[0]
        fields = f"  r:\n{self.far.fields(prefix)}  t:\n{self.far.fields(f'{prefix}-t')}"
        (self.lab.root / ".lobsterdv.yaml").write_text(f"{start}remote: r\nremotes:\n{fields}")

    def requests_of(self, verb: str) -> list[Exchange]:
        if verb not in self._counts:
            self.again()
            self._counts[verb] = self.goes_on(verb, "unharmed")
        return self._counts[verb]

    def judge(self, verb: str, case: str, *, is_done: bool) -> None:
        remote, copy = self.far.remote(), self.far.remote(f"{self.far.prefix}-t")
        try:
            check_remote(remote, self.pointers)
            check_remote(copy, self.pointers if is_done and verb == "sync" else {})
            contents = check_cache(self.cache).values()
        except Wrong as error:
            raise AssertionError(f"{case}: {error}") from error
        for name, tree in self.trees.items():
            assert picture(self.lab.path(name)) == tree, case
        if verb not in ("drop", "gc"):
            assert HELD in contents, case
        if not is_done:
            return
        if verb == "forget":
            assert HERS not in contents, case
            places = {key.split("/")[0] for key in remote if self.forgotten in key and not key.startswith("objects/")}
            assert places == {"forgotten"}, case
        elif verb == "drop":
            assert self.trees["f.bin"] and self.trees["f.bin"][""][1] not in contents, case
        elif verb == "gc":
            assert HELD not in contents, case
        elif verb == "repack":
            assert {key for key in remote if key.startswith("manifests/")} - self.stock.keys(), case
        elif verb == "to remote":
            assert restore(remote, self.lab.read("late.txt.ldv.yaml")) == {"": ("file", LATE)}, case

    def goes_on(self, verb: str, case: str) -> list[Exchange]:
        """The same command again, over a line that is well."""
        self.far.proxy.restart()
        self.far.unlock()
        said = self.far.type(COMMANDS[verb], self.lab.root)
        assert said.code == 0, (case, said)
        self.judge(verb, case, is_done=True)
        return list(self.far.proxy.exchanges)


@pytest.fixture(scope="module", params=["moto", pytest.param("seaweedfs", marks=pytest.mark.s3)])
def scene(
    request: pytest.FixtureRequest, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """``d`` has a version v1 that somebody may want forgotten; the first version of ``x`` is retired and wastes half an
    object of its second; the cache has a version that nothing names and the remote holds."""
    server: Server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("rarer")
    lab = Lab.create(folder / "lab", home=folder / "home")
    lab.use(server.store(bucket := server.new_bucket(), "story"))
    lab.version("d", {"hers": HERS, **{f"{n}": f"{n}" * 900 for n in range(9)}}, "1", tag="v1")
    forgotten = lab.pointer("d").digest.hex()
    lab.write("f.bin", os.urandom(300_000))
    lab.add("f.bin")
    lab.push()
    lab.path("d/hers").unlink()
    lab.version("d", {"new": "without her"}, "2")
    files = {f"{n}": random.Random(n).randbytes(9000) for n in range(9)}
    lab.version("x", {"waste": os.urandom(90_000), **files}, "3")
    lab.push()
    for name in ("waste", *map(str, range(2, 9))):
        lab.path(f"x/{name}").unlink()
    lab.version("x", {"new": "smaller"}, "4")
    lab.push()
    forget_history(lab)
    assert collect_remote(lab.project, yes=True, observer=lab.observe).retired
    lab.write("held.bin", HELD)
    lab.add("held.bin")
    lab.commit()
    lab.push()
    lab.git("rm", "-qf", "held.bin.ldv.yaml")
    lab.path("held.bin").unlink()
    forget_history(lab)
    lab.write("late.txt", LATE)
    lab.project.close()
    for left in (lab.root / ".git/lobsterdv").glob("index.db*"):
        left.unlink()
    with proxy_to(server.endpoint_url) as proxy:
        env = {**lab.env, **Server("proxied", proxy.url, server.access_key, server.secret_key).environment}
        env |= {"LIFE_PID": str(folder / "pid"), "LIFE_AGED": "yes"}
        far = Far(proxy, nursery, server, bucket, env)
        pointers = {name: lab.read(f"{name}.ldv.yaml") for name in CURRENT}
        trees = {name: picture(lab.path(name)) for name in (*CURRENT, "late.txt")}
        lab.root.rename(folder / "template")
        lab.root.mkdir()
        is_slow = request.param == "seaweedfs"
        yield Scene(lab, folder / "template", far, far.remote("story"), forgotten, pointers, trees, is_slow)


def some(count: int, whole: bool, verb: str) -> list[int]:
    """One of them in the default suite, another one of each verb."""
    return list(range(1, count + 1)) if whole else [1 + count * (2 + list(COMMANDS).index(verb)) // 9]


def judged(scene: Scene, verb: str, said: Said, case: str, codes: tuple[int, ...], *, misled: bool = False) -> None:
    """Who was ``misled`` by a list may have left something undone."""
    assert said.code in codes, (case, said)
    assert "Traceback" not in said.err + said.out and "InternalError" not in said.out, (case, said)
    scene.judge(verb, case, is_done=said.code == 0 and not misled)
    if said.code or misled:
        scene.goes_on(verb, case)


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.faults)])
@pytest.mark.parametrize("verb", COMMANDS)
def test_killed_at_a_request(verb: str, whole: bool, scene: Scene, counters: Counters) -> None:
    count, killed = len(scene.requests_of(verb)), 0
    for point in some(count, whole, verb):
        scene.again()
        case = f"{verb} killed at request {point} of {count}"
        with counters.trying(f"kill -9 at an S3 request of {verb}") as attempt:
            said = scene.far.ended_at(point, COMMANDS[verb], scene.lab.root, signal.SIGKILL)
            attempt.times = int(said.code == -1)
            killed += attempt.times
            judged(scene, verb, said, case, (-1, 0))
    assert killed


@pytest.mark.parametrize(
    ("verb", "kind", "whole"),
    [(verb, ("reset after", "503")[n % 2], False) for n, verb in enumerate(COMMANDS)]
    + [pytest.param(verb, kind, True, marks=pytest.mark.faults) for kind in FAULTS for verb in COMMANDS],
)
def test_a_fault_at_a_request(verb: str, kind: str, whole: bool, scene: Scene, counters: Counters) -> None:
    requests, met = scene.requests_of(verb), 0
    count = len(requests)
    for point in some(count, whole, verb)[:: 4 if scene.is_slow else 1]:
        if not faults.may_strike(kind, requests[point - 1].verb, requests[point - 1].target):
            continue
        scene.again()
        case = f"{verb}, {kind} at request {point} of {count}"
        with counters.trying(f"S3 fault at a request of {verb}, {kind}: absorbed, or told and gone on from") as attempt:
            said, attempt.times = scene.far.faulted(
                lambda number, exchange, at=point: kind if number == at else "", COMMANDS[verb], scene.lab.root
            )
            met += attempt.times
            judged(scene, verb, said, case, FAULTS[kind], misled=kind in faults.LISTS)
    assert met or kind in faults.LISTS  # drop and add ask for no list of several keys
