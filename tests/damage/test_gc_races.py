"""push and remote gc at the same time, in every order of their steps; and years of both. Deleted by mistake: nothing.

The steps of a push are check, put (or refresh), manifest, record; those of a collection mark, list, look again,
delete. One thread runs at a time, from one step to the next, so that every run is the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from lobsterdv.blobs.heads import Heads
from lobsterdv.errors import Busy, KeyMissing, LobsterError
from lobsterdv.ops import placing
from lobsterdv.stores.base import Stat
from lobsterdv.stores.memory import MemoryStore
from tests.damage.counting import Counters
from tests.ops.lab import Lab
from tests.ops.remote_life import Years, collect, dangling
from tests.ops.watching import WatchedStore

STEPS = 4


class Actor:
    """Somebody who stops before each of its steps until it is told to go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.go = threading.Semaphore(0)
        self.stopped = threading.Semaphore(0)
        self.passed: list[str] = []
        self.is_done = False
        self.error: BaseException | None = None

    def at(self, step: str) -> None:
        if threading.current_thread() is self.thread and step not in self.passed:
            self.passed.append(step)
            self.stopped.release()
            self.go.acquire()

    def start(self, work) -> None:  # type: ignore[no-untyped-def]
        def run() -> None:
            try:
                work()
            except BaseException as error:
                self.error = error
            self.is_done = True
            self.stopped.release()

        self.thread = threading.Thread(target=run)
        self.thread.start()
        assert self.stopped.acquire(timeout=60)

    def step(self) -> None:
        """From one step to before the next."""
        if not self.is_done:
            self.go.release()
            assert self.stopped.acquire(timeout=60)


class Stepping(WatchedStore):
    """A person's way to the store. With ``exact`` as false it deletes as a bucket without versions does: whatever lies
    there when the request arrives."""

    actor: Actor
    exact = True

    def _note(self, verb: str, key: str, size: int) -> int:
        step = _step(self.actor.name, verb, key)
        if step:
            self.actor.at(step)
        return super()._note(verb, key, size)

    def delete_exact(self, stat: Stat) -> bool:
        if self.exact:
            return super().delete_exact(stat)
        try:
            if self.inner.head(stat.key) != stat:
                return False
        except KeyMissing:
            return False
        self._note("delete_exact", stat.key, 0)
        self.inner.delete(stat.key)
        return True

    @property
    def is_exact(self) -> bool:
        return self.exact


def _step(who: str, verb: str, key: str) -> str:
    kind = key.partition("/")[0]
    if who == "push":
        found = {"manifests": "manifest", "catalog": "record"}.get(kind) if verb == "put" else None
        if kind == "objects":
            return "check" if verb == "head" else "put" if verb in ("put", "refresh") else ""
        return found or ""
    if verb == "list":
        return {"catalog": "mark", "objects": "list"}.get(kind, "")
    if kind == "objects":
        return "look again" if verb == "head" else "delete" if verb == "delete_exact" else ""
    return ""


