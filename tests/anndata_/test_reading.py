"""If these fail, a user cannot open a version, or opens it as something else."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lobsterdv.anndata_ import writing
from lobsterdv.anndata_.kinds import Kind
from lobsterdv.anndata_.reading import load
from lobsterdv.errors import FormatError, LocalIOError, UsageError
from tests.anndata_.samples import small_anndata, small_mudata


@pytest.mark.parametrize("backed", [False, True])
def test_an_h5ad_comes_back_from_a_path_without_suffix(tmp_path: Path, backed: bool) -> None:
    writing.write(small_anndata(), tmp_path / "7f98", name="a.h5ad")
    adata: Any = load(tmp_path / "7f98", "anndata", name="a.h5ad", backed=backed)
    assert adata.isbacked == backed
    assert (adata.X[:] != small_anndata().X).nnz == 0
    if backed:
        adata.file.close()


@pytest.mark.filterwarnings("ignore:From 0.4 .update:FutureWarning")
@pytest.mark.parametrize("backed", [False, True])
def test_an_h5mu_comes_back_from_a_path_without_suffix(tmp_path: Path, backed: bool) -> None:
    writing.write(small_mudata(), tmp_path / "7f98", name="m.h5mu")
    mdata: Any = load(tmp_path / "7f98", "mudata", name="m.h5mu", backed=backed)
    assert mdata["protein"].shape == (12, 2)
    if backed:
        mdata.file.close()


def test_a_missing_mudata_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mudata", None)
    with pytest.raises(UsageError, match="pip install mudata"):
        load(tmp_path / "m.h5mu", "mudata", name="m.h5mu")


def test_a_zarr_store_comes_back_as_anndata_only_if_it_is_one(tmp_path: Path) -> None:
    writing.write(small_anndata(), tmp_path / "a.zarr", name="a.zarr")
    adata: Any = load(tmp_path / "a.zarr", "zarr", name="a.zarr")
    assert adata.shape == (12, 4)
    shutil.copytree(tmp_path / "a.zarr" / "layers", tmp_path / "plain.zarr")
    assert load(tmp_path / "plain.zarr", "zarr", name="plain.zarr") == tmp_path / "plain.zarr"


class Harm:
    """Whoever unpickles it writes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.canary,)


def test_a_zarr_array_that_asks_to_be_unpickled_is_refused(tmp_path: Path) -> None:
    """The codec is named by the array's metadata, which comes with the data: whoever pushes it chose it."""
    import anndata
    import numcodecs

    store, canary = tmp_path / "a.zarr", tmp_path / "canary"
    with anndata.settings.override(zarr_write_format=2):
        writing.write(anndata.AnnData(np.ones((3, 2), dtype="f4")), store, name="a.zarr")
    (store / ".zmetadata").unlink(missing_ok=True)
    metadata = json.loads((store / "X/.zarray").read_text())
    (store / "X/.zarray").write_text(json.dumps(metadata | {"compressor": {"id": "pickle"}, "filters": None}))
    (chunk,) = (path for path in (store / "X").iterdir() if not path.name.startswith("."))
    chunk.write_bytes(pickle.dumps(Harm(canary)))
    with pytest.raises(FormatError, match="pickle"):  # by zarr from 3.1 on
        load(store, "zarr", name="a.zarr")
    with pytest.raises(RuntimeError, match="unpickling"):  # by numcodecs, whichever zarr asks it
        numcodecs.get_codec({"id": "pickle"}).decode(chunk.read_bytes())
    assert not canary.exists()
    pickle.loads(chunk.read_bytes())
    assert canary.exists(), "it was harmless, and the test proves nothing"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "tsv.gz", "parquet", "feather"])
def test_a_table_comes_back_by_the_name_of_its_dataset(tmp_path: Path, suffix: str) -> None:
    import pandas as pd

    frame = pd.DataFrame({"id": ["x", "y,\tz"], "age": [1, 2], "score": [0.1, 1 / 3]})
    writing.write(frame, tmp_path / "7f98", name=f"t.{suffix}")
    pd.testing.assert_frame_equal(load(tmp_path / "7f98", "table", name=f"t.{suffix}"), frame)


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_anything_else_comes_back_as_its_path(tmp_path: Path, kind: Kind) -> None:
    assert load(tmp_path, kind, name="x.bam", backed=True) == tmp_path


@pytest.mark.parametrize("kind", ["anndata", "mudata", "table", "zarr"])
def test_damaged_data_is_a_format_error_that_names_the_dataset(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "7f98"
    if kind == "zarr":
        path.mkdir()
        (path / "zarr.json").write_text('{"node_type": "group", "attributes": {"encoding-type": "anndata"}, "x": ')
    else:
        path.write_bytes(b"PAR1 no")
    with pytest.raises(FormatError, match=r"t\.parquet"):
        load(path, kind, name="t.parquet")


def test_a_missing_file_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError, match="No such file"):
        load(tmp_path / "gone", "table", name="t.csv")


def test_backed_is_refused_where_it_could_not_be_honoured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="backed"):
        load(tmp_path / "t.csv", "table", name="t.csv", backed=True)
