"""Who uses a cache is known before they use it, and nobody is collected from under."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from lobsterdv import locks
from lobsterdv.blobs.tenants import alone, in_use, register, tenants, unregister
from lobsterdv.errors import Busy, FormatError
from lobsterdv.events import Event, Warned
from tests.powers import permissions_count


def test_registered_once_and_found_again(tmp_path: Path) -> None:
    git, cache = tmp_path / "p/.git", tmp_path / "cache"
    register(cache, git, "id")
    (path,) = (cache / "projects").iterdir()
    before = path.stat().st_mtime_ns
    register(cache, git, "id")
    assert path.stat().st_mtime_ns == before
    (found,) = tenants(cache)
    assert (found.git_dir, found.project) == (git, "id")
    assert unregister(cache, tmp_path / "p") and not unregister(cache, tmp_path / "p")
    assert tenants(cache) == []


def test_a_project_may_be_moved_with_its_own_cache(tmp_path: Path) -> None:
    git = tmp_path / "p/.git"
    register(git / "lobsterdv/cache", git, "id")
    shutil.move(tmp_path / "p", tmp_path / "q")
    (found,) = tenants(tmp_path / "q/.git/lobsterdv/cache")
    assert found.git_dir == tmp_path / "q/.git"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"git": "/x"}'])
def test_a_registration_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    """Passed over, it would be a project whose data is collected."""
    register(tmp_path, tmp_path / "p/.git", "id")
    (tmp_path / "projects/x.json").write_text(text)
    with pytest.raises(FormatError):
        tenants(tmp_path)


def test_many_use_it_and_one_has_it_alone(tmp_path: Path) -> None:
    with in_use(tmp_path), in_use(tmp_path), pytest.raises(Busy), alone(tmp_path, wait_s=0.2):
        pass
    with alone(tmp_path) as is_locked:
        assert is_locked
        entered = threading.Event()

        def use() -> None:
            with in_use(tmp_path):
                entered.set()

        thread = threading.Thread(target=use)
        thread.start()
        assert not entered.wait(0.3), "it waits for the collection"
    assert entered.wait(10)
    thread.join()


def test_a_collection_that_was_halted_holds_nobody_up_for_ever(tmp_path: Path) -> None:
    """Every command beside it hung without a word, until somebody found the stopped process."""
    said: list[Event] = []
    with alone(tmp_path), pytest.raises(Busy, match="another lobsterdv command"), in_use(tmp_path, wait_s=0.2):
        pass
    descriptor = os.open(tmp_path / "lock", os.O_RDWR)
    slept: list[float] = []
    with alone(tmp_path), pytest.raises(Busy):
        locks.hold(descriptor, shared=True, what="it", holder="gc", wait_s=60, sleep=slept.append, observer=said.append)
    os.close(descriptor)
    assert 400 < len(slept) <= 600 and 50 < sum(slept) < 70
    assert said == [Warned("it is in use by gc; waiting for it for up to 60 s")]


def test_a_cache_that_cannot_be_written_to_is_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o555)
    with permissions_count():
        with pytest.raises(PermissionError):
            (tmp_path / "cache" / "file").touch()
        with in_use(tmp_path / "cache"):
            pass
