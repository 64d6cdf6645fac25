"""Reading in place, URLs and paths from several remotes: if these fail, a notebook stops although a copy is at hand."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.errors import Denied, Forgotten, MissingContent, NotARemote, NotVerbatim, Unreachable
from lobsterdv.events import silent
from lobsterdv.ops.forget import forget
from lobsterdv.ops.listing import list_project
from lobsterdv.ops.locate import locate
from lobsterdv.ops.streaming import open_stream
from lobsterdv.ops.url import url
from tests.ops.lab import Lab
from tests.ops.test_many_remotes import Failing, at, configured, lose

DATA = random.Random(4).randbytes(300_000)
UNREACHABLE = Unreachable("s3://a", "s3:GetObject", "no route")


class Losing(Failing):
    """Fails reads from the ``left``-th on."""

    left = 1 << 30

    def read(self, key: str, *, start: int, length: int) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise UNREACHABLE
        return super().read(key, start=start, length=length)


@pytest.fixture
def three(lab: Lab, tmp_path: Path) -> Lab:
    """A plain file and a folder at ``a`` and ``b``; ``c`` is empty. Nothing is here."""
    configured(lab, tmp_path)
    lab.use({name: Losing() for name in ("a", "b", "c", "embedded")})
    lab.write("f", DATA)
    lab.write("d/x", b"x" * 5000)
    lab.add("f", "d")
    lab.commit("f")
    for name in "ab":
        lab.push(remote=name, plain=True)
    lab.lose_cache()
    return lab


def read(lab: Lab, name: str = "f", **options: Any) -> bytes:
    with open_stream(lab.project, name, observer=lab.observe, **options) as stream:
        return stream.read()


def url_of(lab: Lab, **options: Any) -> str:
    return url(lab.project, "f", observer=lab.observe, **options).remote


def test_the_projects_remote_comes_first(three: Lab) -> None:
    before = at(three, "b").heads
    assert read(three) == DATA and url_of(three) == "a"
    assert at(three, "b").heads == before and not three.warnings


@pytest.mark.parametrize("prefix", ["objects/", "manifests/", ""])
def test_what_it_lacks_comes_from_the_next(three: Lab, prefix: str) -> None:
    lose(three, "a", prefix)
    assert read(three) == DATA
    assert read(three, "d/x") == b"x" * 5000
    assert url_of(three) == "b"
    assert [row.path for row in list_project(three.project, ["d"], observer=three.observe).files] == ["x"]
    assert locate(three.project, "f", observer=three.observe).path is not None


def test_what_it_holds_damaged_comes_from_the_next(three: Lab) -> None:
    for stat in list(at(three, "a").list("objects/")):
        at(three, "a").put(stat.key, b"\0" * stat.size)
    assert read(three) == DATA


@pytest.mark.parametrize(
    "error", [UNREACHABLE, Denied("s3://a", "s3:GetObject", "k"), NotARemote("s3://a", "not ours")]
)
def test_one_that_cannot_be_asked_is_passed_over_and_told_once(three: Lab, error: Exception) -> None:
    at(three, "a").error = error
    assert read(three) == DATA
    assert [warning for warning in three.warnings if "a was passed over" in warning and str(error) in warning]
    assert len(three.warnings) == 1
    assert url_of(three) == "b"


def test_a_stream_goes_on_elsewhere_from_where_it_was(three: Lab) -> None:
    """A line that breaks after an hour of reading costs nothing but the next request."""
    stream = open_stream(three.project, "f", observer=three.observe)
    head = stream.read(100_000)
    store = at(three, "a")
    assert isinstance(store, Losing)
    store.left = 0
    rest = stream.read()
    assert head + rest == DATA
    stream.seek(5)
    assert stream.read(10) == DATA[5:15]
    stream.close()


def test_when_nobody_can_go_on_the_stream_says_why(three: Lab) -> None:
    stream = open_stream(three.project, "f", observer=three.observe)
    for name in "ab":
        store = at(three, name)
        assert isinstance(store, Losing)
        store.left = 0
    with pytest.raises(Unreachable):
        stream.read()
    stream.close()


def test_a_named_remote_is_the_only_one(three: Lab) -> None:
    lose(three, "a", "manifests/")
    with pytest.raises(MissingContent):
        read(three, remote="a")
    with pytest.raises(MissingContent):
        url_of(three, remote="a")
    assert read(three, remote="b") == DATA


def test_priority_and_no_fallback(three: Lab, tmp_path: Path) -> None:
    configured(three, tmp_path, b={"priority": 1})
    assert url_of(three) == "b"
    configured(three, tmp_path, fallback="off")
    lose(three, "a", "manifests/")
    with pytest.raises(MissingContent):
        read(three)


def test_missing_everywhere_names_every_place(three: Lab) -> None:
    for name in "ab":
        lose(three, name, "manifests/")
    for ask in (read, url_of):
        with pytest.raises(MissingContent) as raised:
            ask(three)
        assert raised.value.where.count(",") == 2


def test_missing_elsewhere_says_nothing_of_one_that_cannot_be_asked(three: Lab) -> None:
    lose(three, "b", "manifests/")
    at(three, "a").error = UNREACHABLE
    for ask in (read, url_of):
        with pytest.raises(Unreachable):
            ask(three)


def test_when_none_can_be_asked_the_first_says_why(three: Lab) -> None:
    for name in "abc":
        at(three, name).error = Unreachable(f"s3://{name}", "s3:GetObject", "no route")
    with pytest.raises(Unreachable, match="s3://a"):
        read(three)


def test_a_url_is_of_the_remote_that_stores_it_as_it_is(three: Lab, tmp_path: Path) -> None:
    three.write("f", b"now packed " * 4000)
    three.add("f")
    three.commit("g")
    three.push(remote="a")
    with pytest.raises(NotVerbatim):
        url_of(three)
    three.push(remote="b", plain=True)
    assert url_of(three) == "b"


def test_what_was_forgotten_is_looked_for_nowhere_else(three: Lab) -> None:
    three.write("f", b"other")
    three.add("f")
    three.commit("g")
    forget(three.project, "f", rev="HEAD~1", reason="consent", yes=True, remote="a", observer=silent)
    for ask in (read, url_of):
        with pytest.raises(Forgotten):
            ask(three, rev="HEAD~1")
