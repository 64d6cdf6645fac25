"""Small, repeatable edits of an h5ad file, for the demo and the benchmarks. Equal input gives equal output bytes.

The target is written beside its place and renamed over it: a file that shares its bytes with the cache is
replaced, never written through.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

from lobsterdv.anndata_.writing import write

_GOLDEN_RATIO: Final = 0.6180339887498949


def add_obs_column(source: Path, target: Path, *, column: str) -> None:
    """Write ``source`` to ``target`` with one more float64 obs column, in [0, 1) and the same every time.

    ``target`` may be ``source`` and is replaced if it exists. A column of that name is overwritten.
    """
    import numpy  # noqa: PLC0415 - start-up time

    adata = _read(source)
    adata.obs[column] = numpy.arange(1, adata.n_obs + 1) * _GOLDEN_RATIO % 1.0
    _replace(adata, target)


def rewrite(source: Path, target: Path) -> None:
    """Write ``source`` to ``target`` in our writer's encoding: later edits of ``target`` then change little.

    ``target`` may be ``source`` and is replaced if it exists. Rewriting what was rewritten changes no byte.
    """
    _replace(_read(source), target)


def _read(source: Path) -> Any:
    import anndata  # noqa: PLC0415 - start-up time

    with warnings.catch_warnings():
        # An old encoding is no news here: re-encoding it is what the caller asked for.
        warnings.simplefilter("ignore", anndata.OldFormatWarning)
        warnings.filterwarnings("ignore", r"Moving element from \.uns\['neighbors'\]", FutureWarning)
        return anndata.read_h5ad(source)


def _replace(adata: Any, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        write(adata, unfinished, name="edited.h5ad")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
