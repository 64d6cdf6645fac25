"""If these fail, data is described and opened as what it is not, or every command starts slowly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lobsterdv.anndata_.kinds import kind_of, table_format

MAGIC = b"\x89HDF\r\n\x1a\n"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.h5ad", MAGIC, "anndata"),
        ("A.H5AD", MAGIC + b"more", "anndata"),
        ("a.h5ad", b"", "file"),
        ("a.h5ad", b"version https://git-lfs.github.com/spec/v1", "file"),
        ("a.h5ad", b"x" * 300 + MAGIC, "file"),
        ("a.h5mu", b"MuData".ljust(512, b"\0") + MAGIC, "mudata"),
        ("a.h5mu", b"MuData".ljust(512, b"\0"), "file"),
        ("a.h5", MAGIC, "file"),
        ("a.csv", b"", "table"),
        ("a.tsv", b"", "table"),
        ("a.csv.gz", b"", "table"),
        ("a.TSV.GZ", b"", "table"),
        ("a.parquet", b"", "table"),
        ("a.feather", b"", "table"),
        ("a.txt", b"", "file"),
        ("a.bam", b"", "file"),
        ("csv", b"", "file"),
    ],
)
def test_a_file_is_known_by_its_name_and_its_first_bytes(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert kind_of(tmp_path / name) == kind


@pytest.mark.parametrize("mark", ["zarr.json", ".zgroup", ".zarray", ".zattrs"])
def test_a_folder_with_zarr_metadata_is_a_zarr_store_whatever_its_name(tmp_path: Path, mark: str) -> None:
    (tmp_path / mark).write_text("{}")
    assert kind_of(tmp_path) == "zarr"


@pytest.mark.parametrize("name", ["plain", "not-yet.zarr", "folder.h5ad", "folder.csv"])
def test_any_other_folder_is_a_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert kind_of(tmp_path / name) == "directory"


def test_a_missing_path_is_a_file_not_an_error(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "none.h5ad") == "file"


def test_a_pipe_is_not_opened_for_it_would_wait_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5ad")
    assert kind_of(tmp_path / "pipe.h5ad") == "file"


def test_only_names_of_tables_have_a_table_format() -> None:
    form = table_format("x.tsv.gz")
    assert form is not None and (form.delimiter, form.gzipped) == ("\t", True)
    assert table_format("x.h5ad") is None


def test_kinds_cost_no_heavy_import() -> None:
    code = "import sys, lobsterdv.anndata_.kinds; print(sorted({'h5py', 'anndata', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"[]\n"


def test_describing_an_h5ad_or_a_zarr_never_imports_anndata_or_zarr(tmp_path: Path) -> None:
    from tests.anndata_.samples import write_legacy_h5ad

    write_legacy_h5ad(tmp_path / "a.h5ad")
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / ".zgroup").write_text("{}")
    code = """if True:
        import sys
        from pathlib import Path
        from lobsterdv.anndata_.describe import describe
        folder = Path(sys.argv[1])
        describe(folder / "z", "zarr", name="z")
        assert "h5py" not in sys.modules
        assert describe(folder / "a.h5ad", "anndata", name="a.h5ad")
        print(sorted({"anndata", "zarr", "pandas", "scipy"} & set(sys.modules)))
    """
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    assert run.stdout == b"[]\n"
