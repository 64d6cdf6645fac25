"""The column names of a table, without its rows. Reads at most 64 KiB of text, counted decompressed."""

from __future__ import annotations

import csv
import gzip
import io
import re
from pathlib import Path
from typing import Final

from lobsterdv.anndata_.kinds import TableFormat

_HEAD_BYTES: Final = 64 << 10
_VALUE: Final = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")  # a date
_PANDAS_INDEX: Final = re.compile(r"__index_level_\d+__")


def table_summary(path: Path, form: TableFormat) -> dict[str, object]:
    """``columns``, and ``n_rows`` where the file says it. Raises what the decoders raise for a broken file."""
    if form.encoding == "delimited":
        return _delimited(path, form)
    import pyarrow  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415 - start-up time

    with pyarrow.OSFile(str(path)) as source:
        if form.encoding == "parquet":
            from pyarrow import parquet  # noqa: PLC0415 - start-up time

            metadata = parquet.read_metadata(source)
            return {"n_rows": metadata.num_rows, "columns": _columns(metadata.schema.to_arrow_schema().names)}
        return {"columns": _columns(pyarrow.ipc.open_file(source).schema.names)}


def _columns(names: list[str]) -> list[str]:
    """Names without the index that pandas stores beside the columns."""
    return [name for name in names if not _PANDAS_INDEX.fullmatch(name)]


def _delimited(path: Path, form: TableFormat) -> dict[str, object]:
    """The first line, if it is a header: a table without one must not show its first row."""
    with gzip.open(path, "rb") if form.gzipped else path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    text = head.decode("utf-8-sig", errors="replace")
    if "\0" in text:  # not text, or UTF-16
        return {}
    stream = io.StringIO(text, newline="")
    header = next((row for row in csv.reader(stream, delimiter=form.delimiter) if row), [])
    cut = len(head) == _HEAD_BYTES and not stream.read(1)
    if cut:
        header = header[:-1]  # its last name is not whole
    if not header or any("\n" in cell or "\r" in cell for cell in header):  # an open quote swallows rows
        return {}
    if len(header) == 1 and header[0].startswith("#"):  # a comment
        return {}
    if any(_is_value(cell) for cell in header):
        return {} if cut else {"n_columns": len(header)}
    return {"columns": [*header[:199], "… more"] if cut else header}


def _is_value(cell: str) -> bool:
    if _VALUE.fullmatch(cell.strip()):
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True
