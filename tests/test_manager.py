"""DataManager: a notebook's whole day, what it fetches for it, and what it says when it cannot."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lobsterdv import DataManager
from lobsterdv.errors import (
    LocalIOError,
    MissingContent,
    NotTracked,
    Refused,
    UnknownRevision,
    UsageError,
    WouldOverwrite,
)
from lobsterdv.ops import replacing
from lobsterdv.stores.memory import MemoryStore
from tests.anndata_.samples import small_anndata
from tests.ops.lab import Lab
from tests.ops.watching import WatchedStore, temps_below
from tests.server import Server


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore(MemoryStore())


@pytest.fixture
def dm(lab: Lab, store: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataManager]:
    """A manager of ``lab``'s project, whose remote is ``store``."""
    lab.use(store)
    with manager(lab, monkeypatch, store) as made:
        yield made


def manager(lab: Lab, monkeypatch: pytest.MonkeyPatch, store: WatchedStore, **options: str) -> DataManager:
    for name, value in lab.env.items():
        monkeypatch.setenv(name, value)
    made = DataManager(lab.root, **options)  # type: ignore[arg-type]
    made._project.open_store = lambda remote: store
    return made


def test_a_day_in_a_notebook(lab: Lab, dm: DataManager, store: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd
    import zarr

    adata = small_anndata()
    first = dm.save(adata, "data/counts.h5ad", message="raw counts")
    assert (first.kind, first.message, first.summary["n_obs"], first.commit) == ("anndata", "raw counts", 12, None)
    lab.commit(tag="v1")
    adata.obs["qc"] = 1.0
    second = dm.save(adata, "data/counts.h5ad", message="with qc", inputs=[first])
    table = pd.DataFrame({"gene": ["A", "B"], "score": [0.5, 1.5]})
    dm.save(table, "results/scores.csv", inputs=["data/counts.h5ad"])
    zarr.save_array(str(lab.path("data/image.zarr")), adata.X.toarray())
    dm.add("data/image.zarr")
    commit = lab.commit(tag="v2")
    assert {v.path for v in dm.push().versions} == {"data/counts.h5ad", "results/scores.csv", "data/image.zarr"}

    assert [(v.name, v.kind) for v in dm.datasets()] == [
        ("data/counts.h5ad", "anndata"), ("data/image.zarr", "zarr"), ("results/scores.csv", "table"),
    ]  # fmt: skip
    history = dm.versions("data/counts.h5ad")
    assert [(v.message, v.commit) for v in history] == [("with qc", commit), ("raw counts", lab.git("rev-parse", "v1"))]
    assert dm.resolve("data/counts.h5ad", "v1").digest == first.digest
    assert dm.resolve("data/counts.h5ad").digest == second.digest
    assert lab.pointer("results/scores.csv").inputs[0].digest == second.digest

    other = lab.clone(lab.root.parent / "b")
    colleague = manager(other, monkeypatch, store)
    loaded = colleague.load("data/counts.h5ad")
    assert list(loaded.obs["qc"]) == [1.0] * 12
    assert not other.path("data/counts.h5ad").exists(), "load leaves the work tree alone"
    assert "qc" not in colleague.load("data/counts.h5ad", rev="v1").obs
    assert colleague.load("data/counts.h5ad", backed=True).isbacked
    pd.testing.assert_frame_equal(colleague.load("results/scores.csv"), table)
    assert colleague.path("data/image.zarr").is_dir()
    colleague.pull()
    assert [d.work for d in colleague.status().datasets] == ["clean"] * 3
    colleague.close()
    other.close()


def test_open_streams_only_what_is_read(lab: Lab, dm: DataManager, store: WatchedStore) -> None:
    """A header of a 30 MB file costs kilobytes, not the file."""
    data = os.urandom(30 << 20)
    lab.write("big.bin", data)
    dm.add("big.bin")
    dm.push()
    shutil.rmtree(dm._project.cache.folder / "files")
    store.forget()
    with dm.open("big.bin") as file:
        file.seek(12_345_678)
        assert file.read(100_000) == data[12_345_678:12_445_678]
    streamed = sum(call.size for call in store.calls)
    assert streamed < 800_000, streamed
    with dm.open("big.bin") as file:
        assert file.read() == data


def test_open_inside_a_directory_text_and_local(lab: Lab, dm: DataManager, store: WatchedStore) -> None:
    lab.write("run/notes.txt", "grün\n")
    dm.add("run")
    dm.push()
    store.forget()
    with dm.open("run/notes.txt", "r") as text:
        assert text.read() == "grün\n"
    assert store.calls == [], "what is here is read here"
    for mode in ("w", "r+b", "a"):
        with pytest.raises(UsageError):
            dm.open("run/notes.txt", mode)
    with pytest.raises(Refused):
        dm.open("run")


def test_h5py_reads_one_column_of_a_remote_file(lab: Lab, dm: DataManager, store: WatchedStore) -> None:
    import h5py
    import numpy as np

    with h5py.File(lab.path("big.h5"), "w") as file:
        file["X"] = np.random.default_rng(0).random((1000, 2000))
        file["obs"] = np.arange(1000)
    dm.add("big.h5")
    dm.push()
    shutil.rmtree(dm._project.cache.folder / "files")
    store.forget()
    with dm.open("big.h5") as stream, h5py.File(stream) as file:
        assert list(file["obs"][:3]) == [0, 1, 2]
    assert sum(call.size for call in store.calls) < 1_500_000


def test_eight_threads_share_one_manager(lab: Lab, dm: DataManager, store: WatchedStore) -> None:
    for number in range(8):
        lab.write(f"d{number}/file", f"{number}")
        lab.write(f"d{number}/large", bytes([number]) * 300_000)
    dm.add(*(f"d{n}" for n in range(8)))
    dm.push()
    shutil.rmtree(dm._project.cache.folder)

    def work(number: int) -> bool:
        name = f"d{number % 8}"
        with dm.open(f"{name}/file") as file:
            here = file.read() == str(number % 8).encode()
        path = dm.path(name)
        return here and (path / "large").read_bytes() == bytes([number % 8]) * 300_000 and len(dm.datasets()) == 8

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(48)))


