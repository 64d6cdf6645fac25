"""cache.link: hardlink and symlink, what an edit through one does, and unprotect."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lobsterdv import copying
from lobsterdv.errors import ChangedMeanwhile, CorruptContent
from lobsterdv.events import silent
from lobsterdv.ops.unprotect import UnprotectReport, unprotect
from tests.ops.lab import Lab, checked, error_of
from tests.ops.watching import opened_below


@pytest.fixture(params=["hardlink", "symlink"])
def linked(request: pytest.FixtureRequest, lab: Lab) -> Lab:
    """A directory and a file, checked out as links into the cache where that is possible."""
    lab.reopen(LOBSTERDV_CACHE_LINK=f"{request.param},copy")
    lab.write("run/large", b"x" * 400_000)
    lab.write("run/small", b"s")
    lab.write("run/tool", b"t" * 400_000, mode=0o755)
    lab.write("one", b"1" * 1000)
    lab.add("run", "one")
    lab.commit(tag="v1")
    shutil.rmtree(lab.path("run"))
    lab.path("one").unlink()
    lab.checkout()
    return lab


def is_linked(lab: Lab, name: str) -> bool:
    path = lab.path(name)
    return path.is_symlink() or path.stat().st_nlink > 1


def unprotected(lab: Lab, *names: str) -> UnprotectReport:
    return checked(unprotect(lab.project, names, observer=silent))


def test_large_files_are_links_and_the_rest_is_not(linked: Lab) -> None:
    """No second copy of a terabyte; what the cache packs or must not share a mode with is a file of its own."""
    assert {n: is_linked(linked, n) for n in ("run/large", "one", "run/small", "run/tool")} == {
        "run/large": True, "one": True, "run/small": False, "run/tool": False,
    }  # fmt: skip
    assert linked.read("run/large") == b"x" * 400_000
    assert os.access(linked.path("run/tool"), os.X_OK)


def test_status_and_add_see_through_links(linked: Lab) -> None:
    assert [d.work for d in linked.status().datasets] == ["clean", "clean"]
    with opened_below(linked.root) as opened:
        assert [row.outcome for row in linked.add("one").added] in (["unchanged"], [])
    assert not [p for p in opened if p.endswith("/large")]
    assert linked.add("run").added[0].outcome == "unchanged"


def test_another_version_replaces_the_link_not_the_cache(linked: Lab) -> None:
    linked.path("one").unlink()
    linked.write("one", b"2" * 1000)
    linked.add("one")
    linked.commit(tag="v2")
    linked.checkout(rev="v1")
    assert linked.read("one") == b"1" * 1000
    linked.checkout(rev="v2")
    assert linked.read("one") == b"2" * 1000
    assert linked.state("one").work == "clean"


def test_a_write_through_a_link_is_found_out(linked: Lab) -> None:
    """Root, or h5py after a chmod, writes into the cache itself: it must never be pushed or checked out as good."""
    path = linked.path("one")
    cached = linked.project.cache.plain_path(linked.pointer("one").digest)
    cached.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"EDIT")
    assert linked.state("one").work == "modified"
    report = linked.try_push()
    assert [f.path for f in report.failures] == ["one"]
    assert isinstance(error_of(report), CorruptContent)


def test_unprotect_makes_files_of_their_own(linked: Lab) -> None:
    before = linked.project.cache.plain_path(linked.pointer("one").digest).read_bytes()
    report = unprotected(linked)
    assert report.files == {"one": 1, "run": 1}
    assert not any(is_linked(linked, n) for n in ("run/large", "one"))
    assert linked.path("one").stat().st_mode & 0o200
    with linked.path("one").open("r+b") as file:
        file.write(b"EDIT")
    assert linked.project.cache.plain_path(linked.pointer("one").digest).read_bytes() == before
    assert [d.work for d in linked.status().datasets] == ["modified", "clean"]


def test_unprotect_one_path_inside_and_twice(linked: Lab) -> None:
    assert unprotected(linked, "run/large").files == {"run": 1}
    assert unprotected(linked, "run").files == {"run": 0}
    assert is_linked(linked, "one")


def test_unprotect_leaves_links_inside_the_dataset(lab: Lab, tmp_path: Path) -> None:
    lab.write("run/a", "1")
    lab.path("run/link").symlink_to("a")
    lab.add("run")
    lab.path("run/a").chmod(0o444)
    assert unprotected(lab, "run").files == {"run": 1}
    assert lab.path("run/link").is_symlink()
    assert lab.state("run").work == "clean"


def test_too_many_links_or_another_disk_fall_back_to_a_copy(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*args: object, **kwargs: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    lab.reopen(LOBSTERDV_CACHE_LINK="hardlink,copy")
    lab.write("one", b"1" * 1000)
    lab.add("one")
    lab.path("one").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", no_links)
        lab.checkout("one")
    assert not is_linked(lab, "one")
    assert lab.read("one") == b"1" * 1000


def test_the_cache_is_not_at_the_mercy_of_a_users_delete(linked: Lab) -> None:
    linked.path("one").unlink()
    shutil.rmtree(linked.path("run"))
    linked.checkout()
    assert linked.read("one") == b"1" * 1000


def test_unprotect_does_not_mix_two_states(linked: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file written over in place while it was copied, to the same size: the copy was half of each."""
    before = linked.path("run/large").resolve()
    real = copying.copy

    def copy(source: int, target: int, size: int) -> int:
        before.chmod(0o644)
        before.write_bytes(b"y" * size)
        return real(source, target, size)

    monkeypatch.setattr(copying, "clone", lambda source, target: False)
    monkeypatch.setattr(copying, "copy", copy)
    error = error_of(unprotect(linked.project, ["run/large"], observer=silent))
    assert isinstance(error, ChangedMeanwhile) and is_linked(linked, "run/large")
