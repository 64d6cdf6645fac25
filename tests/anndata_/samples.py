"""Real data sets, small, made by their own libraries."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CANARY = "patient-Jane-Roe"  # a value: it must never be in a summary


def small_anndata(rows: int = 12) -> Any:
    import anndata
    import pandas as pd
    from scipy import sparse

    names = [f"cell{i}" for i in range(rows)]
    counts = sparse.csr_matrix(np.arange(rows * 4, dtype="float32").reshape(rows, 4) % 3)
    adata = anndata.AnnData(
        counts,
        obs=pd.DataFrame(
            {
                "donor": [CANARY, "b"] * (rows // 2),
                "leiden": pd.Categorical(["0", "1"] * (rows // 2)),
                "n": np.arange(rows),
            },
            index=names,
        ),
        var=pd.DataFrame({"symbol": ["A", "B", "C", "D"]}, index=["g1", "g2", "g3", "g4"]),
        obsm={"X_pca": np.ones((rows, 2)), "frame": pd.DataFrame({"z": np.ones(rows)}, index=names)},
        varm={"PCs": np.ones((4, 2))},
        layers={"raw_counts": counts.copy()},
        obsp={"distances": sparse.csr_matrix(np.eye(rows))},
        uns={"params": {"note": CANARY}, "title": CANARY},
    )
    adata.raw = adata
    return adata


def small_mudata() -> Any:
    import mudata

    rna = small_anndata()
    protein = rna[:, :2].copy()
    protein.var_names = ["p1", "p2"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "From 0.4 .update", FutureWarning)
        return mudata.MuData({"rna": rna, "protein": protein})


def write_legacy_h5ad(path: Path) -> None:
    """An h5ad as anndata before 0.7 wrote it: records for data frames, h5sparse, categories in uns."""
    with h5py.File(path, "w") as file:
        matrix = file.create_group("X")
        matrix.attrs["h5sparse_format"] = "csr"
        matrix.attrs["h5sparse_shape"] = np.array([3, 2])
        matrix["data"] = np.ones(3, "float32")
        matrix["indices"] = np.array([0, 1, 0], "int32")
        matrix["indptr"] = np.array([0, 1, 2, 3], "int32")
        file["obs"] = np.array(
            [(b"c1", 0, 1.0), (b"c2", 1, 2.0), (b"c3", 0, 3.0)],
            dtype=[("index", "S2"), ("batch", "i1"), ("n_counts", "<f4")],
        )
        file["var"] = np.array([(b"g1", True), (b"g2", False)], dtype=[("index", "S2"), ("variable", "?")])
        file["obsm"] = np.zeros(3, dtype=[("X_pca", "<f4", (2,)), ("X_umap", "<f8", (2,))])
        file["raw.X"] = np.ones((3, 5), "float32")
        file["raw.var"] = np.array([(f"g{i}".encode(),) for i in range(5)], dtype=[("index", "S2")])
        file["uns/batch_categories"] = np.array([CANARY.encode(), b"b"])
        file["uns/batch_colors"] = np.array([b"#fff", b"#000"])
