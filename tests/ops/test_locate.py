"""path: a verified, read-only place for any version, and for parts of one; the work tree is not touched."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lobsterdv.errors import CorruptContent, MissingContent, NotTracked
from lobsterdv.events import silent
from lobsterdv.index.rows import SeenFile
from lobsterdv.index.seen import load_seen, save_seen
from lobsterdv.ops.locate import PathReport, locate
from lobsterdv.signature import signature_of
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.test_push import flip
from tests.ops.watching import WatchedStore, opened_below, tree


@pytest.fixture
def run(lab: Lab) -> Lab:
    lab.use(WatchedStore(MemoryStore()))
    for number in (1, 2):
        lab.write("run/a", f"a{number}")
        lab.write("run/deep/large", b"%d" % number * 300_000)
        lab.write("run/tool", "#!/bin/sh\n", mode=0o755)
        lab.write("one.h5ad", f"one {number}")
        lab.add("run", "one.h5ad")
        lab.commit(tag=f"v{number}")
        lab.path("run/link").unlink(missing_ok=True)
        lab.path("run/link").symlink_to("a")
        lab.path("run/hollow").mkdir(exist_ok=True)
    lab.push()
    return lab


def path_of(lab: Lab, name: str, **options: str) -> Path:
    report = report_of(lab, name, **options)
    assert report.path is not None
    return report.path


def report_of(lab: Lab, name: str, **options: str) -> PathReport:
    return locate(lab.project, name, observer=silent, **options)  # type: ignore[arg-type]


def test_a_file_under_its_own_name(run: Lab) -> None:
    """Programs tell formats by the suffix."""
    path = path_of(run, "one.h5ad")
    assert (path.name, path.read_bytes()) == ("one.h5ad", b"one 2")
    assert path_of(run, "one.h5ad", rev="v1").read_bytes() == b"one 1"
    assert run.read("one.h5ad") == b"one 2"


def test_a_whole_directory(run: Lab) -> None:
    path = path_of(run, "run")
    assert tree(path) == {
        "a": ("file", b"a2"),
        "deep/large": ("file", b"2" * 300_000),
        "tool": ("executable", b"#!/bin/sh\n"),
        "link": "link to a",
        "hollow/": "folder",
    }
    assert path_of(run, "run") == path


def test_a_file_and_a_folder_inside(run: Lab) -> None:
    assert path_of(run, "run/deep/large").read_bytes() == b"2" * 300_000
    assert tree(path_of(run, "run/deep")) == {"large": ("file", b"2" * 300_000)}
    assert path_of(run, "run/a", rev="v1").read_bytes() == b"a1"


def test_fetched_when_needed_and_only_what_is_needed(run: Lab) -> None:
    run.lose_cache()
    store = run.stores
    assert isinstance(store, WatchedStore)
    store.forget()
    report = report_of(run, "run/a")
    assert (report.path is not None and report.path.read_bytes(), report.new_bytes) == (b"a2", 2)
    store.forget()
    assert report_of(run, "run/a").new_bytes == 0
    assert not [c for c in store.calls if c.verb == "read"]
    assert sum(c.size for c in store.calls) < 1000


def test_read_only(run: Lab) -> None:
    for name in ("one.h5ad", "run/a", "run/deep/large"):
        assert not path_of(run, name).stat().st_mode & 0o222


@pytest.mark.parametrize("name", ["a", "deep/large"])
def test_a_tampered_view_is_rebuilt(run: Lab, name: str) -> None:
    """A script that writes where it should only read must not poison the next one."""
    path = path_of(run, "run") / name
    right = path.read_bytes()
    path.unlink()
    path.write_bytes(b"x" * len(right))
    assert (path_of(run, "run") / name).read_bytes() == right
    (path_of(run, "run") / name).unlink()
    assert (path_of(run, "run") / name).read_bytes() == right
    (path_of(run, "run") / "extra").write_text("not of the version")
    assert not (path_of(run, "run") / "extra").exists()


def test_an_edit_through_the_view_reaches_nobody(run: Lab) -> None:
    """As root nothing is read-only: the view is a link of the cache's file, which then proves wrong and is replaced."""
    path = path_of(run, "one.h5ad")
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"EDIT")
    assert path_of(run, "one.h5ad").read_bytes() == b"one 2"


def test_a_rotten_cache_file_is_fetched_again(run: Lab) -> None:
    path_of(run, "run")
    cache = run.project.cache
    shutil.rmtree(cache.views)
    for path in [p for p in [*(cache.folder / "files").rglob("*"), *(cache.folder / "packs").glob("*.pack")]
                 if p.is_file()]:  # fmt: skip
        flip(path)
    run.reopen()
    assert (path_of(run, "run") / "a").read_bytes() == b"a2"
    assert path_of(run, "one.h5ad").read_bytes() == b"one 2"


def test_rotten_and_nowhere_else(run: Lab) -> None:
    cached = run.project.cache.plain_path(run.pointer("one.h5ad").digest)
    flip(cached)
    store = run.stores
    assert isinstance(store, WatchedStore)
    for key in store.keys("objects/"):
        store.delete(key)
    with pytest.raises((CorruptContent, MissingContent)):
        path_of(run, "one.h5ad")


def test_many_threads_ask_at_once(run: Lab) -> None:
    run.lose_cache()
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: path_of(run, "run"), range(24)))
    assert len(set(paths)) == 1
    assert (paths[0] / "a").read_bytes() == b"a2"
    assert [name for name in os.listdir(paths[0].parent) if name.startswith(".")] == []


@pytest.mark.parametrize("name", ["nothing", "", ".", "run/nothing", "../one.h5ad"])
def test_unknown_names(run: Lab, name: str) -> None:
    with pytest.raises(NotTracked):
        path_of(run, name)


@pytest.mark.parametrize("name", ["one.h5ad", "run"])
@pytest.mark.parametrize("rot", [False, True])
def test_a_view_is_read_again_after_30_days(run: Lab, name: str, rot: bool) -> None:
    """What a disk lost in silence, with no stat changed, was handed out for ever."""
    view = path_of(run, name)
    files = [view] if view.is_file() else [view / "a", view / "deep/large"]
    right = [path.read_bytes() for path in files]
    memory = load_seen(run.project.index, str(view))
    assert memory is not None
    if rot:
        for path in files:
            flip(path)
        ledger, rows = run.project.cache.ledger, {}
        for path, known in memory.files.items():  # as if the signatures had stayed
            now = signature_of((view / path if path else view).lstat())
            rows[path] = SeenFile(now, known.digest, known.checksum)
            if ledger.look_up(known.digest.hex()):
                ledger.note([(known.digest.hex(), now, known.checksum, run.project.now() + 29 * 86400)])
        save_seen(run.project.index, str(view), replace(memory, files=rows))
    clock = run.project.now
    for days, opened in ((29, 0), (31, 1), (32, 0)):
        run.project.now = run.project.cache.now = lambda days=days: clock() + days * 86400  # type: ignore[misc]
        with opened_below(view.parent) as seen:
            assert path_of(run, name) == view
        assert bool([path for path in seen if Path(path).is_file()]) == bool(opened), days
    assert [path.read_bytes() for path in files] == right