def test_a_pinned_revision(lab: Lab, store: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paper's notebook keeps reading the paper's data, whatever the work tree holds."""
    for number in (1, 2):
        lab.write("a", f"v{number}")
        lab.add("a")
        lab.commit(tag=f"v{number}")
    with manager(lab, monkeypatch, store, rev="v1") as pinned:
        assert pinned.path("a").read_text() == "v1"
        assert pinned.path("a", rev="v2").read_text() == "v2"
        assert pinned.resolve("a").commit == lab.git("rev-parse", "v1")
        assert [v.size for v in pinned.datasets()] == [2]
    with manager(lab, monkeypatch, store, rev="nonsense") as lost, pytest.raises(UnknownRevision):
        lost.path("a")


def test_save_replaces_in_one_step_and_keeps_unsaved_work(lab: Lab, dm: DataManager) -> None:
    import pandas as pd

    dm.save(pd.DataFrame({"x": [1]}), "t.csv")
    lab.write("t.csv", "unsaved by hand")
    dm.save(pd.DataFrame({"x": [2]}), "t.csv")
    assert dm.load("t.csv")["x"].tolist() == [2]
    trash = [p.read_text() for p in (dm._project.state / "trash").rglob("t.csv")]
    assert trash == ["unsaved by hand"]
    assert temps_below(lab.root) == []


def test_save_over_a_folder_keeps_what_no_version_has(lab: Lab, dm: DataManager, tmp_path: Path) -> None:
    """Files that `.lobsterdvignore` leaves out are nowhere else: they went with the old folder."""
    lab.write("run/a", "1")
    lab.write("run/.DS_Store", "of a file browser")
    dm.add("run")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_text("2")
    dm.save(tmp_path / "out", "run")
    assert not list((dm._project.state / "trash").rglob("*")), "all of it was kept"
    lab.write("run/.lobsterdvignore", "*.log\n")
    lab.write("run/today.log", "the only copy")
    dm.add("run")
    dm.save(tmp_path / "out", "run")
    assert [p.read_text() for p in (dm._project.state / "trash").rglob("today.log")] == ["the only copy"]
    assert lab.read("run/a") == b"2" and not lab.path("run/today.log").exists()
    assert temps_below(lab.root) == []


@pytest.mark.parametrize("name", ["t.csv", "run/a"])
@pytest.mark.parametrize("fails", [False, True])
def test_an_edit_during_a_save_is_not_lost(
    lab: Lab, dm: DataManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fails: bool
) -> None:
    """After the last look, and before the new data has its place: the edit is in the trash, or still in its place."""
    lab.write(name, "old")
    target = name.partition("/")[0]
    dm.add(target)
    made = tmp_path / target
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("new")
    real = replacing.make_plan

    def edit_then(*args: Any, **options: Any) -> Any:
        plan = real(*args, **options)
        with lab.path(name).open("r+") as file:  # in place, through a name that was open before
            file.write("edited since")
        return plan

    def no_trash(*args: object, **options: object) -> Path:
        raise LocalIOError("trash", "the disk is full", errno.ENOSPC)

    monkeypatch.setattr(replacing, "make_plan", edit_then)
    if fails:
        monkeypatch.setattr(replacing, "set_aside", no_trash)
        with pytest.raises(LocalIOError, match="full"):
            dm.save(made, target)
        assert lab.read(name) == b"edited since"
    else:
        dm.save(made, target)
        found = [p.read_text() for p in (dm._project.state / "trash").rglob(Path(name).name) if p.is_file()]
        assert (found, lab.read(name)) == (["edited since"], b"new")
    assert temps_below(lab.root) == []


def test_save_a_folder_over_a_file_and_back(lab: Lab, dm: DataManager, tmp_path: Path) -> None:
    lab.write("x", "old")
    dm.add("x")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a").write_text("1")
    dm.save(tmp_path / "x", "x")
    assert lab.read("x/a") == b"1"
    dm.save(tmp_path / "x/a", "x")
    assert lab.read("x") == b"1"


def test_a_failed_save_leaves_everything(lab: Lab, dm: DataManager) -> None:
    lab.write("t.csv", "good")
    dm.add("t.csv")
    for bad in (object(), 42, {"a": 1}):
        with pytest.raises(UsageError):
            dm.save(bad, "t.csv")
    with pytest.raises(LocalIOError):
        dm.save("no/such/file.csv", "t.csv")
    assert lab.read("t.csv") == b"good"
    assert temps_below(lab.root) == []


def test_save_a_file_a_folder_and_what_is_in_place(lab: Lab, dm: DataManager, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("1")
    assert dm.save(tmp_path / "out", "results/run").files == 1
    assert dm.save(tmp_path / "out" / "a", "results/one").size == 1
    lab.write("results/one", "22")
    assert dm.save(lab.path("results/one"), "results/one").size == 2


def test_save_keeps_the_executable_bit(lab: Lab, dm: DataManager, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    dm.save(tmp_path / "tool", "tool")
    assert lab.path("tool").stat().st_mode & 0o100
    assert lab.pointer("tool").executable


def test_the_first_error_carries_the_others(lab: Lab, dm: DataManager) -> None:
    lab.write("a", "1")
    with pytest.raises(Refused) as caught:
        dm.add("missing", "a", "../out")
    assert any("../out" in note for note in caught.value.__notes__)
    assert dm.resolve("a").size == 1


def test_names(lab: Lab, dm: DataManager) -> None:
    lab.write("sub/a", "1")
    dm.add("./sub/a")
    assert dm.resolve(str(lab.path("sub/a"))).name == "sub/a"
    with pytest.raises(UsageError):
        dm.resolve("/etc/passwd")
    with pytest.raises(NotTracked):
        dm.versions("nothing")


def test_unsaved_work_stops_a_pull(lab: Lab, dm: DataManager) -> None:
    lab.write("a", "1")
    dm.add("a")
    lab.write("a", "2")
    with pytest.raises(WouldOverwrite):
        dm.pull()
    assert lab.read("a") == b"2"
    dm.checkout(force=True)
    assert lab.read("a") == b"1"


SECRET = "hunter2-very-secret-key"


def test_no_network_says_what_is_missing_where_and_what_to_type(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write("data/counts.h5ad", "x" * 1000)
    lab.add("data/counts.h5ad")
    lab.lose_cache()
    for name, value in lab.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    url = {"url": "s3://lab-data/omics", "endpoint_url": "http://127.0.0.1:9", "attempts": 1, "connect_timeout": 1}
    lab.configure(remote="cloud", remotes={"cloud": url})
    with DataManager(lab.root) as dm:
        for ask in (dm.path, dm.open, dm.load):
            with pytest.raises(MissingContent) as caught:
                ask("data/counts.h5ad")
            text = str(caught.value)
            assert "data/counts.h5ad" in text
            assert "1000 bytes" in text
            assert "s3://lab-data/omics" in text
            assert "lobsterdv pull data/counts.h5ad" in text
            assert caught.value.size == 1000
            assert SECRET not in text + repr(caught.value) + repr(caught.value.__cause__)


def test_wrong_credentials(lab: Lab, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write("a", "1")
    lab.add("a")
    lab.lose_cache()
    for name, value in lab.env.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    remote = {"url": f"s3://{moto.new_bucket()}/x", "endpoint_url": moto.endpoint_url, "region": "us-east-1"}
    lab.configure(remote="cloud", remotes={"cloud": remote})
    with DataManager(lab.root) as dm, pytest.raises(MissingContent) as caught:
        dm.path("a")
    assert "credentials" in str(caught.value)


LAZY = """
import json, sys, time
before = set(sys.modules)
start = time.process_time()
import lobsterdv
cost = time.process_time() - start
heavy = {"boto3", "botocore", "anndata", "pandas", "numpy", "yaml", "click", "rich", "sqlite3", "h5py", "blake3"}
light = sorted(heavy & set(sys.modules))
lobsterdv.DataManager
manager = sorted({"boto3", "botocore", "anndata", "pandas", "numpy", "click", "rich", "h5py", "zarr", "sqlite_utils"}
                 & set(sys.modules))
print(json.dumps({"cost": cost, "light": light, "manager": manager, "names": dir(lobsterdv)}))
"""


def test_import_is_fast_and_lazy() -> None:
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {root!r})\n{LAZY}"]
    runs = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3)]
    assert min(run["cost"] for run in runs) < 0.05
    assert runs[0]["light"] == []
    assert runs[0]["manager"] == [], "the libraries come with the first call that needs them"
    assert "DataManager" in runs[0]["names"]
