"""Every file of the owner's cache damaged in every way: it is never pushed, never checked out, and heals.

``silently`` is the worst case: bytes rot where no stat shows it, so what the index remembers still fits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from lobsterdv.errors import ContentError
from lobsterdv.signature import signature_of
from tests.damage.counting import Counters
from tests.damage.oracle import Wrong, check_remote, load, restore, restore_from_cache
from tests.damage.story import DATASETS, Story, damages, other_of, put, tell
from tests.ops.lab import Lab
from tests.properties.trees import picture

SOME = 3
"""One in so many damages is tried in the default suite, all in ``make test-faults``; it goes through all kinds."""
FORMS = [(True, SOME), *(pytest.param(silently, 1, marks=pytest.mark.faults) for silently in (False, True))]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """v2 is added, nothing is pushed."""
    told = tell(tmp_path_factory.mktemp("story"), until="added", large=300 << 10)
    yield told
    told.owner.close()


@pytest.fixture
def spare(story: Story, tmp_path: Path) -> Iterator[Path]:
    """A copy of the owner's cache, put back in the end."""
    cache = story.owner.project.cache.folder
    shutil.copytree(cache, tmp_path / "cache")
    yield tmp_path / "cache"
    restore_cache(story.owner, tmp_path / "cache")


def restore_cache(lab: Lab, spare: Path) -> None:
    shutil.rmtree(lab.project.cache.folder)
    shutil.copytree(spare, lab.project.cache.folder)
    lab.reopen()


def cases(story: Story, spare: Path, *, each: int) -> Iterator[tuple[str, str]]:
    """Damage one file after the other in ``each``-th of all ways, in a cache that is whole otherwise; what, and how."""
    cache = story.owner.project.cache.folder
    for path, how, value in islice(every_damage(spare), 0, None, each):
        restore_cache(story.owner, spare)
        put(cache / path, value)
        yield str(path), how


def every_damage(spare: Path) -> Iterator[tuple[Path, str, bytes | None]]:
    for path in sorted(p.relative_to(spare) for p in spare.rglob("*") if p.is_file()):
        if path.parts[0] in ("lock", "projects"):  # who uses the cache: no data, see tests of gc
            continue
        for how, value in damages((spare / path).read_bytes(), other_of(spare / path, spare)):
            yield path, how, value


def pretend_it_is_verified(lab: Lab, path: str) -> None:
    """Make the index believe that a cached file was verified as it is now."""
    place = lab.project.cache.folder / path
    known = lab.project.cache.ledger.look_up(place.name)
    if known is not None and place.is_file():
        os.utime(place, ns=(known[0].mtime_ns, known[0].mtime_ns))
        lab.project.cache.ledger.note([(place.name, signature_of(place.lstat()), known[1], lab.project.now())])


def whole(lab: Lab, pointer: bytes) -> bool:
    try:
        restore_from_cache(lab.project.cache.folder, pointer)
    except (Wrong, ValueError, OSError, KeyError):
        return False
    return True


@pytest.mark.parametrize(("silently", "each"), FORMS)
def test_damaged_bytes_are_never_pushed_and_add_heals(
    story: Story, spare: Path, silently: bool, each: int, counters: Counters
) -> None:
    tried = detected = 0
    for path, how in cases(story, spare, each=each):
        if silently:
            pretend_it_is_verified(story.owner, path)
        shutil.rmtree(story.remote)
        story.remote.mkdir()
        with counters.trying("damages of a cache: detected or harmless, healed"):
            report = story.owner.try_push()
            case, remote = f"{how} {path}", load(story.remote)
            assert all(isinstance(f.error, ContentError) for f in report.failures), case
            check_remote(remote)
            failed = {failure.path for failure in report.failures}
            for dataset in DATASETS:
                if dataset not in failed:
                    assert restore(remote, story.pointers["v2", dataset]) == story.trees["v2", dataset], case
            tried, detected = tried + 1, detected + bool(failed)
            story.owner.reopen()
            again = story.owner.add(*DATASETS)
            assert {row.outcome for row in again.added} == {"unchanged"}
            assert not story.owner.try_push().failures, f"{case}: add did not heal the cache"
            for dataset in DATASETS:
                assert restore(load(story.remote), story.pointers["v2", dataset]) == story.trees["v2", dataset]
    assert tried > 60 // each and detected > 20 // each


@pytest.mark.parametrize(("silently", "each"), FORMS)
def test_damaged_bytes_are_never_checked_out_and_pull_heals(
    story: Story, spare: Path, silently: bool, each: int, counters: Counters
) -> None:
    owner = story.owner
    shutil.rmtree(story.remote)
    story.remote.mkdir()
    owner.push()
    tried = detected = 0
    for path, how in cases(story, spare, each=each):
        for dataset in DATASETS:
            place = owner.path(dataset)
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        if silently:
            pretend_it_is_verified(owner, path)
        good = {dataset: whole(owner, story.pointers["v2", dataset]) for dataset in DATASETS}
        with counters.trying("damages of a cache: detected or harmless, healed"):
            report = owner.try_checkout()
            case = f"{how} {path}"
            assert all(isinstance(f.error, ContentError) for f in report.failures), f"{case}: {report.failures}"
            failed = {failure.path for failure in report.failures}
            for dataset in DATASETS:
                expected = None if dataset in failed else story.trees["v2", dataset]
                assert picture(owner.path(dataset)) == expected, f"{case}: {dataset}"
                assert not (dataset in failed and good[dataset]), f"{case}: {dataset} was whole"
            tried, detected = tried + 1, detected + bool(failed)
            owner.reopen()
            owner.pull()
            for dataset in DATASETS:
                assert picture(owner.path(dataset)) == story.trees["v2", dataset], (
                    f"{case}: pull did not heal {dataset}"
                )
    assert tried > 60 // each and detected > 10 // each
