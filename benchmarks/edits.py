"""What labs do to a table between two versions, each as a program reads the file, changes it and writes it again.

`python edits.py write FORMAT TARGET CELLS GENES` and `python edits.py EDIT FORMAT SOURCE TARGET` run as programs of
their own, so that the benchmark's process stays small. Needs anndata, and hdf5plugin for the zstd format.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5ad

FORMATS = {
    "h5ad": "h5ad, not compressed",
    "h5ad-gzip": "h5ad, gzip",
    "h5ad-zstd": "h5ad, zstd (hdf5plugin)",
    "zarr": "zarr directory",
}


def nothing(table: Any) -> Any:
    return table


def obs_column(table: Any) -> Any:
    h5ad.add_clusters(table)
    return table


def umap(table: Any) -> Any:
    import numpy as np

    table.obsm["X_umap"] = np.random.default_rng(3).normal(size=(table.n_obs, 2)).astype(np.float32)
    return table


def relabel(table: Any) -> Any:
    """Other names of two categories; the codes stay."""
    table.obs["cell_type"] = table.obs["cell_type"].cat.rename_categories({"CD4 T": "T helper", "NK": "NK cells"})
    return table


def log1p(table: Any) -> Any:
    """Counts to a layer, X normalised to 10,000 a cell and logged."""
    import numpy as np
    from scipy import sparse

    table.layers["counts"] = table.X.copy()
    totals = np.maximum(np.asarray(table.X.sum(axis=1)).ravel(), 1)
    table.X = (sparse.diags((1e4 / totals).astype(np.float32)) @ table.X).tocsr().log1p()
    return table


def append_cells(table: Any) -> Any:
    """2 % more cells, at the end."""
    import anndata

    more = h5ad.make(table.n_obs // 50, table.n_vars, seed=4, first_cell=1)
    joined = anndata.concat([table, more], merge="first")
    for key in ("sample", "cell_type"):
        joined.obs[key] = joined.obs[key].astype("category")
    return joined


def filter_cells(table: Any) -> Any:
    """5 % of the cells go, here and there."""
    import numpy as np

    return table[np.random.default_rng(5).random(table.n_obs) >= 0.05].copy()


def filter_genes(table: Any) -> Any:
    """The 10 % of genes with the fewest counts go."""
    import numpy as np

    totals = np.asarray(table.X.sum(axis=0)).ravel()
    return table[:, totals > np.quantile(totals, 0.1)].copy()


EDITS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "obs-column": ("one obs column added", obs_column),
    "umap": ("UMAP added to obsm", umap),
    "relabel": ("two categories renamed", relabel),
    "log1p": ("log1p, counts to a layer", log1p),
    "append": ("2 % of cells appended", append_cells),
    "filter-cells": ("5 % of cells filtered", filter_cells),
    "filter-genes": ("10 % of genes filtered", filter_genes),
    "rewrite": ("read and written, unchanged", nothing),
}


def read(path: Path, kind: str) -> Any:
    import anndata

    if kind == "h5ad-zstd":
        import hdf5plugin  # noqa: F401  registers the filter
    return anndata.read_zarr(path) if kind == "zarr" else anndata.read_h5ad(path)


def write(table: Any, path: Path, kind: str) -> None:
    if kind == "zarr":
        table.write_zarr(path)
    elif kind == "h5ad-zstd":
        import hdf5plugin

        options = hdf5plugin.Zstd().filter_options
        table.write_h5ad(path, compression=hdf5plugin.FILTERS["zstd"], compression_opts=options)
    else:
        table.write_h5ad(path, compression="gzip" if kind == "h5ad-gzip" else None)


def main() -> None:
    what, kind, first, second, *more = sys.argv[1:]
    if what == "write":
        write(h5ad.make(int(second), int(more[0])), Path(first), kind)
    else:
        write(EDITS[what][1](read(Path(first), kind)), Path(second), kind)


if __name__ == "__main__":
    main()
