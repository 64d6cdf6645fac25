"""Years at one remote: two clones and a fork push, abandon, are interrupted and collect, whenever they like; their
clocks may be wrong, the store's is turned by days. What a catalog record names is always there.

The long form (``make test-faults``) is 500 lives of 50 steps.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lobsterdv.blobs.heads import Heads
from lobsterdv.errors import Refused, Unreachable
from lobsterdv.ops.gc_remote import collect_remote, undo_retirements
from lobsterdv.stores.memory import MemoryStore
from tests.damage.counting import Counters
from tests.ops.lab import Lab
from tests.ops.remote_life import DAY, Years, dangling
from tests.ops.watching import Call, WatchedStore

PEOPLE = st.sampled_from(["ada", "bob", "fork"])
DATASETS = st.sampled_from(["one", "two"])
BYTES = [bytes([number]) * 700 + b"shared" * 300 for number in range(4)]
DAYS = st.sampled_from([0.5, 3, 5, 8, 15, 31])


LIVES = 500
PARTS = 5


class Lives(RuleBasedStateMachine):
    """``deleted`` counts what collections took, so that a test can see that they took something."""

    deleted = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lives-"))
        ada = Lab.create(self.folder / "ada", home=self.folder / "home")
        self.store = MemoryStore()
        self.years = Years(self.store)
        self.people = {"ada": ada}
        self.ways: dict[str, WatchedStore] = {}
        for name in ("bob", "fork"):
            self.people[name] = ada.clone(self.folder / name)
        for name, lab in self.people.items():
            self.ways[name] = WatchedStore(self.store)
            lab.use(self.ways[name])
            self.years.join(lab)
        ada.write("kept", b"kept" * 999)
        ada.add("kept")
        ada.commit()
        ada.push()

    def teardown(self) -> None:
        for lab in self.people.values():
            lab.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(who=PEOPLE, name=DATASETS, data=st.sampled_from(BYTES))
    def work(self, who: str, name: str, data: bytes) -> None:
        lab = self.people[who]
        lab.write(name, data)
        lab.add(name)
        lab.commit()

    @rule(who=PEOPLE)
    def push(self, who: str) -> None:
        self._push(who)

    @rule(who=PEOPLE, other=PEOPLE, request=st.integers(0, 12), days=DAYS)
    def push_while_another_collects(self, who: str, other: str, request: int, days: float) -> None:
        """Before some request of the push, days pass and somebody collects."""

        def come(call: Call) -> None:
            if len(self.ways[who].calls) == request + 1 and other != who:
                self._collect(other)
                self.years.pass_days(days)
                self._collect(other)

        self._push(who, before=come)

    @rule(who=PEOPLE, request=st.integers(0, 12))
    def push_is_killed(self, who: str, request: int) -> None:
        def fail(call: Call) -> None:
            if len(self.ways[who].calls) == request + 1:
                raise Unreachable("memory:", call.verb, "unplugged")

        try:
            self._push(who, before=fail)
        except Unreachable:
            pass

    @rule(who=PEOPLE)
    def abandon(self, who: str) -> None:
        """The last commit goes, without a trace but the objects that git keeps for two weeks."""
        lab = self.people[who]
        if int(lab.git("rev-list", "--count", "HEAD")) > 1:
            lab.git("reset", "-q", "--hard", "HEAD~1")
            lab.git("reflog", "expire", "--expire=now", "--all")
            for note in ("ORIG_HEAD", "FETCH_HEAD"):
                (lab.root / ".git" / note).unlink(missing_ok=True)

    @rule(who=PEOPLE, name=DATASETS, data=st.sampled_from(BYTES))
    def try_out(self, who: str, name: str, data: bytes) -> None:
        self.work(who, name, data)
        self._push(who)
        self.abandon(who)

    @rule(who=PEOPLE, other=st.sampled_from(["ada", "bob"]))
    def learn(self, who: str, other: str) -> None:
        """Another's commits come to this clone, and no ref names them there."""
        if who != other:
            lab = self.people[who]
            lab.git("fetch", "-q", str(self.people[other].root), "HEAD")
            (lab.root / ".git" / "FETCH_HEAD").unlink(missing_ok=True)

    @rule(who=PEOPLE, skew=st.sampled_from([0, 0, 0, 200, -2 * DAY, 2 * DAY]))
    def collect(self, who: str, skew: float) -> None:
        self._collect(who, skew)

    @rule(who=PEOPLE, days=st.sampled_from([15, 31]))
    def collect_for_a_season(self, who: str, days: float) -> None:
        for _ in range(3):
            self._collect(who)
            self.years.pass_days(days)
        self._collect(who)

    @rule(who=PEOPLE)
    def undo(self, who: str) -> None:
        undo_retirements(self.people[who].project)

    @rule(days=DAYS)
    def time_passes(self, days: float) -> None:
        self.years.pass_days(days)

    @invariant()
    def what_is_named_is_there(self) -> None:
        assert not dangling(self.people["ada"], self.store)

    def _push(self, who: str, *, before=lambda call: None) -> None:  # type: ignore[no-untyped-def]
        way = self.ways[who]
        way.forget()
        way.before = before
        try:
            report = self.people[who].try_push(jobs=1)
        finally:
            way.before = lambda call: None
        assert not report.failures, report.failures

    def _collect(self, who: str, skew: float = 0) -> None:
        lab = self.people[who]
        lab.project.now = lambda: self.store.now + skew
        try:
            Lives.deleted += collect_remote(lab.project, yes=True, jobs=1, observer=lab.observe).deleted_items
            assert abs(skew) < 300
        except Refused as refused:
            assert refused.code == "clock" and abs(skew) > 300
        finally:
            self.years.join(lab)


def live(examples: int, steps: int, *, seeded: bool = True) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Lives,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=seeded,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_some_lives() -> None:
    live(4, 25)


@pytest.mark.faults
@pytest.mark.parametrize("part", range(PARTS))
def test_many_lives(part: int, counters: Counters) -> None:
    Lives.deleted = 0
    with counters.trying("lives of a remote, 50 steps each: no version lost", LIVES // PARTS):
        live(LIVES // PARTS, 50, seeded=False)
    assert Lives.deleted > LIVES // PARTS // 5


def one_life(request: int) -> None:
    """A version is given up and, 46 days later, just as it is about to be deleted, pushed again."""
    life = Lives()
    try:
        life.try_out("ada", "one", BYTES[0])
        for days in (31, 15):
            life.collect("ada", 0)
            life.years.pass_days(days)
        life.work("ada", "one", BYTES[0])
        life.push_while_another_collects("ada", "bob", request, 0.5)
        life.what_is_named_is_there()
    finally:
        life.teardown()


@pytest.mark.parametrize("each", [3, pytest.param(1, marks=pytest.mark.faults)])
def test_a_version_comes_back_when_it_is_about_to_go(each: int) -> None:
    """At each third request of the push, and at every one in ``make test-faults``."""
    for request in range(0, 16, each):
        one_life(request)


def test_without_the_refresh_it_does_not(monkeypatch: pytest.MonkeyPatch, counters: Counters) -> None:
    monkeypatch.setattr(Heads, "_stays", lambda self, item, stat: True)
    lost = 0
    with counters.trying("faults planted in lobsterdv, and found"):
        for request in range(16):
            try:
                one_life(request)
            except AssertionError:
                lost += 1
                break
        assert lost
