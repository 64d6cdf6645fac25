"""Several remotes: if these fail, one broken bucket stops a lab that has a second copy."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.errors import CorruptContent, Denied, Forgotten, KeyMissing, MissingContent, Unreachable, Untrusted
from lobsterdv.events import silent
from lobsterdv.ops.forget import forget
from lobsterdv.ops.nearness import REMEMBERED_S, sources
from lobsterdv.ops.push_many import push_to_each
from lobsterdv.ops.remotes import list_remotes
from lobsterdv.stores.base import Stat
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, error_of

DATA = random.Random(3).randbytes(20_000)


class Failing(MemoryStore):
    """A store that answers with an error, as long as it has one."""

    error: Exception | None = None
    heads = 0

    def head(self, key: str) -> Stat:
        self.heads += 1
        self._fail()
        return super().head(key)

    def read_whole(self, key: str, *, limit: int) -> bytes:
        self._fail()
        return super().read_whole(key, limit=limit)

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


def configured(lab: Lab, folder: Path, **settings: Any) -> Lab:
    remotes = {name: {"url": str(folder / name)} for name in ("a", "b", "c")}
    for name in ("a", "b", "c"):
        remotes[name] |= settings.pop(name, {})
    lab.configure(remotes=remotes, remote="a", **settings)
    return lab


@pytest.fixture
def three(lab: Lab, tmp_path: Path) -> Lab:
    """A file at ``a`` and ``b``; ``c`` is empty. Nothing is here."""
    configured(lab, tmp_path)
    lab.use({name: Failing() for name in ("a", "b", "c", "embedded")})
    lab.write("f", DATA)
    lab.add("f")
    lab.commit("f")
    lab.push(remote="a")
    lab.push(remote="b")
    lab.lose_cache()
    lab.path("f").unlink()
    return lab


def at(lab: Lab, name: str) -> Failing:
    assert isinstance(lab.stores, dict)
    store = lab.stores[name]
    assert isinstance(store, Failing)
    return store


def lose(lab: Lab, name: str, prefix: str = "objects/") -> None:
    for stat in list(at(lab, name).list(prefix)):
        at(lab, name).delete(stat.key)


def served(lab: Lab, **options: Any) -> list[str]:
    report = lab.pull("f", **options)
    assert lab.read("f") == DATA
    return [row.remote for row in report.fetch.served]


def test_the_projects_remote_comes_first(three: Lab) -> None:
    before = at(three, "b").heads
    assert served(three) == ["a"] and at(three, "b").heads == before


def test_what_it_lacks_comes_from_the_next(three: Lab) -> None:
    lose(three, "a")
    assert served(three) == ["b"]


def test_what_it_holds_damaged_comes_from_the_next(three: Lab) -> None:
    for stat in list(at(three, "a").list("objects/")):
        at(three, "a").put(stat.key, b"\0" * stat.size)
    assert served(three) == ["b"]


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("s3://a", "s3:GetObject", "no route"),
        Denied("s3://a", "s3:GetObject", "k"),
        Untrusted("a", "endpoint_url", "https://x"),
    ],
)
def test_one_that_cannot_be_asked_is_passed_over_and_told(three: Lab, error: Exception) -> None:
    at(three, "a").error = error
    assert served(three) == ["b"]
    assert any("a was passed over" in warning and str(error) in warning for warning in three.warnings)


def test_a_named_remote_is_the_only_one(three: Lab) -> None:
    lose(three, "a")
    assert isinstance(error_of(three.try_pull("f", remote="a")), MissingContent)


def test_missing_everywhere_names_every_place(three: Lab) -> None:
    lose(three, "a")
    lose(three, "b")
    error = error_of(three.try_pull("f"))
    assert isinstance(error, MissingContent) and error.where.count(",") == 2


def test_missing_elsewhere_says_nothing_of_one_that_cannot_be_asked(three: Lab) -> None:
    """Exit 4, not 3: nobody knows yet that it is lost."""
    lose(three, "b")
    at(three, "a").error = Unreachable("s3://a", "s3:GetObject", "no route")
    assert isinstance(error_of(three.try_pull("f")), Unreachable)


def test_when_none_can_be_asked_the_first_says_why(three: Lab) -> None:
    for name in "abc":
        at(three, name).error = Unreachable(f"s3://{name}", "s3:GetObject", "no route")
    with pytest.raises(Unreachable, match="s3://a"):
        three.pull("f")


def test_what_was_forgotten_is_looked_for_nowhere_else(three: Lab) -> None:
    three.write("f", b"other")
    three.add("f")
    three.commit("g")
    forget(three.project, "f", rev="HEAD~1", reason="consent", yes=True, remote="a", observer=silent)
    assert isinstance(error_of(three.try_pull("f", rev="HEAD~1", force=True)), Forgotten)


def test_priorities(three: Lab, tmp_path: Path) -> None:
    def names() -> list[str]:
        return [remote.name for remote in sources(three.project, None)]

    assert names() == ["a", "b", "c"]
    configured(three, tmp_path, c={"priority": 5}, a={"priority": 200})
    assert names() == ["c", "b", "a"]
    configured(three, tmp_path, fallback="off")
    assert names() == ["a"]
    assert [remote.name for remote in sources(three.project, "b")] == ["b"]


def test_the_nearest_first_remembered_for_a_day(three: Lab, tmp_path: Path) -> None:
    configured(three, tmp_path, fallback="nearest")
    took = {"a": 0.2, "b": 0.1, "c": 0.3}
    clock = [1e9]
    three.project.now = lambda: clock[0]

    class Slow(Failing):
        name = ""

        def head(self, key: str) -> Stat:
            clock[0] += took[self.name]
            return super().head(key)

    slow = {name: Slow() for name in took}
    for name, store in slow.items():
        store.name = name
    three.use({**slow, "embedded": Failing()})
    from lobsterdv.ops import nearness

    nearness_jobs, nearness._AT_ONCE = nearness._AT_ONCE, 1
    try:
        assert [r.name for r in sources(three.project, None)] == ["b", "a", "c"]
        asked = slow["b"].heads
        took["b"] = 0.9
        assert [r.name for r in sources(three.project, None)] == ["b", "a", "c"]
        assert slow["b"].heads == asked, "it is remembered"
        clock[0] += REMEMBERED_S + 1
        slow["c"].error = Unreachable("c", "x", "y")
        assert [r.name for r in sources(three.project, None)] == ["a", "b", "c"]
        rows = list_remotes(three.project, measuring=True).remotes
        assert [(row.name, row.latency_ms) for row in rows if row.name in took] == [
            ("a", 200.0),
            ("b", 900.0),
            ("c", -1.0),
        ]
    finally:
        nearness._AT_ONCE = nearness_jobs


def test_a_push_to_several_goes_on_after_one_that_fails(three: Lab) -> None:
    three.write("g", b"new")
    three.add("g")
    at(three, "a").error = Denied("s3://a", "s3:PutObject", "k")
    report = push_to_each(three.project, ["g"], remotes=["a", "c", "c"], observer=silent)
    assert [push.remote for push in report.pushes] == ["c"]
    assert [(f.path, type(f.error)) for f in report.failures] == [("a", Denied)]
    assert list(at(three, "c").list("catalog/"))


def test_what_is_damaged_everywhere_is_corrupt(three: Lab) -> None:
    for name in "ab":
        for stat in list(at(three, name).list("objects/")):
            at(three, name).put(stat.key, b"\0" * stat.size)
    assert isinstance(error_of(three.try_pull("f")), CorruptContent)
    with pytest.raises(KeyMissing):
        at(three, "c").head("lobsterdv.json")
