"""If these fail, data that must not be kept is kept, comes back, or takes others with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lobsterdv.blobs.grace import GRACE_S
from lobsterdv.errors import Forgotten, MissingContent, Refused, UsageError
from lobsterdv.formats.pointer import parse_pointer
from lobsterdv.ops.forget import ForgetReport, forget
from lobsterdv.ops.gc_remote import collect_remote, undo_retirements
from lobsterdv.ops.streaming import open_stream
from lobsterdv.ops.verify import verify_remote
from lobsterdv.project import open_project
from lobsterdv.stores.memory import MemoryStore
from tests.damage.oracle import check_cache
from tests.ops.lab import Lab

SECRET = b"patient 17, who changed her mind " * 400
COMMON = b"what everybody may know " * 400


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def shared(lab: Lab, store: MemoryStore) -> Lab:
    """v1 has her data, v2 has not; both are pushed."""
    lab.use(store)
    lab.version("d", {"hers": SECRET, "common": COMMON, "small": "1"}, "all", tag="v1")
    lab.path("d/hers").unlink()
    lab.version("d", {"common": COMMON, "small": "2"}, "without her", tag="v2")
    lab.push()
    return lab


def away(lab: Lab, **options: Any) -> ForgetReport:
    return forget(lab.project, "d", rev="v1", reason="consent withdrawn", observer=lab.observe, **options)


def held(store: MemoryStore) -> bytes:
    return b"".join(store.read_whole(stat.key, limit=1 << 30) for stat in store.list("objects/"))


def test_a_dry_run_changes_nothing_and_weighs(shared: Lab, store: MemoryStore) -> None:
    before = {stat.key: stat.etag for stat in store.list("")}
    cached = check_cache(shared.project.cache.folder)
    report = away(shared)
    assert not report.acted and report.local_bytes >= len(SECRET) and len(report.records) == 1
    assert {stat.key: stat.etag for stat in store.list("")} == before
    assert check_cache(shared.project.cache.folder) == cached


def test_it_is_gone_here_and_cannot_be_fetched_by_anyone(shared: Lab, store: MemoryStore, tmp_path: Path) -> None:
    other = shared.clone(tmp_path / "other")
    try:
        other.fetch()
        away(shared, yes=True)
        assert SECRET not in check_cache(shared.project.cache.folder).values()
        assert COMMON in check_cache(shared.project.cache.folder).values()
        assert shared.state("d").work == "clean"
        for lab in (shared, other):
            (failure,) = lab.project and fetch_failures(lab, "v1")
            assert isinstance(failure, Forgotten) and failure.reason == "consent withdrawn" and failure.exit_code == 3
        other.lose_cache()
        other.use(store)
        other.pull()
        assert other.read("d/common") == COMMON
    finally:
        other.close()


def fetch_failures(lab: Lab, rev: str) -> list[Exception]:
    from lobsterdv.ops.fetch import fetch

    return [failure.error for failure in fetch(lab.project, ["d"], rev=rev, observer=lab.observe).failures]


def test_who_kept_its_manifest_cannot_fetch_it_either(shared: Lab, store: MemoryStore, tmp_path: Path) -> None:
    """The objects are there until they are collected, and a clone remembered where."""
    other = shared.clone(tmp_path / "other")
    try:
        other.fetch("d", rev="v1")
        away(shared, yes=True)
        for folder in ("packs", "files"):
            for path in (other.project.cache.folder / folder).rglob("*"):
                if path.is_file():
                    path.unlink()
        other.reopen()
        assert [type(error) for error in fetch_failures(other, "v1")] == [Forgotten]
        assert SECRET not in check_cache(other.project.cache.folder).values()
    finally:
        other.close()


def test_what_a_push_wrote_at_that_very_moment_is_not_fetched(shared: Lab, store: MemoryStore, tmp_path: Path) -> None:
    """It had asked for tombstones before there was one, and wrote its manifest and record after."""
    written = {s.key: store.read_whole(s.key, limit=1 << 20) for p in ("manifests/", "catalog/") for s in store.list(p)}
    away(shared, yes=True)
    for key, data in written.items():
        store.put(key, data)
    other = shared.clone(tmp_path / "other")
    try:
        assert [type(error) for error in fetch_failures(other, "v1")] == [Forgotten]
        with pytest.raises(Forgotten):
            open_stream(other.project, "d/hers", rev="v1", observer=other.observe)
    finally:
        other.close()


def test_nobody_can_push_it_again(shared: Lab, store: MemoryStore, tmp_path: Path) -> None:
    """Neither the old commit of a colleague who has the bytes, nor the same data added anew."""
    other = shared.clone(tmp_path / "other")
    try:
        other.pull("d", rev="v1")
        away(shared, yes=True)
        held_before = {stat.key for stat in store.list("manifests/")}
        other.commit("the old one again")
        report = other.try_push()
        assert [type(failure.error) for failure in report.failures] == [Forgotten]
        assert {stat.key for stat in store.list("manifests/")} == held_before
    finally:
        other.close()
    assert not shared.try_push().failures, "the past of what is current is no failure"


def test_its_bytes_go_with_two_collections_and_others_stay(shared: Lab, store: MemoryStore) -> None:
    away(shared, yes=True)
    assert SECRET in held(store) or len(held(store)) > 0
    clock = store.clock()

    def collect(at: float) -> None:
        store.now = at
        shared.project.now = lambda: at
        collect_remote(shared.project, yes=True, observer=shared.observe)

    collect(clock + 10)
    assert not undo_retirements(shared.project).restored
    collect(clock + GRACE_S + 100)
    names = {stat.key for stat in store.list("objects/")}
    shared.lose_cache()
    shared.use(store)
    shared.pull(force=True)
    assert shared.read("d/common") == COMMON and names
    assert not any(SECRET[:200] in store.read_whole(key, limit=1 << 30) for key in names)


def test_what_was_never_pushed_goes_here_and_never_gets_there(lab: Lab, store: MemoryStore, tmp_path: Path) -> None:
    """Another clone has it too, and would push it one day."""
    lab.use(store)
    lab.version("d", {"hers": SECRET, "common": COMMON}, "all", tag="v1")
    other = lab.clone(tmp_path / "other")
    try:
        other.use(store)
        other.version("d", {"hers": SECRET, "common": COMMON}, "the same, by another hand")
        lab.path("d/hers").unlink()
        lab.version("d", {"common": COMMON}, "without her", tag="v2")
        assert not away(lab).records and not list(store.list("")), "a dry run begins no remote"
        report = away(lab, yes=True)
        assert report.acted and not report.records and report.local_bytes >= len(SECRET)
        assert SECRET not in check_cache(lab.project.cache.folder).values()
        assert [type(failure.error) for failure in other.try_push().failures] == [Forgotten]
        assert SECRET not in held(store)
        lab.push()
        assert not away(lab, yes=True).local_bytes
    finally:
        other.close()


def test_verify_and_its_repair_leave_it_forgotten(shared: Lab, store: MemoryStore) -> None:
    away(shared, yes=True)
    report = verify_remote(shared.project, everything=True, repair=True, observer=shared.observe)
    assert not report.damages and not report.failures
    assert not list(store.list(f"manifests/{shared_version(shared)}/"))


def shared_version(lab: Lab) -> str:
    return lab.git("show", "v1:d.ldv.yaml").split('digest: "blake3:')[1][:64]


def test_once_more_is_fine_and_names_need_a_reason(shared: Lab) -> None:
    away(shared, yes=True)
    again = away(shared, yes=True)
    assert again.acted and again.local_bytes == 0
    with pytest.raises(UsageError):
        forget(shared.project, "d", rev="v1", reason="  ", observer=shared.observe)


def test_what_is_current_or_others_need_is_refused(shared: Lab, store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="names now"):
        forget(shared.project, "d", rev="v2", reason="x", observer=shared.observe)
    stranger = Lab.create(tmp_path / "stranger", home=tmp_path / "home")
    try:
        stranger.use(store)
        stranger.version("copy", {"hers": SECRET, "common": COMMON, "small": "1"}, "the same")
        stranger.push()
        with pytest.raises(Refused, match="project"):
            away(shared)
    finally:
        stranger.close()


def test_a_version_that_is_only_missing_is_not_called_forgotten(shared: Lab, store: MemoryStore) -> None:
    for stat in list(store.list("manifests/")):
        store.delete(stat.key)
    shared.lose_cache()
    shared.use(store)
    assert [type(error) for error in fetch_failures(shared, "v1")] == [MissingContent]


# Others on this machine


def another(lab: Lab, kind: str, tmp_path: Path) -> Lab:
    """A worktree, a clone or another project; all have the version at v1, and one cache."""
    folder, cache = tmp_path / kind, str(tmp_path / "cache")
    if kind == "worktree":
        lab.git("worktree", "add", "-q", "--detach", str(folder), "v1")
        return Lab(folder, lab.env, open_project(folder, environment=lab.env))
    lab.reopen(LOBSTERDV_CACHE_DIR=cache).fetch("d", rev="v1")
    lab.fetch("d")
    if kind == "clone":
        other = lab.clone(folder)
        other.git("checkout", "-q", "v1")
        other.pull("d")
    else:
        other = Lab.create(folder, home=tmp_path / "home").reopen(LOBSTERDV_CACHE_DIR=cache)
        other.version("copy", {"hers": SECRET, "common": COMMON, "small": "1"}, "the same, never pushed", tag="v1")
    return other


@pytest.mark.parametrize("kind", ["worktree", "clone", "project"])
def test_what_others_on_this_machine_are_at_is_refused(
    shared: Lab, store: MemoryStore, tmp_path: Path, kind: str
) -> None:
    """Their only cached copy would go with it; and nothing is written before that is known."""
    other = another(shared, kind, tmp_path)
    try:
        before = {stat.key: stat.etag for stat in store.list("")}
        cached = check_cache(shared.project.cache.folder)
        for yes in (False, True):
            with pytest.raises(Refused) as refused:
                away(shared, yes=yes)
            assert refused.value.code == "forget-elsewhere"
        assert {stat.key: stat.etag for stat in store.list("")} == before
        assert check_cache(shared.project.cache.folder) == cached
    finally:
        other.close()


@pytest.mark.parametrize("kind", ["clone", "project"])
def test_a_clones_history_may_name_it_and_another_projects_may_not(
    shared: Lab, store: MemoryStore, tmp_path: Path, kind: str
) -> None:
    """A clone of the same project has the same history; another project's remote may be another, with no copy yet."""
    other = another(shared, kind, tmp_path)
    try:
        if kind == "clone":
            other.git("checkout", "-q", "main")
            assert away(shared, yes=True).local_bytes >= len(SECRET)
            assert SECRET not in check_cache(shared.project.cache.folder).values()
        else:
            other.path("copy/hers").unlink()
            other.version("copy", {"common": COMMON}, "without her")
            with pytest.raises(Refused) as refused:
                away(shared, yes=True)
            assert refused.value.code == "forget-foreign"
            assert SECRET in check_cache(shared.project.cache.folder).values()
    finally:
        other.close()


