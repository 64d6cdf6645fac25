"""An object of a data library as a file or folder: equal objects give equal bytes with equal library versions.

Writes only to the path it is given and never changes the object. Publishing that path is the caller's work.
"""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lobsterdv.anndata_.kinds import TableFormat, table_format
from lobsterdv.errors import LobsterError, LocalIOError, UsageError

Writer = Callable[[Any, Path, str], None]


def suffix_for(obj: object) -> str:
    """The usual file suffix for ``obj``, with its dot. Raises UsageError for a type that cannot be written."""
    return _known(obj)[0]


def write(obj: object, path: Path, *, name: str) -> None:
    """Write ``obj`` to ``path``, which must not exist; the suffix of ``name`` decides the format.

    AnnData: .h5ad, .zarr; MuData: .h5mu; DataFrame: .csv, .tsv (also .gz), .parquet, .feather. String columns of
    AnnData and MuData become categories in the file, as their libraries do; in ``obj`` they stay. A MuData and a
    view of an AnnData are copied in memory first. After an error ``path`` may hold a part. Raises UsageError for
    a type, suffix or content that cannot be written, LocalIOError when the operating system refuses.
    """
    _, writer = _known(obj)
    try:
        with _quiet():
            writer(obj, path, name)
    except (LobsterError, MemoryError, Warning):
        raise
    except Exception as error:  # the libraries raise many types for content that has no encoding
        if isinstance(error, OSError) and error.errno:
            raise LocalIOError(str(path), error.strerror or str(error), error.errno) from error
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UsageError(f"this {type(obj).__name__} cannot be written as {name}: {reason}") from error


def _known(obj: object) -> tuple[str, Writer]:
    """The usual suffix and the writer for an object, told by its class's name so that nothing is imported."""
    for cls in type(obj).__mro__:
        known = _WRITERS.get((cls.__module__.partition(".")[0], cls.__name__))
        if known:
            return known
    raise UsageError(f"{type(obj).__name__} cannot be written: expected AnnData, MuData or a pandas DataFrame")


def _write_anndata(adata: Any, path: Path, name: str) -> None:
    import anndata.io  # noqa: PLC0415 - start-up time

    if name.lower().endswith(".h5ad"):
        # The method adata.write_h5ad would point a backed object at the new file; the function does not.
        convert = not adata.isbacked
        anndata.io.write_h5ad(path, _twin(adata), compression=None, convert_strings_to_categoricals=convert)
    elif name.lower().endswith(".zarr"):
        anndata.io.write_zarr(path, adata.to_memory() if adata.isbacked else _twin(adata))
    else:
        raise UsageError(f"an AnnData is written as .h5ad or .zarr, not as {name}")


def _twin(adata: Any) -> Any:
    """An AnnData with the same arrays but its own data frames, for the writers turn string columns into categories
    in place. Keys are sorted: their order is no part of an AnnData's value, and HDF5 reads them back sorted.
    A view is copied whole first; a backed object is returned as it is."""
    import anndata  # noqa: PLC0415 - start-up time

    if adata.isbacked:
        return adata
    if adata.is_view:
        adata = adata.copy()
    raw = adata.raw
    twin = anndata.AnnData(
        adata.X,
        obs=adata.obs.copy(deep=False),
        var=adata.var.copy(deep=False),
        raw=None if raw is None else {"X": raw.X, "var": raw.var.copy(deep=False), "varm": _sorted(raw.varm)},
        **{part: _sorted(getattr(adata, part)) for part in ("obsm", "varm", "obsp", "varp", "layers")},
    )
    twin.uns = _sorted(adata.uns)  # the constructor would move parts of uns["neighbors"] elsewhere
    return twin


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value, key=str)} if isinstance(value, Mapping) else value


def _write_mudata(mdata: Any, path: Path, name: str) -> None:
    import mudata  # noqa: PLC0415 - start-up time

    if not name.lower().endswith(".h5mu"):
        raise UsageError(f"a MuData is written as .h5mu, not as {name}")
    mudata.write_h5mu(path, mdata.copy())


def _write_frame(frame: Any, path: Path, name: str) -> None:
    form = table_format(name)
    if form is None:
        raise UsageError(f"a DataFrame is written as .csv, .tsv, .parquet or .feather, not as {name}")
    if form.encoding == "delimited":
        _write_delimited(frame, path, form)
        return
    try:
        import pyarrow  # type: ignore[import-untyped, unused-ignore]  # noqa: F401, PLC0415 - start-up time
    except ImportError as error:
        raise UsageError(f"{name} needs the pyarrow library: pip install pyarrow") from error
    if form.encoding == "parquet":
        frame.to_parquet(path, engine="pyarrow")
    else:
        frame.to_feather(path)


def _write_delimited(frame: Any, path: Path, form: TableFormat) -> None:
    """UTF-8, ``\\n`` line ends. The index is written unless it only counts the rows from 0."""
    index = frame.index
    counts = type(index).__name__ == "RangeIndex" and (index.start, index.step, index.name) == (0, 1, None)
    options = {"sep": form.delimiter, "index": not counts, "lineterminator": "\n", "encoding": "utf-8"}
    with path.open("xb") as file:
        if form.gzipped:  # no time and no name in the header: both would differ from write to write
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                frame.to_csv(packed, **options)
        else:
            frame.to_csv(file, **options)


# What the libraries tell their own developers when our writer calls them; the user can do nothing about it.
_NOISE: Final = (
    "Consolidated metadata is currently not part",  # zarr
    "zarr v3 autosharding will be the default",  # anndata
    "Writing zarr v2 data will no longer be the default",  # anndata
)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in _NOISE:
            warnings.filterwarnings("ignore", message)
        warnings.filterwarnings("ignore", module=r"mudata\.")  # its copy() repeats what it said of the original
        yield


_WRITERS: Final[dict[tuple[str, str], tuple[str, Writer]]] = {
    ("anndata", "AnnData"): (".h5ad", _write_anndata),
    ("mudata", "MuData"): (".h5mu", _write_mudata),
    ("pandas", "DataFrame"): (".csv", _write_frame),
}