class Scene:
    """A remote that holds one object which nothing names, marked 15 days ago; somebody who is about to push a version
    that needs it, and somebody who is about to collect."""

    def __init__(self, folder: Path) -> None:
        self.pusher = Lab.create(folder / "pusher", home=folder / "home")
        self.store = MemoryStore()
        self.years = Years(self.store, [self.pusher])
        self.pusher.use(self.store)
        self.pusher.write("kept", b"k" * 5000)
        self.pusher.add("kept")
        self.pusher.commit()
        self.pusher.push()
        self.collector = self.pusher.clone(folder / "collector")
        self.years.join(self.collector)
        self.pusher.write("data", bytes(range(256)) * 200)
        self.pusher.add("data")
        self.pusher.commit()
        self.pusher.push("data")
        for stat in list(self.store.list("catalog/")):
            if b"path: data" in self.store.read_whole(stat.key, limit=1 << 20):
                self.store.delete(stat.key)  # as if the push had been killed just before
        self.pusher.project.index.write(lambda connection: connection.execute("delete from pushed"))
        self.collector.project.index.write(lambda connection: connection.execute("delete from pushed"))
        collect(self.collector)
        self.years.pass_days(15)
        self.values = dict(self.store._values)

    def again(self) -> None:
        """As it was."""
        self.store._values = dict(self.values)
        self.pusher.project.index.write(lambda connection: connection.execute("delete from pushed"))

    def play(self, order: str, *, exact: bool) -> tuple[Actor, Actor]:
        """``p`` lets the push go on to its next step, ``g`` the collection."""
        self.again()
        push, gc = Actor("push"), Actor("gc")
        for actor, lab in ((push, self.pusher), (gc, self.collector)):
            way = Stepping(self.store)
            way.actor, way.exact = actor, exact
            lab.use(way)
            lab.project._stores.clear()
        push.start(lambda: self.pusher.push("data", jobs=1))
        gc.start(lambda: collect(self.collector, jobs=1))
        for letter in order:
            (push if letter == "p" else gc).step()
        while not (push.is_done and gc.is_done):
            push.step()
            gc.step()
        for actor in (push, gc):
            actor.thread.join()
            assert actor.error is None or isinstance(actor.error, Busy), actor.error
        return push, gc

    def close(self) -> None:
        self.pusher.close()
        self.collector.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"))
    yield made
    made.close()


ORDERS = [
    "".join("p" if number in chosen else "g" for number in range(2 * STEPS))
    for chosen in combinations(range(2 * STEPS), STEPS)
]


@pytest.mark.parametrize("exact", [True, False], ids=["versions", "no versions"])
def test_every_order_of_a_push_and_a_collection(scene: Scene, exact: bool, counters: Counters) -> None:
    """70 orders. A push that says it is done is whole; one that had to stop says so, and the next one is."""
    steps: set[tuple[str, str]] = set()
    stopped = deleted = 0
    for order in ORDERS:
        with counters.trying("orders of a push and a collection: nothing dangles"):
            push, gc = scene.play(order, exact=exact)
            assert not dangling(scene.pusher, scene.store), order
            assert not isinstance(gc.error, Busy), order
            if push.error is not None:
                stopped += 1
                scene.pusher.push("data")
                assert not dangling(scene.pusher, scene.store), order
            records = [scene.store.read_whole(stat.key, limit=1 << 20) for stat in scene.store.list("catalog/")]
            assert any(b"path: data" in record for record in records), order
        steps |= {(actor.name, step) for actor in (push, gc) for step in actor.passed}
        deleted += "delete" in gc.passed
    assert len(ORDERS) == 70 and len(steps) == 2 * STEPS, steps
    assert deleted, "in some orders the collection was first"
    assert stopped == 0 or not exact, "only where a deletion might hit what was refreshed"


@pytest.mark.parametrize("exact", [True, False], ids=["versions", "no versions"])
def test_without_the_refresh_it_is_lost(
    scene: Scene, exact: bool, monkeypatch: pytest.MonkeyPatch, counters: Counters
) -> None:
    """These tests can fail: this is what happened to harbor, floecat and lakeFS."""
    monkeypatch.setattr(Heads, "_stays", lambda self, item, stat: True)
    lost = []
    with counters.trying("faults planted in lobsterdv, and found"):
        for order in ORDERS:
            scene.play(order, exact=exact)
            if dangling(scene.pusher, scene.store):
                lost.append(order)
                break
        assert lost


def test_without_the_guard_a_bucket_without_versions_loses_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, counters: Counters
) -> None:
    """A deletion that was on its way when the object was refreshed."""
    monkeypatch.setattr("lobsterdv.blobs.heads.require_no_sweep", lambda store: None)
    monkeypatch.setattr(placing, "require_no_sweep", lambda store: None)
    lost = []
    with counters.trying("faults planted in lobsterdv, and found"):
        for order in ORDERS:
            scene.play(order, exact=False)
            try:
                lost += [order] if dangling(scene.pusher, scene.store) else []
            except LobsterError:
                lost.append(order)
            if lost:
                break
        assert lost
