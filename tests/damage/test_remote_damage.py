"""Every file of a remote damaged in every way: the user gets the right bytes or an error, never other bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from lobsterdv.errors import ContentError, FormatError, LobsterError, NotARemote
from tests.damage.counting import Counters
from tests.damage.oracle import Wrong, check_remote, load, restore
from tests.damage.story import DATASETS, Story, attempt, damages, forget_everything, other_of, put, tell
from tests.ops.lab import Lab
from tests.properties.trees import picture

Case = tuple[Path, str, bytes]
SOME = 5
"""One in so many damages is tried in the default suite, all in ``make test-faults``; it goes through all kinds."""
long = pytest.mark.faults


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    told = tell(tmp_path_factory.mktemp("story"))
    yield told
    told.owner.close()


@pytest.fixture(scope="module")
def guest(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = story.guest(tmp_path_factory.mktemp("guest") / "clone")
    yield lab
    lab.close()


def damaged(story: Story, *, each: int) -> Iterator[Case]:
    """Damage one file after the other in ``each``-th of all ways; each is whole again before the next."""
    for path, how, value, data in islice(every_damage(story), 0, None, each):
        put(path, value)
        try:
            yield path, how, data
        finally:
            put(path, data)


def every_damage(story: Story) -> Iterator[tuple[Path, str, bytes | None, bytes]]:
    for path in sorted(p for p in story.remote.rglob("*") if p.is_file()):
        data = path.read_bytes()
        for how, value in damages(data, other_of(path, story.remote)):
            yield path, how, value, data


def test_the_whole_story_is_whole(story: Story) -> None:
    remote = load(story.remote)
    assert check_remote(remote, {f"{tag} {name}": p for (tag, name), p in story.pointers.items()}) > 20
    kinds = Counter(key.split("/")[0] for key in remote)
    assert set(kinds) == {"lobsterdv.json", "objects", "manifests", "segments", "catalog"}
    for (tag, name), pointer in story.pointers.items():
        assert restore(remote, pointer) == story.trees[tag, name]


@pytest.mark.parametrize(("tag", "each"), [("v2", SOME), *(pytest.param(tag, 1, marks=long) for tag in ("v1", "v2"))])
def test_pull_gives_the_right_bytes_or_an_error(
    story: Story, guest: Lab, tag: str, each: int, counters: Counters
) -> None:
    tried: Counter[str] = Counter()
    whole = load(story.remote)
    needs = {dataset: keys_for(whole, story.pointers[tag, dataset]) for dataset in DATASETS}
    for path, how, _ in damaged(story, each=each):
        forget_everything(guest)
        key = path.relative_to(story.remote).as_posix()
        remote = {**whole, key: path.read_bytes()} if path.exists() else {k: v for k, v in whole.items() if k != key}
        report = None
        error = None
        try:
            report = guest.try_pull(*DATASETS, rev=tag)
        except LobsterError as raised:
            error = raised
        case = f"{how} {key}"
        tried[how] += 1
        with counters.trying("damages of a remote: the right bytes, or an error"):
            for dataset in DATASETS:
                there = picture(guest.path(dataset))
                failures = [f.error for f in report.failures if f.path == dataset] if report else [error]
                if path.name == "lobsterdv.json":
                    readable = not failures
                    expected: tuple[type[LobsterError], ...] = (NotARemote, FormatError, ContentError)
                else:
                    readable = key not in needs[dataset] or can_restore(remote, story.pointers[tag, dataset])
                    expected = (ContentError,)
                if readable:
                    assert not failures, f"{case}: {dataset} is unaffected, but {failures}"
                    assert there == story.trees[tag, dataset], case
                else:
                    assert failures and isinstance(failures[0], expected), f"{case}: {dataset} {failures}"
                    assert failures[0].exit_code in (1, 3, 4) and "\n" not in str(failures[0])
                    assert there is None, f"{case}: something was delivered for {dataset}"
    assert len(tried) == 7 and min(tried.values()) > 10 // each, tried


def test_a_failed_pull_loses_nothing_and_goes_on_elsewhere(story: Story, guest: Lab) -> None:
    """The guest works with v1; v2 is damaged at the remote. Every file of v1 stays, whole."""
    for path in sorted(p for p in (story.remote / "objects").rglob("*") if p.is_file()):
        forget_everything(guest)
        guest.pull(*DATASETS, rev="v1")
        data = path.read_bytes()
        put(path, data[:-1] + bytes([data[-1] ^ 1]))
        try:
            report = guest.try_pull(*DATASETS, rev="v2")
        finally:
            put(path, data)
        failed = {failure.path for failure in report.failures}
        for dataset in DATASETS:
            tag = "v1" if dataset in failed else "v2"
            assert picture(guest.path(dataset)) == story.trees[tag, dataset]
        guest.pull(*DATASETS, rev="v2")


@pytest.mark.parametrize("each", [11, pytest.param(1, marks=long)])
def test_a_plain_push_repairs_what_is_missing(story: Story, each: int) -> None:
    """What is gone, cut or too long comes back; a flipped bit of the same length is for ``verify``."""
    current = {name: story.pointers["v2", name] for name in DATASETS}
    repaired = 0
    before = {p: p.read_bytes() for p in story.remote.rglob("*") if p.is_file()}
    needs = {key for pointer in current.values() for key in keys_for(load(story.remote), pointer)}
    for path, how, data in damaged(story, each=each):
        if path.exists() and path.stat().st_size == len(data):
            continue
        if path.name == "lobsterdv.json" and how != "deleted":
            assert isinstance(attempt(story.owner.push), NotARemote | FormatError)
            continue
        story.owner.reopen().push()
        remote = load(story.remote)
        for name, pointer in current.items():
            assert restore(remote, pointer) == story.trees["v2", name], f"{how} {path}"
        repaired += path.relative_to(story.remote).as_posix() in needs
        records = [data for key, data in remote.items() if key.startswith("catalog/")]
        if how == "deleted":  # a sweep spares what a record names, and nothing else
            assert all(any(pointer_in(record, p) for record in records) for p in current.values())
        for extra in [p for p in story.remote.rglob("*") if p.is_file() and p not in before]:
            extra.unlink()
        for place, bytes_before in before.items():
            if place != path and place.read_bytes() != bytes_before:
                put(place, bytes_before)
    assert repaired > 20 // each


def keys_for(remote: dict[str, bytes], pointer: bytes) -> set[str]:
    """The keys that restoring a version reads."""
    used: set[str] = set()

    class Watched(dict[str, bytes]):
        def __getitem__(self, key: str) -> bytes:
            used.add(key)
            return super().__getitem__(key)

        def get(self, key: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
            used.add(key)
            return super().get(key, default)

    restore(Watched(remote), pointer)
    return used


def can_restore(remote: dict[str, bytes], pointer: bytes) -> bool:
    try:
        restore(remote, pointer)
    except (Wrong, ValueError, KeyError, IndexError):
        return False
    return True


def pointer_in(record: bytes, pointer: bytes) -> bool:
    return pointer.split(b"digest: ")[1].split(b"\n")[0] in record
