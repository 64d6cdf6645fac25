"""An AnnData table of single-cell counts, and the edit the design promises to be small: one new obs column.

`python h5ad.py write PATH CELLS GENES` and `python h5ad.py edit PATH` run as programs of their own, so that the
benchmark's process stays small (its size would count as its children's peak memory). Needs anndata.
"""

import sys
from pathlib import Path
from typing import Any

CELLS_A_BLOCK = 1000
FULL = (36_000, 8_000)  # about 260 MB
SMALL = (2_000, 800)
DISPERSION = 2.0


def make(cells: int, genes: int, *, seed: int = 1, first_cell: int = 0) -> Any:
    """Negative binomial counts around log-normal gene means and library sizes (CSR, float32, some 10 % not 0), a few
    obs and var columns, 50 principal components (of a random projection). Equal seeds give equal tables; genes are
    the same for all seeds."""
    import anndata
    import numpy as np
    import pandas as pd
    from scipy import sparse

    means = np.random.default_rng(0).lognormal(-3.2, 1.6, genes).astype(np.float32)
    loadings = np.random.default_rng(0).normal(size=(genes, 50)).astype(np.float32)
    rng = np.random.default_rng(seed)
    depths = rng.lognormal(0, 0.4, cells).astype(np.float32)
    blocks = []
    for start in range(0, cells, CELLS_A_BLOCK):
        depth = depths[start : start + CELLS_A_BLOCK, None]
        rates = rng.standard_gamma(DISPERSION, (len(depth), genes), dtype=np.float32) * (means / DISPERSION) * depth
        blocks.append(sparse.csr_matrix(rng.poisson(rates).astype(np.float32)))
    counts = sparse.vstack(blocks, format="csr")
    scores = counts @ loadings
    totals = np.asarray(counts.sum(axis=1)).ravel()
    obs = pd.DataFrame(
        {
            "sample": pd.Categorical(rng.choice(["s1", "s2", "s3", "s4"], cells)),
            "cell_type": pd.Categorical(rng.choice(["B", "CD4 T", "CD8 T", "NK", "monocyte", "dendritic"], cells)),
            "n_counts": totals,
            "n_genes": np.diff(counts.indptr).astype(np.int32),
            "percent_mito": rng.beta(2, 40, cells).astype(np.float32),
        },
        index=[f"{number:016X}-1" for number in rng.integers(1 << 40, 1 << 56, cells) + first_cell],
    )
    var = pd.DataFrame(
        {"gene_ids": [f"ENSG{number:011d}" for number in range(genes)], "highly_variable": means > 0.2},
        index=[f"gene-{number:05d}" for number in range(genes)],
    )
    return anndata.AnnData(counts, obs=obs, var=var, obsm={"X_pca": scores / np.sqrt(totals + 1)[:, None]})


def write(path: Path, cells: int, genes: int) -> None:
    """Not compressed."""
    make(cells, genes).write_h5ad(path)


def add_clusters(table: Any) -> None:
    """A column of cluster labels, as a clustering would add it."""
    import numpy as np
    import pandas as pd

    labels = np.random.default_rng(2).integers(0, 12, table.n_obs)
    table.obs["leiden"] = pd.Categorical([f"{label}" for label in labels])


def add_obs_column(path: Path) -> None:
    """Read the whole file, add a column of cluster labels, write it all again, as an analysis does."""
    import anndata

    table = anndata.read_h5ad(path)
    add_clusters(table)
    edited = path.with_name(path.name + ".edited")
    table.write_h5ad(edited)
    edited.replace(path)


if __name__ == "__main__":
    target = Path(sys.argv[2])
    if sys.argv[1] == "write":
        write(target, int(sys.argv[3]), int(sys.argv[4]))
    else:
        add_obs_column(target)
