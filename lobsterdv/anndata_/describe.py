"""The summary of a version: its shapes and names, never a value, small enough for a pointer.

Never writes or locks, and never imports anndata or zarr: AnnData's on-disk format
(https://anndata.readthedocs.io/en/latest/fileformat-prose.html) is read through ``tree.Node``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from lobsterdv.anndata_.kinds import SHORTAGES, Kind, table_format
from lobsterdv.anndata_.table_header import table_summary
from lobsterdv.anndata_.tree import Node
from lobsterdv.anndata_.zarr_tree import open_zarr

MAX_NAMES: Final = 200
MAX_NAME_CHARS: Final = 100
MAX_SUMMARY_BYTES: Final = 32 << 10  # as ASCII JSON; a pointer has 64 KiB for everything


def describe(path: Path, kind: Kind, *, name: str) -> dict[str, object]:
    """What is inside the data at ``path``: ordered ints, strings, lists of strings and dicts of these.

    ``name`` is the dataset's file name and decides a table's dialect; ``path`` may be a cache file without a
    suffix. Data that cannot be described (corrupt, of an unknown layout) gives ``{}``. Equal data gives an equal
    summary: OSError is raised where the system has nothing left to read it with, or the disk fails.
    """
    try:
        return _fitted(_summary(path, kind, name))
    except OSError as error:
        if error.errno in SHORTAGES:
            raise
        return {}
    except Exception:  # h5py, pyarrow, csv and json raise many types for damaged input; a summary is optional
        return {}


def is_anndata(root: Node) -> bool:
    """Whether ``root`` holds one AnnData, written by any version of anndata."""
    return root.text("encoding-type") == "anndata" or {"X", "obs", "var"} <= set(root.names())


def _summary(path: Path, kind: Kind, name: str) -> dict[str, object]:
    if kind == "zarr":
        store = open_zarr(path)
        return _zarr(store) if store else {}
    if kind == "table":
        form = table_format(name)
        return table_summary(path, form) if form and path.is_file() else {}
    if kind in ("anndata", "mudata") and path.is_file():
        from lobsterdv.anndata_.hdf5_tree import open_hdf5  # noqa: PLC0415 - start-up time

        with open_hdf5(path) as root:
            return _anndata(root) if kind == "anndata" else _mudata(root)
    return {}


def _zarr(store: Node) -> dict[str, object]:
    if is_anndata(store):
        return _anndata(store)
    if store.text("encoding-type") == "MuData":
        return _mudata(store)
    if store.shape is not None:
        return {"array": _array(store)}
    members = {name: node for name in store.names() if (node := store.child(name))}
    return _present(
        {
            "arrays": {name: _array(node) for name, node in members.items() if node.shape is not None},
            "groups": [name for name, node in members.items() if node.shape is None],
        }
    )


def _anndata(root: Node) -> dict[str, object]:
    n_obs, obs = _frame(root.child("obs"))
    n_vars, var = _frame(root.child("var"))
    matrix = root.child("X")
    rows, columns = _matrix_shape(matrix)
    return _present(
        {
            "n_obs": rows if n_obs is None else n_obs,
            "n_vars": columns if n_vars is None else n_vars,
            "X": _matrix(matrix),
            "obs": obs,
            "var": var,
            **{part: _members(root.child(part)) for part in ("layers", "obsm", "varm", "obsp", "varp")},
            "uns": _uns(root.child("uns"), {*obs, *var}),
            "raw": _raw(root),
        }
    )


def _mudata(root: Node) -> dict[str, object]:
    modalities = root.child("mod")
    if modalities is None:
        return {}
    stored = modalities.names()
    ordered = [name for name in modalities.texts("mod-order") or [] if name in stored]
    n_obs, obs = _frame(root.child("obs"))
    n_vars, var = _frame(root.child("var"))
    shapes: dict[str, object] = {}
    for name in dict.fromkeys([*ordered, *stored]):
        if node := modalities.child(name):
            inner = _anndata(node)
            shapes[name] = {key: inner[key] for key in ("n_obs", "n_vars") if key in inner}
    uns = _members(root.child("uns"))
    return _present({"n_obs": n_obs, "n_vars": n_vars, "modalities": shapes, "obs": obs, "var": var, "uns": uns})


def _frame(node: Node | None) -> tuple[int | None, list[str]]:
    """Length and column names, without the index, of a stored data frame."""
    if node is None:
        return None, []
    if node.shape is not None:  # before anndata 0.7: an array of records whose first field is the index
        return (node.shape[0] if node.shape else None), node.fields[1:]
    index = node.text("_index") or "_index"
    columns = node.texts("column-order")
    if columns is None:
        columns = [name for name in node.names() if name not in (index, "__categories")]
    return _length(node.child(index)), columns


def _length(index: Node | None) -> int | None:
    if index is not None and index.shape is None:  # a categorical or nullable index is a group
        index = index.child("codes") or index.child("values")
    return index.shape[0] if index is not None and index.shape else None


def _matrix(node: Node | None) -> str:
    """Encoding and element type, for example ``csr_matrix float32``; empty when there is no matrix."""
    if node is None or node.text("encoding-type") == "null":
        return ""
    if node.shape is not None:
        return f"array {node.dtype}"
    data = node.child("data")
    legacy = node.text("h5sparse_format")  # before anndata 0.7
    encoding = node.text("encoding-type") or (f"{legacy}_matrix" if legacy else "group")
    return f"{encoding} {data.dtype}" if data else encoding


def _matrix_shape(node: Node | None) -> tuple[int | None, int | None]:
    if node is None:
        return None, None
    shape = node.shape or node.numbers("shape") or node.numbers("h5sparse_shape")
    return (shape[0], shape[1]) if len(shape) == 2 else (None, None)


def _members(node: Node | None) -> list[str]:
    if node is None:
        return []
    return node.names() if node.shape is None else node.fields


def _uns(node: Node | None, columns: set[str]) -> list[str]:
    """Top-level keys, without the ``<column>_categories`` in which anndata before 0.7 kept categories."""
    return [key for key in _members(node) if key.removesuffix("_categories") not in columns or key in columns]


def _raw(root: Node) -> dict[str, object]:
    raw = root.child("raw")
    n_vars, _ = _frame(raw.child("var") if raw else root.child("raw.var"))
    return {} if n_vars is None else {"n_vars": n_vars}


def _array(node: Node) -> str:
    return f"{node.dtype} ({', '.join(map(str, node.shape or ()))})"


def _present(summary: dict[str, object]) -> dict[str, object]:
    """Only what exists; a count of zero does exist."""
    return {key: value for key, value in summary.items() if value == 0 or value}


def _fitted(summary: dict[str, object]) -> dict[str, object]:
    """``summary`` with clean names and short lists, within MAX_SUMMARY_BYTES."""
    for most in (MAX_NAMES, 100, 50, 25, 10, 3):
        bounded = {key: _bounded(value, most) for key, value in summary.items()}
        if len(json.dumps(bounded)) <= MAX_SUMMARY_BYTES:
            return bounded
    return {}


def _bounded(value: object, most: int) -> object:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        shown = [_clean(str(item)) for item in value[:most]]
        return [*shown, f"… {len(value) - most} more"] if len(value) > most else shown
    if isinstance(value, dict):
        some = {_clean(key): _bounded(value[key], most) for key in list(value)[:most]}
        return {**some, "…": f"{len(value) - most} more"} if len(value) > most else some
    return value


def _clean(name: str) -> str:
    """``name`` safe to print and to encode: no control, format, surrogate or private characters, not too long."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name[:MAX_NAME_CHARS])
    return clean + "…" if len(name) > MAX_NAME_CHARS else clean