def test_nothing_goes_here_while_a_versions_files_are_not_known(shared: Lab, store: MemoryStore) -> None:
    """They may be the same files, and these the only copies of them."""
    shared.version("e", {"also": SECRET, "other": "3"}, "another dataset, never pushed")
    listing = shared.project.cache.listing_path(shared.pointer("e").digest)
    hidden = listing.read_bytes()
    listing.unlink()
    assert away(shared).unlisted == ["e"]
    report = away(shared, yes=True)
    assert (report.local_bytes, report.unlisted) == (0, ["e"])
    assert SECRET in check_cache(shared.project.cache.folder).values()
    listing.write_bytes(hidden)
    report = away(shared, yes=True)
    assert not report.unlisted and SECRET in check_cache(shared.project.cache.folder).values(), "e needs it"


def test_what_the_remote_lists_and_what_was_forgotten_before_is_in_nobodys_way(shared: Lab, store: MemoryStore) -> None:
    """Else one version that was forgotten, or never fetched, would keep all others here for good."""
    shared.version("d", {"common": COMMON, "his": b"patient 18 " * 900}, "his", tag="v3")
    shared.version("d", {"common": COMMON}, "none", tag="v4")
    shared.path("d/his").unlink()
    shared.add("d")
    shared.commit()
    shared.push()
    away(shared, yes=True)
    shared.project.cache.listing_path(
        parse_pointer(shared.git("show", "v2:d.ldv.yaml").encode(), what="").digest
    ).unlink()
    report = forget(shared.project, "d", rev="v3", reason="he too", yes=True, observer=shared.observe)
    assert not report.unlisted and report.local_bytes >= 9900
