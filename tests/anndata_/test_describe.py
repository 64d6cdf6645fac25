"""If these fail, pointers lie about what is inside, show values of patients, grow too big, or `add` crashes."""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lobsterdv.anndata_ import writing
from lobsterdv.anndata_.describe import MAX_SUMMARY_BYTES, describe
from lobsterdv.anndata_.kinds import Kind, kind_of
from tests.anndata_.samples import CANARY, small_anndata, small_mudata, write_legacy_h5ad

SMALL = {
    "n_obs": 12,
    "n_vars": 4,
    "X": "csr_matrix float32",
    "obs": ["donor", "leiden", "n"],
    "var": ["symbol"],
    "layers": ["raw_counts"],
    "obsm": ["X_pca", "frame"],
    "varm": ["PCs"],
    "obsp": ["distances"],
    "uns": ["params", "title"],
    "raw": {"n_vars": 4},
}


def described(path: Path) -> dict[str, object]:
    return describe(path, kind_of(path), name=path.name)


def test_an_h5ad_shows_shapes_and_names_in_a_fixed_order(tmp_path: Path) -> None:
    writing.write(small_anndata(), tmp_path / "a.h5ad", name="a.h5ad")
    summary = described(tmp_path / "a.h5ad")
    assert summary == SMALL
    assert list(summary) == list(SMALL)


@pytest.fixture(params=[2, 3])
def zarr_version(request: pytest.FixtureRequest) -> Iterator[int]:
    import anndata

    with anndata.settings.override(zarr_write_format=request.param):
        yield request.param


def test_the_same_data_as_zarr_shows_the_same(tmp_path: Path, zarr_version: int) -> None:
    writing.write(small_anndata(), tmp_path / "a.zarr", name="a.zarr")
    assert (tmp_path / "a.zarr" / "zarr.json").exists() == (zarr_version == 3)
    assert described(tmp_path / "a.zarr") == SMALL


def test_a_cached_file_without_suffix_is_described_like_any(tmp_path: Path) -> None:
    writing.write(small_anndata(), tmp_path / "7f98bbed", name="a.h5ad")
    assert describe(tmp_path / "7f98bbed", "anndata", name="a.h5ad") == SMALL


def test_an_empty_anndata_says_zero_and_no_more(tmp_path: Path) -> None:
    import anndata

    writing.write(anndata.AnnData(np.zeros((0, 3), "float32")), tmp_path / "a.h5ad", name="a.h5ad")
    assert described(tmp_path / "a.h5ad") == {"n_obs": 0, "n_vars": 3, "X": "array float32"}


def test_an_anndata_without_a_matrix_has_no_x(tmp_path: Path) -> None:
    import anndata

    adata = small_anndata()
    writing.write(anndata.AnnData(obs=adata.obs, var=adata.var), tmp_path / "a.h5ad", name="a.h5ad")
    summary = described(tmp_path / "a.h5ad")
    assert summary == {"n_obs": 12, "n_vars": 4, "obs": SMALL["obs"], "var": SMALL["var"]}


def test_a_named_index_is_not_a_column(tmp_path: Path) -> None:
    adata = small_anndata()
    adata.obs.index.name = "barcode"
    writing.write(adata, tmp_path / "a.h5ad", name="a.h5ad")
    assert described(tmp_path / "a.h5ad") == SMALL


def test_an_h5mu_shows_its_modalities_in_their_order(tmp_path: Path) -> None:
    writing.write(small_mudata(), tmp_path / "m.h5mu", name="m.h5mu")
    summary = described(tmp_path / "m.h5mu")
    assert summary["modalities"] == {"rna": {"n_obs": 12, "n_vars": 4}, "protein": {"n_obs": 12, "n_vars": 2}}
    assert (summary["n_obs"], summary["n_vars"]) == (12, 6)
    assert list(summary["modalities"]) == ["rna", "protein"]


def test_an_h5ad_older_than_anndata_0_7_is_described(tmp_path: Path) -> None:
    write_legacy_h5ad(tmp_path / "old.h5ad")
    assert described(tmp_path / "old.h5ad") == {
        "n_obs": 3,
        "n_vars": 2,
        "X": "csr_matrix float32",
        "obs": ["batch", "n_counts"],
        "var": ["variable"],
        "obsm": ["X_pca", "X_umap"],
        "uns": ["batch_colors"],
        "raw": {"n_vars": 5},
    }


