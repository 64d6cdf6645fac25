"""Two people and one remote: what Ada adds and pushes, Ben pulls byte by byte, today's version and last week's."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from lobsterdv.events import silent
from lobsterdv.formats.yamlio import Value
from lobsterdv.ops.remotes import add_remote
from tests.anndata_.samples import small_anndata
from tests.ops.lab import Lab
from tests.ops.watching import tree
from tests.server import Server

Tree = dict[str, "str | tuple[str, bytes]"]
MakeRemote = Callable[[Lab], None]
DATASETS = ("data/pbmc.h5ad", "data/image.zarr", "data/odd things")


def shelf(lab: Lab) -> None:
    folder = lab.root.parent / "shelf"
    add_remote(lab.project, "shelf", str(folder), settings={}, observer=silent)


def bucket(server: Server) -> MakeRemote:
    def make(lab: Lab) -> None:
        settings: dict[str, Value] = {"endpoint_url": server.endpoint_url, "region": "us-east-1"}
        url = f"s3://{server.new_bucket()}/omics"
        add_remote(lab.project, "bucket", url, settings=settings, observer=silent)

    return make


def real_h5ad(target: Path) -> None:
    """scanpy's 700 cells of PBMC 68k where scanpy is installed (extra ``demo``), else an AnnData of our own."""
    spec = find_spec("scanpy")
    sample = Path(spec.origin).parent / "datasets" / "10x_pbmc68k_reduced.h5ad" if spec and spec.origin else None
    if sample is not None and sample.is_file():
        shutil.copyfile(sample, target)
    else:
        small_anndata(200).write_h5ad(target)


def odd_things(folder: Path) -> None:
    for name in ("plain", "with space", "ünïcödé 数据 🦞", "-rf", 'it\'s "quoted"', "chr1:1-2", "x" * 255, ".hidden"):
        path = folder / "names" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    (folder / "empty").write_bytes(b"")
    (folder / "large").write_bytes(os.urandom(9 << 20))
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "hollow" / "inside").mkdir(parents=True)
    (folder / "latest").symlink_to("names/with space")
    (folder / "names" / "up").symlink_to("../large")
    (folder / "dangling").symlink_to("not-yet")


def first_version(lab: Lab) -> None:
    import numpy as np
    import zarr

    lab.path("data").mkdir()
    real_h5ad(lab.path("data/pbmc.h5ad"))
    group = zarr.open_group(str(lab.path("data/image.zarr")), mode="w")
    group.create_array("pixels", data=np.arange(40_000, dtype="uint16").reshape(200, 200), chunks=(50, 50))
    odd_things(lab.path("data/odd things"))


def second_version(lab: Lab) -> None:
    import anndata
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the sample's age
        adata = anndata.read_h5ad(lab.path("data/pbmc.h5ad"))
        adata.obs["qc"] = 1.0
        adata.write_h5ad(lab.path("data/pbmc.h5ad"))
    pixels = zarr.open_group(str(lab.path("data/image.zarr")), mode="r+")["pixels"]
    pixels[:10, :10] = 7  # type: ignore[index]
    odd = lab.path("data/odd things")
    (odd / "names" / "plain").write_text("changed")
    (odd / "run.sh").chmod(0o644)
    (odd / "empty").unlink()
    (odd / "empty").mkdir()
    (odd / "latest").unlink()
    (odd / "latest").symlink_to("names/plain")


def story(lab: Lab, make_remote: MakeRemote) -> None:
    make_remote(lab)
    lab.reopen()
    trees: dict[str, dict[str, Tree]] = {}
    for tag, change in (("v1", first_version), ("v2", second_version)):
        change(lab)
        lab.add(*DATASETS, message=tag)
        lab.commit(tag, tag=tag)
        trees[tag] = {name: tree(lab.path(name)) for name in DATASETS}
        if tag == "v1":
            lab.push()
            ben = lab.clone(lab.root.parent / "ben", home=lab.root.parent / "ben-home")
            ben.pull()
            check(ben, trees["v1"])
            assert read(ben, "data/pbmc.h5ad").n_obs > 0
    report = lab.push()
    sent = {v.path: v.new_bytes for v in report.versions if v.outcome == "pushed"}
    assert set(sent) == set(DATASETS)
    assert sent["data/odd things"] == len("changed"), "9 MB did not travel again"

    ben.git("fetch", "--quiet", "--tags")
    ben.git("merge", "--quiet", "--ff-only", "origin/main")
    ben.pull()
    check(ben, trees["v2"])
    assert "qc" in read(ben, "data/pbmc.h5ad").obs
    for tag in ("v1", "v2", "v1"):
        ben.checkout(rev=tag)
        check(ben, trees[tag])
    ben.lose_cache()
    for tag in ("v2", "v1"):
        for name in DATASETS:
            place = ben.path(name)
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        ben.pull(rev=tag)
        check(ben, trees[tag])
    ben.close()


def check(person: Lab, expected: dict[str, Tree]) -> None:
    for name in DATASETS:
        assert tree(person.path(name)) == expected[name], name
    assert {d.work for d in person.status().datasets} == {"clean"}


def read(person: Lab, name: str) -> object:
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return anndata.read_h5ad(person.path(name))


def use_keys(lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both people have the bucket's keys in their environment, as boto3 reads it."""
    for name, value in server.environment.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)


def test_through_a_shared_folder(lab: Lab) -> None:
    story(lab, shelf)


def test_through_s3(lab: Lab, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use_keys(lab, moto, monkeypatch)
    story(lab, bucket(moto))


@pytest.mark.s3
def test_through_seaweedfs(lab: Lab, seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use_keys(lab, seaweedfs, monkeypatch)
    story(lab, bucket(seaweedfs))
