"""An .h5ad of single-cell counts, and the edit the design promises to be small: one new obs column.

`python h5ad.py write PATH CELLS GENES` and `python h5ad.py edit PATH` run as programs of their own, so that the
benchmark's process stays small (its size would count as its children's peak memory). Needs anndata.
"""

import sys
from pathlib import Path

CELLS_A_BLOCK = 1000
FULL = (40_000, 3_000)  # about 256 MB
SMALL = (2_000, 800)


def write(path: Path, cells: int, genes: int) -> None:
    """Poisson counts around gamma gene means, a PCA-like embedding, two obs columns; not compressed."""
    import anndata
    import numpy as np
    import pandas as pd
    from scipy import sparse

    rng = np.random.default_rng(1)
    means = rng.gamma(0.5, 0.8, genes)
    blocks = [
        sparse.csr_matrix(rng.poisson(means, (min(CELLS_A_BLOCK, cells - start), genes)).astype(np.float32))
        for start in range(0, cells, CELLS_A_BLOCK)
    ]
    obs = pd.DataFrame(
        {"batch": pd.Categorical(rng.choice(["a", "b", "c"], cells)), "score": rng.random(cells)},
        index=[f"cell-{number:06d}" for number in range(cells)],
    )
    var = pd.DataFrame(index=[f"gene-{number:05d}" for number in range(genes)])
    counts = sparse.vstack(blocks, format="csr")
    embedding = {"X_pca": rng.random((cells, 50), dtype=np.float32)}
    anndata.AnnData(counts, obs=obs, var=var, obsm=embedding).write_h5ad(path)


def add_obs_column(path: Path) -> None:
    """Read the whole file, add a column of cluster labels, write it all again, as an analysis does."""
    import anndata
    import numpy as np
    import pandas as pd

    table = anndata.read_h5ad(path)
    labels = np.random.default_rng(2).integers(0, 12, table.n_obs)
    table.obs["cluster"] = pd.Categorical([f"c{label}" for label in labels])
    edited = path.with_name(path.name + ".edited")
    table.write_h5ad(edited)
    edited.replace(path)


if __name__ == "__main__":
    target = Path(sys.argv[2])
    if sys.argv[1] == "write":
        write(target, int(sys.argv[3]), int(sys.argv[4]))
    else:
        add_obs_column(target)