def test_scanpys_own_old_file_is_described() -> None:
    """pbmc68k ships with scanpy, which is in the demo extra only; the test above covers its layout without it."""
    import importlib.util

    scanpy = importlib.util.find_spec("scanpy")
    if scanpy is None or scanpy.origin is None:
        return
    summary = described(Path(scanpy.origin).parent / "datasets" / "10x_pbmc68k_reduced.h5ad")
    assert (summary["n_obs"], summary["n_vars"], summary["raw"]) == (700, 765, {"n_vars": 765})
    scores = ["S_score", "G2M_score", "phase", "louvain"]
    assert summary["obs"] == ["bulk_labels", "n_genes", "percent_mito", "n_counts", *scores]


def test_a_plain_zarr_shows_its_arrays(tmp_path: Path, zarr_version: Any) -> None:
    import zarr

    root = zarr.open_group(tmp_path / "i.zarr", mode="w", zarr_format=zarr_version)
    root.create_array("image", shape=(64, 32), dtype="uint16")
    root.create_array("mask", shape=(8,), dtype="bool")
    root.create_group("labels")
    arrays = {"image": "uint16 (64, 32)", "mask": "bool (8)"}
    assert described(tmp_path / "i.zarr") == {"arrays": arrays, "groups": ["labels"]}
    assert described(tmp_path / "i.zarr" / "image") == {"array": "uint16 (64, 32)"}


def test_no_value_is_ever_in_a_summary(tmp_path: Path) -> None:
    writing.write(small_anndata(), tmp_path / "a.h5ad", name="a.h5ad")
    writing.write(small_anndata(), tmp_path / "a.zarr", name="a.zarr")
    writing.write(small_mudata(), tmp_path / "m.h5mu", name="m.h5mu")
    writing.write(small_anndata().obs, tmp_path / "t.csv", name="t.csv")
    writing.write(small_anndata().obs, tmp_path / "t.parquet", name="t.parquet")
    write_legacy_h5ad(tmp_path / "old.h5ad")
    (tmp_path / "headless.csv").write_text(f"{CANARY},34,2024-01-05\nother,35,2024-01-06\n")
    (tmp_path / "quote.csv").write_text(f'id,"name\n1,{CANARY}\n')
    (tmp_path / "comment.csv").write_text(f"# {CANARY}\nid\n1\n")
    for path in tmp_path.iterdir():
        assert CANARY not in json.dumps(described(path)), path.name


@pytest.mark.parametrize(
    ("name", "content", "summary"),
    [
        ("t.csv", b"id,age\nx,1\n", {"columns": ["id", "age"]}),
        ("t.csv", b'\xef\xbb\xbf"id, long",age\r\n', {"columns": ["id, long", "age"]}),
        ("t.tsv", b"id\ta,b\n", {"columns": ["id", "a,b"]}),
        ("t.tsv.gz", gzip.compress(b"id\tage\n", mtime=0), {"columns": ["id", "age"]}),
        ("t.csv", b",0,1,2\na,5,6,7\n", {"n_columns": 4}),
        ("t.csv", b"", {}),
        ("t.csv", b"\n\n", {}),
        ("t.csv", "id,age\n".encode("utf-16"), {}),
        ("t.csv.gz", b"not gzip", {}),
        ("t.csv.gz", gzip.compress(b"id,age\n" + bytes(range(1, 256)) * 999)[:-4], {"columns": ["id", "age"]}),
        ("t.parquet", b"PAR1 nothing", {}),
        ("t.feather", b"", {}),
    ],
)
def test_a_table_shows_its_header(tmp_path: Path, name: str, content: bytes, summary: dict[str, object]) -> None:
    (tmp_path / name).write_bytes(content)
    assert described(tmp_path / name) == summary


def test_a_header_longer_than_what_is_read_says_that_there_is_more(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",".join(f"sample_{i:06}" for i in range(99_999)) + "\n1,2\n")
    columns = described(tmp_path / "t.csv")["columns"]
    assert isinstance(columns, list) and len(columns) == 200
    assert columns[-1] == "… more"


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_a_columnar_table_shows_its_columns(tmp_path: Path, suffix: str) -> None:
    import pandas as pd

    frame = pd.DataFrame({"id": ["x"], "age": [1]})
    writing.write(frame, tmp_path / "t", name=f"t.{suffix}")
    rows = {"n_rows": 1} if suffix == "parquet" else {}
    assert describe(tmp_path / "t", "table", name=f"t.{suffix}") == {**rows, "columns": ["id", "age"]}


