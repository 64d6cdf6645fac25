"""A version as an object of its own library: AnnData, MuData or DataFrame. Never writes to the data."""

from __future__ import annotations

from pathlib import Path

from lobsterdv.anndata_.describe import is_anndata
from lobsterdv.anndata_.kinds import Kind, table_format
from lobsterdv.anndata_.zarr_tree import open_zarr
from lobsterdv.errors import FormatError, LobsterError, LocalIOError, UsageError


def load(path: Path, kind: Kind, *, name: str, backed: bool = False) -> object:
    """Open the data at ``path``, which may be a cache file without a suffix; ``name`` is the dataset's file name.

    ``anndata`` gives an AnnData, ``mudata`` a MuData, ``table`` a DataFrame, ``zarr`` an AnnData if it stores one;
    everything else gives ``path`` itself. ``backed`` leaves the matrices of an h5ad or h5mu on disk, opened
    read-only. Raises UsageError for ``backed`` elsewhere and for a library that is not installed, FormatError for
    data its library cannot read, LocalIOError when the operating system refuses.
    """
    try:
        return _load(path, kind, name, backed)
    except (LobsterError, MemoryError, Warning):
        raise
    except Exception as error:  # the libraries raise many types for damaged or foreign data
        if isinstance(error, OSError) and error.errno:
            raise LocalIOError(str(path), error.strerror or str(error), error.errno) from error
        raise FormatError(name, f"cannot be read as {kind}: {_first_line(error)}") from error


def _load(path: Path, kind: Kind, name: str, backed: bool) -> object:
    if kind == "anndata":
        import anndata  # noqa: PLC0415 - start-up time

        return anndata.read_h5ad(path, backed="r" if backed else None)
    if kind == "mudata":
        try:
            import mudata  # noqa: PLC0415 - start-up time
        except ImportError as error:
            raise UsageError(f"{name} needs the mudata library: pip install mudata") from error

        return mudata.read_h5mu(path, backed="r" if backed else None)
    if kind == "zarr" and (store := open_zarr(path)) and is_anndata(store):
        _refuse_backed(name, backed)
        import anndata  # noqa: PLC0415 - start-up time

        return anndata.read_zarr(path)
    if kind == "table":
        _refuse_backed(name, backed)
        return _load_table(path, name)
    return path


def _load_table(path: Path, name: str) -> object:
    import pandas  # noqa: PLC0415 - start-up time

    form = table_format(name)
    if form is None:
        return path
    if form.encoding == "delimited":
        # low_memory=False: a column's type comes from all of its rows, not from each block of them.
        packing = "gzip" if form.gzipped else None
        return pandas.read_csv(path, sep=form.delimiter, compression=packing, low_memory=False)
    try:
        return pandas.read_parquet(path) if form.encoding == "parquet" else pandas.read_feather(path)
    except ImportError as error:
        raise UsageError(f"{name} needs the pyarrow library: pip install pyarrow") from error


def _refuse_backed(name: str, backed: bool) -> None:
    if backed:
        raise UsageError(f"{name} cannot be opened backed: only h5ad and h5mu files can")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