def test_a_long_list_of_names_is_cut_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",".join(f"c{i}" for i in range(512)) + "\n")
    columns = described(tmp_path / "t.csv")["columns"]
    assert isinstance(columns, list)
    assert (len(columns), columns[199], columns[200]) == (201, "c199", "… 312 more")


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f980", "\x1b"])
def test_a_summary_fits_a_pointer_however_long_its_names(tmp_path: Path, letter: str) -> None:
    with h5py.File(tmp_path / "a.h5ad", "w", track_order=False) as file:
        for part in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
            group = file.create_group(part)
            for i in range(300):
                group.create_group(f"{i}{letter * 5000}")
    summary = described(tmp_path / "a.h5ad")
    assert "… " in str(summary["uns"])
    assert len(json.dumps(summary)) <= MAX_SUMMARY_BYTES


def test_names_cannot_write_to_the_users_terminal_or_break_the_pointer(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        for name in (b"red\x1b[31m", b"line\nbreak", b"bad\xffutf8", "turn\u202ed".encode(), b"plain name"):
            h5py.h5g.create(file.require_group("uns").id, name)
    names = described(tmp_path / "a.h5ad")["uns"]
    assert isinstance(names, list)
    assert set(names) == {"red\ufffd[31m", "line\ufffdbreak", "bad\ufffdutf8", "turn\ufffdd", "plain name"}


def test_broken_files_give_nothing_and_never_raise(tmp_path: Path) -> None:
    writing.write(small_anndata(), tmp_path / "a.h5ad", name="a.h5ad")
    whole = (tmp_path / "a.h5ad").read_bytes()
    broken = tmp_path / "b.h5ad"
    for length in (0, 8, 100, 600, len(whole) // 2, len(whole) - 1):
        broken.write_bytes(whole[:length])
        assert describe(broken, "anndata", name="b.h5ad") == {}, length
    kinds: tuple[Kind, ...] = ("file", "directory", "anndata", "mudata", "zarr", "table")
    for kind in kinds:
        assert describe(tmp_path / "missing", kind, name="t.csv") == {}
        broken.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 4096)
        assert describe(broken, kind, name="t.parquet") == {}


@pytest.mark.parametrize("name", ["t.csv", "a.h5ad"])
def test_a_shortage_is_no_damage(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many files open a version had no summary, or another kind, for good."""
    path = tmp_path / name
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000))

    def opened(*args: object, **options: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr("builtins.open", opened)
    monkeypatch.setattr(h5py, "File", opened)
    with pytest.raises(OSError, match="many"):
        describe(path, "table" if name == "t.csv" else "anndata", name=name)
    if name == "a.h5ad":
        with pytest.raises(OSError, match="many"):
            kind_of(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"node_type": "array", "shape": "many"}', "null"])
def test_broken_zarr_metadata_never_raises(tmp_path: Path, text: str) -> None:
    (tmp_path / "zarr.json").write_text(text)
    assert set(described(tmp_path)) <= {"array"}


def test_links_out_of_a_file_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["obs"] = np.zeros(7, dtype=[("index", "S1"), ("secret", "f4")])
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        file["obs"] = h5py.ExternalLink("other.h5ad", "/obs")
    assert described(tmp_path / "a.h5ad") == {}


def test_a_zarr_attribute_cannot_point_out_of_its_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for folder, attributes in ((store, {"encoding-type": "anndata"}), (store / "obs", {"_index": "../../outside"})):
        folder.mkdir()
        group = {"node_type": "group", "attributes": {**attributes, "column-order": []}}
        (folder / "zarr.json").write_text(json.dumps(group))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "zarr.json").write_text('{"node_type": "array", "shape": [7], "data_type": "int8"}')
    assert described(store) == {}


def test_a_file_locked_by_another_is_described_without_waiting(tmp_path: Path) -> None:
    write_legacy_h5ad(tmp_path / "a.h5ad")
    with (tmp_path / "a.h5ad").open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert described(tmp_path / "a.h5ad")["n_obs"] == 3


def test_a_file_open_in_this_process_is_described_and_stays_open(tmp_path: Path) -> None:
    """A notebook holds a backed AnnData and calls `add`: HDF5 wants the same lock settings for both."""
    write_legacy_h5ad(tmp_path / "a.h5ad")
    before = (tmp_path / "a.h5ad").read_bytes()
    for mode in ("r", "r+"):
        with h5py.File(tmp_path / "a.h5ad", mode) as backed:
            assert described(tmp_path / "a.h5ad")["n_obs"] == 3
            assert backed["obs"].shape == (3,)
    assert (tmp_path / "a.h5ad").read_bytes() == before
